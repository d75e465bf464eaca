"""The neural melody player: a tune from the melody transformer (music/neural_melody.py)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from kelly_live.core.values import MusicParameters, NoteEvent
from kelly_live.generators.base import Descriptor, MusicContext
from kelly_live.generators.builtin.melody import MelodyGenerator
from kelly_live.music.context import MelodyNote
from kelly_live.music.melody_net import load_melody_net
from kelly_live.music.neural_melody import NeuralMelody


class NeuralMelodyGenerator(MelodyGenerator):
    """One voice inside the register, drawn by a net that learned from songs. What it played is its state."""

    descriptor: ClassVar[Descriptor] = Descriptor(
        "melody-neural",
        "melody",
        channel=3,
        program=0,
        yields_to_style=True,
        parameters=MelodyGenerator.descriptor.parameters,
        help="the tune from a small transformer that learned from songs; it answers the emotion a bar later",
    )

    def __init__(self) -> None:
        super().__init__()
        self._melody = NeuralMelody(load_melody_net())

    def generate(
        self, parameters: MusicParameters, context: MusicContext, start_beat: float, end_beat: float
    ) -> Sequence[NoteEvent]:
        """Return the notes that start in [start_beat, end_beat); between bar lines, draw ahead for the next bar."""
        notes = super().generate(parameters, context, start_beat, end_beat)
        if start_beat % context.beats_per_bar:
            self._melody.draw_ahead(parameters, context, context.bar_at(start_beat) + 1)
        return notes

    def list_bar(self, parameters: MusicParameters, context: MusicContext, bar: int) -> Sequence[MelodyNote]:
        """List the tune's notes of a bar, for this player and those that accompany it."""
        return self._melody.list_bar(parameters, context, bar)

    def reset(self) -> None:
        """Begin a new tune."""
        super().reset()
        self._melody.reset()
