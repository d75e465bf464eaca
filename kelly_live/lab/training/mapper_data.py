"""Labelled music as tensors: emotion states from labels, and features on the mapper's scales.

How a label becomes an emotion state (the card states all of it):
- an EMOPIA quadrant becomes its centre (±.5, ±.5), with new noise each epoch (SD .2, never across an axis);
- VGMIDI's mean ratings lie close to 0 (means of 30 raters), so each axis is centred, stretched to the RMS .5 of the
  quadrant centres, then squashed by tanh;
- category probabilities and dominance follow from the distance to EMOTION_VAD, at a width drawn anew each epoch, so
  that the net accepts sharp and vague states alike. No dominance was rated.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from kelly_live.core.emotion_space import ANCHOR_WIDTH, NAMED_SHARE
from kelly_live.core.errors import ConfigError
from kelly_live.core.resources import OPEN_MODELS, RESEARCH_MODELS
from kelly_live.core.values import EMOTION_VAD, EMOTIONS
from kelly_live.lab.corpora.symbolic_features import LabelledFeatures
from kelly_live.mapping.net import SCALARS

# Of each set of models; the first is the reference, whose offset the mapper plays with.
CORPORA = {RESEARCH_MODELS: ("emopia", "vgmidi"), OPEN_MODELS: ("pop909", "openscore")}
TRUST = {"openscore": 0.25}  # a weak label, from words, counts as a quarter of one that listeners gave
QUADRANT_CENTRE, QUADRANT_NOISE = 0.5, 0.2
RATING_RMS = 0.5


@dataclass(frozen=True)
class Examples:
    """N labelled stretches of music.

    Valence and arousal labels, raw scalars `[N, S]`, weights, masks (0 where nothing was measured), importance.
    `certain` marks ratings; the others are quadrants, whose place within the quadrant is unknown. `known` `[N, 2]` is 1
    where valence and arousal have a label; without one they are 0. `folds`: what cross-validation keeps together.
    """

    valence: Tensor
    arousal: Tensor
    certain: Tensor
    corpus: Tensor
    scalars: Tensor
    scalar_mask: Tensor
    weights: dict[str, Tensor]
    weight_mask: dict[str, Tensor]
    importance: Tensor
    known: Tensor
    groups: tuple[str, ...]  # the song or score that a row was cut from
    folds: tuple[str, ...]
    corpora: tuple[str, ...]  # the names that `corpus` counts through

    def __len__(self) -> int:
        return len(self.valence)

    def take(self, index: Tensor) -> Examples:
        """Select rows by index."""
        return Examples(
            valence=self.valence[index],
            arousal=self.arousal[index],
            certain=self.certain[index],
            corpus=self.corpus[index],
            scalars=self.scalars[index],
            scalar_mask=self.scalar_mask[index],
            weights={name: values[index] for name, values in self.weights.items()},
            weight_mask={name: values[index] for name, values in self.weight_mask.items()},
            importance=self.importance[index],
            known=self.known[index],
            groups=tuple(self.groups[i] for i in index.tolist()),
            folds=tuple(self.folds[i] for i in index.tolist()),
            corpora=self.corpora,
        )

    def take_labelled(self) -> Examples:
        """Select the rows with a label."""
        return self.take(self.known.any(dim=1).nonzero()[:, 0])


@dataclass(frozen=True, slots=True)
class RatingScale:
    """The scale of VGMIDI's ratings: (rating - centre) · gain, then tanh."""

    valence_centre: float
    valence_gain: float
    arousal_centre: float
    arousal_gain: float


def fit_rating_scale(rows: Sequence[LabelledFeatures]) -> RatingScale:
    """Fit the centre and gain that give these rows' ratings the RMS of quadrant centres."""
    rated = [(row.valence, row.arousal) for row in rows if row.quadrant is None]
    if len(rated) < 2:
        return RatingScale(0.0, 1.0, 0.0, 1.0)
    table = np.array(rated)
    centre, spread = table.mean(axis=0), np.maximum(table.std(axis=0), 1e-3)
    gain = RATING_RMS / spread
    return RatingScale(float(centre[0]), float(gain[0]), float(centre[1]), float(gain[1]))


def _list_scalars(row: LabelledFeatures) -> list[float]:
    """List a row's scalars on the net's unbounded scales, in the order of SCALARS; NaN where not measured."""
    f = row.features

    def log2(value: float | None, least: float) -> float:
        return math.nan if value is None else math.log2(max(value, least))

    softer = None if f.floor is None or f.level is None else f.level - f.floor
    louder = None if f.ceiling is None or f.level is None else f.ceiling - f.level
    values = {
        "tempo": log2(f.tempo, 20.0),
        "centre": f.centre,
        "below": log2(f.centre - f.low, 1.0),
        "above": log2(f.high - f.centre, 1.0),
        "level": log2(f.level, 0.02),
        "softer": log2(softer, 0.02),
        "louder": log2(louder, 0.02),
        "variation": log2(f.variation, 0.05),
        "rate": log2(f.onsets_per_beat * f.tempo / 60.0, 0.1),
    }
    return [values[name] for name in SCALARS]


def build_examples(rows: Sequence[LabelledFeatures], scale: RatingScale | None) -> Examples:
    """Build the tensors of labelled rows, of the corpora of one set.

    Each clip of a song with n clips has the importance n ** -.5, as they resemble each other, times TRUST. Without a
    `scale`, ratings are places on the plane already; NaN is no label.

    Raises:
        ConfigError: There are no rows.
    """
    if not rows:
        raise ConfigError("no labelled music was measured; name a folder whose manifest lists MIDI that can be read")
    valence, arousal, importance = [], [], []
    together = Counter(_name_group(row) for row in rows)
    corpora = next(names for names in CORPORA.values() if rows[0].dataset in names)
    for row in rows:
        place = _place(row, scale)
        valence.append(place[0])
        arousal.append(place[1])
        importance.append(together[_name_group(row)] ** -0.5 * TRUST.get(row.dataset, 1.0))
    scalars = torch.tensor([_list_scalars(row) for row in rows])
    timing = [row.features.timing for row in rows]
    everywhere = torch.ones(len(rows))
    return Examples(
        valence=torch.nan_to_num(torch.tensor(valence)),
        arousal=torch.nan_to_num(torch.tensor(arousal)),
        certain=torch.tensor([row.quadrant is None for row in rows]),
        corpus=torch.tensor([corpora.index(row.dataset) for row in rows]),
        scalars=torch.nan_to_num(scalars),
        scalar_mask=(~torch.isnan(scalars)).float(),
        weights={
            "modes": torch.tensor([row.features.modes for row in rows]),
            "timing": torch.tensor([shares or (0.0, 1.0, 0.0) for shares in timing]),
            "rhythms": torch.tensor([row.features.rhythms for row in rows]),
        },
        weight_mask={
            "modes": everywhere,
            "timing": torch.tensor([float(shares is not None) for shares in timing]),
            "rhythms": everywhere,
        },
        importance=torch.tensor(importance),
        known=(~torch.isnan(torch.tensor([valence, arousal]).T)).float(),
        groups=tuple(_name_group(row) for row in rows),
        folds=tuple(f"{row.dataset}/{row.group}" if scale is None else _name_group(row) for row in rows),
        corpora=corpora,
    )


def _place(row: LabelledFeatures, scale: RatingScale | None) -> tuple[float, float]:
    """Return a row's valence and arousal on the plane."""
    if row.quadrant is not None:
        return row.valence * QUADRANT_CENTRE, row.arousal * QUADRANT_CENTRE
    if scale is None:
        return row.valence, row.arousal
    return (
        math.tanh((row.valence - scale.valence_centre) * scale.valence_gain),
        math.tanh((row.arousal - scale.arousal_centre) * scale.arousal_gain),
    )


def _name_group(row: LabelledFeatures) -> str:
    return f"{row.dataset}/{row.group}" if row.quadrant else row.piece


_ANCHORS = torch.tensor([EMOTION_VAD[name] for name in EMOTIONS])


def compute_soft_categories(place: Tensor, width: Tensor) -> Tensor:
    """Compute `override.category_probabilities` for a batch.

    `place` is `[N, 2 or 3]`, `width` `[N]`, the result `[N, 8]`.
    """
    squares = ((place[:, None, :] - _ANCHORS[None, :, : place.shape[-1]]) ** 2).sum(-1)
    return torch.softmax(-squares / (2.0 * width[:, None] ** 2), dim=-1)


def compute_states(data: Examples, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
    """Compute probabilities `[N, 8]` and V/A/D `[N, 3]` of the labels; with a generator, drawn anew."""
    place = torch.stack([data.valence, data.arousal], dim=-1)
    width = torch.full((len(data),), ANCHOR_WIDTH)
    if generator is not None:
        noise = torch.randn(place.shape, generator=generator) * QUADRANT_NOISE
        inside = place.sign() * torch.clamp(place.abs() + noise, 0.05, 1.0)
        place = torch.where(data.certain[:, None], torch.clamp(place + 0.25 * noise, -1.0, 1.0), inside)
        width = 0.2 * (0.6 / 0.2) ** torch.rand(len(data), generator=generator)
        # The live net's categories and dimensions differ slightly, so ours do too.
        noisy_place = place + 0.1 * torch.randn(place.shape, generator=generator)
        probabilities = compute_soft_categories(noisy_place, width)
        # A third of the time the state is sure of one of its likely categories, as a live net or a performer may be.
        sure = (torch.rand(len(data), generator=generator) < 1 / 3).float()[:, None] * NAMED_SHARE
        named_emotions = torch.multinomial(probabilities, 1, generator=generator)[:, 0]
        probabilities = (1.0 - sure) * probabilities + sure * nn.functional.one_hot(named_emotions, len(EMOTIONS))
    else:
        probabilities = compute_soft_categories(place, width)
    dominance = probabilities @ _ANCHORS[:, 2]
    return probabilities, torch.cat([place, dominance[:, None]], dim=-1)


def list_masks(data: Examples) -> dict[str, Tensor]:
    """List the mask of each parameter, `[N]`: 1 where it was measured."""
    return {name: data.scalar_mask[:, index] for index, name in enumerate(SCALARS)} | data.weight_mask


def average_weights(data: Examples) -> dict[str, Tensor]:
    """Average each of WEIGHTS over the rows that measured it, never quite 0; even shares if none did."""
    means = {}
    for name, values in data.weights.items():
        weight = data.weight_mask[name] * data.importance
        mean = (values * weight[:, None]).sum(0) + 1e-3
        means[name] = mean / mean.sum()
    return means


def split_folds(data: Examples, number: int, seed: int) -> Iterator[tuple[Examples, Examples]]:
    """Yield (fold, the rest) `number` times; no song, score or composer lies in both."""
    groups = np.random.default_rng(seed).permutation(sorted(set(data.folds)))
    for part in range(number):
        fold_groups = set(groups[part::number].tolist())
        inside = torch.tensor([group in fold_groups for group in data.folds])
        yield data.take(inside.nonzero()[:, 0]), data.take((~inside).nonzero()[:, 0])


def correlate_within_corpora(label: Tensor, values: Tensor, data: Examples, mask: Tensor) -> float:
    """Compute the weighted correlation after subtracting each corpus's own means."""
    x, y = label.clone(), values.clone()
    weight = mask * data.importance
    for corpus in range(len(data.corpora)):
        inside = weight * (data.corpus == corpus)
        total = torch.clamp(inside.sum(), min=1e-6)
        is_in_corpus = data.corpus == corpus
        x[is_in_corpus] -= (x * inside).sum() / total
        y[is_in_corpus] -= (y * inside).sum() / total
    power = ((x**2 * weight).sum() * (y**2 * weight).sum()).sqrt()
    return float((x * y * weight).sum() / torch.clamp(power, min=1e-9))
