"""The first blocks of Whisper's encoder in PyTorch: a frozen encoder of speech in many languages.

Whisper tiny (Radford et al. 2022, MIT licence), fine-tuned as Smart Turn 3.2 to detect the end of a turn of speech in
23 languages (Daily 2025, BSD 2-clause). Only the first two blocks are kept: the later ones encode words, these the
manner of speaking.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

from kelly_live.emotion.nets.packed import PackedLinear
from kelly_live.emotion.nets.scales import SPEECH_CONTEXT, SPEECH_HOP, SPEECH_KEPT
from kelly_live.emotion.nets.voice import compute_moments, estimate_activity

BANDS = 80
WIDTH = 384
HEADS = 6
BLOCKS = 2
POSITIONS = 400  # Smart Turn's input: 8 s of 20 ms tokens, right-aligned
SPEECH_STATISTICS = 2 * BLOCKS * WIDTH
_LOUDEST = 1.5  # log10 mel power at which Smart Turn's normalised speech peaks
_RANGE = 8.0  # as in Whisper: more than 80 dB below the loudest counts as silence


def to_whisper_mel(mel: torch.Tensor) -> torch.Tensor:
    """Convert mel_400 frames `[B, 80, T]`, log10(1 + 10000 mel), to Whisper's input.

    That is the log10 power within 80 dB of the loudest value, which is always the same number. So it does not contain
    the level of a voice; VoiceStatistics measures that.
    """
    power = torch.log10((10.0**mel - 1.0).clamp_min(1e-6))
    loudest = power.amax(dim=(1, 2), keepdim=True).clamp_min(-2.0)
    return ((power - loudest).clamp_min(-_RANGE) + _LOUDEST + 4.0) / 4.0


class SpeechTokens(NamedTuple):
    """Tokens `[B, T, BLOCKS * WIDTH]` and the mean log-mel of the sound at each, `[B, T]`."""

    tokens: torch.Tensor
    loudness: torch.Tensor


class Block(nn.Module):
    """A transformer encoder block with layer norm before attention and before the feed-forward layers."""

    def __init__(self) -> None:
        super().__init__()
        self.attention_norm, self.feed_norm = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.project = PackedLinear(WIDTH, 3 * WIDTH)  # queries, keys, values
        self.mix = PackedLinear(WIDTH, WIDTH)
        self.widen, self.narrow = PackedLinear(WIDTH, 4 * WIDTH), PackedLinear(4 * WIDTH, WIDTH)

    def forward(self, x: torch.Tensor, newest: int | None = None) -> torch.Tensor:
        """Map `[B, T, WIDTH]` to the same shape, or to the `newest` tokens only."""
        q, k, v = (
            part.view(*part.shape[:2], HEADS, -1).transpose(1, 2)
            for part in self.project(self.attention_norm(x)).chunk(3, dim=2)
        )
        if newest is not None:
            x, q = x[:, -newest:], q[:, :, -newest:]
        attention = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(x.shape)
        x = x + self.mix(attention)
        fed: torch.Tensor = self.narrow(functional.gelu(self.widen(self.feed_norm(x))))
        return x + fed


class SpeechEncoder(nn.Module):
    """Whisper's convolutions and first BLOCKS encoder blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(BANDS, WIDTH, 3, padding=1)
        self.conv2 = nn.Conv1d(WIDTH, WIDTH, 3, stride=2, padding=1)
        self.positions = nn.Parameter(torch.zeros(POSITIONS, WIDTH))
        self.blocks = nn.ModuleList([Block() for _ in range(BLOCKS)])

    def forward(self, mel: torch.Tensor, newest: int | None = None) -> torch.Tensor:
        """Map frames of `to_whisper_mel` `[B, 80, 2 T]` to the blocks' outputs `[B, T, BLOCKS * WIDTH]`.

        T is at most POSITIONS. `newest`: only for this many of the last tokens.
        """
        x = functional.gelu(self.conv2(functional.gelu(self.conv1(mel)))).transpose(1, 2)
        x = x + self.positions[-x.shape[1] :]
        token_count = x.shape[1] if newest is None else newest
        outputs = []
        for index, block in enumerate(self.blocks):
            x = block(x, token_count if index == BLOCKS - 1 else None)
            outputs.append(x[:, -token_count:])
        return torch.cat(outputs, dim=2)

    def encode(self, passes: torch.Tensor) -> SpeechTokens:
        """Encode passes of mel_400 `[N, 80, SPEECH_CONTEXT]`; return the newest SPEECH_KEPT tokens of each."""
        loudness = passes[..., -2 * SPEECH_KEPT :].mean(dim=1).view(len(passes), -1, 2).mean(dim=2)
        return SpeechTokens(self(to_whisper_mel(passes), SPEECH_KEPT), loudness)

    def encode_window(self, mel: torch.Tensor) -> SpeechTokens:
        """Encode a window of mel_400 `[B, 80, frames]` in passes: `[B, SPEECH_PASSES * SPEECH_KEPT, …]`."""
        passes = mel.unfold(2, SPEECH_CONTEXT, SPEECH_HOP).transpose(1, 2)
        speech = self.encode(passes.flatten(0, 1))
        count = passes.shape[1]
        tokens = speech.tokens.reshape(-1, count * SPEECH_KEPT, speech.tokens.shape[2])
        return SpeechTokens(tokens, speech.loudness.reshape(-1, count * SPEECH_KEPT))


def compute_speech_statistics(speech: SpeechTokens) -> torch.Tensor:
    """Return mean and deviation of the tokens, weighted by activity, `[B, SPEECH_STATISTICS]`."""
    return torch.cat(compute_moments(speech.tokens.transpose(1, 2), estimate_activity(speech.loudness)), dim=1)
