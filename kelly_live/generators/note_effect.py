"""The contract of a note effect: it is given a player's notes and returns those that sound in their place.

An effect stands behind one player and is called for each of its slices, also for those in which the player is silent,
so that what it still holds can sound. Several stand one behind the other. Beats count from the session's start.

Thread: the conductor's. No call may block. State: an effect may hold notes for later slices, and `reset` forgets them.
The same notes give the same answer, however they are cut into slices.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from kelly_live.core.values import NoteEvent
from kelly_live.generators.parameter import Parameter, ParameterValues, Value
from kelly_live.music.context import MusicContext

MOST_WAITING = 1024  # notes that an effect holds for later; what comes beyond them is left out


@dataclass(frozen=True, slots=True)
class EffectDescriptor:
    """An effect's name, what it does in one line, and its parameters.

    `needs_pitch`: it reads pitches, so it cannot stand behind drums.
    """

    name: str
    help: str
    parameters: tuple[Parameter, ...] = ()
    needs_pitch: bool = False


class NoteEffect(ABC):
    """One effect, with the values of its parameters."""

    descriptor: ClassVar[EffectDescriptor]

    def __init__(self, values: Mapping[str, Value]) -> None:
        """Take the given values of the parameters, and the defaults of the others. Raises ConfigError."""
        self.values = ParameterValues(self.descriptor.parameters, values)

    def configure(self, values: Mapping[str, Value]) -> None:
        """Take new values of the parameters, while it plays: notes that it holds stay held. Raises ConfigError."""
        self.values = ParameterValues(self.descriptor.parameters, values)

    @abstractmethod
    def process(
        self, notes: Sequence[NoteEvent], context: MusicContext, start_beat: float, end_beat: float
    ) -> Sequence[NoteEvent]:
        """Return the notes that start in [start_beat, end_beat), sorted by onset.

        `notes` are the player's, of the same slice and sorted.
        """

    @abstractmethod
    def reset(self) -> None:
        """Forget the notes that are held: a new session begins."""


class WaitingNotes:
    """Notes that wait for their slice, at most MOST_WAITING of them."""

    def __init__(self) -> None:
        self._notes: list[NoteEvent] = []

    def add(self, notes: Iterable[NoteEvent]) -> None:
        """Let these wait, too."""
        for note in notes:
            if len(self._notes) >= MOST_WAITING:
                return
            insort(self._notes, note, key=_by_onset)

    def take(self, start_beat: float, end_beat: float) -> list[NoteEvent]:
        """Return the notes that start in [start_beat, end_beat), sorted; what is older is dropped."""
        due = [note for note in self._notes if note.onset_beats < end_beat]
        del self._notes[: len(due)]
        return [note for note in due if note.onset_beats >= start_beat]

    def clear(self) -> None:
        """Drop all of them."""
        self._notes.clear()


def _by_onset(note: NoteEvent) -> tuple[float, int]:
    return note.onset_beats, note.pitch
