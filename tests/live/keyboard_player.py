"""An independent keyboard player: a JACK client that plays note by note.

`keyboard_player.py NAME BPM TUNE`. The tune `loop` is a loop of four chords, four beats each; `fours` is a melody of
four bars, then four bars of silence, again and again; `count` is four strokes on a pad. A line in begins it: soon, or
at the time in seconds on JACK's clock that the line holds. The line out is when its first beat falls. It plays until
stdin ends.
"""

from __future__ import annotations

import sys
from queue import SimpleQueue

import jack

CHORDS = ((45, 57, 60, 64), (41, 57, 60, 65), (36, 55, 60, 64), (43, 55, 59, 62))  # Am, F, C, G
BEATS_PER_CHORD = 4
# Two bars, which he plays twice in his four: beat and pitch.
MOTIF = ((0.0, 67), (1.5, 69), (2.0, 71), (2.5, 72), (3.0, 76), (4.0, 74), (5.0, 72))
TURN_BEATS = 16
PAD = 37  # a side stick, on channel 10
_HELD = 0.9  # of a beat, or of an eighth of the motif
_VELOCITY = 85
_BEATS = 1600  # that are played at most


def list_strokes(tune: str) -> list[tuple[float, float, int]]:
    """List beat, length and pitch of all notes."""
    if tune == "count":
        return [(float(beat), 0.1, PAD) for beat in range(4)]
    if tune == "loop":
        chords = ((beat, CHORDS[beat // BEATS_PER_CHORD % len(CHORDS)]) for beat in range(_BEATS))
        return [(float(beat), _HELD, pitch) for beat, chord in chords for pitch in chord]
    starts = [turn + half for turn in range(0, _BEATS, 2 * TURN_BEATS) for half in (0, TURN_BEATS // 2)]
    return [(start + beat, 0.5 * _HELD, pitch) for start in starts for beat, pitch in MOTIF]


def main(name: str, bpm: float, tune: str) -> None:
    client = jack.Client(name, no_start_server=True)
    port = client.midi_outports.register("out")
    starts: SimpleQueue[float | None] = SimpleQueue()
    answers: SimpleQueue[float] = SimpleQueue()
    beat_frames = 60.0 / bpm * client.samplerate
    strokes = list_strokes(tune)
    # What is let go at the same time as the next is struck comes first.
    channel = 9 if tune == "count" else 0
    events = [(beat, (0x90 + channel, pitch, _VELOCITY)) for beat, _, pitch in strokes]
    events += [(beat + length, (0x80 + channel, pitch, 0)) for beat, length, pitch in strokes]
    events.sort()
    first, played = None, 0  # the frame of beat 0; how many events went out

    @client.set_process_callback
    def process(frames: int) -> None:
        nonlocal first
        port.clear_buffer()
        begin = client.last_frame_time
        if not starts.empty():
            seconds = starts.get_nowait()
            first = begin + client.samplerate // 10 if seconds is None else round(seconds * client.samplerate)
            answers.put(first / client.samplerate)
        if first is not None:
            play(begin, frames, first)

    def play(begin: int, frames: int, first: int) -> None:
        nonlocal played
        while played < len(events) and (at := int(first + events[played][0] * beat_frames) - begin) < frames:
            port.write_midi_event(max(0, at), events[played][1])
            played += 1

    client.activate()
    print("ready", flush=True)
    for line in sys.stdin:
        words = line.split()
        starts.put(float(words[1]) if len(words) > 1 else None)
        print(answers.get(), flush=True)
    client.deactivate()
    client.close()


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), sys.argv[3])
