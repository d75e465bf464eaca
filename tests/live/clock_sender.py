"""An independent MIDI clock in a process of its own: a JACK client with every tick at its frame.

`clock_sender.py NAME BPM`; it ticks from the first command on. Lines in: `start`, `stop`, `continue`, `position
SIXTEENTHS`, `tempo BPM`, `send HEX` (any message). Lines out: `ok` for each, and `beat NUMBER SECONDS`, on JACK's
clock, for every beat played.
"""

from __future__ import annotations

import struct
import sys
import threading
from collections import deque
from queue import SimpleQueue

import jack


def main(name: str, bpm: float) -> None:
    client = jack.Client(name, no_start_server=True)
    port = client.midi_outports.register("out")
    commands: deque[list[str]] = deque()
    lines: SimpleQueue[str] = SimpleQueue()
    rate = client.samplerate
    song, playing, next_tick = 0, False, None  # the song's tick, and the frame (a fraction) where the next tick lies

    @client.set_process_callback
    def process(frames: int) -> None:
        nonlocal song, playing, next_tick, bpm
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
                case ["tempo", wanted]:
                    bpm = float(wanted)
            if next_tick is None:
                next_tick = begin + rate * 0.01
            lines.put("ok")
        while next_tick is not None and next_tick < begin + frames:
            offset = max(0, int(next_tick) - begin)
            port.write_midi_event(offset, b"\xf8")
            if playing:
                if song % 24 == 0:
                    lines.put(f"beat {song // 24} {(begin + offset) / rate}")
                song += 1
            next_tick += rate * 60.0 / (24.0 * bpm)

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
