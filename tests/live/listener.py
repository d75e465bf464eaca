"""A process that keeps a MIDI input open: `listener.py LIBRARY [INPUT]`.

Without INPUT it makes a virtual one. It tries every 20 ms, so that what a try leaves behind would be seen soon. Lines
out: `open FILES`, `heard CONNECTION HEX`, `gone FILES`, `try NUMBER`, `back FILES`, `closed FILES` (how many files it
has open by then). Ends with stdin.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence
from importlib import import_module

from kelly_live.core.timebase import MonotonicClock
from kelly_live.midi import supervised_input as reopening
from kelly_live.midi.backend import MidiBackend


def say(*words: object) -> None:
    """In one piece: two threads say things."""
    print(f"{' '.join(map(str, words))}\n", end="", flush=True)


def files() -> int:
    return len(os.listdir("/proc/self/fd"))


def main(library: str, query: str | None = None) -> None:
    is_over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), is_over.set()), daemon=True).start()
    backends = import_module(f"kelly_live.midi.backends.{library}").find_backends
    tries = 0

    def among() -> Sequence[MidiBackend]:
        nonlocal tries
        tries += 1
        if tries > 1:
            say("try", tries - 1)
        backend_list: Sequence[MidiBackend] = backends()
        return backend_list

    port = reopening.SupervisedInput(query, MonotonicClock(), find_backends=among)
    reopening.RETRY_SECONDS = 0.02
    port.start()
    say("open", files())
    alive = True
    while not is_over.wait(0.005):
        for message in port.poll():
            say("heard", message.connection, message.data.hex())
        if alive != port.is_alive():
            alive = port.is_alive()
            say("back" if alive else "gone", files())
    port.close()
    say("closed", files())


if __name__ == "__main__":
    main(*sys.argv[1:])
