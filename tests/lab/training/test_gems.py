"""A scale of GEMS ships only if a genre that was left out bears it out, beyond valence and arousal."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from kelly_live.core.values import GEMS
from kelly_live.emotion.nets.members import WIDTHS, Description
from kelly_live.lab.training.gems import PARTS, Excerpts, fit_head, format_scores, score_scales

POWER, TENSION, SADNESS = (GEMS.index(name) for name in ("power", "tension", "sadness"))


def make_excerpts(widths: Mapping[str, int]) -> Excerpts:
    """Make excerpts in which three scales follow something else each.

    Power follows a feature in each genre, tension only valence, sadness a feature whose sign each genre turns.
    """
    count, rng = 160, np.random.default_rng(4)
    genres = np.array(["classical", "rock", "pop", "electronic"])[np.arange(count) % 4]
    affect = rng.uniform(-0.6, 0.6, (count, 2))
    parts = [np.zeros((count, widths[name])) for name in PARTS]
    trunk, tonality, _ = parts
    trunk[:, 0], tonality[:, 0], tonality[:, 1] = rng.normal(size=count), rng.normal(size=count), affect[:, 0]
    turned = np.where(np.isin(genres, ("classical", "rock")), 1.0, -1.0)
    shares = rng.uniform(0.2, 0.3, (count, len(GEMS)))
    shares[:, POWER] = 0.4 + 0.1 * tonality[:, 0] + rng.normal(size=count) * 0.02
    shares[:, TENSION] = 0.4 + 0.3 * affect[:, 0] + rng.normal(size=count) * 0.02
    shares[:, SADNESS] = 0.4 + 0.1 * turned * trunk[:, 0]
    return Excerpts(genres, np.clip(shares, 0.0, 1.0), tuple(parts), affect)


def test_only_what_carries_over_and_leads_valence_and_arousal_is_supported() -> None:
    scores = score_scales(make_excerpts(dict.fromkeys(PARTS, 4)), resamples=60)
    assert [one.scale for one in scores if one.is_supported] == ["power"]
    assert scores[TENSION].floor.value > 0.9
    assert scores[SADNESS].head.value < 0.1
    table = format_scores(scores).splitlines()
    assert len(table) == 2 + len(GEMS)
    assert table[2 + POWER].startswith("| power | 0.")
    assert table[2 + POWER].endswith("| yes |")


def test_the_head_answers_as_the_ridge_that_it_came_from() -> None:
    excerpts = make_excerpts(WIDTHS)
    head = fit_head(excerpts, ["power"])
    description = Description(
        **{name: torch.zeros(len(excerpts.genres), width) for name, width in WIDTHS.items()}
        | {name: torch.from_numpy(part).float() for name, part in zip(PARTS, excerpts.parts, strict=True)}
    )
    guess = head(description)[:, 0].numpy()
    assert np.corrcoef(guess, excerpts.shares[:, POWER])[0, 1] > 0.9
    assert guess.mean() == pytest.approx(excerpts.shares[:, POWER].mean(), abs=0.01)
