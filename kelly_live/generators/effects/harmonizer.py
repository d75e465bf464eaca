"""Adds a second voice to each note, at a fixed distance in the scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kelly_live.core.values import NoteEvent
from kelly_live.generators.note_effect import EffectDescriptor, NoteEffect
from kelly_live.generators.parameter import Parameter
from kelly_live.music.context import MusicContext
from kelly_live.music.feel import SOFTEST_VELOCITY

# The distance in tones of a seven-tone scale; on other scales the step that is nearest in cents.
_CENTS = {"third": 350.0, "fifth": 700.0, "sixth": 850.0, "octave": 1200.0}
_HELD_BEATS = 1.0  # a note that is held so long is harmonized by a tone of its chord


class Harmonizer(NoteEffect):
    """Lets a second voice move with a player's notes."""

    descriptor = EffectDescriptor(
        "harmonizer",
        "adds a second voice in the scale",
        (
            Parameter("interval", "third", "how far away the second voice is", choices=tuple(_CENTS)),
            Parameter("side", "below", "on which side it is", choices=("below", "above")),
            Parameter("level", 0.75, "how loud it is beside the first voice", low=0.1, high=1.0),
        ),
        needs_pitch=True,
    )

    def process(
        self, notes: Sequence[NoteEvent], context: MusicContext, start_beat: float, end_beat: float
    ) -> Sequence[NoteEvent]:
        """Return each note with its second voice."""
        voices: list[NoteEvent] = []
        struck = {(note.onset_beats, note.pitch) for note in notes}
        for note in notes:
            voices.append(note)
            second = self._harmonize(note, context)
            if second is not None and (second.onset_beats, second.pitch) not in struck:
                voices.append(second)
        return voices

    def reset(self) -> None:
        """Hold nothing, and so forget nothing."""

    def _harmonize(self, note: NoteEvent, context: MusicContext) -> NoteEvent | None:
        chord = context.chord_at(note.onset_beats)
        key = chord.key
        side = 1.0 if self.values.choice("side") == "above" else -1.0
        own_step = key.step_near(note.pitch + note.cents / 100.0)
        distance = side * _CENTS[self.values.choice("interval")]
        step = key.step_near((key.cents(own_step) + distance) / 100.0)
        if note.duration_beats >= _HELD_BEATS and not chord.has(step):
            step = chord.step_near(step + 0.1 * side)  # of two tones as near, the one further away
        second = key.note(step)
        if step == own_step or not 0 <= second.pitch <= 127:
            return None
        velocity = max(SOFTEST_VELOCITY, round(note.velocity * self.values.number("level")))
        return replace(note, pitch=second.pitch, cents=second.cents, velocity=velocity)
