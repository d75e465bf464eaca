"""Key estimation: spectral peaks, folded into pitch classes, are compared with key profiles.

Chroma after Gómez (2006), "Tonal description of music audio signals": spectral peaks only, each also counted for the
tones of which it may be a harmonic, relative to the estimated tuning. The profiles are `key_profiles.modal_profiles`
(Albrecht & Shanahan 2013). Old evidence decays, so that a modulation is noticed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from kelly_live.core.arrays import Floats
from kelly_live.core.key_profiles import MODE_PRIOR, modal_profiles
from kelly_live.core.values import MAJOR_MODES, MODES
from kelly_live.sync.onsets import SAMPLE_RATE
from kelly_live.sync.spectrum import PeakFinder, fold_pitches

HOP_SECONDS = 0.25
_WINDOW = 8192  # half a second: C2 and C#2 are two bins apart
_HOP = int(HOP_SECONDS * SAMPLE_RATE)
_LOW_HZ, _HIGH_HZ = 60.0, 2_000.0
_RANGE = 0.03  # peaks more than 30 dB under the loudest are leakage of the window
HARMONICS = (1.0, 0.5, 0.25, 0.12)  # weight of a peak for the tone whose n-th harmonic it may be
_MEMORY_SECONDS = 30.0  # time constant of the evidence
_TUNING_SECONDS = 60.0  # and of the tuning
_BLUR = 0.4  # share of a uniform profile: harmonics and passing tones reach every pitch class
_NOTES_PER_SECOND = 4.0  # a second of sound counts as this many independent notes
_SILENCE_SECONDS = 6.0  # a longer silence has no key


@dataclass(frozen=True, slots=True)
class KeyBelief:
    """The most probable key and what the confidence in it is predicted from.

    `tonic` 0-11; `mode` one of MODES. `share`: the probability of its tonic and third, by the profiles. `fit`:
    correlation with its profile; `margin`: how much more than that of the next key. `seconds`: of sound, decayed.
    `tonality`: share of the energy in spectral peaks, 0 to 1.
    """

    tonic: int
    mode: str
    share: float
    margin: float
    fit: float
    seconds: float
    tonality: float

    @property
    def features(self) -> tuple[float, ...]:
        """What the confidence is predicted from, each within a few units of 0."""
        share = min(max(self.share, 0.01), 0.99)
        odds = math.log(share / (1.0 - share))
        return 1.0, odds, 5.0 * self.margin, 3.0 * self.fit, math.log(self.seconds), 3.0 * self.tonality


class KeyFilter:
    """Accumulates chroma and compares it with the keys. Thread: one."""

    def __init__(self) -> None:
        self._finder = PeakFinder(np.hanning(_WINDOW), low_hz=_LOW_HZ, high_hz=_HIGH_HZ, floor=_RANGE)
        profiles = modal_profiles()
        profiles = (1.0 - _BLUR) * profiles / profiles.sum(axis=1, keepdims=True) + _BLUR / 12.0
        # [mode, tonic, pitch class]
        self._profiles = np.stack([np.roll(profiles, tonic, axis=1) for tonic in range(12)], axis=1)
        self._prior = np.log(np.array(MODE_PRIOR))[:, None]
        self.reset()

    def reset(self) -> None:
        """Forget all audio so far."""
        self._pending_samples = np.zeros(0)
        self._chroma = np.zeros(12)
        self._seconds = 0.0
        self._tonality = 0.0
        self._tuning = 0.0 + 0.0j
        self._belief: KeyBelief | None = None
        self._silent_seconds = 0.0

    def push(self, samples: np.ndarray) -> None:
        """Take new samples `[n]` at SAMPLE_RATE."""
        self._pending_samples = np.concatenate([self._pending_samples, samples])
        while len(self._pending_samples) >= _WINDOW:
            self._add_window(self._pending_samples[:_WINDOW])
            self._pending_samples = self._pending_samples[_HOP:]
            self._belief = self._compare()

    def _add_window(self, sound: Floats) -> None:
        fade = np.exp(-HOP_SECONDS / _MEMORY_SECONDS)
        self._chroma *= fade
        self._seconds *= fade
        self._silent_seconds += HOP_SECONDS
        peaks = self._finder.find(sound)
        if peaks is None:
            return
        self._silent_seconds = 0.0
        weight = peaks.amplitudes / peaks.amplitudes.max()
        pitch = peaks.pitches
        self._tuning = self._tuning * np.exp(-HOP_SECONDS / _TUNING_SECONDS) + complex(
            (weight * np.exp(2j * np.pi * pitch)).sum()
        )
        pitch = pitch - float(np.angle(self._tuning)) / (2.0 * np.pi)
        chroma = np.zeros(12)
        for harmonic, share in enumerate(HARMONICS, start=1):
            chroma += fold_pitches(pitch - 12.0 * np.log2(harmonic), share * weight)
        chroma /= chroma.sum()
        self._tonality += (1.0 - fade) * (peaks.tonality - self._tonality)
        self._chroma += HOP_SECONDS * chroma
        self._seconds += HOP_SECONDS

    def estimate(self) -> KeyBelief | None:
        """Return the belief after the last window; None before the first sound and in a silence."""
        return self._belief if self._silent_seconds < _SILENCE_SECONDS else None

    def _compare(self) -> KeyBelief | None:
        if self._seconds < HOP_SECONDS:
            return None
        chroma = self._chroma / self._chroma.sum()
        score = _NOTES_PER_SECOND * self._seconds * (np.log(self._profiles) @ chroma) + self._prior
        probability = np.exp(score - score.max())
        probability /= probability.sum()
        mode, tonic = np.unravel_index(int(np.argmax(probability)), probability.shape)
        major = np.array([name in MAJOR_MODES for name in MODES])
        same_third = probability[major == major[mode], tonic].sum()
        centred = self._profiles - self._profiles.mean(axis=2, keepdims=True)
        centred /= np.linalg.norm(centred, axis=2, keepdims=True)
        centred_chroma = chroma - chroma.mean()
        fits = centred @ (centred_chroma / max(float(np.linalg.norm(centred_chroma)), 1e-9))
        best = float(fits[mode, tonic])
        others = [fits[m, t] for m in (0, 5) for t in range(12) if not (t == tonic and major[m] == major[mode])]
        return KeyBelief(
            int(tonic), MODES[mode], float(same_third), best - float(max(others)), best, self._seconds, self._tonality
        )
