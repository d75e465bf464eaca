"""The melody transformer: from the notes so far to the next note's place, step and the silence before it.

A causal transformer over notes, with rotary positions by the notes' places in sixteenths. Three heads answer in turn:
how far the next onset is, which part of that is silent, and which step of the scale sounds there. The last one also
sees the harmony and the place that the next note falls on.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kelly_live.music.melody_net import AHEAD, CONDITIONS, MAX_GAP, NEXT_COLUMNS, NOTE_COLUMNS, RESTS, STEPS, TURN_BASE

GAPS = MAX_GAP + 1


class _Sum(nn.Module):
    """The sum of an embedding of each column and a projection of real features."""

    def __init__(self, columns: Mapping[str, int], features: int, width: int) -> None:
        super().__init__()
        sizes = torch.tensor(list(columns.values()))
        self.offsets: Tensor
        self.register_buffer("offsets", sizes.cumsum(0) - sizes)
        self.table = nn.Embedding(int(sizes.sum()), width)
        nn.init.normal_(self.table.weight, std=0.3 / len(columns) ** 0.5)
        self.project = nn.Linear(features, width)

    def forward(self, columns: Tensor, features: Tensor) -> Tensor:
        return torch.add(self.table(columns + self.offsets).sum(-2), self.project(features))


def rotate(heads: Tensor, places: Tensor) -> Tensor:
    """Turn pairs of the last axis of `[B, H, N, D]` by the places `[B, N]`."""
    half = heads.shape[-1] // 2
    speed = TURN_BASE ** (-torch.arange(half) / half)
    angle = places[:, None, :, None] * speed
    cos, sin = angle.cos(), angle.sin()
    one, other = heads[..., :half], heads[..., half:]
    return torch.cat((one * cos - other * sin, one * sin + other * cos), -1)


class _Block(nn.Module):
    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)
        self.dropout = dropout

    def forward(self, x: Tensor, places: Tensor) -> Tensor:
        batch, count, width = x.shape
        q, k, v = (
            part.reshape(batch, count, self.heads, -1).transpose(1, 2) for part in self.qkv(self.norm(x)).chunk(3, -1)
        )
        mixed = F.scaled_dot_product_attention(rotate(q, places), rotate(k, places), v, is_causal=True)
        drop = self.dropout if self.training else 0.0
        x = x + F.dropout(self.out(mixed.transpose(1, 2).reshape(batch, count, width)), drop)
        return x + F.dropout(self.down(F.gelu(self.up(self.norm2(x)), approximate="tanh")), drop)


class MelodyNet(nn.Module):
    """Logits for the next note of each prefix of a melody."""

    def __init__(self, width: int = 96, layers: int = 3, heads: int = 4, dropout: float = 0.1) -> None:
        super().__init__()
        self.width, self.heads = width, heads
        conditions = len(CONDITIONS)
        self.note = _Sum(NOTE_COLUMNS, 2 * conditions + AHEAD, width)
        self.blocks = nn.ModuleList(_Block(width, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.gap = nn.Linear(width, GAPS)
        self.gap_table = nn.Embedding(GAPS, width)
        self.rest = nn.Linear(width, len(RESTS))
        self.next = _Sum(NEXT_COLUMNS, conditions, width)
        self.mix = nn.Linear(width, width)
        self.step = nn.Linear(width, STEPS)

    def forward(
        self, notes: Tensor, features: Tensor, places: Tensor, following: Tensor, next_features: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Compute logits of gap, rest and step `[B, N, …]`.

        `notes` `[B, N, 8]` and `following` `[B, N, 10]` are integers by NOTE_COLUMNS and NEXT_COLUMNS; `features`
        `[B, N, 40]`: this phrase's and the next one's conditions, and the reference's rhythm ahead; `next_features`
        `[B, N, 8]`: the conditions of the phrase that the next note belongs to.
        """
        x = self.note(notes, features)
        for block in self.blocks:
            x = block(x, places)
        x = self.norm(x)
        rest = self.rest(F.gelu(x + self.gap_table(following[..., 0]), approximate="tanh"))
        hidden = F.gelu(self.mix(x) + self.next(following, next_features), approximate="tanh")
        return self.gap(x), rest, self.step(hidden)
