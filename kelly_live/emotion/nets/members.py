"""The members of the emotion net, small nets whose answers are averaged, and what they see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn import functional

from kelly_live.emotion.nets.musicnn import FRAME_CHANNELS, PENULTIMATE
from kelly_live.emotion.nets.speech import SPEECH_STATISTICS
from kelly_live.emotion.nets.tonality import TONALITY_STATISTICS
from kelly_live.emotion.nets.voice import VOICE_STATISTICS

TRUNK_STATISTICS = 3 * FRAME_CHANNELS + PENULTIMATE


class Description(NamedTuple):
    """Statistics of a window.

    `trunk` `[B, TRUNK_STATISTICS]` of the music trunk; `voice` `[B, VOICE_STATISTICS]` of pitch, loudness and pace;
    `speech` `[B, SPEECH_STATISTICS]` of the speech encoder; `tonality` `[B, TONALITY_STATISTICS]` of harmony and rhythm
    over twelve seconds.
    """

    trunk: torch.Tensor
    voice: torch.Tensor
    speech: torch.Tensor
    tonality: torch.Tensor


WIDTHS = {  # of the parts of a Description
    "trunk": TRUNK_STATISTICS, "voice": VOICE_STATISTICS, "speech": SPEECH_STATISTICS, "tonality": TONALITY_STATISTICS,
}  # fmt: skip
# What each member sees. For valence in music, a ridge regression on harmony alone does better than one on harmony and
# timbre together.
VIEWS = (("tonality",), ("tonality", "trunk"), ("speech",), ("speech", "voice"), tuple(WIDTHS))


class FeatureNorm(nn.Module):
    """Standardises features by the statistics of the training windows, within ±`limit` deviations."""

    def __init__(self, width: int, limit: float = 5.0) -> None:
        super().__init__()
        self.limit = limit
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("deviation", torch.ones(width))
        self.mean: torch.Tensor
        self.deviation: torch.Tensor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Standardise `[…, width]`."""
        return ((x - self.mean) / self.deviation).clamp(-self.limit, self.limit)

    def fit(self, x: torch.Tensor) -> None:
        """Set mean and deviation from training rows `[N, width]`."""
        self.mean.copy_(x.mean(dim=0))
        self.deviation.copy_(x.std(dim=0).clamp_min(1e-3))


class Member(nn.Module):
    """A small net on some parts of a Description: a linear path and a deeper one."""

    def __init__(self, widths: Sequence[int], hidden: int, outputs: int, drop_in: float, dropout: float) -> None:
        super().__init__()
        self.widths = list(widths)
        self.drop_in, self.drop = nn.Dropout(drop_in), nn.Dropout(dropout)
        self.look = nn.ModuleList([nn.Linear(width, hidden) for width in widths])
        self.fuse = nn.Linear(len(self.widths) * hidden, hidden)
        self.head = nn.Linear(hidden, outputs)
        self.skip = nn.Linear(sum(widths), outputs, bias=False)
        nn.init.zeros_(self.skip.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Map standardised parts `[B, n]`, concatenated, to hidden `[B, H]` and raw outputs `[B, O]`."""
        x = self.drop_in(x)
        projections = [
            project(part) for project, part in zip(self.look, torch.split(x, self.widths, dim=1), strict=True)
        ]
        h = self.drop(functional.gelu(torch.cat(projections, dim=1)))
        h = self.drop(functional.gelu(self.fuse(h)))
        return h, self.head(h) + self.skip(x)


class Members(nn.Module):
    """Small nets on different parts of a Description, so that a large part does not outweigh a small."""

    def __init__(
        self, views: Sequence[Sequence[str]], hidden: int, outputs: int, drop_in: float, dropout: float
    ) -> None:
        super().__init__()
        self.views, self.hidden = [tuple(view) for view in views], hidden
        self.outputs = outputs
        self.each = nn.ModuleList(
            [Member([WIDTHS[name] for name in view], hidden, outputs, drop_in, dropout) for view in self.views]
        )
        self._joined_members: _JoinedMembers | None = None

    def __len__(self) -> int:
        return len(self.views)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_joined_members": None}

    def forward(self, parts: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Map standardised parts `[B, n]` by name to hidden `[M, B, H]` and raw outputs `[M, B, O]`."""
        if torch.is_inference_mode_enabled() and not self.training and len(next(iter(parts.values()))) == 1:
            if self._joined_members is None or self._joined_members.is_stale:
                self._joined_members = _JoinedMembers(self)
            return self._joined_members(parts)
        answers = [
            member(torch.cat([parts[name] for name in view], dim=1))
            for member, view in zip(self.each, self.views, strict=True)
        ]
        return torch.stack([hidden for hidden, _ in answers]), torch.stack([raw for _, raw in answers])


class _JoinedMembers:
    """The members' weights, joined for one row: each part is multiplied once for all members that see it."""

    def __init__(self, members: Members) -> None:
        self._parameters = list(members.parameters())
        self._versions = self._read_versions()
        self._hidden, self._outputs = members.hidden, members.outputs
        each: list[Member] = list(members.each)  # type: ignore[arg-type]
        width = max(len(view) for view in members.views)
        self._fuse = torch.zeros(len(each), width * self._hidden, self._hidden, device=each[0].head.weight.device)
        for index, member in enumerate(each):
            self._fuse[index, : member.fuse.in_features] = member.fuse.weight.T
        self._fuse_bias = torch.stack([m.fuse.bias for m in each]).unsqueeze(1)
        self._head = torch.stack([m.head.weight.T for m in each])
        self._head_bias = torch.stack([m.head.bias for m in each]).unsqueeze(1)
        self._slots = torch.zeros(len(each) * width, self._hidden, device=self._fuse.device)
        self._skips = torch.zeros(len(each), self._outputs, device=self._fuse.device)
        self._parts: list[tuple[str, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]] = []
        for name in WIDTHS:
            viewers = [(m, view.index(name)) for m, view in enumerate(members.views) if name in view]
            if not viewers:
                continue
            layers: list[nn.Linear] = [each[m].look[place] for m, place in viewers]  # type: ignore[misc]
            skips = [torch.split(each[m].skip.weight, each[m].widths, dim=1)[place] for m, place in viewers]
            self._parts.append((
                name, torch.cat([layer.weight for layer in layers] + skips),
                torch.cat([layer.bias for layer in layers] + [skip.new_zeros(self._outputs) for skip in skips]),
                torch.tensor([m * width + place for m, place in viewers], device=self._fuse.device),
                torch.tensor([m for m, _ in viewers], device=self._fuse.device),
            ))  # fmt: skip

    def _read_versions(self) -> list[tuple[int, int]]:
        return [(p.data_ptr(), 0 if p.is_inference() else p._version) for p in self._parameters]

    @property
    def is_stale(self) -> bool:
        """Whether the members' weights have changed since they were joined."""
        return self._read_versions() != self._versions

    def __call__(self, parts: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        slots, skips = self._slots, self._skips
        for name, weight, bias, places, members in self._parts:
            outputs = functional.linear(parts[name], weight, bias)[0]
            hidden_size = len(places) * self._hidden
            slots = slots.index_copy(0, places, outputs[:hidden_size].view(-1, self._hidden))
            skips = skips.index_add(0, members, outputs[hidden_size:].view(-1, self._outputs))
        h = functional.gelu(slots).view(len(skips), 1, -1)
        h = functional.gelu(torch.baddbmm(self._fuse_bias, h, self._fuse))
        return h, torch.baddbmm(self._head_bias, h, self._head) + skips.unsqueeze(1)
