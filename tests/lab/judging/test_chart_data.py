"""The data of the charts, and the charts that are drawn from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kelly_live.emotion.nets.emotion import LABELS
from kelly_live.lab.corpora.manifest import Clip
from kelly_live.lab.judging.chart_data import (
    Calibration,
    Confusion,
    Trajectory,
    compute_calibrations,
    compute_confusions,
)
from kelly_live.lab.plots.evidence import draw_calibration, draw_confusions, draw_trajectories
from kelly_live.lab.training.scores import Predictions
from kelly_live.lab.training.windows import Windows

PNG = b"\x89PNG"


def make_predictions(guesses: list[tuple[str, str]]) -> tuple[list[Clip], Windows, Predictions]:
    """A clip and a window for each (label, answer), of EmoDB's labels, all at confidence .75."""
    n = len(guesses)
    clips = [
        Clip(Path(f"{i}.wav"), "emodb", emotions=tuple(float(LABELS[k] == label) for k in range(8)))
        for i, (label, _) in enumerate(guesses)
    ]
    says = np.array([[float(name == answer) for name in LABELS] for _, answer in guesses])
    rows = {name: np.zeros((n, 1)) for name in Windows.__slots__} | {"clip": np.arange(n)}
    answers = Predictions(
        says[:, :8], says, np.zeros((n, 3)), np.full(n, 0.75), np.ones(n), np.zeros((n, 9)), np.zeros(n)
    )  # fmt: skip
    return clips, Windows(**rows), answers


def test_rows_are_labels_and_columns_are_answers() -> None:
    (matrix,) = compute_confusions(*make_predictions([("sad", "neutral"), ("sad", "sad"), ("angry", "angry")]))
    at = matrix.labels.index
    assert matrix.counts[at("sad"), at("neutral")] == 1
    assert matrix.counts[at("neutral"), at("sad")] == 0
    assert np.trace(matrix.counts) == 2
    assert matrix.counts.sum() == 3


def test_calibration_is_of_clips() -> None:
    (calibration,) = compute_calibrations(
        *make_predictions([("sad", "sad"), ("sad", "sad"), ("angry", "sad"), ("angry", "angry")])
    )
    assert list(calibration.right) == [1.0, 1.0, 0.0, 1.0]
    assert calibration.error == pytest.approx(0.0)


def test_the_charts_are_images_and_the_same_each_time() -> None:
    rng = np.random.default_rng(0)
    labels = ("a", "b")
    matrix = Confusion("set", labels, np.array([[3, 1], [0, 0]]))  # no clip is labelled b: no division by zero
    reliable = Calibration("set", rng.random(50), (rng.random(50) < 0.5).astype(float), 0.1)
    times = np.arange(1, 41) * 0.25
    tracks = [
        Trajectory("piece", times, rng.uniform(-1, 1, (40, 2)), rng.uniform(-1, 1, (40, 2))),
        Trajectory("change", times, rng.uniform(-1, 1, (40, 2)), None, 6.0, 6.75),
    ]
    for draw in (
        lambda: draw_confusions([matrix] * 4),
        lambda: draw_calibration([reliable]),
        lambda: draw_trajectories(tracks),
    ):
        picture = draw()
        assert picture.startswith(PNG)
        assert picture == draw()
