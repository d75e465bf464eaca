"""The first blocks of Whisper's encoder, as PyTorch: a frozen ear for voices in many languages.

Whisper tiny (Radford et al. 2022, MIT licence) as Smart Turn 3.2 tuned it to hear how a turn of speech ends, in 23
languages (Daily 2025, BSD 2-clause). Its last blocks know words; its first two, kept here, know how they are said.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

from kelly_live.emotion.nets.packed import PackedLinear
from kelly_live.emotion.nets.scales import SPEECH_CONTEXT, SPEECH_HOP, SPEECH_KEPT
from kelly_live.emotion.nets.voice import activity, weighted_moments

BANDS = 80
WIDTH = 384
HEADS = 6
BLOCKS = 2
POSITIONS = 400  # what Smart Turn hears: 8 s of 20 ms tokens, right-aligned
SPEECH_STATISTICS = 2 * BLOCKS * WIDTH
_LOUDEST = 1.5  # log10 mel power at which Smart Turn's normalised speech peaks
_RANGE = 8.0  # Whisper's: what is more than 80 dB below the loudest counts as silence


def whisper_mel(mel: torch.Tensor) -> torch.Tensor:
    """`mel_400` frames `[B, 80, T]`, log10(1 + 10000 mel), as Whisper wants them: log10 power within 80 dB of the
    loudest, the loudest always the same. How loud a voice is, others measure.
    """
    power = torch.log10((10.0**mel - 1.0).clamp_min(1e-6))
    loudest = power.amax(dim=(1, 2), keepdim=True).clamp_min(-2.0)
    return ((power - loudest).clamp_min(-_RANGE) + _LOUDEST + 4.0) / 4.0


class Heard(NamedTuple):
    """Tokens `[B, T, BLOCKS * WIDTH]` and the mean log-mel of the sound under each, `[B, T]`."""

    tokens: torch.Tensor
    loudness: torch.Tensor


class Block(nn.Module):
    """A transformer encoder block, normalised before each half."""

    def __init__(self) -> None:
        super().__init__()
        self.attention_norm, self.feed_norm = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.project = PackedLinear(WIDTH, 3 * WIDTH)  # queries, keys, values
        self.mix = PackedLinear(WIDTH, WIDTH)
        self.widen, self.narrow = PackedLinear(WIDTH, 4 * WIDTH), PackedLinear(4 * WIDTH, WIDTH)

    def forward(self, x: torch.Tensor, newest: int | None = None) -> torch.Tensor:
        """`[B, T, WIDTH]` to the same, or to its `newest` tokens alone."""
        q, k, v = (
            part.view(*part.shape[:2], HEADS, -1).transpose(1, 2)
            for part in self.project(self.attention_norm(x)).chunk(3, dim=2)
        )
        if newest is not None:
            x, q = x[:, -newest:], q[:, :, -newest:]
        mixed = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(x.shape)
        x = x + self.mix(mixed)
        fed: torch.Tensor = self.narrow(functional.gelu(self.widen(self.feed_norm(x))))
        return x + fed


class SpeechEncoder(nn.Module):
    """`whisper_mel` frames `[B, 80, 2 T]`, T at most POSITIONS, to the blocks' outputs `[B, T, BLOCKS * WIDTH]`, or to
    those of the `newest` tokens alone.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(BANDS, WIDTH, 3, padding=1)
        self.conv2 = nn.Conv1d(WIDTH, WIDTH, 3, stride=2, padding=1)
        self.positions = nn.Parameter(torch.zeros(POSITIONS, WIDTH))
        self.blocks = nn.ModuleList([Block() for _ in range(BLOCKS)])

    def forward(self, mel: torch.Tensor, newest: int | None = None) -> torch.Tensor:
        x = functional.gelu(self.conv2(functional.gelu(self.conv1(mel)))).transpose(1, 2)
        x = x + self.positions[-x.shape[1] :]
        kept = x.shape[1] if newest is None else newest
        outputs = []
        for index, block in enumerate(self.blocks):
            x = block(x, kept if index == BLOCKS - 1 else None)
            outputs.append(x[:, -kept:])
        return torch.cat(outputs, dim=2)

    def hear(self, passes: torch.Tensor) -> Heard:
        """Passes of `mel_400` `[N, 80, SPEECH_CONTEXT]`: what is kept of each."""
        loudness = passes[..., -2 * SPEECH_KEPT :].mean(dim=1).view(len(passes), -1, 2).mean(dim=2)
        return Heard(self(whisper_mel(passes), SPEECH_KEPT), loudness)

    def hear_window(self, mel: torch.Tensor) -> Heard:
        """The passes of a window of `mel_400` `[B, 80, frames]`, in one: `[B, PASSES * KEPT, …]`."""
        passes = mel.unfold(2, SPEECH_CONTEXT, SPEECH_HOP).transpose(1, 2)
        heard = self.hear(passes.flatten(0, 1))
        count = passes.shape[1]
        tokens = heard.tokens.reshape(-1, count * SPEECH_KEPT, heard.tokens.shape[2])
        return Heard(tokens, heard.loudness.reshape(-1, count * SPEECH_KEPT))


def speech_statistics(heard: Heard) -> torch.Tensor:
    """Mean and deviation of a window's tokens where it sounds, `[B, SPEECH_STATISTICS]`."""
    return torch.cat(weighted_moments(heard.tokens.transpose(1, 2), activity(heard.loudness)), dim=1)
