"""The four nets as one module: emotion, temporal, culture, mapper; one config, one file if wanted.

`forward` computes a batch, for training, tests and other programs. Live, `emotion/reader.py` and `mapping/` run the
same four nets in the same order, with the rolling window and the rules of silence between.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from kelly_live.core.checkpoint import SYSTEM_KIND, Checkpoint
from kelly_live.emotion.nets.checkpoint import load_checkpoint, load_net, save_checkpoint
from kelly_live.emotion.nets.emotion import EmotionOutput, MultiScaleEmotionNet, history_row
from kelly_live.emotion.nets.temporal import EmotionTransitionModel, TemporalOutput
from kelly_live.lab.nets.culture import CulturalContextAdapter, CultureOutput
from kelly_live.lab.nets.mapper import DynamicEmotionToMusicMapper

PARTS: dict[str, type[nn.Module]] = {  # in the order of the chain; each is also the name of its file in models/
    "emotion": MultiScaleEmotionNet,
    "temporal": EmotionTransitionModel,
    "culture": CulturalContextAdapter,
    "mapper": DynamicEmotionToMusicMapper,
}


class SystemOutput(NamedTuple):
    """What every stage computes for the newest window.

    Attributes:
        emotion: The emotion net's output.
        temporal: The temporal model's output over the history and the window; None without a history.
        culture: The culture adapter's output.
        music: The numbers to play, as the mapper names them.
    """

    emotion: EmotionOutput
    temporal: TemporalOutput | None
    culture: CultureOutput
    music: dict[str, torch.Tensor]


class KellySystem(nn.Module):
    """The composed nets; `config` rebuilds it."""

    def __init__(
        self, emotion: MultiScaleEmotionNet, temporal: EmotionTransitionModel, culture: CulturalContextAdapter,
        mapper: DynamicEmotionToMusicMapper,
    ) -> None:  # fmt: skip
        super().__init__()
        self.emotion, self.temporal, self.culture, self.mapper = emotion, temporal, culture, mapper

    @property
    def config(self) -> dict[str, Any]:
        """The configuration of each net."""
        return {name: dict(getattr(self, name).config) for name in PARTS}

    def forward(
        self,
        spectrograms: dict[str, torch.Tensor],
        history: torch.Tensor | None = None,
        timestamps: torch.Tensor | None = None,
        culture: torch.Tensor | None = None,
        region: torch.Tensor | None = None,
        language: torch.Tensor | None = None,
        user: torch.Tensor | None = None,
        culture_strength: float = 1.0,
    ) -> SystemOutput:
        """Compute every stage for the newest window.

        Args:
            spectrograms: The spectrograms of the newest window.
            history: The `history_row` rows before it, `[B, T, E + 5]`.
            timestamps: Rising seconds `[B, T + 1]`, the newest window's last.
            culture: Ids `[B]`, 0 for none; likewise `region`, `language` and `user`.
            region: Ids `[B]`.
            language: Ids `[B]`.
            user: Ids `[B]`.
            culture_strength: From 0 (none of the culture) to 1.
        """
        output = self.emotion(spectrograms)
        now = history_row(output)
        emotions = now[:, : output.emotion_logits.shape[1]]
        vad = now[:, emotions.shape[1] : emotions.shape[1] + 3]
        temporal = None
        if history is not None:
            if timestamps is None or timestamps.shape[1] != history.shape[1] + 1:
                raise ValueError("a history of T readings needs T + 1 timestamps, the newest window's last")
            rows = torch.cat((history, now.unsqueeze(1)), dim=1)
            count = emotions.shape[1]
            temporal = self.temporal(rows[..., :count], timestamps, rows[..., count:])
            emotions, vad = temporal.evolved_emotions[:, -1], temporal.evolved_affect[:, -1]
        cultural = self.culture(emotions, culture, region, language)
        perceived_emotions = torch.lerp(emotions, cultural.adapted_emotion, min(max(culture_strength, 0.0), 1.0))
        music = self.mapper(perceived_emotions, vad, user, cultural.as_music(), culture_strength)
        return SystemOutput(output, temporal, cultural, music)


def load_system(path: Path) -> KellySystem:
    """Load the system from a folder of checkpoints, or from one file, on the CPU, in eval mode.

    Raises:
        ModelError: A checkpoint is missing or damaged.
    """
    return KellySystem(**{name: load_net(net, path, name) for name, net in PARTS.items()}).eval()  # type: ignore[arg-type]


def load_part_cards(folder: Path) -> dict[str, Any]:
    """Load the card of each part in a folder of checkpoints.

    Raises:
        ModelError: A checkpoint is missing or damaged.
    """
    return {name: load_checkpoint(folder / f"{name}.safetensors", name).card for name in PARTS}


def save_system(path: Path, system: KellySystem, cards: dict[str, Any]) -> None:
    """Save all four nets in one file, with the card of each part.

    Raises:
        OutputError: The file cannot be written.
    """
    weights: dict[str, torch.Tensor] = {}
    for name in PARTS:
        net = getattr(system, name)
        net_weights = net.export_weights() if isinstance(net, MultiScaleEmotionNet) else net.state_dict()
        weights |= {f"{name}.{key}": weight for key, weight in net_weights.items()}
    save_checkpoint(path, Checkpoint(SYSTEM_KIND, system.config, cards, weights))
