"""Film excerpts with a truth that we planted: correlations are found with honest intervals, and weigh as they may."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from kelly_live.core.errors import ConfigError
from kelly_live.core.values import EMOTIONS
from kelly_live.lab.corpora.film_cues import FEELINGS, RATED_CUES, Cues, evidence, measure_cues
from kelly_live.lab.training.priors import PLACES, PRIORS, cue_priors, state_at

FEATURES = ("RMS", "sp_centr", "MFCC1", "MFCC2")


def write(path: Path, columns: list[str], rows: list[list[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns, *rows])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Energy is loud and dense, valence is nothing; density is heard in MFCC1, articulation nowhere."""
    dice = np.random.default_rng(1)
    energy = dice.normal(size=110)
    film = [[str(i), *([0.0] * len(FEELINGS)), f"film {i % 40}"] for i in range(110)]
    for row, value in zip(film, energy, strict=True):
        row[1:-1] = [dice.normal() if name != "Energy" else value for name in FEELINGS]
    write(tmp_path / "soundtrack.csv", ["Number", *FEELINGS, "soundtrack"], film)
    write(
        tmp_path / "soundtrack_features.csv", ["File", *FEATURES],
        [[i, np.exp(0.5 * e + 0.5 * dice.normal()), 1000 + dice.normal(), e + dice.normal(), dice.normal()]
         for i, e in enumerate(energy)],
    )  # fmt: skip
    density = dice.normal(size=100)
    rated = [[i, *(density[i] if name == "density" else dice.normal() for name in RATED_CUES)] for i in range(100)]
    write(tmp_path / "annotations.csv", ["nro", *RATED_CUES], rated)
    write(
        tmp_path / "annotations_features.csv", ["File", *FEATURES],
        [[i, np.exp(dice.normal()), 1000 + dice.normal(), d + 0.3 * dice.normal(), dice.normal()]
         for i, d in enumerate(density)],
    )  # fmt: skip
    return tmp_path


@pytest.fixture
def cues(folder: Path) -> Cues:
    return measure_cues(folder)


def test_what_was_planted_is_found_and_what_was_not_is_not(cues: Cues) -> None:
    loud, dense = cues.link("Energy", "level"), cues.link("Energy", "density")
    assert (cues.excerpts, cues.soundtracks) == (110, 40)
    assert loud.clear
    assert loud.low < 0.71 < loud.high  # r of x and x + noise of its own size
    assert loud.reading is None
    assert dense.reading is not None
    assert dense.reading > 0.9
    nothing = cues.link("Energy", "articulation")
    assert nothing.reading is not None
    assert abs(nothing.reading) < 0.35
    assert sum(link.clear for link in cues.links if link.feeling == "Valence" and link.cue == "level") == 0


def test_a_badly_read_cue_is_worth_less_and_evidence_becomes_pseudo_observations(cues: Cues) -> None:
    found = {line.parameter: line for line in evidence(cues)}
    assert found["level"].pieces == 110
    reading = cues.link("Energy", "density").reading
    assert reading is not None
    assert found["rate"].pieces == pytest.approx(110 * reading**2)
    lines = cue_priors(list(found.values()))
    assert sum(prior.pieces for _, prior in lines if prior.parameter == "level") == pytest.approx(110)
    for (valence, arousal), prior in lines:
        assert valence == 0.0
        assert np.sign(prior.effect) == np.sign(arousal)


def test_the_table_shows_every_feeling_against_every_cue_with_its_interval(cues: Cues) -> None:
    lines = cues.table().splitlines()
    assert len(lines) == 2 + len(FEELINGS)
    assert all(line.count("[") == 2 + len(RATED_CUES) for line in lines[2:])


def test_measuring_twice_gives_the_same(folder: Path, cues: Cues) -> None:
    assert measure_cues(folder) == cues


def test_missing_and_damaged_tables_are_named_in_one_line(folder: Path, tmp_path: Path) -> None:
    text = (folder / "annotations.csv").read_text(encoding="utf-8")
    (folder / "annotations.csv").write_text(text.replace("density", "destiny", 1), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"annotations\.csv") as error:
        measure_cues(folder)
    assert "\n" not in str(error.value)
    with pytest.raises(ConfigError, match=r"soundtrack\.csv"):
        measure_cues(tmp_path / "nowhere")


def test_every_prior_stands_at_a_known_place_with_a_source_and_a_weight() -> None:
    for prior in PRIORS:
        assert prior.emotion in EMOTIONS or prior.emotion in PLACES
        assert any(year in prior.source for year in ("2003", "2006", "2010", "2013"))
        assert 0.0 < prior.pieces < 10.0
        assert abs(prior.effect) in (0.5, 1.0)
    power, meek = state_at("in power"), state_at("submissive")
    assert (power.valence, power.arousal) == (meek.valence, meek.arousal)
    assert power.dominance > meek.dominance
