"""Spectral peaks of a window of sound, after Gómez (2006), "Tonal description of music audio signals"."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kelly_live.core.arrays import Floats
from kelly_live.sync.onsets import SAMPLE_RATE

QUIET_AMPLITUDE = 1e-3  # if the loudest peak is under -60 dBFS, the window counts as silence
HARMONICS = (1.0, 0.5, 0.25, 0.12)  # weight of a peak for the tone whose n-th harmonic it may be
_MAINS_HERTZ = (50.0, 60.0)
_HUM_HERTZ = 0.4  # G1 and B1, the notes nearest to the two, lie 1 and 1.7 Hz away in the tuning of today


class SpectralPeaks(NamedTuple):
    """The peaks of a spectrum: frequencies in Hz and amplitudes, and the share of the energy that lies in them."""

    hertz: Floats
    amplitudes: Floats
    tonality: float

    @property
    def pitches(self) -> Floats:
        """The peaks as MIDI note numbers, with fractions."""
        return 69.0 + 12.0 * np.log2(self.hertz / 440.0)

    def drop_hum(self) -> SpectralPeaks:
        """Return the peaks without mains hum, which is there if the lowest peak is its first or second tone."""
        for mains in _MAINS_HERTZ:
            if min(abs(self.hertz[0] - mains), abs(self.hertz[0] - 2.0 * mains)) <= _HUM_HERTZ:
                is_music = np.abs(self.hertz - mains * np.round(self.hertz / mains)) > _HUM_HERTZ
                return SpectralPeaks(self.hertz[is_music], self.amplitudes[is_music], self.tonality)
        return self


class PeakFinder:
    """Finds the spectral peaks between `low_hz` and `high_hz`, down to `floor` (a share of the loudest).

    `window` `[n]` weighs the samples; more samples tell apart deeper tones, and tell of them later.
    """

    def __init__(self, window: Floats, *, low_hz: float, high_hz: float, floor: float) -> None:
        self._window = window * (2.0 / window.sum())
        hertz = np.fft.rfftfreq(len(window), 1.0 / SAMPLE_RATE)
        self._low, self._high = np.searchsorted(hertz, [low_hz, high_hz])
        self._floor = floor

    def find(self, samples: Floats) -> SpectralPeaks | None:
        """Find the peaks in as many samples as the window has, but for mains hum; None in silence."""
        spectrum = np.abs(np.fft.rfft(samples * self._window))[self._low - 1 : self._high + 1]
        middle = spectrum[1:-1]
        loudest = float(middle.max())
        is_peak = (middle > spectrum[:-2]) & (middle >= spectrum[2:]) & (middle > self._floor * loudest)
        tops = np.flatnonzero(is_peak) + 1
        if loudest < QUIET_AMPLITUDE or len(tops) == 0:
            return None
        below, peaks, above = (np.log(spectrum[tops + shift] + 1e-12) for shift in (-1, 0, 1))
        offset = 0.5 * (below - above) / np.minimum(below - 2.0 * peaks + above, -1e-9)
        bins = tops + self._low - 1 + np.clip(offset, -0.5, 0.5)
        # In noise the energy is spread over all bins; in music a few peaks hold most of it.
        tonality = float((spectrum[tops] ** 2).sum() / (middle**2).sum())
        found = SpectralPeaks(bins * (SAMPLE_RATE / len(self._window)), spectrum[tops], tonality).drop_hum()
        return found if len(found.hertz) else None


def fold_pitches(pitches: Floats, weights: Floats) -> Floats:
    """Fold tones into 12 pitch classes, each by its weight and how near it lies to a pitch; `pitches` may be off."""
    nearest = np.round(pitches)
    chroma = np.zeros(12)
    np.add.at(chroma, nearest.astype(np.intp) % 12, weights * np.cos(np.pi * (pitches - nearest)) ** 2)
    return chroma
