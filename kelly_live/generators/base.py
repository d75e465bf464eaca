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
from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar, Protocol

from kelly_live.domain import MusicParameters, NoteEvent
from kelly_live.music.context import Descriptor, MusicContext
from kelly_live.music.feel import phrase_arc, stray, velocity
from kelly_live.music.rhythm import beat_strength

__all__ = ["Descriptor", "Generator", "MusicContext", "bars_of", "struck", "within"]


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


def bars_of(context: MusicContext, start_beat: float, end_beat: float) -> Iterator[int]:
    """The bars that [start_beat, end_beat) touches."""
    per_bar = context.beats_per_bar
    return iter(range(int(start_beat // per_bar), math.ceil(end_beat / per_bar)))


def within(notes: Iterable[NoteEvent], start_beat: float, end_beat: float) -> list[NoteEvent]:
    """The notes that start in [start_beat, end_beat), sorted by onset, then pitch."""
    inside = [note for note in notes if start_beat <= note.onset_beats < end_beat]
    return sorted(inside, key=lambda note: (note.onset_beats, note.pitch))


def struck(
    parameters: MusicParameters, context: MusicContext, part: str, beat: float, *, weight: float = 1.0, voice: int = 0
) -> int:
    """A note's velocity from the metre, the phrase's arc and its own chance; `weight` 0-1.2 is the player's touch."""
    metre = beat_strength(beat % context.beats_per_bar, context.beats_per_bar)
    accent = weight * (0.2 + 0.5 * metre + 0.25 * phrase_arc(context.phrase_fraction(beat)))
    return velocity(parameters.dynamics, accent=accent, stray=stray(context.seed, part, beat, voice))
