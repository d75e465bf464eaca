"""Play along for ten seconds and print the emotion: `embed.py [RECORDING.wav]`; without one, to your input."""

import sys

from kelly_live import LiveEngine, LiveOptions, LiveParts, MidiError, Snapshot


def show(snapshot: Snapshot) -> None:
    state, music = snapshot.reading.state, snapshot.conductor
    print(f"bar {music.bar + 1}, {music.bpm:.0f} BPM: {state.emotion} {state.confidence:.0%}", flush=True)


for null_port in (False, True):  # a virtual MIDI port; where no MIDI system runs, a port that sends nowhere
    try:
        with LiveEngine(LiveOptions(profile="none"), LiveParts.create(*sys.argv[1:2], null_port=null_port)) as engine:
            engine.observe(show, max_hertz=1.0)
            print(*engine.describe(), sep="\n")
            engine.wait(10.0)
        break
    except MidiError as error:
        print(error)
