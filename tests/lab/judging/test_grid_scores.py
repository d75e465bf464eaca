"""Slopes and rows of the grid: what r over the whole grid does not tell."""

from __future__ import annotations

import numpy as np
import pytest

from kelly_live.lab.judging.grid_scores import (
    correlate_valence_by_arousal,
    format_valence_by_arousal,
    score_grid,
)
from kelly_live.lab.judging.judges import Judgements

LEVELS = (-0.8, -0.4, 0.0, 0.4, 0.8)
TARGETS = np.array([(valence, arousal) for valence in LEVELS for arousal in LEVELS])


def judge(valence: np.ndarray, arousal: np.ndarray) -> Judgements:
    return Judgements(np.zeros(len(valence), np.int64), valence, arousal)


def test_a_tenth_of_what_was_meant_has_a_high_r_and_a_low_slope() -> None:
    noise = 0.001 * np.random.default_rng(1).standard_normal(len(TARGETS))
    scores = score_grid("notes judge", "ours, piano", judge(0.1 * TARGETS[:, 0] + noise, 1.2 * TARGETS[:, 1]), TARGETS)
    values = {score.metric: score for score in scores}
    assert list(values) == [
        "valence r, notes judge", "valence slope, notes judge", "arousal r, notes judge", "arousal slope, notes judge",
    ]  # fmt: skip
    assert values["valence r, notes judge"].value > 0.99
    slope = values["valence slope, notes judge"]
    assert slope.value == pytest.approx(0.1, abs=0.002)
    assert slope.low < 0.1 < slope.high < 0.11
    assert values["arousal slope, notes judge"].value == pytest.approx(1.2)
    assert {(score.dataset, score.n) for score in scores} == {("ours, piano, grid", 25)}


def test_a_row_of_arousal_in_which_valence_is_heard_upside_down_stands_out() -> None:
    calm = TARGETS[:, 1] < -0.5
    heard = judge(np.where(calm, -1.0, 1.0) * TARGETS[:, 0], TARGETS[:, 1])
    assert score_grid("notes judge", "ours", heard, TARGETS)[0].value == pytest.approx(0.6)
    rows = correlate_valence_by_arousal("notes judge", "ours", heard, TARGETS).rows
    assert [arousal for arousal, _, _ in rows] == list(LEVELS)
    assert [estimate.value for _, estimate, _ in rows] == pytest.approx([-1.0, 1.0, 1.0, 1.0, 1.0])
    assert [pieces for _, _, pieces in rows] == [5] * 5


def test_the_table_has_a_column_an_arousal_and_a_line_a_judge() -> None:
    rng = np.random.default_rng(2)
    heard = judge(TARGETS[:, 0] + 0.3 * rng.standard_normal(25), TARGETS[:, 1])
    results = [correlate_valence_by_arousal(f"{name} judge", "ours", heard, TARGETS) for name in ("audio", "notes")]
    header, _, audio, notes = format_valence_by_arousal(results).splitlines()
    assert header == "| valence r at arousal (n 5) | -0.8 | -0.4 | +0.0 | +0.4 | +0.8 |"
    assert audio.startswith("| ours, audio judge | 0.")
    assert audio.count("|") == notes.count("|") == 7


def test_what_cannot_be_told_is_nan_and_no_error() -> None:
    one = np.array([[0.5, 0.5]])
    heard = judge(np.array([0.3]), np.array([0.2]))
    assert all(np.isnan(score.value) for score in score_grid("notes judge", "ours", heard, one))
    assert np.isnan(correlate_valence_by_arousal("notes judge", "ours", heard, one).rows[0][1].value)
