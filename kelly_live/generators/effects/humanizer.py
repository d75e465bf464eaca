"""Plays each note a little later and louder or softer than written, differently each time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from kelly_live.core.values import NoteEvent
from kelly_live.generators.note_effect import EffectDescriptor, NoteEffect, WaitingNotes
from kelly_live.generators.parameter import Parameter, Value
from kelly_live.music.context import MusicContext
from kelly_live.music.feel import LOUDEST_VELOCITY, SOFTEST_VELOCITY, draw_deviation


class Humanizer(NoteEffect):
    """Makes a machine's notes uneven; the timing feel of the band is added to it."""

    descriptor = EffectDescriptor(
        "humanizer",
        "makes notes uneven in time and loudness",
        (
            Parameter("delay", 15.0, "how late a note may come", low=0.0, high=60.0, unit="ms"),
            Parameter("velocity", 8, "how much louder or softer a note may be", low=0, high=40),
        ),
    )

    def __init__(self, values: Mapping[str, Value]) -> None:
        super().__init__(values)
        self._waiting = WaitingNotes()

    def process(
        self, notes: Sequence[NoteEvent], context: MusicContext, start_beat: float, end_beat: float
    ) -> Sequence[NoteEvent]:
        """Return the notes that are due after their delay; it is drawn from the seed, for each note its own."""
        self._waiting.add(self._vary(note, context) for note in notes)
        return self._waiting.take(start_beat, end_beat)

    def reset(self) -> None:
        """Forget the notes that were not due yet."""
        self._waiting.clear()

    def _vary(self, note: NoteEvent, context: MusicContext) -> NoteEvent:
        late, louder = (
            draw_deviation(context.seed, f"{note.part} humanizer {what}", note.onset_beats, note.pitch)
            for what in ("time", "velocity")
        )
        delay_beats = self.values.number("delay") * abs(late) / 60_000.0 * context.bpm
        velocity = round(note.velocity + self.values.number("velocity") * louder)
        return replace(
            note,
            onset_beats=note.onset_beats + delay_beats,
            velocity=max(SOFTEST_VELOCITY, min(LOUDEST_VELOCITY, velocity)),
        )
