"""A note effect as a player: it stands behind a plain figure, so that it can be checked as a generator is."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from kelly_live.core.values import MusicParameters, NoteEvent
from kelly_live.generators.base import Descriptor, Value
from kelly_live.generators.note_effect import EffectDescriptor, NoteEffect
from kelly_live.music.context import MusicContext

CHANNEL, PROGRAM = 1, 0
_VELOCITIES = (96, 64, 80)
_GATE = 0.75
_CHORD = (0, 2, 4)  # steps above the lowest tone, on the beats


class EffectPlayer:
    """Plays a chord on each beat, where it is dense a tone between, and gives them to an effect.

    The figure depends on beat and chord alone, so what differs is the effect's doing.
    """

    descriptor: ClassVar[Descriptor]
    make_effect: ClassVar[Callable[[Mapping[str, Value]], NoteEffect]]

    def __init__(self) -> None:
        self._effect = type(self).make_effect({})

    @staticmethod
    def make_class(effect: type[NoteEffect]) -> type[EffectPlayer]:
        """Return the class of players of an effect."""
        return type(
            effect.__name__,
            (EffectPlayer,),
            {"descriptor": describe_player(effect.descriptor), "make_effect": staticmethod(effect)},
        )

    def configure(self, values: Mapping[str, Value]) -> None:
        """Give the effect these values."""
        self._effect.configure(values)

    def generate(
        self, parameters: MusicParameters, context: MusicContext, start_beat: float, end_beat: float
    ) -> Sequence[NoteEvent]:
        """Return what the effect makes of the figure."""
        return self._effect.process(
            list_figure(parameters, context, start_beat, end_beat), context, start_beat, end_beat
        )

    def reset(self) -> None:
        """Let the effect forget what it holds."""
        self._effect.reset()


def describe_player(effect: EffectDescriptor) -> Descriptor:
    """Return the descriptor of the player of an effect."""
    return Descriptor(effect.name, "figure", CHANNEL, PROGRAM, effect.parameters, effect.help)


def list_figure(
    parameters: MusicParameters, context: MusicContext, start_beat: float, end_beat: float
) -> list[NoteEvent]:
    """List the figure's notes that start in [start_beat, end_beat), sorted."""
    per_beat = 2 if parameters.density >= 1.0 else 1
    notes = []
    for place in range(math.ceil(start_beat * per_beat), math.ceil(end_beat * per_beat)):
        beat = place / per_beat
        chord = context.chord_at(beat)
        step = chord.key.step_near(parameters.register.centre) + place % 5 - 2
        tones = [chord.key.note(chord.step_near(step + above)) for above in _CHORD[: 1 if beat % 1.0 else None]]
        notes += [
            NoteEvent(
                onset_beats=beat,
                duration_beats=_GATE / per_beat,
                pitch=pitch,
                velocity=_VELOCITIES[place % len(_VELOCITIES)],
                channel=CHANNEL,
                part="figure",
                cents=cents,
            )
            for pitch, cents in sorted({min(127, max(0, tone.pitch)): tone.cents for tone in tones}.items())
        ]
    return notes
