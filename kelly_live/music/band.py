"""The players as one: asks each for a slice of time, checks what comes back, and mutes the one that fails.

Thread: the conductor's, for all calls.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kelly_live.domain import MusicParameters, NoteEvent
from kelly_live.music.context import Descriptor, MusicContext

if TYPE_CHECKING:
    from kelly_live.generators.base import Generator

_MOST_NOTES_PER_BEAT = 128  # a generator that wants more in one slice (at least a beat's worth) has lost its mind
_LONGEST_NOTE_BEATS = 64.0


@dataclass(frozen=True, slots=True)
class Muted:
    """A player that does not play, and the one-line reason."""

    name: str
    reason: str


class Band:
    """The generators, each playing or muted. `unloaded` names players that could not even be loaded."""

    def __init__(self, generators: Sequence[Generator], unloaded: Sequence[Muted] = ()) -> None:
        self._generators = tuple(generators)
        self._unloaded = tuple(unloaded)
        self._muted: dict[str, Muted] = {}

    @property
    def muted(self) -> tuple[Muted, ...]:
        """Who does not play, and why."""
        return (*self._unloaded, *self._muted.values())

    def programs(self) -> tuple[Descriptor, ...]:
        """Who plays on which channel, with which General MIDI program."""
        return tuple(generator.descriptor for generator in self._generators)

    def reset(self) -> None:
        """A new session: everybody plays again, and remembers nothing."""
        self._muted = {}
        for generator in self._generators:
            try:
                generator.reset()
            except Exception as error:  # a plug-in's fault mutes the plug-in
                self._mute(generator, f"reset raised {type(error).__name__}: {error}")

    def play(self, parameters: MusicParameters, context: MusicContext, start: float, end: float) -> list[NoteEvent]:
        """The notes that start in [start, end) beats, player by player."""
        notes: list[NoteEvent] = []
        for generator in self._generators:
            if generator.descriptor.name not in self._muted:
                notes += self._ask(generator, parameters, context, start, end)
        return notes

    def _ask(
        self, generator: Generator, parameters: MusicParameters, context: MusicContext, start: float, end: float
    ) -> Sequence[NoteEvent]:
        """A player's notes for a slice; a player that fails is muted, and gives none."""
        try:
            notes = generator.generate(parameters, context, start, end)
            fault = _fault(notes, start, end)
        except Exception as error:  # a plug-in's fault mutes the plug-in, the band plays on
            fault = f"generate raised {type(error).__name__}: {error}"
        if fault:
            self._mute(generator, fault)
            return ()
        return notes

    def _mute(self, generator: Generator, reason: str) -> None:
        name = generator.descriptor.name
        self._muted[name] = Muted(name, reason)


def _fault(notes: Sequence[NoteEvent], start: float, end: float) -> str | None:
    """What is wrong with a player's answer, in one line; None if nothing is."""
    limit = math.ceil(max(1.0, end - start) * _MOST_NOTES_PER_BEAT)
    if len(notes) > limit:
        return f"{len(notes)} notes from beat {start:g} to {end:g}; at most {limit} may start there"
    before = start
    for note in notes:
        if not isinstance(note, NoteEvent):
            return f"returned a {type(note).__name__}; it must return NoteEvents"
        if not start <= note.onset_beats < end:
            return f"a note at beat {note.onset_beats:g} is outside the slice {start:g} to {end:g}"
        if note.onset_beats < before:
            return f"a note at beat {note.onset_beats:g} comes after one at {before:g}; notes must be sorted by onset"
        if note.duration_beats > _LONGEST_NOTE_BEATS:
            return f"a note of {note.duration_beats:g} beats; at most {_LONGEST_NOTE_BEATS:g} are allowed"
        before = note.onset_beats
    return None
