"""What is measured of arcs: given these strikes and these courses, these numbers."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from kelly_live.core.emotion_space import create_state
from kelly_live.engine.performance import PerformedHit
from kelly_live.lab.judging.arcs import (
    LONGEST_SECONDS,
    SHORTEST_SECONDS,
    JudgedCourse,
    compose_arc,
    draw_arc,
    draw_step,
    measure_arc,
    score_courses,
    score_hits,
    score_steps,
)
from kelly_live.lab.plots.arcs import draw_course
from kelly_live.music.arc import Arc, ArcPoint, HitPoint


def test_random_arcs_are_the_same_for_a_seed_and_within_the_limits() -> None:
    arcs = [draw_arc(seed) for seed in range(40)]
    assert arcs[3] == draw_arc(3) != arcs[4]
    for arc in arcs:
        assert SHORTEST_SECONDS <= (arc.end or 0.0) <= LONGEST_SECONDS
        assert 1 <= len(arc.hits) <= 8
        assert all(b.place - a.place >= 1.0 for a, b in pairwise(arc.hits))


def test_a_hit_point_that_is_missed_is_measured(tmp_path: Path) -> None:
    arc = Arc((ArcPoint(0.0, create_state(emotion="happy")),), (HitPoint(3.3, "a"), HitPoint(6.1, "b")), 10.0)
    performance = compose_arc(arc, 1)
    measured = measure_arc(performance, 1)
    assert max(measured.hit_frames) < 0.1
    assert abs(measured.end_frames) < 1.0
    missed = PerformedHit("missed", performance.hits[0].seconds + 0.1, 0.0, 0.0, 4)
    (frames,) = measure_arc(replace(performance, hits=(missed,)), 1).hit_frames
    assert frames > 1.0
    scores = {score.metric: score.value for score in score_hits([measured, replace(measured, hit_frames=(frames,))])}
    hits = len(measured.hit_frames)
    assert scores["hit points within a frame"] == pytest.approx(hits / (hits + 1))

    seconds = np.arange(1.0, 10.0)
    course = JudgedCourse(1, seconds, (np.sin(seconds), np.cos(seconds)), {"a": (np.sin(seconds), np.cos(seconds))})
    draw_course(tmp_path / "course.png", performance, course)
    assert (tmp_path / "course.png").read_bytes().startswith(b"\x89PNG")


def test_a_judge_that_hears_what_was_asked_correlates_with_it() -> None:
    seconds = np.arange(20.0)
    asked = (np.linspace(-1.0, 1.0, 20), np.zeros(20))
    heard = {"right": (2.0 * asked[0] + 1.0, seconds), "wrong": (-asked[0], seconds)}
    scores = {
        (score.dataset, score.metric): score.value
        for score in score_courses([JudgedCourse(seed, seconds, asked, heard) for seed in range(3)])
    }
    assert scores["right judge", "r of valence, all windows"] == pytest.approx(1.0)
    assert scores["wrong judge", "r of valence over time, mean of arcs"] == pytest.approx(-1.0)


def test_lag_and_overshoot_of_a_step() -> None:
    seconds = np.arange(3.0, 58.0, 2.0)
    courses = []
    for seed in range(4):
        arc, axis = draw_step(seed)
        sign = 1.0 if arc.state_at(31.0).valence + arc.state_at(31.0).arousal > sum(
            (arc.points[0].state.valence, arc.points[0].state.arousal)
        ) else -1.0  # fmt: skip
        late = np.clip((seconds - 32.0) / 4.0, 0.0, 1.0) + 0.2 * ((seconds >= 36.0) & (seconds < 39.0))
        asked = np.where(seconds < 30.0, 0.0, sign)
        pair = (asked, asked * 0.0) if axis == 0 else (asked * 0.0, asked)
        heard = (sign * late, late * 0.0) if axis == 0 else (late * 0.0, sign * late)
        courses.append((JudgedCourse(seed, seconds, pair, {"slow": heard}), axis))
    for response in score_steps(courses):
        assert response.steps == 2
        assert response.lag_seconds == pytest.approx(4.0, abs=0.6)
        assert response.overshoot == pytest.approx(0.2, abs=0.05)
