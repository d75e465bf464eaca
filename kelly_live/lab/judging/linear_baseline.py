"""The linear baseline of the emotion net, on pooled hand-made features of the same clips and splits."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from kelly_live.lab.corpora.manifest import QUADRANTS, Clip
from kelly_live.lab.corpora.targets import find_label
from kelly_live.lab.intervals import bootstrap
from kelly_live.lab.training.scores import (
    CHOICES,
    Metric,
    Score,
    average_by_clip,
    create_correlation_metric,
    create_mean_metric,
    create_recall_metric,
)  # fmt: skip
from kelly_live.lab.training.windows import Windows


def _pool_windows(windows: Windows, count: int) -> np.ndarray:
    """Pool each clip's windows of voice statistics: mean and deviation.

    The statistics are cepstra, pitch, flux, loudness and pace.
    """
    x = windows.voice.astype(np.float64)
    mean = average_by_clip(x, windows.clip, count)
    return np.concatenate(
        (mean, np.sqrt(np.maximum(average_by_clip(x**2, windows.clip, count) - mean**2, 0.0))), axis=1
    )


def score_linear_baseline(
    fit: tuple[Sequence[Clip], Windows], test: tuple[Sequence[Clip], Windows], resamples: int = 1000
) -> list[Score]:
    """Train a linear model for each data set on `fit`, and score it on `test` as the net is scored.

    Logistic regression for categories and quadrants, ridge for ratings and GEMS.
    """
    from sklearn.linear_model import LogisticRegression, RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x_fit, x_test = (_pool_windows(w, len(c)) for c, w in (fit, test))
    scores: list[Score] = []

    def rows(clips: Sequence[Clip], dataset: str) -> np.ndarray:
        return np.array([i for i, c in enumerate(clips) if c.dataset == dataset], int)

    def classify(y: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.02, max_iter=500, class_weight="balanced"))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            guess: np.ndarray = model.fit(x_fit[a], y).predict(x_test[b])
        return guess

    def regress(y: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        model = make_pipeline(StandardScaler(), RidgeCV(np.geomspace(10, 1e5, 12)))
        guess: np.ndarray = model.fit(x_fit[a], y).predict(x_test[b])
        return guess

    def add(dataset: str, name: str, metric: Metric, n: int) -> None:
        scores.append(Score(dataset, name, *bootstrap(metric, n, resamples=resamples), n))

    for dataset in sorted({c.dataset for c in test[0]}):
        a, b = rows(fit[0], dataset), rows(test[0], dataset)
        a, b = a[~np.isnan(x_fit[a]).any(axis=1)], b[~np.isnan(x_test[b]).any(axis=1)]
        if len(a) < 10 or len(b) < 3:
            continue
        learn, one, n = [fit[0][i] for i in a], test[0][b[0]], len(b)
        test_clips = [test[0][i] for i in b]
        if dataset in CHOICES:
            truth = np.array([find_label(c) for c in test_clips])
            guess = classify(np.array([find_label(c) for c in learn]), a, b)
            choices = len(CHOICES[dataset])
            add(dataset, f"accuracy of {choices}", create_mean_metric(truth == guess), n)
            add(dataset, f"UAR of {choices}", create_recall_metric(truth, guess), n)
        if one.quadrant is not None:
            y, truth = (
                np.array([list(QUADRANTS).index(c.quadrant or "Q1") for c in part]) for part in (learn, test_clips)
            )
            signs = np.array(list(QUADRANTS.values()))
            add(dataset, "4 quadrants", create_mean_metric(classify(y, a, b) == truth), n)
            for axis, name in enumerate(("valence half", "arousal half")):
                add(dataset, name, create_mean_metric(classify(signs[y, axis], a, b) == signs[truth, axis]), n)
        if one.gems is not None:
            y, truth = (np.array([c.gems for c in part]) for part in (learn, test_clips))
            add(dataset, "mean r of 9 GEMS", create_correlation_metric(truth, regress(y, a, b)), n)
        if one.bar_ratings is not None:
            y, truth = (np.array([np.mean(c.bar_ratings or (), axis=0) for c in part]) for part in (learn, test_clips))
            guess = regress(y, a, b)
            for axis, name in enumerate(("valence", "arousal")):
                add(dataset, f"{name} r a piece", create_correlation_metric(truth[:, axis], guess[:, axis]), n)
    return scores
