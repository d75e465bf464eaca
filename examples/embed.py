"""Play along with a recording for ten seconds and print the emotion: `python examples/embed.py RECORDING.wav`.

It plays into a virtual MIDI port that a synthesiser or DAW can connect to; where no MIDI system runs, into a null port.
"""

import sys

from kelly_live import LiveEngine, LiveOptions, LiveParts, MidiError, Snapshot


def show(snapshot: Snapshot) -> None:
    state, music = snapshot.reading.state, snapshot.conductor
    print(f"bar {music.bar + 1}, {music.bpm:.0f} BPM: {state.emotion} {state.confidence:.0%}", flush=True)


def play(parts: LiveParts) -> None:
    engine = LiveEngine(LiveOptions(profile="none"), parts)
    engine.observe(show, max_hertz=1.0)
    with engine:
        print(*engine.describe(), sep="\n")
        engine.wait(10.0)


def main(recording: str) -> None:
    try:
        return play(LiveParts.from_recording(recording))
    except MidiError as error:
        print(f"{error}\nplaying into a null port")
    return play(LiveParts.from_recording(recording, null_port=True))


main(sys.argv[1])
