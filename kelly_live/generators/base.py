"""The plug-in contract: what a generator is asked for, when, and on which thread.

A generator is a class with no required constructor arguments, registered under the entry point group
`kelly_live.generators`. Its `descriptor` is read from the class, so that listing players makes none.

Thread: every call comes from the one conductor thread, never two at a time. No call may block, sleep, print or do
I/O; `generate` has a few milliseconds for a quarter of a beat, and may be asked for much longer spans when
rendering. State: a generator may remember, but the built-in ones don't: they plan each bar from (seed, part, bar),
so that short slices and long ones give the same notes. Randomness must come from `context.seed`.

A generator that fails (raises; returns something unsorted, outside its span, or not a note) is muted by the
conductor, with the reason in its status, and the band plays on.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import ClassVar, Protocol

from kelly_live.domain import MusicParameters, NoteEvent
from kelly_live.music.context import Descriptor, MusicContext
from kelly_live.music.feel import phrase_arc, stray, velocity
from kelly_live.music.harmony import Phrase
from kelly_live.music.rhythm import beat_strength

__all__ = ["BarPlayer", "Descriptor", "Generator", "MusicContext", "struck"]


class Generator(Protocol):
    """One player of the band."""

    descriptor: ClassVar[Descriptor]

    def generate(
        self, parameters: MusicParameters, context: MusicContext, start_beat: float, end_beat: float
    ) -> Sequence[NoteEvent]:
        """The notes that start in [start_beat, end_beat), sorted by onset; durations in beats, may reach past the
        end. The span lies inside `context.phrase` and spans of a session rise without overlap, but may skip.
        Onsets are nominal: the conductor adds the timing feel afterwards. Thread: conductor."""

    def reset(self) -> None:
        """Forget everything: a new session begins at beat 0. Thread: conductor, never during `generate`."""


class BarPlayer(ABC):
    """A generator that plans by the bar: subclasses say what a bar holds, and slices are cut out of it.

    The plans of the latest bars are kept while nothing they were made from changes; they are a saving, not a state.
    """

    descriptor: ClassVar[Descriptor]

    def __init__(self) -> None:
        self._made_from: tuple[MusicParameters, Phrase, str, bool] | None = None
        self._bars: dict[int, list[NoteEvent]] = {}

    @abstractmethod
    def bar_notes(self, parameters: MusicParameters, context: MusicContext, bar: int) -> Iterable[NoteEvent]:
        """The notes that start in a bar of `context.phrase`, in any order; a pure function."""

    def generate(
        self, parameters: MusicParameters, context: MusicContext, start_beat: float, end_beat: float
    ) -> Sequence[NoteEvent]:
        made_from = (parameters, context.phrase, context.rhythm, context.closing)
        if self._made_from != made_from:
            self._made_from = made_from
            self._bars = {}
        per_bar = context.beats_per_bar
        notes: list[NoteEvent] = []
        for bar in range(int(start_beat // per_bar), math.ceil(end_beat / per_bar)):
            if bar not in self._bars:
                planned = self.bar_notes(parameters, context, bar)
                self._bars[bar] = sorted(planned, key=lambda note: (note.onset_beats, note.pitch))
            notes += [note for note in self._bars[bar] if start_beat <= note.onset_beats < end_beat]
        return notes

    def reset(self) -> None:
        self._made_from = None
        self._bars = {}


def struck(
    parameters: MusicParameters, context: MusicContext, part: str, beat: float, *, weight: float = 1.0, voice: int = 0
) -> int:
    """A note's velocity from the metre, the phrase's arc and its own chance; `weight` 0-1.2 is the player's touch."""
    metre = beat_strength(beat % context.beats_per_bar, context.beats_per_bar)
    accent = weight * (0.2 + 0.5 * metre + 0.25 * phrase_arc(context.phrase_fraction(beat)))
    return velocity(parameters.dynamics, accent=accent, stray=stray(context.seed, part, beat, voice))
