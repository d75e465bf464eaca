"""Fixed statistics of harmony and rhythm over twelve seconds.

They describe key, mode, chords, register, onsets and dynamics. Key profiles are those of Krumhansl & Kessler (1982).
Everything tonal is rotated so that the best-fitting key comes first: a transposed piece has the same statistics.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional

from kelly_live.core.key_profiles import KRUMHANSL_KESSLER_MAJOR, KRUMHANSL_KESSLER_MINOR

SEMITONES = 72  # six octaves up from A1, 55 Hz
_CLASHES = 6  # intervals of 1 to 6 semitones between two notes that sound together
# The rows of a frame after its semitones.
_RISE, _FALL, _LOUDNESS, _CENTRE, _WIDTH, _LOWEST, _BEGUN, _NEW, _CLEAR, _CLASH = range(SEMITONES, SEMITONES + 10)
FRAME_ROWS = _CLASH + _CLASHES
_BASS = 24
_DIATONIC = (1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0)
_CHORDS = ((0, 4, 7), (0, 3, 7), (0, 3, 6), (0, 4, 8), (0, 5, 7), (0, 4, 7, 11), (0, 3, 7, 10), (0, 4, 7, 10))
_LAGS = (8, 16, 32, 64)  # distances in frames of 32 ms at which the harmony is compared
_SMOOTH = 17  # frames that are averaged before chords are matched
TONALITY_STATISTICS = 4 + 3 * 12 + 1 + 6 + 2 * len(_CHORDS) + len(_LAGS) + 5 + 6 + 8 + 2 + 6 + 5 + 5
Mean = Callable[[torch.Tensor], torch.Tensor]


def compute_tonal_frames(mel: torch.Tensor) -> torch.Tensor:
    """Map mel_4096 `[B, 216, 1 + T]` to tonal frames `[B, FRAME_ROWS, T]`.

    The rows: the height of each semitone above its surroundings; rise and fall of the sound since the frame before, and
    its loudness; centre, width and lowest note of the spectrum in octaves; strength and number of new semitones; number
    of clear semitones; strength of intervals of one to six semitones.
    """
    step = mel.diff(dim=2)
    around = functional.avg_pool1d(functional.pad(mel.transpose(1, 2), (9, 9), mode="replicate"), 19, 1)
    peaks = functional.relu(mel - around.transpose(1, 2))
    below = functional.pad(peaks, (0, 0, 1, 0))[:, :-1]
    all_semitones = peaks[:, 0::3] + 0.5 * (below[:, 0::3] + peaks[:, 1::3])
    semitones, onsets = all_semitones[..., 1:], functional.relu(all_semitones.diff(dim=2))
    total = semitones.sum(dim=1, keepdim=True) + 1e-3
    place = torch.arange(SEMITONES, device=mel.device).unsqueeze(0) / 12.0
    centre, square = torch.split((torch.cat((place, place.square())) @ semitones) / total, 1, dim=1)
    width = torch.sqrt((square - centre.square()).clamp_min(0.0) + 1e-6)
    high = 0.3 * semitones.amax(dim=1, keepdim=True) + 0.1
    lowest = (semitones > high).float().argmax(dim=1, keepdim=True) / 12.0
    pairs = functional.pad(semitones, (0, 0, 0, _CLASHES)).unfold(1, _CLASHES + 1, 1)  # [B, 72, T, 7]
    clashes = torch.minimum(pairs[..., :1], pairs[..., 1:]).sum(dim=1).transpose(1, 2) / total
    rows = (
        functional.relu(step).mean(dim=1, keepdim=True), functional.relu(-step).mean(dim=1, keepdim=True),
        mel[..., 1:].mean(dim=1, keepdim=True), centre, width, lowest, onsets.sum(dim=1, keepdim=True),
        (onsets > 0.5).float().sum(dim=1, keepdim=True), (semitones > 0.2).float().sum(dim=1, keepdim=True),
    )  # fmt: skip
    return torch.cat((semitones, *rows, clashes), dim=1)


def _unit(x: torch.Tensor, dim: int = -1) -> torch.Tensor:
    centred = x - x.mean(dim=dim, keepdim=True)
    unit: torch.Tensor = centred / (centred.norm(dim=dim, keepdim=True) + 1e-3)
    return unit


def _roll_to_keys(profile: torch.Tensor) -> torch.Tensor:
    return torch.stack([profile.roll(k) for k in range(12)])


class Tonality(nn.Module):
    """Maps tonal frames `[B, FRAME_ROWS, T]` to `[B, TONALITY_STATISTICS]`; nothing is learned."""

    def __init__(self) -> None:
        super().__init__()
        chords = []
        for intervals in _CHORDS:
            chord = torch.zeros(12)
            chord[list(intervals)] = 1.0
            chords.append(_roll_to_keys(chord / chord.norm()))
        for name, value in {
            "major": _roll_to_keys(_unit(torch.tensor(KRUMHANSL_KESSLER_MAJOR))),
            "minor": _roll_to_keys(_unit(torch.tensor(KRUMHANSL_KESSLER_MINOR))),
            "diatonic": _roll_to_keys(_unit(torch.tensor(_DIATONIC))),
            "chords": torch.stack(chords),
            "rotations": torch.stack([(torch.arange(12) + k) % 12 for k in range(12)]),
            # Buffers, because nothing may be copied to the device within a captured hop.
            "levels": torch.tensor([0.05, 0.25, 0.5, 0.75, 0.95]),
            "ranks": torch.tensor([0.5, 0.9]),
        }.items():
            self.register_buffer(name, value, persistent=False)
        self.major: torch.Tensor
        self.minor: torch.Tensor
        self.diatonic: torch.Tensor
        self.chords: torch.Tensor
        self.rotations: torch.Tensor
        self.levels: torch.Tensor
        self.ranks: torch.Tensor

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Compute the statistics."""
        semitones, loudness = frames[:, :SEMITONES], frames[:, _LOUDNESS]
        peak = loudness.amax(dim=1, keepdim=True).clamp_min(1e-3)
        activity = torch.sigmoid(8.0 * (loudness / peak - 0.35)) * (loudness / (loudness + 0.05)) + 1e-4
        share = activity / activity.sum(dim=1, keepdim=True)

        def mean(x: torch.Tensor) -> torch.Tensor:
            """Average `[B, …, T]` over time, weighted by activity."""
            return (x * share).sum(dim=1) if x.dim() == 2 else torch.bmm(x, share.unsqueeze(2)).squeeze(2)

        def spread(x: torch.Tensor) -> torch.Tensor:
            return torch.sqrt(mean((x - mean(x).unsqueeze(-1)).square()) + 1e-6)

        means = mean(frames)
        parts = [
            *self._harmony(semitones, means[:, :SEMITONES], mean, share),
            *self._register(frames, means, spread),
            *self._motion(frames, means, activity, share),
        ]
        levels = torch.quantile(loudness, self.levels, dim=1).T
        mean_rise, mean_fall = means[:, _RISE], means[:, _FALL]
        dynamics = (
            means[:, _LOUDNESS],
            spread(loudness),
            activity.mean(dim=1),
            mean_fall,
            mean_rise / (mean_fall + 1e-3),
        )
        return torch.cat((*parts, levels, torch.stack(dynamics, dim=1)), dim=1)

    def _rotate(self, chroma: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        """Rotate chroma `[B, 12]` so that pitch class `key` `[B]` is first; normalise its sum to 1."""
        rotated = chroma.gather(1, self.rotations[key])
        return rotated / (rotated.sum(dim=1, keepdim=True) + 1e-3)

    def _harmony(
        self, semitones: torch.Tensor, each: torch.Tensor, mean: Mean, share: torch.Tensor
    ) -> list[torch.Tensor]:
        chroma = semitones.reshape(len(semitones), 6, 12, -1).sum(dim=1)
        mean_chroma = each.reshape(-1, 6, 12).sum(dim=1)
        shape = _unit(mean_chroma)
        major, minor, diatonic = (shape @ profiles.T for profiles in (self.major, self.minor, self.diatonic))
        best_major, best_minor = major.amax(dim=1), minor.amax(dim=1)
        chances = torch.softmax(12.0 * torch.cat((major, minor), dim=1), dim=1)
        key = torch.stack((best_major, best_minor, best_major - best_minor, chances[:, :12].sum(dim=1)), dim=1)
        collection = diatonic.argmax(dim=1)
        tonic = chances.argmax(dim=1) % 12
        bass = each[:, :_BASS].reshape(-1, 2, 12).sum(dim=1)
        smooth = functional.avg_pool1d(chroma, _SMOOTH, 1, _SMOOTH // 2)
        smooth = smooth / (smooth.norm(dim=1, keepdim=True) + 1e-3)
        around = torch.cat((smooth, smooth[:, :6]), dim=1).unfold(1, 12, 1)[:, 1:]  # [B, 6, T, 12]
        intervals = (around * smooth.transpose(1, 2).unsqueeze(1)).sum(dim=3)
        fit = torch.einsum("krc,bct->bkrt", self.chords, smooth).amax(dim=2)
        kind = torch.softmax(20.0 * fit, dim=1)
        mean_harmony = mean(torch.cat((intervals, fit, kind), dim=1))
        stay = []
        for lag in _LAGS:
            later = share[:, lag:] / share[:, lag:].sum(dim=1, keepdim=True)
            stay.append(((smooth[..., lag:] * smooth[..., :-lag]).sum(dim=1) * later).sum(dim=1))
        return [
            key, self._rotate(mean_chroma, collection), self._rotate(mean_chroma, tonic),
            self._rotate(bass, collection), diatonic.amax(dim=1, keepdim=True), mean_harmony, torch.stack(stay, dim=1),
        ]  # fmt: skip

    def _register(self, frames: torch.Tensor, means: torch.Tensor, spread: Mean) -> list[torch.Tensor]:
        octaves = means[:, :SEMITONES].reshape(-1, 6, 12).sum(dim=2)
        spreads = spread(torch.stack((frames[:, _CENTRE], frames[:, _LOWEST]), dim=1))
        five = torch.cat((means[:, _CENTRE], spreads[:, 0], means[:, _WIDTH], means[:, _LOWEST], spreads[:, 1]))
        return [five.view(5, -1).T, octaves / (octaves.sum(dim=1, keepdim=True) + 1e-3)]

    def _motion(
        self, frames: torch.Tensor, means: torch.Tensor, activity: torch.Tensor, share: torch.Tensor
    ) -> list[torch.Tensor]:
        semitones, rise = frames[:, :SEMITONES], frames[:, _RISE]
        floor = rise.mean(dim=1, keepdim=True) + 0.5 * rise.std(dim=1, keepdim=True)
        inner = rise[:, 1:-1]
        onsets = (inner > floor) & (inner >= rise[:, :-2]) & (inner > rise[:, 2:])
        rate = onsets.sum(dim=1) / ((activity > 0.3).sum(dim=1) + 16.0)
        centred = rise - rise.mean(dim=1, keepdim=True)
        power = torch.fft.rfft(centred, n=2 * rise.shape[1])
        echo = torch.fft.irfft(power.real.square() + power.imag.square())[:, 5:64]
        pulse = echo.amax(dim=1) / (centred.square().sum(dim=1) + 1e-4)
        # Notes that begin in the first frame began before the window.
        new_onsets = means[:, _BEGUN : _NEW + 1] - frames[:, _BEGUN : _NEW + 1, 0] * share[:, :1]
        middle, most = torch.quantile(rise, self.ranks, dim=1)
        loudest = semitones.amax(dim=(1, 2), keepdim=True)
        loud = ((semitones > 0.4 * loudest + 0.05).float().sum(dim=1) * share).sum(dim=1)
        strength = torch.sqrt((rise.square() * share).sum(dim=1) + 1e-9)
        rhythm = torch.stack((means[:, _RISE], strength, middle, most, rate, pulse), dim=1)
        voices = torch.stack((loud, means[:, _CLEAR]), dim=1)
        return [rhythm, new_onsets, voices, means[:, _CLASH:]]
