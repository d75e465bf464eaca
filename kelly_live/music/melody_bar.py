"""The bars and notes that the melody transformer's tune is drawn in: the grid, and what a bar allows.

A place is a sixteenth, counted from the session's start; a step is one of the scale, counted from the bar's `base`.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from kelly_live.core.arrays import Floats
from kelly_live.core.values import MusicParameters
from kelly_live.music.context import MusicContext
from kelly_live.music.form import is_resting
from kelly_live.music.melody_net import BAR, NO_CHORD, STEPS
from kelly_live.music.theory import Chord

STRONG_PLACES = 8
ALL_STEPS = np.arange(STEPS)
_FAST_BPM = 104.0  # from here on nothing begins on an odd sixteenth: people's songs with those are slower


@dataclass(slots=True)
class DrawnNote:
    """A note on the grid: its place and step, the gap and rest before it, and what it is in its chord.

    `target` is the place whose chord it belongs to. `length` (places) and `is_legato` are known with the next gap.
    """

    place: int
    step: int
    gap: int = 0
    rest: int = 0
    root: int = NO_CHORD
    is_major: bool = False
    is_outside: bool = False
    is_goal: bool = False
    target: int = 0
    length: int = 1
    is_legato: bool = False

    @property
    def is_strong(self) -> bool:
        """Whether it begins on the first or third beat of its bar."""
        return self.place % STRONG_PLACES == 0


@dataclass(frozen=True, slots=True)
class MelodyBar:
    """What a bar is drawn with; `allowed` are the register's steps, `conditions` as the net takes them."""

    parameters: MusicParameters
    context: MusicContext
    number: int
    rng: random.Random
    base: int
    allowed: np.ndarray
    conditions: Floats

    @property
    def start(self) -> int:
        """The first place."""
        return self.number * BAR

    @property
    def end(self) -> int:
        """The place after the last one."""
        return self.start + BAR

    @property
    def is_fast(self) -> bool:
        """Whether nothing may begin on an odd sixteenth."""
        return self.context.bpm >= _FAST_BPM and self.context.rhythm != "dotted"

    @property
    def is_cadence(self) -> bool:
        """Whether the phrase comes to rest in it."""
        return self.context.is_cadence(self.number)

    @property
    def first_place(self) -> int:
        """The first place that a note may begin on: none before the upbeat of a section that the tune rests in."""
        if is_resting("melody", self.parameters, self.context, self.number):
            return self.end
        return self.start + BAR // 2 * ("melody" in self.context.phrase.role.silent)

    def show_bar(self, place: int) -> int:
        """Return a place's bar as the net knows it, which learned from phrases of four: 3 is the last one."""
        number = self.context.bar_in_phrase(place // BAR)
        return 3 if number >= self.context.phrase.bars - 1 else min(2, max(0, number))

    def chord_at(self, place: int) -> Chord:
        """Return the chord at a place; after the phrase, the next one's first."""
        phrase, beat = self.context.phrase, place / 4.0
        return phrase.span_at(beat).chord if beat < phrase.end_beat else phrase.chord_after(phrase.end_beat - 0.01)

    def find_tones(self, place: int) -> np.ndarray:
        """Find the steps that the triad at a place has."""
        return _find_steps(self.chord_at(place).degrees[:3], self.base % 7)

    def find_goals(self, place: int) -> np.ndarray:
        """Find the steps that the phrase may rest on: an answer on the tonic where its chord is, else a chord tone."""
        if self.context.phrase.role.closed and self.chord_at(place).root == 0:
            return _find_steps((0,), self.base % 7)
        return self.find_tones(place)

    def draws_like(self, other: MelodyBar) -> bool:
        """Tell whether the same notes are drawn for another bar as for this one."""
        return (
            (self.number, self.base, self.first_place, self.is_fast, self.context.rhythm)
            == (other.number, other.base, other.first_place, other.is_fast, other.context.rhythm)
            and self.context.phrase == other.context.phrase
            and np.array_equal(self.allowed, other.allowed)
            and np.array_equal(self.conditions, other.conditions)
        )


@lru_cache(maxsize=512)
def _find_steps(degrees: tuple[int, ...], base: int) -> np.ndarray:
    """Find the net's steps of some degrees of the scale, where its step 0 is the degree `base`."""
    return np.isin((ALL_STEPS + base) % 7, degrees)


def find_target(place: int) -> int:
    """Return the beat that a note may anticipate: the next one from the beat's second half, else its own place."""
    return place + (4 - place % 4) if place % 4 >= 2 else place
