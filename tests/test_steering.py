"""The performer's hand on the wheel: any point or name becomes a whole, valid state."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelly_live.domain import EMOTION_VAD, EMOTIONS, NEUTRAL_PROBABILITIES, EmotionState
from kelly_live.errors import ConfigError
from kelly_live.protocols import Steering
from kelly_live.steering import apply_steering, category_probabilities, state_from

unit = st.floats(-1.0, 1.0)
HEARD = EmotionState(NEUTRAL_PROBABILITIES, 0.1, -0.2, 0.3, 0.4, time=7.0)


@pytest.mark.parametrize("name", EMOTIONS)
def test_an_emotion_s_own_place_is_felt_as_that_emotion(name: str) -> None:
    assert EMOTIONS[max(range(8), key=category_probabilities(*EMOTION_VAD[name]).__getitem__)] == name
    state = state_from(emotion=name)
    assert state.emotion == name
    assert (state.valence, state.arousal, state.dominance) == EMOTION_VAD[name]
    assert state.confidence == 1.0


def test_names_are_forgiving_and_numbers_win_over_them() -> None:
    state = state_from(emotion=" Happy", arousal=-0.5)
    assert state.emotion == "happy"
    assert state.arousal == -0.5
    assert state.valence == EMOTION_VAD["happy"][0]


@pytest.mark.parametrize("dominance", [None, 0.4])
def test_the_quadrants_hold_the_emotions_that_live_there(dominance: float | None) -> None:
    assert state_from(0.65, 0.7, dominance).emotion == "excited"
    assert state_from(-0.6, -0.4, dominance and -dominance).emotion == "sad"


def test_dominance_tells_anger_from_fear() -> None:
    assert state_from(-0.57, 0.6, 0.3).emotion == "angry"
    assert state_from(-0.57, 0.6, -0.4).emotion == "fearful"


@pytest.mark.parametrize(
    "bad", [{"valence": 1.01}, {"arousal": float("nan")}, {"dominance": float("-inf")}, {"valence": -7.0}]
)
def test_a_number_outside_the_space_is_refused_in_one_line(bad: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="must be a number from -1 to 1") as error:
        state_from(**bad)
    assert "\n" not in str(error.value)


def test_an_unknown_emotion_is_answered_with_the_eight() -> None:
    with pytest.raises(ConfigError) as error:
        state_from(emotion="hangry")
    assert "'hangry'" in str(error.value)
    assert all(name in str(error.value) for name in EMOTIONS)
    assert "\n" not in str(error.value)


def test_an_idle_hand_and_a_freeze_change_nothing() -> None:
    assert apply_steering(HEARD, Steering()) is HEARD
    assert apply_steering(HEARD, Steering(freeze=True)) is HEARD


def test_one_steered_axis_keeps_the_others_as_heard() -> None:
    state = apply_steering(HEARD, Steering(valence=0.9))
    assert (state.valence, state.arousal, state.dominance, state.time) == (0.9, -0.2, 0.3, 7.0)
    assert HEARD.confidence < state.confidence < 1.0
    assert apply_steering(HEARD, Steering(dominance=-0.8)).dominance == -0.8


@given(*[st.none() | unit] * 3, st.none() | st.sampled_from(EMOTIONS))
def test_whatever_is_set_wins_and_the_state_is_valid(
    valence: float | None, arousal: float | None, dominance: float | None, emotion: str | None
) -> None:
    state = apply_steering(HEARD, Steering(valence, arousal, dominance, emotion))
    for name, asked in (("valence", valence), ("arousal", arousal), ("dominance", dominance)):
        if asked is not None:
            assert getattr(state, name) == asked
    assert state.confidence >= HEARD.confidence
    assert sum(state.probabilities) == pytest.approx(1.0)


def test_steering_does_not_need_torch() -> None:
    check = "import sys, kelly_live.steering; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
