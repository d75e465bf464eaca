"""Read what music induces (GEMS) from the description that the emotion net has.

GEMS: Zentner, Grandjean & Scherer 2008. A linear head, so that the mean of its answers is its answer to the mean:
`kelly-live lab train gems` fits it to whole excerpts, and `GemsStream` averages over the last GEMS_SECONDS of music.
Its file names the scales that it reads.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import torch
from torch import nn

from kelly_live.core.errors import ModelError
from kelly_live.core.values import GEMS
from kelly_live.emotion.nets.emotion import EmotionOutput
from kelly_live.emotion.nets.members import WIDTHS, Description
from kelly_live.emotion.nets.scales import HOP_SECONDS

GEMS_FILE = "gems.safetensors"
GEMS_SECONDS = 24.0  # of music that are averaged, as long as the excerpts were that the head learned from
# The encoders hear so far back: a window with less music than that in it is like none that the head learned from (with
# silence before the first note it answered a tension of .9).
WINDOW_SECONDS = 3.0


class GemsHead(nn.Module):
    """A linear map from `parts` of a Description to shares, `[B, scales]`.

    A share is that of the listeners who would choose one of `scales`, of GEMS.
    """

    def __init__(self, scales: Sequence[str], parts: Sequence[str]) -> None:
        super().__init__()
        if not scales or not set(scales) <= set(GEMS) or not set(parts) <= set(WIDTHS):
            raise ModelError("the GEMS head names scales or parts that there are not; train it anew")
        self.config = {"scales": list(scales), "parts": list(parts)}
        self.scales, self.parts = tuple(scales), tuple(parts)
        width = sum(WIDTHS[name] for name in parts)
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("weights", torch.zeros(width, len(scales)))
        self.register_buffer("bias", torch.zeros(len(scales)))
        self.mean: torch.Tensor
        self.weights: torch.Tensor
        self.bias: torch.Tensor

    def forward(self, description: Description) -> torch.Tensor:
        """Return the shares before they are limited to [0, 1], so that their mean means something."""
        rows = torch.cat([getattr(description, name).float() for name in self.parts], dim=1)
        return (rows - self.mean) @ self.weights + self.bias


class GemsStream:
    """The mean answer over the last music that was heard. Thread: that of the reader that owns it."""

    def __init__(self, head: GemsHead) -> None:
        self._head = head
        self._answers: deque[torch.Tensor] = deque(maxlen=round(GEMS_SECONDS / HOP_SECONDS))
        self._music_hops = 0  # in a row, up to now

    def reset(self) -> None:
        """Forget all music so far."""
        self._answers.clear()
        self._music_hops = 0

    def rest(self) -> None:
        """Take a hop of silence."""
        self._music_hops = 0

    @torch.inference_mode()
    def push(self, description: Description, out: EmotionOutput) -> tuple[tuple[str, float], ...]:
        """Take a hop of sound; return each scale with its share, or () before WINDOW_SECONDS of music.

        A hop that the net takes for a voice, or for neither a voice nor music, does not count.
        """
        is_music = float(out.music[0]) >= 0.5 and float(out.presence[0]) >= 0.5
        self._music_hops = self._music_hops + 1 if is_music else 0
        if self._music_hops * HOP_SECONDS >= WINDOW_SECONDS:
            self._answers.append(self._head(description)[0].cpu())
        if not self._answers:
            return ()
        shares = torch.stack(tuple(self._answers)).mean(dim=0).clamp(0.0, 1.0)
        return tuple(zip(self._head.scales, shares.tolist(), strict=True))
