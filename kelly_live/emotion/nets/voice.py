"""Fixed, differentiable statistics of a voice: pitch, loudness, brightness and pace."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional

CEPSTRA = 20
BASE = CEPSTRA + 4  # with pitch, salience, flux, loudness
SHORT_FRAMES = 31  # 1 s
HARMONIC_SHIFTS = (0, 24, 38, 48)  # harmonics 1-4 on an axis of 24 bands an octave
PITCHES = 96  # candidates: the lowest 4 octaves of mel_2048, 62.5-1000 Hz
VOICE_STATISTICS = 2 * 2 * 2 * BASE + 3 * BASE + 9


def estimate_activity(loudness: torch.Tensor) -> torch.Tensor:
    """Return the activity of each frame in (0, 1], from its mean log-mel `[B, T]`.

    It is relative to the loudest frame of the window, and near 0 if the window is silent.
    """
    peak = loudness.amax(dim=1, keepdim=True).clamp_min(1e-3)
    return torch.sigmoid(8.0 * (loudness / peak - 0.5)) * (loudness / (loudness + 0.05)) + 1e-4


def compute_moments(x: torch.Tensor, weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return mean and standard deviation `[B, C]` of `[B, C, T]` over T, weighted by `[B, T]`."""
    if len(x) > 1 and torch.is_inference_mode_enabled():  # row by row the data fit in the cache: eight times as fast
        each = [compute_moments(x[i : i + 1], weight[i : i + 1]) for i in range(len(x))]
        return torch.cat([mean for mean, _ in each]), torch.cat([deviation for _, deviation in each])
    share = (weight / weight.sum(dim=1, keepdim=True)).unsqueeze(2)
    mean = torch.bmm(x, share)
    variance = torch.bmm((x - mean).square(), share)
    return mean.squeeze(2), torch.sqrt(variance.squeeze(2) + 1e-6)


class VoiceStatistics(nn.Module):
    """Maps mel_1024 `[B, 64, T]` and mel_2048 `[B, 144, T]` to `[B, VOICE_STATISTICS]`.

    Nothing is learned. Cepstra are the cosine transform of the mel bands. Pitch is the soft maximum of a harmonic sum
    on the log-frequency axis (after Hermes 1988, subharmonic summation), in octaves above 62.5 Hz.
    """

    def __init__(self, bands: int = 64) -> None:
        super().__init__()
        n = torch.arange(bands, dtype=torch.float32)
        k = torch.arange(CEPSTRA, dtype=torch.float32).unsqueeze(1)
        self.register_buffer("cosines", torch.cos(math.pi / bands * (n + 0.5) * k) * math.sqrt(2.0 / bands), False)
        self.register_buffer("octaves", torch.arange(PITCHES) / 24.0, False)
        self.register_buffer("ranks", torch.tensor([0.1, 0.5, 0.9]), False)
        self.cosines: torch.Tensor
        self.ranks: torch.Tensor
        self.octaves: torch.Tensor

    def estimate_pitch(self, mel: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the pitch in octaves above 62.5 Hz and its salience, `[B, T]` each."""
        peaks = functional.relu(mel - functional.avg_pool1d(mel.transpose(1, 2), 25, 1, 12).transpose(1, 2))
        salience = sum(0.8**i * peaks[:, shift : shift + PITCHES] for i, shift in enumerate(HARMONIC_SHIFTS))
        assert isinstance(salience, torch.Tensor)
        likely = torch.softmax(4.0 * salience, dim=1)
        return torch.einsum("bpt,p->bt", likely, self.octaves), salience.amax(dim=1)

    def forward(self, mel_1024: torch.Tensor, mel_2048: torch.Tensor) -> torch.Tensor:
        """Compute the statistics."""
        loudness = mel_1024.mean(dim=1)
        activity = estimate_activity(loudness)
        cepstra = torch.einsum("kn,bnt->bkt", self.cosines, mel_1024)
        pitch, salience = self.estimate_pitch(mel_2048)
        flux = functional.pad(functional.relu(mel_1024.diff(dim=2)).mean(dim=1), (1, 0))
        base = torch.cat((cepstra, torch.stack((pitch, salience, flux, loudness), dim=1)), dim=1)
        slopes = functional.pad(base[..., 2:] - base[..., :-2], (1, 1)) * 0.5
        frames = torch.cat((base, slopes), dim=1)
        mean, deviation = compute_moments(frames, activity)
        short = compute_moments(frames[..., -SHORT_FRAMES:], activity[:, -SHORT_FRAMES:])
        filled = torch.where(activity.unsqueeze(1) > 0.5, base, mean[:, :BASE].unsqueeze(2))
        low, middle, high = torch.quantile(filled, self.ranks, dim=2)
        voiced = activity * torch.sigmoid(3.0 * (salience - 1.0))
        tone = torch.stack((pitch, slopes[:, CEPSTRA]), dim=1)
        tone_mean, tone_deviation = compute_moments(tone, voiced)
        ramp = torch.linspace(-1.0, 1.0, pitch.shape[1], device=pitch.device)
        tilt = ((pitch - tone_mean[:, :1]) * ramp * voiced).mean(dim=1, keepdim=True)
        pace = torch.stack(
            (
                activity.mean(dim=1),
                activity.diff(dim=1).abs().mean(dim=1),
                voiced.mean(dim=1),
                voiced.diff(dim=1).abs().mean(dim=1),
            ),
            dim=1,
        )
        return torch.cat((mean, deviation, *short, low, middle, high, tone_mean, tone_deviation, tilt, pace), dim=1)
