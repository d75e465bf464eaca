"""Intervals against textbook values, and what they do where there is little to draw from."""

import math

import numpy as np
import pytest

from kelly_live.lab.intervals import bootstrap, compute_wilson_interval, estimate_correlation, estimate_slope


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),  # Newcombe (1998), table I, method 3
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (20, 20, 0.8389, 1.0),
    ],
)
def test_wilson_is_newcombes_table(successes: int, trials: int, low: float, high: float) -> None:
    assert compute_wilson_interval(successes, trials) == pytest.approx((low, high), abs=5e-5)


def test_a_share_of_nothing_or_of_all_ends_exactly_at_0_or_1() -> None:
    assert compute_wilson_interval(0, 7)[0] == 0.0
    assert compute_wilson_interval(7, 7)[1] == 1.0


def test_a_correlation_has_fishers_interval() -> None:
    rng = np.random.default_rng(1)
    x = rng.standard_normal(40)
    y = x + rng.standard_normal(40)
    r, low, high = estimate_correlation(x, y)
    assert r == pytest.approx(np.corrcoef(x, y)[0, 1])
    reach = 1.959964 / math.sqrt(40 - 3)
    assert (low, high) == pytest.approx((math.tanh(math.atanh(r) - reach), math.tanh(math.atanh(r) + reach)))


@pytest.mark.parametrize(("x", "y"), [([1.0, 2.0], [1.0, 2.0]), ([1.0, 1.0, 1.0], [1.0, 2.0, 3.0])])
def test_a_correlation_that_means_nothing_is_nan(x: list[float], y: list[float]) -> None:
    assert np.isnan(estimate_correlation(np.array(x), np.array(y))).all()


def test_a_slope_has_students_interval() -> None:
    x = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    y = np.array([2.1, 3.9, 6.2, 7.8, 10.1])
    slope, low, high = estimate_slope(x, y)
    residuals = y - y.mean() - slope * (x - 3.0)
    reach = 3.182446 * math.sqrt((residuals**2).sum() / 3.0 / 10.0)  # t of 3 degrees of freedom; 10 = sum (x - 3)²
    assert slope == pytest.approx(1.99)
    assert (low, high) == pytest.approx((1.99 - reach, 1.99 + reach))


def test_a_constant_answer_has_slope_zero_and_a_constant_question_none() -> None:
    assert estimate_slope(np.array([1.0, 2.0, 3.0]), np.ones(3)).value == 0.0
    assert np.isnan(estimate_slope(np.ones(3), np.array([1.0, 2.0, 3.0]))).all()


def test_the_bootstrap_of_a_mean_is_its_normal_interval() -> None:
    values = np.random.default_rng(2).normal(3.0, 2.0, 400)
    value, low, high = bootstrap(lambda i: values[i].mean(), len(values), resamples=4000)
    reach = 1.96 * values.std() / 20.0
    assert value == values.mean()
    assert (low, high) == pytest.approx((value - reach, value + reach), abs=0.02)


def test_many_draws_at_once_are_the_same_draws() -> None:
    values = np.random.default_rng(3).uniform(size=30)

    def mean(indices: np.ndarray, axis: int = -1) -> np.ndarray:
        return values[indices].mean(axis=axis)

    assert bootstrap(mean, 30) == pytest.approx(bootstrap(lambda i: values[i].mean(), 30))


def test_a_draw_without_an_answer_is_left_out() -> None:
    only_once = np.array([1.0, np.nan, np.nan])
    value, low, high = bootstrap(
        lambda i: only_once[i].max() if np.isnan(only_once[i]).all() else 1.0, 3, resamples=200
    )
    assert (value, low, high) == (1.0, 1.0, 1.0)


def test_the_seed_decides_the_draws() -> None:
    values = np.random.default_rng(4).uniform(size=20)
    first, again, other = (bootstrap(lambda i: values[i].mean(), 20, seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert first[1:] != other[1:]


def test_one_case_or_no_draws() -> None:
    assert bootstrap(lambda i: 5.0, 1) == (5.0, 5.0, 5.0)
    value, low, high = bootstrap(lambda i: 5.0, 9, resamples=0)
    assert value == 5.0
    assert math.isnan(low)
    assert math.isnan(high)
