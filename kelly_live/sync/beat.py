"""Beat tracking: period and phase of the beat, filtered forward in time.

A hidden Markov model over (beat period, phase), after Krebs, Böck & Widmer (2015), "An efficient state space model for
joint tempo and meter tracking": one state a frame of each period, and the period changes only at a beat. The likelihood
of an onset's strength at each phase is fitted to annotated music (`lab/judging/tracking.py`; after Krebs, Böck & Widmer
2013, "Rhythmic pattern modeling", with patterns of one beat). Only the forward pass is run, so there is no latency; the
times of the next beats follow from period and phase.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kelly_live.core.arrays import Floats
from kelly_live.sync.onsets import FRAMES_PER_SECOND

SLOWEST_BPM, FASTEST_BPM = 50.0, 210.0
PHASE_BINS = 16  # of a beat; the first is centred on it
STRENGTH_LEVELS = 6  # of an onset's strength, evenly spaced on its square root
_PRIOR_BPM, _PRIOR_OCTAVES = 105.0, 0.7  # before any sound: log-normal, median and standard deviation
_STEADINESS = 80.0  # from beat to beat the period changes by about 1 / 80 of itself; a player slows down by 1 / 40
SOUND_WEIGHT = 0.3  # of the likelihood of a frame of sound
_RESTART = 3e-4  # probability a frame that a new piece begins
_SAME_TEMPO = 0.04  # periods within this share of each other count as one tempo
_MEMORY_SECONDS = 5.0  # over which the evidence that there is a beat at all is averaged,
_LEAST_SECONDS = 2.0  # at least


@dataclass(frozen=True, slots=True)
class BeatBelief:
    """The filter's belief after a frame.

    `evidence`: log-likelihood ratio of a beat against none, in nats a frame. `tempo_share`: the probability of this
    tempo. `phase_certainty`: 0 (any phase) to 1 (one phase).
    """

    period_seconds: float
    seconds_since_beat: float
    evidence: float
    tempo_share: float
    phase_certainty: float

    @property
    def features(self) -> tuple[float, float, float, float]:
        """What the confidence is predicted from, each within a few units of 0."""
        share = min(max(self.tempo_share, 0.01), 0.99)
        return 1.0, 10.0 * self.evidence, float(np.log(share / (1.0 - share))), 4.0 * self.phase_certainty


def quantize_strengths(strengths: Floats) -> npt.NDArray[np.intp]:
    """Map onset strengths in [0, 1] to levels 0 to STRENGTH_LEVELS - 1."""
    return np.minimum((np.sqrt(strengths) * STRENGTH_LEVELS).astype(np.intp), STRENGTH_LEVELS - 1)


class BeatFilter:
    """The forward filter of the hidden Markov model. Thread: one.

    `onsets` as in TrackerModel. `likelihood_weight`: under 1, as frames are not independent; an attack fills several.
    """

    def __init__(self, onsets: Floats, likelihood_weight: float = SOUND_WEIGHT) -> None:
        shortest = round(60.0 * FRAMES_PER_SECOND / FASTEST_BPM)
        longest = round(60.0 * FRAMES_PER_SECOND / SLOWEST_BPM)
        self._periods = np.arange(shortest, longest + 1)
        self._first = np.concatenate([[0], np.cumsum(self._periods)[:-1]])
        self._last = self._first + self._periods - 1
        period_of = np.repeat(np.arange(len(self._periods)), self._periods)  # [state]
        phase = (np.arange(len(period_of)) - self._first[period_of]) / self._periods[period_of]
        self._period_of = period_of
        self._rotation = np.exp(2j * np.pi * phase)
        phase_bin = np.round(phase * PHASE_BINS).astype(np.intp) % PHASE_BINS
        change = np.exp(-_STEADINESS * np.abs(self._periods[:, None] / self._periods[None, :] - 1.0))
        self._change = (change / change.sum(axis=0)).astype(np.float32)
        bpm = 60.0 * FRAMES_PER_SECOND / self._periods
        prior = np.exp(-0.5 * (np.log2(bpm / _PRIOR_BPM) / _PRIOR_OCTAVES) ** 2)
        self._start = ((prior / prior.sum() / self._periods)[period_of]).astype(np.float32)
        # [low, high, state]: one megabyte, so that a frame needs no look-up for each state.
        self._likelihood = np.moveaxis(np.exp(likelihood_weight * onsets).astype(np.float32)[phase_bin], 0, 2).copy()
        self._restart = np.float32(_RESTART) * self._start
        self.reset()

    def reset(self) -> None:
        """Return to the prior."""
        self._belief = self._start.copy()
        self._evidence = 0.0
        self._frames = 0

    def step(self, strengths: Floats) -> None:
        """Take the onset strengths `[frames, 2]` of the next frames."""
        fade = 1.0 / (_MEMORY_SECONDS * FRAMES_PER_SECOND)
        if self._frames == 0:  # the silence before the first sound is no evidence against a beat
            strengths = strengths[int(np.argmax(strengths.any(axis=1))) :] if strengths.any() else strengths[:0]
        self._frames += len(strengths)
        for low, high in quantize_strengths(strengths):
            belief = self._belief
            new_belief = np.empty_like(belief)
            new_belief[1:] = belief[:-1]
            new_belief[self._first] = self._change @ belief[self._last]
            new_belief *= self._likelihood[low, high]
            total = float(new_belief.sum())
            new_belief *= (1.0 - _RESTART) / total
            new_belief += self._restart
            self._belief = new_belief
            self._evidence += fade * (math.log(total) - self._evidence)

    def estimate(self) -> BeatBelief:
        """Return the belief after the last frame."""
        shares = np.add.reduceat(self._belief, self._first).astype(np.float64)
        best = int(np.argmax(np.convolve(shares, np.ones(3), "same")))
        is_near = np.abs(np.log(self._periods / self._periods[best])) < _SAME_TEMPO
        share = float(shares[is_near].sum())
        period = float((shares[is_near] * self._periods[is_near]).sum()) / share
        states = is_near[self._period_of]
        direction = complex((self._belief[states] * self._rotation[states]).sum()) / share
        # The angle lies around the beat itself: just before a beat the time since it is slightly negative.
        since = float(np.angle(direction)) / (2.0 * np.pi) * period
        seconds = 1.0 / FRAMES_PER_SECOND
        heard_seconds = max(_LEAST_SECONDS, self._frames * seconds)
        evidence = self._evidence / -math.expm1(-heard_seconds / _MEMORY_SECONDS)
        return BeatBelief(period * seconds, since * seconds, evidence, min(1.0, share), min(1.0, abs(direction)))
