"""Memory of a loop of chords: what was played one round ago is expected again.

Every lag at which the chords agree with themselves is a candidate for the length of the loop; the one that agreed best
over the last seconds is taken, once a whole round of it has been heard twice. A net hears a chord a little after it has
begun; the memory knows by now when it did, so what it expects is on the beat. The numbers below were chosen on the
songs that the net learned from.
"""

from __future__ import annotations

import math

import numpy as np

from kelly_live.core.arrays import Floats
from kelly_live.sync.chord_features import HOP_SECONDS
from kelly_live.sync.chord_net import CHORDS

_LONGEST_SECONDS, _SHORTEST_SECONDS = 26.0, 2.0  # of a loop
_MEMORY_SECONDS = 6.0  # time constant of the agreement
_HEARD_AFTER_HOPS = 2  # a net's answer of so many hops later says what sounded at a time
_AGREEMENT = 0.35  # of the loop, at least,
_ADVANTAGE = 0.1  # and so much more than chords agree by chance
_NEARLY = 0.02
_CHANCE_SECONDS = 30.0
_TRUST = 0.5  # weight of what is expected, as evidence beside what is heard
_FLOOR = 0.02  # a chord that is not expected stays possible


class LoopMemory:
    """Remembers chord probabilities hop by hop, and expects them again after a round of a loop. Thread: one."""

    def __init__(self) -> None:
        self._lags = np.arange(round(_SHORTEST_SECONDS / HOP_SECONDS), round(_LONGEST_SECONDS / HOP_SECONDS))
        self._past = np.zeros((2 * int(self._lags[-1]), CHORDS))  # the latest row last
        self._count = 0
        self._agreement = np.zeros(len(self._lags))
        self._evidence = np.zeros(len(self._lags))
        self._usual = np.full(CHORDS, 1.0 / CHORDS)
        self._lag: int | None = None

    @property
    def seconds(self) -> float | None:
        """The length of the loop; None while nothing repeats."""
        return None if self._lag is None else self._lag * HOP_SECONDS

    def step(self, heard: Floats) -> Floats:
        """Take what a net heard in a hop `[25]`; return it, corrected by what is expected there."""
        fade = math.exp(-HOP_SECONDS / _MEMORY_SECONDS)
        known = self._lags <= self._count
        agreement = np.where(known, self._past[len(self._past) - self._lags] @ heard, 0.0)
        self._agreement = fade * self._agreement + (1.0 - fade) * agreement
        self._evidence = fade * self._evidence + (1.0 - fade) * known
        self._usual += -math.expm1(-HOP_SECONDS / _CHANCE_SECONDS) * (heard - self._usual)
        self._past[:-1] = self._past[1:]
        self._past[-1] = heard
        self._count += 1
        self._lag = self._find_lag()
        expected = self.expect(0)
        if expected is None:
            return heard
        odds = heard * np.maximum(expected, _FLOOR) ** _TRUST
        return np.asarray(odds / odds.sum())

    def expect(self, hops: int) -> Floats | None:
        """Return the probabilities `[25]` that are expected so many hops after the latest; None without a loop."""
        if self._lag is None or hops + _HEARD_AFTER_HOPS >= self._lag:
            return None
        return np.asarray(self._past[len(self._past) - 1 - self._lag + hops + _HEARD_AFTER_HOPS])

    def _find_lag(self) -> int | None:
        twice = self._count >= self._lags + np.minimum(self._lags, round(4.0 / HOP_SECONDS))
        score = np.where(twice, self._agreement / np.maximum(self._evidence, 1e-3), 0.0)
        best = int(np.argmax(score))
        for rounds in (4, 3, 2):  # several rounds agree as well as one: the part that agrees nearly as well is taken
            part = round(int(self._lags[best]) / rounds) - int(self._lags[0])
            if part >= 0 and score[part] >= score[best] - _NEARLY:
                best = part
                break
        chance = float((self._usual**2).sum())
        return int(self._lags[best]) if score[best] > max(_AGREEMENT, chance + _ADVANTAGE) else None
