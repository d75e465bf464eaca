"""A process that plays each beat of a MIDI clock: `metronome.py INPUT OUTPUT`.

Key 60 and the beat's number in its bar: 60 is a bar's first. Prints `ready`; ends with stdin.
"""

from __future__ import annotations

import sys
import threading

from kelly_live.core.timebase import MonotonicClock
from kelly_live.core.values import MusicParameters, NoteEvent
from kelly_live.generators.band import GeneratorBand
from kelly_live.generators.base import Descriptor
from kelly_live.midi.inputs import open_input
from kelly_live.midi.scheduler_client import SchedulerClient
from kelly_live.music.conductor import Conductor
from kelly_live.music.context import MusicContext
from kelly_live.sync.midi_clock import MidiClockSource
from tests.fakes import parameters


class Metronome:
    descriptor = Descriptor("metronome", "percussion", 10, 0)

    def reset(self) -> None:
        """Nothing is remembered."""

    def generate(
        self, parameters: MusicParameters, context: MusicContext, start_beat: float, end_beat: float
    ) -> list[NoteEvent]:
        beats = [beat for beat in range(int(start_beat), int(end_beat) + 1) if start_beat <= beat < end_beat]
        return [NoteEvent(float(beat), 0.5, 60 + beat % 4, 80, 10, "percussion") for beat in beats]


def main(source: str, target: str) -> None:
    is_over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), is_over.set()), daemon=True).start()
    clock = MonotonicClock()
    midi_in = open_input(source)
    clock_source = MidiClockSource(midi_in.source)
    with SchedulerClient(target) as sink:
        conductor = Conductor(sink, GeneratorBand([Metronome()]), seed=1)
        conductor.start(clock.now() + 0.3, parameters(97.0))
        print("ready", flush=True)
        while not is_over.wait(0.01):
            now = clock.now()
            conductor.advance(now, parameters(97.0), clock_source.estimate(now))
    midi_in.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
