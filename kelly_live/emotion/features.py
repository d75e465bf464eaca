"""Log-mel frames at several resolutions and the sound level, computed once as the samples arrive.

Frame `k` of a scale is centred on sample `k * hop` (librosa's `center=True`, zeros before the first sample) and is
returned as soon as its last sample has arrived. Every value is log10(1 + 10000 mel): silence is exactly 0, so padding
with zeros is silence. Nothing is normalised over a file or a batch: a frame depends only on its own samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch

from kelly_live.core.level import rms_dbfs
from kelly_live.emotion.nets.scales import HOP_SAMPLES, SAMPLE_RATE, SCALES, MelScale


def _slaney_mel(hertz: np.ndarray) -> np.ndarray:
    linear = hertz / (200.0 / 3.0)
    return np.where(hertz < 1000.0, linear, 15.0 + np.log(np.maximum(hertz, 1e-9) / 1000.0) / (np.log(6.4) / 27.0))


def _slaney_hertz(mel: np.ndarray) -> np.ndarray:
    return np.where(mel < 15.0, mel * (200.0 / 3.0), 1000.0 * np.exp((np.log(6.4) / 27.0) * (mel - 15.0)))


def filter_bank(scale: MelScale) -> np.ndarray:
    """Return triangular filters of unit area `[bands, fft // 2 + 1]`, float32.

    They are librosa's mel bank (Slaney), or bands that are evenly spaced in octaves and at least one FFT bin wide.
    """
    bins = np.linspace(0.0, SAMPLE_RATE / 2, scale.fft // 2 + 1)
    if scale.per_octave is None:
        ends = _slaney_mel(np.array([scale.low_hz, scale.high_hz]))
        edges = _slaney_hertz(np.linspace(ends[0], ends[1], scale.bands + 2))
        low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    else:
        centre = scale.low_hz * 2.0 ** (np.arange(scale.bands) / scale.per_octave)
        width = np.maximum(centre * (2.0 ** (1.0 / scale.per_octave) - 1.0), SAMPLE_RATE / scale.fft)
        low, high = centre - width, centre + width
    rising_slopes = (bins - low[:, None]) / (centre - low)[:, None]
    falling_slopes = (high[:, None] - bins) / (high - centre)[:, None]
    triangles = np.maximum(0.0, np.minimum(rising_slopes, falling_slopes)) * (2.0 / (high - low))[:, None]
    bank: np.ndarray = triangles.astype(np.float32)
    return bank


def clean_samples(samples: np.ndarray) -> np.ndarray:
    """Return the samples as float32 in [-1, 1]: NaN becomes silence, larger values are clipped."""
    finite = np.nan_to_num(samples.astype(np.float32, copy=False), nan=0.0, posinf=1.0, neginf=-1.0)
    clean: np.ndarray = np.clip(finite, -1.0, 1.0)
    return clean


class MelStream:
    """The frames of one scale as a stream; keeps the samples that the next frame still needs."""

    def __init__(self, scale: MelScale, device: torch.device) -> None:
        self.scale = scale
        self._bank = torch.from_numpy(filter_bank(scale)).to(device)
        self._taper = torch.hann_window(scale.fft, periodic=True, device=device)
        self._device = device
        self.reset()

    def reset(self) -> None:
        """Forget all samples so far."""
        self._tail = torch.zeros(self.scale.fft // 2, device=self._device)

    def count_frames(self, samples: int) -> int:
        """Return how many frames this many more samples will complete."""
        return max(0, (len(self._tail) + samples - self.scale.fft) // self.scale.hop + 1)

    def push(self, samples: torch.Tensor) -> torch.Tensor:
        """Take samples `[n]`; return the frames `[bands, new]` that they completed (new may be 0)."""
        scale = self.scale
        count = self.count_frames(len(samples))
        self._tail = torch.cat((self._tail, samples))
        if count == 0:
            return torch.zeros(scale.bands, 0, device=self._device)
        frames = self._tail[: (count - 1) * scale.hop + scale.fft].unfold(0, scale.fft, scale.hop)
        self._tail = self._tail[count * scale.hop :].clone()
        spectrum = torch.fft.rfft(frames * self._taper)
        power = spectrum.real.square() + spectrum.imag.square()
        return torch.log10(1.0 + 1e4 * (power @ self._bank.T)).T


@dataclass(frozen=True, slots=True)
class Frames:
    """New frames `[bands, new]` by scale name, and the RMS level in dBFS of every 250 ms hop completed."""

    mels: dict[str, torch.Tensor]
    levels_dbfs: tuple[float, ...]


class FeatureStream:
    """All scales and the level as a stream. Thread: the analysis thread only."""

    def __init__(self, device: torch.device | None = None) -> None:
        self._device = device or torch.device("cpu")
        self._streams = [MelStream(scale, self._device) for scale in SCALES]
        self.reset()

    def reset(self) -> None:
        """Forget all samples so far."""
        for stream in self._streams:
            stream.reset()
        self._level_tail = np.zeros(0, np.float32)

    def push(self, samples: np.ndarray) -> Frames:
        """Take mono samples `[n]` at 16 kHz (any n), which are cleaned first; return the new frames."""
        clean = clean_samples(samples)
        self._level_tail = np.concatenate((self._level_tail, clean))
        hops = len(self._level_tail) // HOP_SAMPLES
        blocks = self._level_tail[: hops * HOP_SAMPLES].reshape(hops, HOP_SAMPLES)
        self._level_tail = self._level_tail[hops * HOP_SAMPLES :]
        on_device = torch.from_numpy(clean).to(self._device)
        with torch.inference_mode():
            mels = {stream.scale.name: stream.push(on_device) for stream in self._streams}
        return Frames(mels, tuple(rms_dbfs(block) for block in blocks))

    def push_each(self, blocks: Sequence[np.ndarray]) -> list[Frames]:
        """Return what a push of each block would return; faster, for all are computed at once."""
        ends = np.cumsum([len(block) for block in blocks])
        counts = {s.scale.name: np.diff([s.count_frames(int(end)) for end in ends], prepend=0) for s in self._streams}
        hops = np.diff((len(self._level_tail) + ends) // HOP_SAMPLES, prepend=0).tolist()
        frames = self.push(np.concatenate(blocks))
        mels = {name: torch.split(frames.mels[name], each.tolist(), dim=1) for name, each in counts.items()}
        levels = iter(frames.levels_dbfs)
        return [
            Frames({name: split[place] for name, split in mels.items()}, tuple(islice(levels, count)))
            for place, count in enumerate(hops)
        ]


def log_mels(samples: np.ndarray) -> dict[str, torch.Tensor]:
    """Return all frames `[bands, frames]` of a whole clip by scale name, as one push of a new stream does."""
    return FeatureStream().push(samples).mels
