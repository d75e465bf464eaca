"""The melody player: the band's tune, one voice inside the register (music/melody_line.py)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from kelly_live.core.values import MusicParameters, NoteEvent
from kelly_live.generators.base import BarPlayer, Descriptor, MusicContext, Parameter, compute_velocity
from kelly_live.music.context import MelodyNote
from kelly_live.music.melody_line import build_melody


class MelodyGenerator(BarPlayer):
    """One voice inside the register, with a breath between phrases."""

    descriptor: ClassVar[Descriptor] = Descriptor(
        "melody",
        "melody",
        channel=3,
        program=0,
        yields_to_style=True,
        parameters=(
            Parameter("octave", 0, "play higher or lower than the emotion's register", low=-2, high=2, unit="octaves"),
        ),
        help="the tune: a motif that returns, varied, over an arc",
    )

    def list_bar(self, parameters: MusicParameters, context: MusicContext, bar: int) -> Sequence[MelodyNote]:
        """List the tune's notes of a bar."""
        return build_melody(parameters, context, bar)

    def bar_notes(self, parameters: MusicParameters, context: MusicContext, bar: int) -> Iterator[NoteEvent]:
        """Yield the notes of a bar."""
        shift = 12 * round(self.number("octave"))
        for beat, length, note in self.list_bar(parameters, context, bar):
            moved = note.pitch + shift
            yield NoteEvent(
                onset_beats=beat,
                duration_beats=length,
                pitch=moved if 0 <= moved <= 127 else note.pitch,
                cents=note.cents,
                velocity=compute_velocity(parameters, context, "melody", beat, weight=1.35),
                channel=self.descriptor.channel,
                part=self.descriptor.part,
            )
