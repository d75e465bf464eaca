"""Timing and dynamics of a hand."""

import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelly_live.core.values import RHYTHMS, Dynamics, TimingWeights
from kelly_live.music.feel import (
    JITTER_SECONDS,
    MAX_OFFSET_SECONDS,
    SOFTEST_VELOCITY,
    choose_articulation,
    compute_drift,
    compute_earliest_offset,
    compute_onset_offset,
    draw_deviation,
    velocity_for,
)

ON = TimingWeights(0.0, 1.0, 0.0)
BEHIND = TimingWeights(1.0, 0.0, 0.0)
AHEAD = TimingWeights(0.0, 0.0, 1.0)
UNIT = st.floats(0.0, 1.0)


def mean_offset(timing: TimingWeights, part: str) -> float:
    return statistics.mean(compute_onset_offset(timing, seed=1, part=part, beat=k / 2) for k in range(400))


def test_behind_is_late_and_ahead_is_early() -> None:
    assert abs(mean_offset(BEHIND, "melody") - MAX_OFFSET_SECONDS) < 0.004
    assert abs(mean_offset(AHEAD, "melody") + MAX_OFFSET_SECONDS) < 0.004
    assert abs(mean_offset(ON, "melody")) < 0.004
    assert abs(mean_offset(BEHIND, "chords") - MAX_OFFSET_SECONDS / 2) < 0.004
    assert abs(mean_offset(BEHIND, "bass") - MAX_OFFSET_SECONDS / 3) < 0.004


def test_the_rhythm_section_drifts_together() -> None:
    """A chord lies where the bass lies, more than where another seed's bass would."""
    chords, bass, other = (
        [compute_onset_offset(ON, seed=seed, part=part, beat=beat / 2) for beat in range(400)]
        for part, seed in (("chords", 1), ("bass", 1), ("bass", 2))
    )
    assert statistics.correlation(chords, bass) > 0.4
    assert abs(statistics.correlation(chords, other)) < 0.2


def test_drift_is_correlated_unit_noise() -> None:
    noise = [compute_drift(5, "melody", k / 2) for k in range(4000)]
    lag = statistics.correlation(noise[:-1], noise[1:])
    assert 0.7 < lag < 0.85
    assert 0.85 < statistics.stdev(noise) < 1.15


def test_drift_is_as_strong_on_every_scale() -> None:
    """1/f: four times as slow, four times the power (white noise: as much, a random walk: sixteen times)."""
    power = np.mean([_spectrum(seed) for seed in range(6)], axis=0)
    frequency = np.arange(1, len(power) + 1)
    band = slice(3, 200)  # from 1.3 minutes to 2.5 beats, at 2048 half beats
    slope = np.polyfit(np.log(frequency[band]), np.log(power[band]), 1)[0]
    assert -1.25 < slope < -0.75


def _spectrum(seed: int) -> np.ndarray:
    noise = np.array([compute_drift(seed, "melody", k / 2) for k in range(2048)])
    return np.abs(np.fft.rfft((noise - noise.mean()) * np.hanning(2048)))[1:] ** 2


def test_the_touch_is_legato_in_held_music_and_detached_where_it_is_busy_and_pointed() -> None:
    calm, busy = 0.3, 2.0
    assert (
        choose_articulation("sustained", calm, 0.0)
        > choose_articulation("straight", calm, 0.0)
        > choose_articulation("dotted", calm, 0.0)
    )
    assert choose_articulation("straight", calm, 0.0) > choose_articulation("straight", busy, 0.0) + 0.05
    assert all(
        0.6 <= choose_articulation(r, d, c) <= 0.99 for r in RHYTHMS for d in (0.0, 3.0) for c in (-1.0, 0.0, 1.0)
    )


@given(st.integers(0, 99), st.floats(0, 5000), UNIT)
def test_no_note_leaves_its_beat_by_more_than_the_reach(seed: int, beat: float, behind: float) -> None:
    timing = TimingWeights(behind, 0.0, 1.0 - behind)
    offset = compute_onset_offset(timing, seed=seed, part="melody", beat=beat)
    assert -compute_earliest_offset(timing) <= offset <= MAX_OFFSET_SECONDS + 3.0 * JITTER_SECONDS


def test_slices_are_made_as_much_earlier_as_the_earliest_note() -> None:
    for timing, ahead in ((BEHIND, 0.0), (ON, 0.0), (AHEAD, MAX_OFFSET_SECONDS)):
        assert compute_earliest_offset(timing) == pytest.approx(3.0 * JITTER_SECONDS + ahead)
        offsets = [
            compute_onset_offset(timing, seed=seed, part=part, beat=beat / 4)
            for seed in range(3)
            for part in ("melody", "chords", "bass")
            for beat in range(400)
        ]
        assert -min(offsets) <= compute_earliest_offset(timing)


@given(UNIT, UNIT, UNIT, st.floats(0.0, 1.2), st.floats(-1.0, 1.0))
def test_velocity_stays_in_its_band(a: float, b: float, variance: float, accent: float, chance: float) -> None:
    low, high = sorted((a, b))
    value = velocity_for(Dynamics(low, high, variance), accent=accent, deviation=chance)
    assert max(SOFTEST_VELOCITY, round(127 * low)) <= value <= max(SOFTEST_VELOCITY, round(127 * high))


def test_variance_widens_and_leaves_the_middle() -> None:
    def spread(variance: float) -> tuple[float, float]:
        dynamics = Dynamics(0.2, 0.9, variance)
        accents = (0.86, 0.5, 0.68, 0.5)
        values = [
            velocity_for(dynamics, accent=accents[k % 4], deviation=draw_deviation(1, "melody", k)) for k in range(800)
        ]
        return statistics.mean(values), statistics.stdev(values)

    (mean0, narrow), (_, middle), (mean1, wide) = spread(0.0), spread(0.5), spread(1.0)
    assert narrow < middle < wide
    assert abs(mean0 - mean1) < 4
