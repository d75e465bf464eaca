"""The baseline beside the net, always: linear models on pooled hand-made features of the same clips and splits."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from kelly_live.errors import ConfigError
from kelly_live.training.evaluation import CHOICES, Score, bootstrap, by_clip, correlation, recall
from kelly_live.training.manifest import QUADRANTS, Clip
from kelly_live.training.targets import label_of
from kelly_live.training.windows import Windows


def _pooled(windows: Windows, count: int) -> np.ndarray:
    """Mean and deviation over each clip's windows of the voice statistics: cepstra, pitch, flux, loudness, pace."""
    x = windows.voice.astype(np.float64)
    mean = by_clip(x, windows.clip, count)
    return np.concatenate((mean, np.sqrt(np.maximum(by_clip(x**2, windows.clip, count) - mean**2, 0.0))), axis=1)


def baseline_scores(
    fit: tuple[Sequence[Clip], Windows], test: tuple[Sequence[Clip], Windows], resamples: int = 1000
) -> list[Score]:
    """Logistic regression (categories, quadrants) and ridge (ratings, GEMS), one model a data set, trained on `fit` and
    measured on `test`: the same numbers as `evaluate` gives for the net."""
    try:
        from sklearn.linear_model import LogisticRegression, RidgeCV
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
    except ImportError as error:
        raise ConfigError(
            "scikit-learn fits the baseline and is not installed; `pip install kelly-live[train]`"
        ) from error
    x_fit, x_test = (_pooled(w, len(c)) for c, w in (fit, test))
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

    for dataset in sorted({c.dataset for c in test[0]}):
        a, b = rows(fit[0], dataset), rows(test[0], dataset)
        a, b = a[~np.isnan(x_fit[a]).any(axis=1)], b[~np.isnan(x_test[b]).any(axis=1)]
        if len(a) < 10 or len(b) < 3:
            continue
        one = test[0][b[0]]
        if dataset in CHOICES:
            y, truth = (np.array([label_of(c[i]) for i in k]) for c, k in ((fit[0], a), (test[0], b)))
            guess = classify(y, a, b)
            n = len(CHOICES[dataset])
            scores.append(
                Score(
                    dataset,
                    f"accuracy of {n}",
                    *bootstrap(lambda k, t=truth, g=guess: float((t[k] == g[k]).mean()), len(b), resamples),
                    len(b),
                )
            )
            scores.append(
                Score(
                    dataset,
                    f"UAR of {n}",
                    *bootstrap(lambda k, t=truth, g=guess: recall(t[k], g[k]), len(b), resamples),
                    len(b),
                )
            )
        if one.quadrant is not None:
            y, truth = (
                np.array([list(QUADRANTS).index(c[i].quadrant or "Q1") for i in k])
                for c, k in ((fit[0], a), (test[0], b))
            )
            signs = np.array(list(QUADRANTS.values()))
            right = {"4 quadrants": classify(y, a, b) == truth}
            for axis, name in enumerate(("valence half", "arousal half")):
                right[name] = classify(signs[y, axis], a, b) == signs[truth, axis]
            scores += [
                Score(dataset, name, *bootstrap(lambda k, r=r: float(r[k].mean()), len(b), resamples), len(b))
                for name, r in right.items()
            ]
        if one.gems is not None:
            y, truth = (np.array([c[i].gems for i in k]) for c, k in ((fit[0], a), (test[0], b)))
            guess = regress(y, a, b)
            scores.append(
                Score(
                    dataset,
                    "mean r of 9 GEMS",
                    *bootstrap(
                        lambda k, t=truth, g=guess: float(
                            np.nanmean([correlation(t[k, j], g[k, j]) for j in range(t.shape[1])])
                        ),
                        len(b),
                        resamples,
                    ),
                    len(b),
                )
            )
        if one.measures is not None:
            y, truth = (
                np.array([np.mean(c[i].measures or (), axis=0) for i in k]) for c, k in ((fit[0], a), (test[0], b))
            )
            guess = regress(y, a, b)
            scores += [
                Score(
                    dataset,
                    f"{name} r a piece",
                    *bootstrap(lambda k, t=truth[:, j], g=guess[:, j]: correlation(t[k], g[k]), len(b), resamples),
                    len(b),
                )
                for j, name in enumerate(("valence", "arousal"))
            ]
    return scores
