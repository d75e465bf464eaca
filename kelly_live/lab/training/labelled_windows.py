"""Labelled windows of the emotion net, and the loss over their targets."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from kelly_live.emotion.nets.emotion import EmotionOutput
from kelly_live.lab.corpora.manifest import Clip
from kelly_live.lab.corpora.targets import Targets, create_clip_targets
from kelly_live.lab.training.windows import Windows, concatenate_windows

SIGN_SLOPE = 4.0  # how sharply the sign losses treat V and A near 0


@dataclass(frozen=True, slots=True)
class LabelledWindows:
    """Windows with their clips and targets; windows of background sounds have clip -1."""

    clips: list[Clip]
    windows: Windows
    targets: Targets

    @classmethod
    def of(cls, clips: list[Clip], windows: Windows) -> LabelledWindows:
        """Create the targets of `windows` from the labels of `clips`."""
        return cls(clips, windows, create_clip_targets(clips, windows.clip, windows.end_seconds))

    def select(self, mask: np.ndarray) -> LabelledWindows:
        """Select the clips of a mask, with their windows."""
        rows = mask[self.windows.clip]
        windows = self.windows.take(np.flatnonzero(rows))
        places = np.cumsum(mask) - 1
        windows = dataclasses.replace(windows, clip=places[windows.clip])
        targets = Targets(*(getattr(self.targets, name)[rows] for name in Targets.__slots__))
        return LabelledWindows(
            [clip for clip, is_selected in zip(self.clips, mask, strict=True) if is_selected], windows, targets
        )

    def concatenate(self, other: LabelledWindows) -> LabelledWindows:
        """Append the clips and windows of `other`."""
        windows = concatenate_windows([self.windows, other.windows.shift_clips(len(self.clips))])
        pairs = ((getattr(self.targets, name), getattr(other.targets, name)) for name in Targets.__slots__)
        return LabelledWindows(self.clips + other.clips, windows, Targets(*(np.concatenate(pair) for pair in pairs)))


def average_weighted(loss: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Average over the labelled rows of the batch; a batch without labels gives 0."""
    return (loss * weight).sum() / weight.sum().clamp_min(1.0)


def compute_loss(
    out: EmotionOutput, t: dict[str, torch.Tensor], importance: torch.Tensor | float = 1.0
) -> torch.Tensor:
    """Sum all heads' masked losses.

    `importance` weighs the rows' labels, which have no weight of their own.
    """
    log_p = functional.log_softmax(out.emotion_logits, dim=1)
    affect = torch.stack((out.valence, out.arousal, out.dominance), dim=1)
    label_weights = (t["label"] >= 0).float() * importance
    label = functional.cross_entropy(out.label_logits, t["label"].clamp_min(0), reduction="none", label_smoothing=0.05)
    gems = (out.gems - t["gems"]).square().mean(dim=1)
    presence = functional.binary_cross_entropy(out.presence.clamp(1e-5, 1 - 1e-5), t["presence"])
    music = functional.binary_cross_entropy(out.music.clamp(1e-5, 1 - 1e-5), t["music"], reduction="none")
    signs = functional.softplus(-SIGN_SLOPE * t["signs"] * affect[:, :2]) * t["signs"].abs()
    return (
        average_weighted(-(t["emotions"] * log_p).sum(dim=1), t["emotions_weight"])
        + average_weighted(label, label_weights)
        + 3.0 * average_weighted((affect - t["affect"]).square(), t["affect_weight"])
        + average_weighted(signs.mean(dim=1), t["signs_weight"])
        + 8.0 * average_weighted(gems, t["gems_weight"])
        + 0.5 * presence
        + 0.2 * average_weighted(music, t["music_weight"])
    )


def convert_targets(targets: Targets, rows: np.ndarray, device: torch.device) -> dict[str, torch.Tensor]:
    """Convert rows of targets to tensors."""
    return {name: torch.from_numpy(getattr(targets, name)[rows]).to(device) for name in Targets.__slots__}
