"""An independent listener: a JACK client that prints what it receives with JACK's times.

Its own process, so that no thread of ours can hold it up: JACK waits for its clients, and a Python callback for its
interpreter's lock. Lines out: `midi SECONDS HEX`, `xrun SECONDS` (JACK lost a period), `now SECONDS`, `peak LEVEL`
(full scale 1, since the last question; NaN if a sample was), `ok`, `no REASON`. Lines in: `now`, `peak`, `connect
SOURCE INPUT` (INPUT: midi or audio; SOURCE: a part of a port's name, without spaces), `input PART` (the MIDI input with
that in its name).
"""

from __future__ import annotations

import sys
import threading
from queue import SimpleQueue

import jack
import numpy as np


def main(name: str) -> None:
    client = jack.Client(name, no_start_server=True)
    midi = client.midi_inports.register("in")
    audio = client.inports.register("in_audio")
    lines: SimpleQueue[str] = SimpleQueue()
    peak = [0.0]

    @client.set_process_callback
    def process(_: int) -> None:
        for offset, data in midi.incoming_midi_events():
            lines.put(f"midi {(client.last_frame_time + offset) / client.samplerate} {bytes(data).hex()}")
        peak[0] = float(np.maximum(peak[0], np.abs(audio.get_array()).max()))  # NaN stays NaN

    @client.set_xrun_callback
    def note_xrun(_: float) -> None:
        lines.put(f"xrun {client.last_frame_time / client.samplerate}")

    def answer(words: list[str]) -> str:
        match words:
            case ["now"]:
                return f"now {client.last_frame_time / client.samplerate}"
            case ["peak"]:
                level, peak[0] = peak[0], 0.0
                return f"peak {level}"
            case ["connect", source, target]:
                ports = [p for p in client.get_ports(is_output=True) if source in p.name.replace(" ", "")]
                ports = [p for p in ports if p.is_midi == (target == "midi")]
                if not ports:
                    return "no such port"
                client.connect(ports[0], midi if target == "midi" else audio)
                return "ok"
            case ["input", part]:
                names = [p.name for p in client.get_ports(is_input=True, is_midi=True) if part in p.name]
                return f"input {names[0]}" if names else "no such port"
        return f"no such command {words}"

    def tell() -> None:
        while True:
            print(lines.get(), flush=True)

    client.activate()
    threading.Thread(target=tell, daemon=True).start()
    lines.put("ok")
    for line in sys.stdin:
        lines.put(answer(line.split()))
    client.deactivate()
    client.close()


if __name__ == "__main__":
    main(sys.argv[1])
