"""Onset strength as a stream, one value every 10 ms for low and one for high frequencies.

Spectral flux as in Böck & Widmer (2013), "Maximum filter vibrato suppression for onset detection", without that filter:
the rise of a log-compressed filter bank over a few frames, summed over the low and over the high bands, relative to the
largest rises of the last seconds.
"""

from __future__ import annotations

import numpy as np

from kelly_live.core.arrays import Floats
from kelly_live.core.errors import ConfigError

SAMPLE_RATE = 16_000
FRAMES_PER_SECOND = 100
HOP = SAMPLE_RATE // FRAMES_PER_SECOND
_WINDOW = 1024
_BANDS = 24
_LOW_HZ, _HIGH_HZ = 40.0, 7_000.0
_COMPRESSION = 1_000.0  # of the magnitude in log(1 + c x): a full-scale sine's magnitude is 1
_LAG_FRAMES = 3  # rises are taken over 30 ms, about what a 64 ms window needs to see an attack
_PEAK_SECONDS = 4.0  # time constant of the largest rise
_LOW = 3  # bands under about 280 Hz: bass and kick drum have a pattern of their own
_FLOOR = 1.0  # smaller rises (log units, all bands of a half together) are noise


def _filterbank() -> Floats:
    """Return triangles `[bins, bands]` of height 1, evenly spaced on the mel scale."""
    mel = np.linspace(_mel(_LOW_HZ), _mel(_HIGH_HZ), _BANDS + 2)
    corners = 700.0 * np.expm1(mel / 1127.0)
    bins = np.fft.rfftfreq(_WINDOW, 1.0 / SAMPLE_RATE)[:, None]
    # A band is at least one bin wide to each side; otherwise the lowest would fall between two bins.
    wide = np.maximum(np.diff(corners), SAMPLE_RATE / _WINDOW)
    rising_slopes = 1.0 - (corners[1:-1] - bins) / wide[:-1]
    falling_slopes = 1.0 - (bins - corners[1:-1]) / wide[1:]
    result: Floats = np.clip(np.minimum(rising_slopes, falling_slopes), 0.0, 1.0)
    return result


def _mel(hertz: float) -> float:
    return float(1127.0 * np.log1p(hertz / 700.0))


class OnsetStrength:
    """Turns samples into onset strengths in [0, 1], low and high, one frame every 10 ms. Thread: one."""

    def __init__(self) -> None:
        self._window = np.hanning(_WINDOW) * (2.0 / np.hanning(_WINDOW).sum())
        self._bank = _filterbank()
        self.reset()

    def reset(self) -> None:
        """Forget all audio so far."""
        self._pending_samples = np.zeros(_WINDOW - HOP)
        self._bands = np.zeros((_LAG_FRAMES, _BANDS))
        self._peak = np.zeros(2)

    def push(self, samples: np.ndarray, sample_rate: int = SAMPLE_RATE) -> Floats:
        """Take new samples `[n]`; return the strengths `[frames, 2]`, low and high, of the new frames.

        Frame i, counted from 0, ends with sample (i + 1) * HOP. Raises ConfigError for another rate.
        """
        if sample_rate != SAMPLE_RATE:
            raise ConfigError(f"onsets are detected at {SAMPLE_RATE} Hz, the audio has {sample_rate}; resample it")
        sound = np.concatenate([self._pending_samples, samples])
        count = max(0, (len(sound) - _WINDOW) // HOP + 1)
        self._pending_samples = sound[count * HOP :]
        if count == 0:
            return np.empty((0, 2))
        frames = np.lib.stride_tricks.sliding_window_view(sound, _WINDOW)[: (count - 1) * HOP + 1 : HOP]
        bands = np.log1p(_COMPRESSION * (np.abs(np.fft.rfft(frames * self._window)) @ self._bank))
        history = np.concatenate([self._bands, bands])
        self._bands = history[-_LAG_FRAMES:]
        rise = np.maximum(history[_LAG_FRAMES:] - history[:-_LAG_FRAMES], 0.0)
        return self._normalize(np.stack([rise[:, :_LOW].sum(axis=1), rise[:, _LOW:].sum(axis=1)], axis=1))

    def _normalize(self, rise: Floats) -> Floats:
        """Divide by the largest rise of the last seconds, so that a quiet player has a beat too."""
        fade = np.exp(-1.0 / (_PEAK_SECONDS * FRAMES_PER_SECOND))
        strength = np.empty_like(rise)
        peak = self._peak
        for i, value in enumerate(rise):
            peak = np.maximum(value, peak * fade)
            strength[i] = value / np.maximum(peak, _FLOOR)
        self._peak = peak
        return strength
