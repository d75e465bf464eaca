"""What a chord is recognised by: pitch classes and bass of the last moments, of the last second, and of the key.

The features of a hop are 6 groups of 12 pitch classes from C, each in [0, 1]: the tones of the last half second, its
bass, the tones of the last fifth of a second, then decaying means of the first two over a second and of the first over
20 s. A net that treats all roots alike is given them rotated to each root.
"""

from __future__ import annotations

import math

import numpy as np

from kelly_live.core.arrays import Floats
from kelly_live.sync.onsets import SAMPLE_RATE
from kelly_live.sync.spectrum import HARMONICS, PeakFinder, SpectralPeaks, fold_pitches

HOP_SECONDS = 0.1
GROUPS = 6
FEATURES = 12 * GROUPS
_HOP = round(HOP_SECONDS * SAMPLE_RATE)
_LONG, _SHORT = 8192, 3072  # samples: C2 and C#2 are two bins apart in the long one; the short one answers sooner
_ATTACK_SHARE = 0.8  # the window rises for this share and falls quickly: the latest sound counts most
_FLOOR = 0.01  # peaks more than 40 dB under the loudest are leakage
_BASS = (29.5, 52.0)  # MIDI note numbers of the bass, and the lowest of a chord's tones
_LOWEST_TONE = 47.5
_SECOND, _KEY_SECONDS, _TUNING_SECONDS = 1.0, 20.0, 30.0  # time constants


class RunningContext:
    """Completes the groups of a moment by their decaying means."""

    def __init__(self) -> None:
        self._second = np.zeros(24)
        self._key = np.zeros(12)

    def complete(self, now: Floats) -> Floats:
        """Return all features of a hop from its first three groups `[36]`."""
        self._second += -math.expm1(-HOP_SECONDS / _SECOND) * (now[:24] - self._second)
        self._key += -math.expm1(-HOP_SECONDS / _KEY_SECONDS) * (now[:12] - self._key)
        return np.concatenate([now, self._second, self._key])


class AudioChordFeatures:
    """Makes the features of a chord from sound. Thread: one."""

    def __init__(self) -> None:
        self._long = PeakFinder(_build_window(_LONG), low_hz=50.0, high_hz=2_000.0, floor=_FLOOR)
        self._short = PeakFinder(_build_window(_SHORT), low_hz=120.0, high_hz=2_000.0, floor=_FLOOR)
        self._context = RunningContext()
        self._buffer = np.zeros(_LONG)
        self._pending_samples = np.zeros(0)
        self._tuning = 0.0 + 0.0j

    @property
    def pending_seconds(self) -> float:
        """The length of the latest sound, which is in no hop yet."""
        return len(self._pending_samples) / SAMPLE_RATE

    def push(self, samples: np.ndarray) -> list[Floats]:
        """Take new samples `[n]` at SAMPLE_RATE; return the features `[72]` of each hop that they completed."""
        self._pending_samples = np.concatenate([self._pending_samples, samples])
        rows = []
        while len(self._pending_samples) >= _HOP:
            self._buffer = np.concatenate([self._buffer[_HOP:], self._pending_samples[:_HOP]])
            self._pending_samples = self._pending_samples[_HOP:]
            rows.append(self._context.complete(self._measure()))
        return rows

    def _measure(self) -> Floats:
        now = np.zeros(36)
        if (peaks := self._long.find(self._buffer)) is None:
            return now
        self._tune(peaks)
        pitches, weights = peaks.pitches - self._offset, np.sqrt(peaks.amplitudes)
        tones = np.zeros(12)
        for harmonic, share in enumerate(HARMONICS, start=1):
            fundamentals = pitches - 12.0 * np.log2(harmonic)
            high = fundamentals > _LOWEST_TONE
            tones += fold_pitches(fundamentals[high], share * weights[high])
        low = (pitches > _BASS[0]) & (pitches < _BASS[1])
        now[:12], now[12:24] = _normalize(tones), _normalize(fold_pitches(pitches[low], weights[low]))
        if (peaks := self._short.find(self._buffer[-_SHORT:])) is not None:
            now[24:] = _normalize(fold_pitches(peaks.pitches - self._offset, np.sqrt(peaks.amplitudes)))
        return now

    def _tune(self, peaks: SpectralPeaks) -> None:
        self._tuning *= math.exp(-HOP_SECONDS / _TUNING_SECONDS)
        self._tuning += complex((peaks.amplitudes * np.exp(2j * np.pi * peaks.pitches)).sum())

    @property
    def _offset(self) -> float:
        """How far the tuning lies from A = 440 Hz, in semitones."""
        return float(np.angle(self._tuning)) / (2.0 * np.pi)


def rotate_to_roots(features: Floats) -> Floats:
    """Return features `[..., 72]` as each root `[12, ..., 72]` sees them: its own pitch class comes first."""
    groups = features.reshape(*features.shape[:-1], GROUPS, 12)
    return np.stack([np.roll(groups, -root, axis=-1).reshape(features.shape) for root in range(12)])


def _build_window(length: int) -> Floats:
    rise = int(length * _ATTACK_SHARE)
    rising = np.sin(np.linspace(0.0, np.pi / 2.0, rise)) ** 2
    return np.concatenate([rising, np.cos(np.linspace(0.0, np.pi / 2.0, length - rise)) ** 2])


def _normalize(chroma: Floats) -> Floats:
    return np.asarray(chroma / max(float(chroma.max()), 1e-6))
