"""The culture net: how an emotion is expressed in a culture, and what is usual in its music.

The music heads (tempo, modes, dynamics, rhythms) learn the culture presets, which were measured from corpora
(presets/cultures). What a preset does not know is marked as not known, and the base mapping stands. The re-interpreter
of emotions starts as no change.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from kelly_live.core.errors import ConfigError
from kelly_live.core.values import EMOTIONS, MODES, RHYTHMS
from kelly_live.emotion.nets.checkpoint import load_checkpoint, rebuild_net
from kelly_live.mapping.culture import KNOWN, CultureNet

KIND = "culture"
NONE = 0  # the id of no culture, no region, no language
_SLOWEST, _FASTEST = 20.0, 300.0
_EPSILON = 1e-6


class CultureOutput(NamedTuple):
    """What is usual in a culture.

    Attributes:
        adapted_emotion: Probabilities `[B, E]`.
        tempo_range: BPM `[B, 3]`, min <= preferred <= max.
        mode_preferences: Weights `[B, 7]` that sum to 1.
        dynamics: Soft <= normal <= loud `[B, 3]`, 0 to 1.
        rhythm_patterns: Weights `[B, 5]` that sum to 1.
        cultural_features: Features `[B, 256]`.
        known: 1 where the culture's corpus has tempo, modes, dynamics and rhythms `[B, 4]`, else 0.
    """

    adapted_emotion: torch.Tensor
    tempo_range: torch.Tensor
    mode_preferences: torch.Tensor
    dynamics: torch.Tensor
    rhythm_patterns: torch.Tensor
    cultural_features: torch.Tensor
    known: torch.Tensor

    def as_music(self) -> dict[str, torch.Tensor]:
        """Return the outputs that the mapper takes, by name."""
        names = ("tempo_range", "mode_preferences", "dynamics", "rhythm_patterns", "known")
        return {name: getattr(self, name) for name in names}


class CulturalContextAdapter(nn.Module):
    """Emotions `[B, E]` and ids `[B]` of culture, region and language to a CultureOutput.

    Ids are places in the given lists of names, from 1; NONE changes nothing.
    """

    def __init__(
        self, cultures: Sequence[str] = (), regions: Sequence[str] = (), languages: Sequence[str] = (),
        n_emotions: int = len(EMOTIONS), features: int = 256,
    ) -> None:  # fmt: skip
        super().__init__()
        self.config: dict[str, Any] = {
            "cultures": list(cultures), "regions": list(regions), "languages": list(languages),
            "n_emotions": n_emotions, "features": features,
        }  # fmt: skip
        self.cultures, self.regions, self.languages = tuple(cultures), tuple(regions), tuple(languages)
        self.culture = nn.Embedding(len(cultures) + 1, 128, padding_idx=NONE)
        self.region = nn.Embedding(len(regions) + 1, 64, padding_idx=NONE)
        self.language = nn.Embedding(len(languages) + 1, 64, padding_idx=NONE)
        self.fuse = nn.Sequential(nn.Linear(256 + n_emotions, features), nn.LayerNorm(features), nn.SiLU())
        self.emotion = nn.Linear(features, n_emotions)
        self.tempo = nn.Linear(features, 3)
        self.modes = nn.Linear(features, len(MODES))
        self.dynamics = nn.Linear(features, 3)
        self.rhythms = nn.Linear(features, len(RHYTHMS))
        nn.init.zeros_(self.emotion.weight)
        nn.init.zeros_(self.emotion.bias)
        self.register_buffer("known", torch.zeros(len(cultures) + 1, len(KNOWN)))
        self.known: torch.Tensor

    def find_culture_id(self, name: str | None) -> int:
        """Find the id of a culture's name; NONE for None.

        Raises:
            ConfigError: The adapter has not learned it.
        """
        if name is None:
            return NONE
        if name not in self.cultures:
            raise ConfigError(
                f"the culture adapter has not learned {name!r}; it knows {', '.join(self.cultures) or 'none'}"
            )
        return self.cultures.index(name) + 1

    def forward(
        self, emotion: torch.Tensor, culture: torch.Tensor | None = None, region: torch.Tensor | None = None,
        language: torch.Tensor | None = None,
    ) -> CultureOutput:  # fmt: skip
        """Compute the culture's outputs for a batch."""
        none = torch.full((len(emotion),), NONE, dtype=torch.long, device=emotion.device)
        ids = [none if given_ids is None else given_ids for given_ids in (culture, region, language)]
        is_placed = torch.stack([given_ids != NONE for given_ids in ids]).any(dim=0).unsqueeze(1)
        tables = (self.culture, self.region, self.language)
        h = self.fuse(torch.cat([table(i) for table, i in zip(tables, ids, strict=True)] + [emotion], dim=1))
        perceived_emotions = torch.softmax(torch.log(emotion.clamp_min(_EPSILON)) + self.emotion(h), dim=1)
        middle, slower, faster = self.tempo(h).unbind(dim=1)
        # Shares of the way, on a logarithmic scale, from the middle to either end: bounded without a flat place.
        usual_tempo = _SLOWEST * torch.exp(torch.sigmoid(middle) * math.log(_FASTEST / _SLOWEST))
        lowest = usual_tempo * (_SLOWEST / usual_tempo) ** torch.sigmoid(slower)
        highest = usual_tempo * (_FASTEST / usual_tempo) ** torch.sigmoid(faster)
        tempo = torch.stack(
            (torch.minimum(lowest, usual_tempo), usual_tempo, torch.maximum(highest, usual_tempo)), dim=1
        )
        soft, normal, loud = torch.sigmoid(self.dynamics(h)).unbind(dim=1)
        return CultureOutput(
            adapted_emotion=torch.where(is_placed, perceived_emotions, emotion),
            tempo_range=tempo.clamp(_SLOWEST, _FASTEST),
            mode_preferences=torch.softmax(self.modes(h), dim=1),
            dynamics=torch.stack((normal * soft, normal, normal + (1.0 - normal) * loud), dim=1),
            rhythm_patterns=torch.softmax(self.rhythms(h), dim=1),
            cultural_features=h,
            known=self.known[ids[0]],
        )


def load_culture_adapter(path: Path) -> CulturalContextAdapter:
    """Load the adapter of a checkpoint, on the CPU, in eval mode.

    Raises:
        ModelError: The checkpoint is missing or damaged.
    """
    return rebuild_net(CulturalContextAdapter, load_checkpoint(path, KIND), path)


def convert_adapter_to_numpy(net: CulturalContextAdapter) -> CultureNet:
    """Convert the adapter to the one that plays, without torch."""
    return CultureNet(net.config, {name: weight.detach().cpu().numpy() for name, weight in net.state_dict().items()})
