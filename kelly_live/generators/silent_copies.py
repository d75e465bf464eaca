"""What stands for a part in a process of its own in a copy of the band: what it will play isn't known, so nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kelly_live.core.values import MusicParameters, NoteEvent
from kelly_live.generators.descriptor import Descriptor
from kelly_live.generators.note_effect import EffectDescriptor
from kelly_live.generators.parameter import Value
from kelly_live.music.context import MusicContext


class _SilentPart:
    """Needs nothing, has no faults, and ends nothing."""

    refusal: str | None = None
    is_given_up = False

    def configure(self, values: Mapping[str, Value]) -> None:
        """Take values, and change nothing."""

    def reset(self) -> None:
        """Remember nothing."""

    def prepare(self, *arguments: Any) -> None:
        """Make nothing ready."""

    def close(self) -> None:
        """End nothing."""

    def join(self, seconds: float) -> None:
        """Wait for nothing."""


class SilentGenerator(_SilentPart):
    """In the place of a PluginGenerator."""

    def __init__(self, descriptor: Descriptor) -> None:
        self.descriptor = descriptor

    def generate(
        self, parameters: MusicParameters, context: MusicContext, start_beat: float, end_beat: float
    ) -> Sequence[NoteEvent]:
        """Return no notes."""
        return ()

    def peek(self, bar: int) -> Sequence[NoteEvent]:
        """Return no notes."""
        return ()

    def is_back(self) -> bool:
        """Tell that it plays no more, if it was muted."""
        return False


class SilentEffect(_SilentPart):
    """In the place of a PluginEffect: the player before it is left out, too."""

    problem: str | None = None

    def __init__(self, descriptor: EffectDescriptor) -> None:
        self.descriptor = descriptor

    def play(self, *arguments: Any) -> list[NoteEvent]:
        """Return no notes."""
        return []
