"""An independent keyboard player: a JACK client that plays a loop of four chords, four beats each, note by note.

`keyboard_player.py NAME BPM`. A line in begins the loop; the line out is when its first beat falls, in seconds on
JACK's clock. It plays until stdin ends.
"""

from __future__ import annotations

import sys
from queue import SimpleQueue

import jack

CHORDS = ((45, 57, 60, 64), (41, 57, 60, 65), (36, 55, 60, 64), (43, 55, 59, 62))  # Am, F, C, G
BEATS_PER_CHORD = 4
_HELD = 0.9  # of a beat
_VELOCITY = 85


def main(name: str, bpm: float) -> None:
    client = jack.Client(name, no_start_server=True)
    port = client.midi_outports.register("out")
    starts: SimpleQueue[int] = SimpleQueue()
    answers: SimpleQueue[float] = SimpleQueue()
    beat_frames = 60.0 / bpm * client.samplerate
    first, beat, off = None, 0, 0  # the frame of beat 0; the next beat that is struck, and the next that is let go

    @client.set_process_callback
    def process(frames: int) -> None:
        nonlocal first
        port.clear_buffer()
        begin = client.last_frame_time
        if not starts.empty():
            first = begin + starts.get_nowait()
            answers.put(first / client.samplerate)
        if first is not None:
            play(begin, frames, first)

    def play(begin: int, frames: int, first: int) -> None:
        nonlocal beat, off
        while (at := int(first + (off + _HELD) * beat_frames) - begin) < frames and off < beat:
            for pitch in CHORDS[off // BEATS_PER_CHORD % len(CHORDS)]:
                port.write_midi_event(max(0, at), (0x80, pitch, 0))
            off += 1
        while (at := int(first + beat * beat_frames) - begin) < frames:
            for pitch in CHORDS[beat // BEATS_PER_CHORD % len(CHORDS)]:
                port.write_midi_event(max(0, at), (0x90, pitch, _VELOCITY))
            beat += 1

    client.activate()
    print("ready", flush=True)
    for _ in sys.stdin:
        starts.put(client.samplerate // 10)
        print(answers.get(), flush=True)
    client.deactivate()
    client.close()


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
