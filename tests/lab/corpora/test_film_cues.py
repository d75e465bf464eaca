"""Film excerpts with known correlations: they are found, and weighted by the quality of prediction."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from kelly_live.core.errors import ConfigError
from kelly_live.core.values import EMOTIONS
from kelly_live.lab.corpora.film_cues import (
    RATED_CUES,
    RATED_EMOTIONS,
    CueCorrelations,
    correlate_cues,
    select_evidence,
)
from kelly_live.lab.training.priors import PLACES, PRIORS, convert_evidence, find_state

FEATURES = ("RMS", "sp_centr", "MFCC1", "MFCC2")


def write(path: Path, columns: list[str], rows: list[list[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns, *rows])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Energy is loud and dense, valence is nothing; density shows in MFCC1, articulation nowhere."""
    rng = np.random.default_rng(1)
    energy = rng.normal(size=110)
    film = [[str(i), *([0.0] * len(RATED_EMOTIONS)), f"film {i % 40}"] for i in range(110)]
    for row, value in zip(film, energy, strict=True):
        row[1:-1] = [rng.normal() if name != "Energy" else value for name in RATED_EMOTIONS]
    write(tmp_path / "soundtrack.csv", ["Number", *RATED_EMOTIONS, "soundtrack"], film)
    write(
        tmp_path / "soundtrack_features.csv", ["File", *FEATURES],
        [[i, np.exp(0.5 * e + 0.5 * rng.normal()), 1000 + rng.normal(), e + rng.normal(), rng.normal()]
         for i, e in enumerate(energy)],
    )  # fmt: skip
    density = rng.normal(size=100)
    rated = [[i, *(density[i] if name == "density" else rng.normal() for name in RATED_CUES)] for i in range(100)]
    write(tmp_path / "annotations.csv", ["nro", *RATED_CUES], rated)
    write(
        tmp_path / "annotations_features.csv", ["File", *FEATURES],
        [[i, np.exp(rng.normal()), 1000 + rng.normal(), d + 0.3 * rng.normal(), rng.normal()]
         for i, d in enumerate(density)],
    )  # fmt: skip
    return tmp_path


@pytest.fixture
def cues(folder: Path) -> CueCorrelations:
    return correlate_cues(folder)


def test_only_the_correlations_in_the_data_are_found(cues: CueCorrelations) -> None:
    loud, dense = cues.find("Energy", "level"), cues.find("Energy", "density")
    assert (cues.excerpts, cues.soundtracks) == (110, 40)
    assert loud.is_clear
    assert loud.low < 0.71 < loud.high  # r of x and x + noise of its own size
    assert loud.prediction_r is None
    assert dense.prediction_r is not None
    assert dense.prediction_r > 0.9
    nothing = cues.find("Energy", "articulation")
    assert nothing.prediction_r is not None
    assert abs(nothing.prediction_r) < 0.35
    assert sum(find.is_clear for find in cues.links if find.emotion == "Valence" and find.cue == "level") == 0


def test_a_badly_predicted_cue_weighs_less_and_evidence_becomes_pseudo_observations(cues: CueCorrelations) -> None:
    evidence = {line.parameter: line for line in select_evidence(cues)}
    assert evidence["level"].pieces == 110
    prediction_r = cues.find("Energy", "density").prediction_r
    assert prediction_r is not None
    assert evidence["rate"].pieces == pytest.approx(110 * prediction_r**2)
    lines = convert_evidence(list(evidence.values()))
    assert sum(prior.pieces for _, prior in lines if prior.parameter == "level") == pytest.approx(110)
    for (valence, arousal), prior in lines:
        assert valence == 0.0
        assert np.sign(prior.effect) == np.sign(arousal)


def test_the_table_shows_every_emotion_against_every_cue_with_its_interval(cues: CueCorrelations) -> None:
    lines = cues.format_table().splitlines()
    assert len(lines) == 2 + len(RATED_EMOTIONS)
    assert all(line.count("[") == 2 + len(RATED_CUES) for line in lines[2:])


def test_correlating_twice_gives_the_same(folder: Path, cues: CueCorrelations) -> None:
    assert correlate_cues(folder) == cues


def test_missing_and_damaged_tables_are_named_in_one_line(folder: Path, tmp_path: Path) -> None:
    text = (folder / "annotations.csv").read_text(encoding="utf-8")
    (folder / "annotations.csv").write_text(text.replace("density", "destiny", 1), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"annotations\.csv") as error:
        correlate_cues(folder)
    assert "\n" not in str(error.value)
    with pytest.raises(ConfigError, match=r"soundtrack\.csv"):
        correlate_cues(tmp_path / "nowhere")


def test_every_prior_has_a_known_place_with_a_source_and_a_weight() -> None:
    for prior in PRIORS:
        assert prior.emotion in EMOTIONS or prior.emotion in PLACES
        assert any(year in prior.source for year in ("2003", "2006", "2010", "2013"))
        assert 0.0 < prior.pieces < 10.0
        assert abs(prior.effect) in (0.5, 1.0)
    power, meek = find_state("in power"), find_state("submissive")
    assert (power.valence, power.arousal) == (meek.valence, meek.arousal)
    assert power.dominance > meek.dominance
