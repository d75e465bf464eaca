"""Given moments and the tempo asked for, these beats: exact on each moment, and no step that is heard."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kelly_live.music.tempo_plan import STEP_LIMIT, TempoPlan, plan_tempo, smooth_tempo


def plan(moments: Sequence[float], end: float, bpm: float = 100.0, beats_per_bar: int = 4) -> TempoPlan:
    return plan_tempo(lambda second: bpm, moments, end, beats_per_bar=beats_per_bar, closing_beats=float(beats_per_bar))


def list_seconds(tempo: TempoPlan) -> list[float]:
    return [tempo.tempo_map.seconds_at(beat) for beat in tempo.moment_beats]


def test_a_moment_on_the_bar_line_of_the_tempo_asked_for_changes_nothing() -> None:
    tempo = plan([12.0], 24.0)  # 100 BPM: twenty beats, forty beats
    assert tempo.moment_beats == (20.0,)
    assert tempo.bars == 10
    assert tempo.bpms == pytest.approx([100.0] * 40, abs=0.05)


def test_the_tempo_bends_so_that_a_bar_line_falls_on_the_moment() -> None:
    tempo = plan([13.0, 31.3], 60.0)
    assert all(beat % 4 == 0 for beat in tempo.moment_beats)
    assert list_seconds(tempo) == pytest.approx([13.0, 31.3], abs=1e-5)
    assert tempo.tempo_map.seconds_at(4.0 * tempo.bars) == pytest.approx(60.0, abs=1e-5)
    assert all(90.0 < bpm < 112.0 for bpm in tempo.bpms)


def test_moments_that_are_too_near_for_bar_lines_fall_on_beats() -> None:
    tempo = plan([12.0, 13.3], 30.0, bpm=90.0)
    first, second = tempo.moment_beats
    assert second - first == 2.0
    assert list_seconds(tempo) == pytest.approx([12.0, 13.3], abs=1e-5)


def test_a_sudden_change_of_tempo_becomes_a_ramp() -> None:
    tempo = plan_tempo(
        lambda second: 70.0 if second < 30.0 else 130.0, [30.0], 60.0, beats_per_bar=4, closing_beats=4.0
    )
    assert tempo.bpms[4] == pytest.approx(70.0, rel=0.06)
    assert tempo.bpms[-8] == pytest.approx(130.0, rel=0.06)
    assert tempo.largest_step <= STEP_LIMIT


def test_the_last_stroke_ends_in_time() -> None:
    tempo = plan_tempo(lambda second: 120.0, [], 30.3, beats_per_bar=4, closing_beats=0.5)
    assert tempo.tempo_map.seconds_at(4.0 * (tempo.bars - 1) + 0.5) == pytest.approx(30.3, abs=1e-5)


def test_without_moments_steps_are_only_made_smaller() -> None:
    tempo = smooth_tempo([60.0] * 16 + [90.0] * 16, 4)
    assert tempo.bars == 8
    assert tempo.largest_step <= STEP_LIMIT
    assert tempo.bpms[0] == pytest.approx(60.0, rel=0.05)
    assert tempo.bpms[-1] == pytest.approx(90.0, rel=0.05)


@settings(max_examples=8, deadline=None)
@given(
    st.lists(st.floats(1.2, 12.0), min_size=1, max_size=5),
    st.sampled_from([(60.0, 60.0), (66.0, 130.0), (140.0, 80.0)]),
    st.sampled_from([3, 4]),
)
def test_every_moment_is_met_and_every_step_is_small(
    gaps: list[float], bpms: tuple[float, float], beats_per_bar: int
) -> None:
    moments = list(itertools.accumulate(gaps))
    end = moments[-1] + 8.0
    tempo = plan_tempo(
        lambda second: bpms[0] + (bpms[1] - bpms[0]) * second / end, moments, end,
        beats_per_bar=beats_per_bar, closing_beats=float(beats_per_bar),
    )  # fmt: skip
    assert list_seconds(tempo) == pytest.approx(moments, abs=1e-5)
    assert tempo.largest_step <= STEP_LIMIT
