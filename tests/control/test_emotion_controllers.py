"""Emotion as controllers: which numbers, which values, and how often."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelly_live.control.emotion_controllers import QUANTITIES, EmotionControls, parse_controllers
from kelly_live.core.errors import ConfigError
from kelly_live.core.values import EMOTIONS, ControlChange, EmotionState


def emotion_state(
    valence: float = 0.0, arousal: float = 0.0, emotion: str = "neutral", confidence: float = 1.0
) -> EmotionState:
    chances = tuple(float(name == emotion) for name in EMOTIONS)
    return EmotionState(chances, valence, arousal, 0.0, confidence, 0.0)


def test_names_are_assigned_to_numbers() -> None:
    assert parse_controllers(" Valence=20, arousal = 21,happy=1") == {"valence": 20, "arousal": 21, "happy": 1}
    every = parse_controllers("all")
    assert set(every) == set(QUANTITIES)
    assert len(set(every.values())) == len(QUANTITIES)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "NAME=NUMBER"),
        ("valence", "NAME=NUMBER"),
        ("joy=20", "'joy=20' is no controller.*happy"),
        ("valence=120", "it must be a number in 0..119"),
        ("valence=-1", "it must be a number"),
        ("valence=٣", "it must be a number"),
        ("valence=", "it must be a number"),
        ("valence=64", "the sustain pedal"),
        ("valence=101", "parameter numbers"),
        ("valence=20,arousal=20", "comes second"),
        ("valence=20,valence=21", "comes second"),
    ],
)
def test_what_cannot_be_is_one_line(text: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint) as caught:
        parse_controllers(text)
    assert "\n" not in str(caught.value)


def test_an_axis_has_its_middle_at_64_and_a_chance_begins_at_0() -> None:
    controls = EmotionControls({"valence": 20, "arousal": 21, "happy": 102, "sad": 103, "confidence": 23}, channel=5)
    assert controls.step(0.0, emotion_state(valence=1.0, arousal=-1.0, emotion="happy", confidence=0.5)) == [
        ControlChange(5, 20, 127),
        ControlChange(5, 21, 0),
        ControlChange(5, 102, 127),
        ControlChange(5, 103, 0),
        ControlChange(5, 23, 64),
    ]
    assert EmotionControls({"valence": 20}).step(0.0, emotion_state()) == [ControlChange(16, 20, 64)]


def test_only_what_changes_is_said_and_a_step_is_glided_over() -> None:
    controls = EmotionControls({"valence": 20, "arousal": 21})
    controls.step(0.0, emotion_state())
    assert controls.step(1.0, emotion_state()) == []
    times = [1.0 + i / 100 for i in range(1, 300)]
    changes = [(now, change) for now in times for change in controls.step(now, emotion_state(valence=1.0))]
    values = [change.value for _, change in changes]
    assert {change.controller for _, change in changes} == {20}
    assert values == sorted(values)
    assert values[-1] == 127
    assert max(b - a for a, b in itertools.pairwise([64, *values])) <= 20
    # 63 % of the way in 150 ms, and at most twenty values a second.
    assert next(now for now, change in changes if change.value >= 64 + 0.63 * 63) == pytest.approx(1.15, abs=0.06)
    assert min(b - a for (a, _), (b, _) in itertools.pairwise(changes)) >= 0.049


@given(st.lists(st.tuples(st.floats(0.0, 1.0), st.floats(-1.0, 1.0), st.floats(-1.0, 1.0)), max_size=60))
def test_nothing_is_said_twice_and_never_more_than_a_cable_holds(steps: list[tuple[float, float, float]]) -> None:
    controls = EmotionControls(parse_controllers("all"))
    now, last = 0.0, {}
    message_count = 0
    for pause, valence, arousal in steps:
        now += pause
        for change in controls.step(now, emotion_state(valence, arousal)):
            assert last.get(change.controller) != change.value
            last[change.controller] = change.value
            message_count += 1
    assert message_count <= len(QUANTITIES) * (1 + now / 0.05)
