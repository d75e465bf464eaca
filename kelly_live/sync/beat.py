"""The beat of the sound: where the player is between two beats, filtered forward in time.

A hidden Markov model over (beat period, place in the beat), after Krebs, Böck & Widmer (2015), "An efficient state
space model for joint tempo and meter tracking": one state a frame of each period, and periods change only at a beat.
How likely an onset of some strength is at each place of a beat is learned (`lab/judging/tracking.py`; the patterns of
Krebs, Böck & Widmer 2013, "Rhythmic pattern modeling", of one beat). Only the forward pass is run, so nothing waits
for the future; where the next beats fall is then arithmetic.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kelly_live.sync.onsets import FRAMES_PER_SECOND, Floats

SLOWEST_BPM, FASTEST_BPM = 50.0, 210.0
PLACES = 16  # of a beat, the first one centred on it
LEVELS = 6  # of an onset's strength, evenly spaced on its square root
_PRIOR_BPM, _PRIOR_OCTAVES = 105.0, 0.7  # before hearing a note; log-normal
_STEADINESS = 150.0  # from beat to beat a period changes by about 1 / this
_TRUST = 0.3  # frames are not independent: an attack fills several
_RESTART = 3e-4  # the chance a frame that all starts anew: a new piece
_NEAR = 0.04  # periods within this share of each other are one tempo
_MEMORY_SECONDS = 5.0  # over which the evidence that there is a beat at all is averaged


@dataclass(frozen=True, slots=True)
class Beat:
    """What is believed as of a frame: the beat's period (s), how long ago the last one was (s), and what the
    confidence rests on: `evidence` for a beat against none (nats a frame), the share of belief that has this tempo,
    and how narrowly it knows the place (0-1).
    """

    period: float
    since: float
    evidence: float
    tempo_share: float
    place_certainty: float

    @property
    def features(self) -> tuple[float, float, float, float]:
        share = min(max(self.tempo_share, 0.01), 0.99)
        return 1.0, 10.0 * self.evidence, float(np.log(share / (1.0 - share))), 4.0 * self.place_certainty


def levels(strengths: Floats) -> npt.NDArray[np.intp]:
    """Onset strengths 0-1 as levels 0 to LEVELS - 1."""
    return np.minimum((np.sqrt(strengths) * LEVELS).astype(np.intp), LEVELS - 1)


class PulseFilter:
    """One `step` a frame of 10 ms, in any number; `beat` says what is believed. Thread: one."""

    def __init__(self, onsets: Floats) -> None:
        """`onsets` as of Learned."""
        shortest = round(60.0 * FRAMES_PER_SECOND / FASTEST_BPM)
        longest = round(60.0 * FRAMES_PER_SECOND / SLOWEST_BPM)
        self._periods = np.arange(shortest, longest + 1)
        self._first = np.concatenate([[0], np.cumsum(self._periods)[:-1]])
        self._last = self._first + self._periods - 1
        of = np.repeat(np.arange(len(self._periods)), self._periods)
        place = (np.arange(len(of)) - self._first[of]) / self._periods[of]
        self._period_of = of
        self._turn = np.exp(2j * np.pi * place)
        at = np.round(place * PLACES).astype(np.intp) % PLACES
        move = np.exp(-_STEADINESS * np.abs(self._periods[:, None] / self._periods[None, :] - 1.0))
        self._move = (move / move.sum(axis=0)).astype(np.float32)
        bpm = 60.0 * FRAMES_PER_SECOND / self._periods
        prior = np.exp(-0.5 * (np.log2(bpm / _PRIOR_BPM) / _PRIOR_OCTAVES) ** 2)
        self._start = ((prior / prior.sum() / self._periods)[of]).astype(np.float32)
        # [low, high, state]: a megabyte, so that a frame is a few passes over the states and no look-up.
        self._likely = np.moveaxis(np.exp(_TRUST * onsets).astype(np.float32)[at], 0, 2).copy()
        self._anew = np.float32(_RESTART) * self._start
        self.reset()

    def reset(self) -> None:
        self._belief = self._start.copy()
        self._evidence = 0.0

    def step(self, strengths: Floats) -> None:
        """Take the onset strengths [frames, 2] of the next frames."""
        fade = 1.0 / (_MEMORY_SECONDS * FRAMES_PER_SECOND)
        for low, high in levels(strengths):
            belief = self._belief
            moved = np.empty_like(belief)
            moved[1:] = belief[:-1]
            moved[self._first] = self._move @ belief[self._last]
            moved *= self._likely[low, high]
            total = float(moved.sum())
            moved *= (1.0 - _RESTART) / total
            moved += self._anew
            self._belief = moved
            self._evidence += fade * (math.log(total) - self._evidence)

    def beat(self) -> Beat:
        shares = np.add.reduceat(self._belief, self._first).astype(np.float64)
        best = int(np.argmax(np.convolve(shares, np.ones(3), "same")))
        near = np.abs(np.log(self._periods / self._periods[best])) < _NEAR
        share = float(shares[near].sum())
        period = float((shares[near] * self._periods[near]).sum()) / share
        states = near[self._period_of]
        heading = complex((self._belief[states] * self._turn[states]).sum()) / share
        # Unwrapped around the beat itself, a place just before it is a little less than none.
        since = float(np.angle(heading)) / (2.0 * np.pi) * period
        seconds = 1.0 / FRAMES_PER_SECOND
        return Beat(period * seconds, since * seconds, self._evidence, min(1.0, share), min(1.0, abs(heading)))
