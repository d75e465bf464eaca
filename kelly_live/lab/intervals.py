"""95 % intervals of shares, correlations, slopes and any other statistic, by scipy."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy import stats  # type: ignore[import-untyped]

LEVEL = 0.95
RESAMPLES = 1000
_BATCH = 100  # resamples whose indices are held at a time


class Estimate(NamedTuple):
    """A statistic and the ends of its 95 % interval; NaN where there is none."""

    value: float
    low: float
    high: float


def compute_wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """Compute the interval of a share, `successes` of `trials` (1 or more), by Wilson (1927).

    It lies within 0 and 1.
    """
    interval = stats.binomtest(successes, trials).proportion_ci(LEVEL, method="wilson")
    return float(interval.low), float(interval.high)


def estimate_correlation(x: np.ndarray, y: np.ndarray) -> Estimate:
    """Correlate two series (Pearson's r), with the interval by Fisher's z.

    NaN where a correlation means nothing: with fewer than three pairs, or where one series is constant.
    """
    if len(x) < 3 or x.std() < 1e-9 or y.std() < 1e-9:
        return Estimate(np.nan, np.nan, np.nan)
    result = stats.pearsonr(x, y)
    interval = result.confidence_interval(LEVEL)
    return Estimate(float(result.statistic), float(interval.low), float(interval.high))


def estimate_slope(x: np.ndarray, y: np.ndarray) -> Estimate:
    """Fit y on x by least squares, and return the slope with the interval by Student's t.

    NaN where a slope means nothing: with fewer than three pairs, or where x is constant.
    """
    if len(x) < 3 or x.std() < 1e-9:
        return Estimate(np.nan, np.nan, np.nan)
    line = stats.linregress(x, y)
    reach = line.stderr * stats.t.ppf(0.5 + LEVEL / 2.0, len(x) - 2)
    return Estimate(float(line.slope), float(line.slope - reach), float(line.slope + reach))


def bootstrap(
    statistic: Callable[..., Any], size: int, *, resamples: int = RESAMPLES, seed: int | np.random.Generator = 0
) -> Estimate:
    """Evaluate a statistic over `size` cases, with the percentile interval over resamples of the cases.

    `statistic(indices)` is given the indices of cases, all of them or as many drawn with replacement. Where it has a
    parameter `axis` (default -1) it is given many draws at once, `[resamples, size]`, and reduces that axis. Cases that
    belong together (clips of one song, answers of one listener) are one case: draw the songs, not the clips.

    Draws where the statistic is NaN (a class that was not drawn) are left out; without draws the interval is NaN.
    """
    value = float(statistic(np.arange(size)))
    if resamples == 0:
        return Estimate(value, np.nan, np.nan)
    if size < 2:
        return Estimate(value, value, value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)  # said where any draw is NaN; these are left out
        result = stats.bootstrap(
            (np.arange(size),), statistic, n_resamples=resamples, batch=_BATCH, method="percentile", rng=seed
        )
    tail = 50.0 * (1.0 - LEVEL)
    low, high = np.nanpercentile(result.bootstrap_distribution, [tail, 100.0 - tail])
    return Estimate(value, float(low), float(high))


def bootstrap_mean(values: np.ndarray, *, resamples: int = RESAMPLES, seed: int | np.random.Generator = 0) -> Estimate:
    """Average independent values, with the bootstrap's interval."""
    return bootstrap(lambda indices: values[indices].mean(), len(values), resamples=resamples, seed=seed)
