"""A generator for kelly-live, written against its contract alone (kelly_live/generators/base.py).

It uses the bare protocol to show all of it. A subclass of BarPlayer needs no `configure` and cuts no slices.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from kelly_live.core.values import MusicParameters, NoteEvent
from kelly_live.generators.base import Descriptor, MusicContext, Parameter, Value

# The tones of a figure, as degrees of the chord: 0 the root, 1 the third, 2 the fifth; 3 is the root again, higher.
PATTERNS = {"rocking": (0, 2, 1, 2), "rising": (0, 1, 2, 3), "tolling": (0, 3)}
PLACES_PER_BEAT = 2
BELOW_MELODY = 12  # semitones


class OstinatoGenerator:
    """A few chord tones over and over: in eighths, or in quarters where it is calm."""

    descriptor = Descriptor(
        name="ostinato",
        part="ostinato",
        channel=7,
        program=45,  # pizzicato strings
        parameters=(
            Parameter("pattern", "rocking", "which tones of the chord, in which order", choices=tuple(PATTERNS)),
            Parameter("accent", 0.5, "how much louder the beats are than what lies between", low=0.0, high=1.0),
        ),
        help="a small figure that goes on and on",
    )

    def __init__(self) -> None:
        self._pattern, self._accent = PATTERNS["rocking"], 0.5

    def configure(self, values: Mapping[str, Value]) -> None:
        """Take the parameters' values."""
        self._pattern = PATTERNS[str(values["pattern"])]
        self._accent = float(values["accent"])

    def generate(
        self, parameters: MusicParameters, context: MusicContext, start_beat: float, end_beat: float
    ) -> Sequence[NoteEvent]:
        """Return the notes that start in [start_beat, end_beat)."""
        notes = []
        every = 1 if parameters.density >= 0.8 else 2
        for place in range(math.ceil(start_beat * PLACES_PER_BEAT), math.ceil(end_beat * PLACES_PER_BEAT)):
            beat = place / PLACES_PER_BEAT
            if place % every or (context.closing and beat % context.beats_per_bar):
                continue  # the last bar of all has one note, on its first beat
            tone = 0 if context.closing else self._pattern[place // every % len(self._pattern)]
            notes.append(self._note(parameters, context, beat, tone, every / PLACES_PER_BEAT))
        return notes

    def reset(self) -> None:
        """Forget nothing: a note depends on its place alone."""

    def _note(
        self, parameters: MusicParameters, context: MusicContext, beat: float, tone: int, length: float
    ) -> NoteEvent:
        chord = context.chord_at(beat)
        key = chord.key
        root = chord.step_near(key.step_near(parameters.register.centre - BELOW_MELODY))
        while root % key.size != chord.root:
            root -= 1
        octave, degree = divmod(tone, len(chord.degrees))
        step = root + (chord.degrees[degree] - chord.root) % key.size + octave * key.size
        sounding = key.note(step)
        loud = parameters.dynamics.floor + (parameters.dynamics.ceiling - parameters.dynamics.floor) * (
            0.3 + 0.5 * self._accent * (beat % 1.0 == 0.0)
        )
        return NoteEvent(
            onset_beats=beat,
            duration_beats=0.8 * length,
            pitch=min(127, max(0, sounding.pitch)),
            cents=sounding.cents,
            velocity=max(1, min(127, round(127 * loud))),
            channel=self.descriptor.channel,
            part=self.descriptor.part,
        )
