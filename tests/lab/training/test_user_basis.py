"""Songs of one emotion that differ in a known direction: the user basis contains it, and no chance."""

from __future__ import annotations

import random

import torch

from kelly_live.lab.corpora.symbolic_features import Features, LabelledFeatures
from kelly_live.lab.nets.mapper import DynamicEmotionToMusicMapper
from kelly_live.lab.training.mapper_data import Examples, build_examples, fit_rating_scale
from kelly_live.lab.training.user_basis import compute_user_basis
from kelly_live.mapping.net import SCALARS, USER_WAYS


def make_songs(count: int) -> Examples:
    """Four clips of each song, with its own tempo and register; each clip has a random loudness."""
    rng, rows = random.Random(1), []
    for song in range(count):
        deviation = rng.gauss(0.0, 1.0)
        for clip in range(4):
            level = min(max(0.5 + 0.1 * rng.gauss(0.0, 1.0), 0.2), 0.8)
            features = Features(
                tempo=110 * 2 ** (0.3 * deviation), modes=(1 / 7,) * 7,
                low=60.0, centre=70.0 + 4 * deviation, high=90.0,
                floor=level - 0.1, level=level, ceiling=level + 0.1, variation=0.3, timing=(0.2, 0.6, 0.2),
                onsets_per_beat=1.0, rhythms=(0.2,) * 5,
            )  # fmt: skip
            rows.append(LabelledFeatures("emopia", f"{song}.{clip}", str(song), "train", "Q1", 1.0, 1.0, features))
    return build_examples(rows, fit_rating_scale(rows))


def compute_basis(data: Examples) -> torch.Tensor:
    net = DynamicEmotionToMusicMapper(hidden_dim=4)
    with torch.no_grad():
        net.scalar_mean.copy_(data.scalars.mean(0))
        net.scalar_sd.copy_(torch.clamp(data.scalars.std(0), min=0.05))
        for weight in net.parameters():
            weight.zero_()
    return compute_user_basis(net, torch.zeros(len(data), len(net.centre)), data)


def test_the_known_direction_comes_first_and_moves_correlated_parameters() -> None:
    basis = compute_basis(make_songs(200))
    first = basis[: len(SCALARS), 0]
    tempo, centre, level = (float(first[SCALARS.index(name)]) for name in ("tempo", "centre", "level"))
    assert abs(tempo) > 0.8  # one standard deviation of a person is one of a song
    assert centre * tempo > 0.6
    assert abs(level) < 0.15  # clips differ in it, songs do not
    assert float(basis[:, 1:].norm(dim=0).max()) < 0.5


def test_a_taste_never_moves_the_spreads_and_needs_enough_songs() -> None:
    basis = compute_basis(make_songs(60))
    assert basis.shape[1] == USER_WAYS
    assert not basis[len(SCALARS) : 2 * len(SCALARS)].any()
    assert not compute_basis(make_songs(5)).any()
