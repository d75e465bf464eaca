"""Prediction of the chord of the coming beat, from what a player has played beat by beat.

A mixture of experts, after "fixed share" (Herbster & Warmuth 1998). One expert for each lag says: what sounded so many
beats ago sounds again. Another knows how long this player's chords last, on which beats they change, and where they go
from each chord. All are weighed by how well they predicted. So a loop is known once it has been heard, one chord that
was heard wrongly costs little, and where nothing is known the probabilities say so.

The constants were chosen on songs of POP909 on which nothing is measured. (What a net that hears chords learned there
is too little for more: told all chords so far without an error, this names the next one in .6 of strong beats.)
"""

from __future__ import annotations

import math

import numpy as np

from kelly_live.core.arrays import Floats

CHORDS = 24  # 12 major, 12 minor from C up
_LONGEST_BEATS = 64
_LAGS = np.arange(2, _LONGEST_BEATS + 1)
_SURE = 0.88  # what an expert stakes on the chord that it names
_SHARPNESS = 1.5  # the nets were trained to doubt a little; a round later less doubt is due
_ROUNDS = 4  # that an expert remembers: one chord may have been heard wrongly
_TEMPER = 0.7  # the beats of one chord are heard alike
_SHARE = 0.05  # of all weight is dealt anew each beat,
_NO_LOOP = 0.4  # and so much of that to the expert without a lag
_MULTIPLES = ((8, 3.0), (4, 1.5), (2, 0.7), (1, 0.3))  # loops last whole bars
# How long chords last, in beats, and how little that weighs beside one that was heard.
_DURATIONS = {1: 0.5, 2: 3.0, 3: 0.4, 4: 3.0, 6: 0.3, 8: 0.5}
_HEARD_WEIGHT = 3.0
_USUAL_CHANGE = 0.44  # a beat has a change so often
_PLACE_WEIGHT = 0.8
_MOVES_WEIGHT = 3.0  # of the key's chords, beside the moves of the player
_HAZARDS = (0.03, 0.95)
# How often a chord is on each degree of a major key, or of its relative minor; POP909.
_MAJOR = (0.162, 0.001, 0.019, 0.001, 0.034, 0.153, 0.001, 0.203, 0.002, 0.019, 0.006, 0.001)
_MINOR = (0.001, 0.001, 0.098, 0.001, 0.102, 0.004, 0.001, 0.001, 0.001, 0.188, 0.001, 0.003)
_UNKNOWN = np.full(CHORDS, 1.0 / CHORDS)


def build_tone_table() -> Floats:
    """Return which pitch classes each chord has `[24, 12]`, 0 or 1."""
    table = np.zeros((CHORDS, 12))
    for chord in range(CHORDS):
        for interval in (0, 4 if chord < 12 else 3, 7):
            table[chord, (chord + interval) % 12] = 1.0
    return table


class ChordPredictor:
    """Learns the chords of beats, one after the other, and predicts the next. Thread: one."""

    def __init__(self) -> None:
        shares = np.array([next(weight for size, weight in _MULTIPLES if lag % size == 0) for lag in _LAGS])
        self._shares = np.append((1.0 - _NO_LOOP) * shares / shares.sum(), _NO_LOOP)
        self._weights = self._shares
        self._past = np.tile(_UNKNOWN, (_LONGEST_BEATS, 1))  # the latest beat last
        self._latest = _UNKNOWN
        self._beats = 0
        self._durations = dict(_DURATIONS)
        self._places = np.ones((4, 2))  # beats that kept their chord or changed it, by their place of four
        self._moves = np.zeros((CHORDS, CHORDS))
        self._chord: int | None = None
        self._since = 0

    def learn(self, heard: Floats, tonic: int) -> None:
        """Take what sounded in the next beat `[24]`, in the key of the major `tonic` (0-11) or its relative minor."""
        own = self._expect_own(tonic)
        said = self._list_expected(own) @ heard
        weights = self._weights * np.append(said, own @ heard) ** _TEMPER
        self._weights = (1.0 - _SHARE) * weights / weights.sum() + _SHARE * self._shares
        self._past = np.roll(self._past, -1, axis=0)
        self._past[-1] = heard**_SHARPNESS / (heard**_SHARPNESS).sum()
        self._latest = heard
        chord = int(heard.argmax())
        if heard[chord] > 0.5:
            self._count(chord)
        self._beats += 1

    def predict(self, tonic: int) -> Floats:
        """Return the probability `[24]` of each chord on the coming beat."""
        own = self._expect_own(tonic)
        mixed = self._weights[:-1] @ self._list_expected(own) + self._weights[-1] * own
        return np.asarray(mixed / mixed.sum())

    def _list_expected(self, own: Floats) -> Floats:
        """Return what the expert of each lag expects of the coming beat `[lags, 24]`."""
        rows, rounds = np.zeros((len(_LAGS), CHORDS)), np.zeros((len(_LAGS), 1))
        for multiple in range(1, _ROUNDS + 1):
            inside = multiple * _LAGS <= min(self._beats, _LONGEST_BEATS)
            rows[inside] += self._past[_LONGEST_BEATS - multiple * _LAGS[inside]]
            rounds[inside] += 1.0
        rows /= np.maximum(rounds, 1.0)
        known = (self._beats >= _LAGS)[:, None]
        return np.where(known, _SURE * rows + (1.0 - _SURE) * own, own)

    def _expect_own(self, tonic: int) -> Floats:
        """Return what is expected of the coming beat without any lag `[24]`."""
        if self._chord is None:
            return _UNKNOWN
        change = self._find_hazard()
        usual = np.concatenate([np.roll(_MAJOR, tonic), np.roll(_MINOR, tonic)])
        usual[self._chord] = 0.0
        row = self._moves[self._chord]
        moves = (_MOVES_WEIGHT * usual / usual.sum() + row) / (_MOVES_WEIGHT + row.sum())
        return np.asarray(change * moves + (1.0 - change) * self._latest)

    def _find_hazard(self) -> float:
        """Return the probability that the chord changes on the coming beat."""
        lasted = self._beats - self._since
        later = sum(weight for beats, weight in self._durations.items() if beats >= lasted)
        by_length = self._durations.get(lasted, 0.0) / later if later else 0.3
        kept, changed = self._places[self._beats % 4]
        low, high = _HAZARDS
        odds = _log_odds(min(max(by_length, low), high))
        odds += _PLACE_WEIGHT * (_log_odds(changed / (kept + changed)) - _log_odds(_USUAL_CHANGE))
        return min(max(1.0 / (1.0 + math.exp(-odds)), low), high)

    def _count(self, chord: int) -> None:
        if self._chord is not None:
            self._places[self._beats % 4, int(chord != self._chord)] += 1.0
        if chord == self._chord:
            return
        if self._chord is not None:
            lasted = self._beats - self._since
            self._durations[lasted] = self._durations.get(lasted, 0.0) + _HEARD_WEIGHT
            self._moves[self._chord, chord] += 1.0
        self._chord, self._since = chord, self._beats


def _log_odds(share: float) -> float:
    return math.log(share / (1.0 - share))
