"""The table of goals: verdicts come from measured values, live scores from recorded changes."""

from __future__ import annotations

import numpy as np
import pytest

from kelly_live.lab.judging.goals import format_goals, match_goals
from kelly_live.lab.judging.stream_scores import EmotionChange, ReaderTrack, score_changes
from kelly_live.lab.training.scores import Score


def make_score(dataset: str, metric: str, value: float) -> Score:
    return Score(dataset, metric, value, value - 0.1, value + 0.1, 50)


@pytest.mark.parametrize(
    ("score", "verdict"),
    [
        (make_score("emopia", "4 quadrants", 0.70), "reached"),
        (make_score("emopia", "4 quadrants", 0.699), "not reached"),  # though .70 lies inside its interval
        (make_score("hop", "median ms, sound to parameters", 19.0), "reached"),
        (make_score("hop", "median ms, sound to parameters", 21.0), "not reached"),
        (make_score("emodb", "ECE of confidence", 0.08), "reached"),
        (make_score("emodb", "ECE of confidence", 0.09), "not reached"),
        (make_score("vgmidi", "valence r a piece", float("nan")), "not measured"),
    ],
)
def test_the_verdict_is_the_value_against_the_goal(score: Score, verdict: str) -> None:
    rows = match_goals([score], [])
    assert [row.verdict for row in rows if row.score is score] == [verdict]
    assert all(row.verdict == "not measured" for row in rows if row.score is None)


def test_the_table_names_every_goal_measured_or_not() -> None:
    text = format_goals(match_goals([], []))
    assert "ResNet .677" in text
    assert text.count("not measured") == len(match_goals([], []))


def make_change(arousal: list[float], top: list[int] | None = None) -> EmotionChange:
    """Create six seconds before and after a change, a hop a quarter of a second, then with `arousal`."""
    after = np.array(arousal + [arousal[-1]] * (24 - len(arousal)))
    affect = np.zeros((48, 3))
    affect[24:, 1] = after
    emotions = np.eye(8)[np.array(top if top is not None else [6] * 24 + [2] * 24)]
    return EmotionChange("s", "calm", 6.0, ReaderTrack(np.arange(1, 49) * 0.25, emotions, affect, np.ones(48)))


def test_half_way_is_rounded_up_to_a_hop() -> None:
    assert make_change([0.0, 0.1, 0.5, 0.8]).half_way_seconds == pytest.approx(0.75)
    assert make_change([0.8]).half_way_seconds == pytest.approx(0.25)


def test_a_change_that_moves_nothing_has_no_half_way_and_is_counted() -> None:
    assert np.isnan(make_change([0.1]).half_way_seconds)
    by_name = {s.metric: s for s in score_changes([make_change([0.1]), make_change([0.8])], resamples=0)}
    assert by_name["median seconds to half-way"].n == 1
    assert by_name["share of changes that moved 0.2 or more"].value == 0.5


def test_flips_are_counted_only_where_the_sound_is_steady() -> None:
    wavering = [6] * 24 + [2, 3] * 6 + [2] * 8 + [3, 2, 2, 2]
    flips, seconds = make_change([0.8], wavering).flips
    assert flips == 2  # not those of the first three seconds after the change
    assert seconds == pytest.approx(5.5)


def test_an_answer_is_weighted_by_confidence() -> None:
    track = ReaderTrack(np.array([0.25, 0.5]), np.eye(8)[:2], np.zeros((2, 3)), np.array([0.9, 0.1]))
    np.testing.assert_allclose(track.weights, [0.9, 0.1])
    silent = ReaderTrack(track.times, track.emotions, track.affect, np.zeros(2))
    np.testing.assert_allclose(silent.weights, [0.5, 0.5])
