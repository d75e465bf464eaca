"""An independent MIDI clock in a process of its own: a JACK client with every tick at its frame.

`clock_sender.py NAME BPM`; it ticks from the first command on. Lines in: `start`, `stop`, `continue`, `position
SIXTEENTHS`, `tempo BPM`, `send HEX` (any message), `timecode SECONDS KIND` (it runs on from there; KIND: a place in
`timecode.RATES`), `timecode off`. Lines out: `ok` for each, and `beat NUMBER SECONDS`, on JACK's clock, for every beat
played.
"""

from __future__ import annotations

import struct
import sys
import threading
from collections import deque
from collections.abc import Iterator
from queue import SimpleQueue

import jack

from tests.timecode import run_timecode


def main(name: str, bpm: float) -> None:
    client = jack.Client(name, no_start_server=True)
    port = client.midi_outports.register("out")
    commands: deque[list[str]] = deque()
    lines: SimpleQueue[str] = SimpleQueue()
    rate = client.samplerate
    timecode: Iterator[tuple[float, bytes]] = iter(())  # with its frames
    next_quarter: tuple[float, bytes] | None = None
    song, playing, next_tick = 0, False, None  # the song's tick, and the frame (a fraction) where the next tick lies

    @client.set_process_callback
    def process(frames: int) -> None:
        nonlocal song, playing, next_tick, bpm, timecode, next_quarter
        port.clear_buffer()
        begin = client.last_frame_time
        while commands:
            words = commands.popleft()
            match words:
                case ["start"]:
                    port.write_midi_event(0, b"\xfa")
                    song, playing = 0, True
                case ["continue"]:
                    port.write_midi_event(0, b"\xfb")
                    playing = True
                case ["stop"]:
                    port.write_midi_event(0, b"\xfc")
                    playing = False
                case ["position", sixteenths]:
                    port.write_midi_event(0, struct.pack("BBB", 0xF2, int(sixteenths) & 127, int(sixteenths) >> 7))
                    song = 6 * int(sixteenths)
                case ["send", message]:
                    port.write_midi_event(0, bytes.fromhex(message))
                case ["timecode", "off"]:
                    next_quarter = None
                case ["timecode", seconds, kind]:
                    timecode = ((begin + rate * t, data) for t, data in run_timecode(float(seconds), int(kind)))
                    next_quarter = next(timecode)
                case ["tempo", wanted]:
                    bpm = float(wanted)
            if next_tick is None:
                next_tick = begin + rate * 0.01
            lines.put("ok")
        due: list[tuple[int, bytes]] = []
        while next_quarter is not None and next_quarter[0] < begin + frames:
            due.append((max(0, int(next_quarter[0]) - begin), next_quarter[1]))
            next_quarter = next(timecode)
        while next_tick is not None and next_tick < begin + frames:
            offset = max(0, int(next_tick) - begin)
            due.append((offset, b"\xf8"))
            if playing:
                if song % 24 == 0:
                    lines.put(f"beat {song // 24} {(begin + offset) / rate}")
                song += 1
            next_tick += rate * 60.0 / (24.0 * bpm)
        for offset, data in sorted(due, key=lambda one: one[0]):  # JACK takes them in order only
            port.write_midi_event(offset, data)

    def tell() -> None:
        while True:
            print(lines.get(), flush=True)

    client.activate()
    threading.Thread(target=tell, daemon=True).start()
    for line in sys.stdin:
        commands.append(line.split())
    client.deactivate()
    client.close()


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
