"""What the conductor needs of a band: notes slice by slice, and which players are silent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from kelly_live.core.commands import HasProgram
from kelly_live.core.values import MusicParameters, NoteEvent
from kelly_live.music.context import MusicContext


class PlayerState(StrEnum):
    """Whether a player plays, and if not, why; the values are printed."""

    PLAYING = "playing"
    FAILED = "failed"
    TOO_SLOW = "too slow"
    INVALID = "invalid notes"
    NOT_LOADED = "not loaded"


@dataclass(frozen=True, slots=True)
class MutedPlayer:
    """A player that does not play: its name, the reason in one line, and the state."""

    name: str
    reason: str
    state: PlayerState = PlayerState.NOT_LOADED

    def describe(self) -> str:
        """Say that it is silent and why, in one line."""
        return f"{self.name} is silent ({self.state}): {self.reason}"


@dataclass(frozen=True, slots=True)
class ParameterChange:
    """A value that a parameter of a player, or of an effect behind it, is to have. The player by its part."""

    player: str
    effect: str | None
    parameter: str
    value: bool | int | float | str

    @property
    def address(self) -> str:
        """The parameter as it is typed: PLAYER.PARAMETER or PLAYER.EFFECT.PARAMETER."""
        return ".".join(filter(None, (self.player, self.effect, self.parameter)))


class Slot(HasProgram, Protocol):
    """A player's place in the band: where its notes go, and with which sound."""

    @property
    def part(self) -> str:
        """The player's name in the band, unlike any other's."""

    @property
    def volume(self) -> float:
        """What every velocity of its notes is multiplied by."""

    @property
    def sends_program(self) -> bool:
        """Whether a live port is sent the program, too."""

    @property
    def is_external(self) -> bool:
        """Whether the player answers from a process of its own, so that its timing cannot be repeated."""

    def place(self, note: NoteEvent) -> NoteEvent:
        """Move a note to this place: to its part, channel and port, with its program and volume."""


class Band(Protocol):
    """The players as one. Thread: the conductor's for all calls; any may read the properties."""

    @property
    def slots(self) -> Sequence[Slot]:
        """The players' places, in order."""

    @property
    def muted(self) -> tuple[MutedPlayer, ...]:
        """The players that are silent, and why."""

    def get_role(self, part: str) -> str:
        """Return the role that the player called `part` was written for; its timing feel depends on it."""

    def play(
        self, parameters: MusicParameters, context: MusicContext, start_beat: float, end_beat: float
    ) -> Sequence[NoteEvent]:
        """Return the notes that start in [start_beat, end_beat), player by player."""

    def prepare(self, parameters: MusicParameters, context: MusicContext, bar: int) -> None:
        """Make ready for a bar that will probably be played so; called a beat before it."""

    def copy(self) -> Band:
        """Return a band that goes on from here by itself; this one does not notice what it plays."""

    def reset(self) -> None:
        """Begin a new session: every player plays again and remembers nothing."""
