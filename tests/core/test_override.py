"""The performer's hand on the wheel: any point or name becomes a whole, valid state."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelly_live.core.emotion_space import category_probabilities, create_state
from kelly_live.core.errors import ConfigError
from kelly_live.core.override import apply_override, describe_override, nudge_axis
from kelly_live.core.protocols import EmotionOverride, Morph
from kelly_live.core.values import EMOTION_VAD, EMOTIONS, NEUTRAL_PROBABILITIES, EmotionState

unit = st.floats(-1.0, 1.0)
READING = EmotionState(NEUTRAL_PROBABILITIES, 0.1, -0.2, 0.3, 0.4, time=7.0)


@pytest.mark.parametrize("name", EMOTIONS)
def test_the_place_of_an_emotion_is_classified_as_that_emotion(name: str) -> None:
    assert EMOTIONS[max(range(8), key=category_probabilities(*EMOTION_VAD[name]).__getitem__)] == name
    state = create_state(emotion=name)
    assert state.emotion == name
    assert (state.valence, state.arousal, state.dominance) == EMOTION_VAD[name]
    assert state.confidence == 1.0


def test_names_are_forgiving_and_numbers_win_over_them() -> None:
    state = create_state(emotion=" Happy", arousal=-0.5)
    assert state.emotion == "happy"
    assert state.arousal == -0.5
    assert state.valence == EMOTION_VAD["happy"][0]


@pytest.mark.parametrize("dominance", [None, 0.4])
def test_the_quadrants_hold_the_emotions_that_live_there(dominance: float | None) -> None:
    assert create_state(0.65, 0.7, dominance).emotion == "excited"
    assert create_state(-0.6, -0.4, dominance and -dominance).emotion == "sad"


def test_dominance_separates_anger_from_fear() -> None:
    assert create_state(-0.57, 0.6, 0.3).emotion == "angry"
    assert create_state(-0.57, 0.6, -0.4).emotion == "fearful"


@pytest.mark.parametrize(
    "bad", [{"valence": 1.01}, {"arousal": float("nan")}, {"dominance": float("-inf")}, {"valence": -7.0}]
)
def test_a_number_outside_the_space_is_refused_in_one_line(bad: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="must be a number from -1 to 1") as error:
        create_state(**bad)
    assert "\n" not in str(error.value)


def test_an_unknown_emotion_is_answered_with_the_eight() -> None:
    with pytest.raises(ConfigError) as error:
        create_state(emotion="hangry")
    assert "'hangry'" in str(error.value)
    assert all(name in str(error.value) for name in EMOTIONS)
    assert "\n" not in str(error.value)


def test_an_empty_override_and_a_freeze_change_nothing() -> None:
    assert apply_override(READING, EmotionOverride()) is READING
    assert apply_override(READING, EmotionOverride(freeze=True)) is READING


def test_overriding_one_axis_keeps_the_others_as_read() -> None:
    state = apply_override(READING, EmotionOverride(valence=0.9))
    assert (state.valence, state.arousal, state.dominance, state.time) == (0.9, -0.2, 0.3, 7.0)
    assert READING.confidence < state.confidence < 1.0
    assert apply_override(READING, EmotionOverride(dominance=-0.8)).dominance == -0.8


@given(*[st.none() | unit] * 3, st.none() | st.sampled_from(EMOTIONS))
def test_whatever_is_set_wins_and_the_state_is_valid(
    valence: float | None, arousal: float | None, dominance: float | None, emotion: str | None
) -> None:
    state = apply_override(READING, EmotionOverride(valence, arousal, dominance, emotion))
    for name, value in (("valence", valence), ("arousal", arousal), ("dominance", dominance)):
        if value is not None:
            assert getattr(state, name) == value
    assert state.confidence >= READING.confidence
    assert sum(state.probabilities) == pytest.approx(1.0)


def place(state: EmotionState) -> tuple[float, float, float]:
    return state.valence, state.arousal, state.dominance


SAD_TO_HAPPY = EmotionOverride(emotion="sad", morph=Morph(EmotionOverride(emotion="happy"), start_bar=2.0, bars=8.0))


def test_a_morph_goes_in_a_straight_line_and_stays_there() -> None:
    sad, happy = create_state(emotion="sad"), create_state(emotion="happy")
    for bar, share in ((0.0, 0.0), (2.0, 0.0), (4.0, 0.25), (6.0, 0.5), (9.0, 0.875), (10.0, 1.0), (500.0, 1.0)):
        state = apply_override(READING, SAD_TO_HAPPY, bar)
        assert place(state) == pytest.approx(
            [a + share * (b - a) for a, b in zip(place(sad), place(happy), strict=True)]
        )
    assert apply_override(READING, SAD_TO_HAPPY, 2.0).probabilities == sad.probabilities
    assert apply_override(READING, SAD_TO_HAPPY, 10.0).probabilities == happy.probabilities
    assert apply_override(READING, SAD_TO_HAPPY, 6.0).emotion == "neutral", (
        "what lies between is felt, not half of each"
    )


@given(st.floats(0.0, 12.0), st.sampled_from(EMOTIONS), unit, unit)
def test_a_morph_never_jumps(bar: float, emotion: str, valence: float, arousal: float) -> None:
    override = EmotionOverride(
        valence=valence, arousal=arousal, morph=Morph(EmotionOverride(emotion=emotion), 2.0, 8.0)
    )
    one, next_one = (apply_override(READING, override, bar + step) for step in (0.0, 0.01))
    pairs = [
        *zip(one.probabilities, next_one.probabilities, strict=True),
        *zip(place(one), place(next_one), strict=True),
    ]
    assert all(abs(a - b) < 0.02 for a, b in pairs)


def test_a_path_is_followed_by_its_places_at_an_even_speed() -> None:
    """From the middle to the right, up, and back to the left: 0.5 + 0.5 + 1 on the plane, in 8 bars."""
    goal = EmotionOverride(valence=-0.5, arousal=0.5)
    override = EmotionOverride(morph=Morph(goal, 2.0, 8.0, create_state(0.0, 0.0, 0.0), ((0.5, 0.0), (0.5, 0.5))))

    def place(bar: float) -> tuple[float, float]:
        shown = apply_override(create_state(-0.9, -0.9, 0.0), override, bar)
        return (round(shown.valence, 6), round(shown.arousal, 6))

    assert [place(bar) for bar in (0.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 99.0)] == [
        (0.0, 0.0), (0.25, 0.0), (0.5, 0.0), (0.5, 0.25), (0.5, 0.5), (0.0, 0.5), (-0.5, 0.5), (-0.5, 0.5),
    ]  # fmt: skip


def test_a_morph_starts_at_its_origin_or_at_the_current_reading() -> None:
    goal = EmotionOverride(valence=1.0, arousal=1.0, dominance=1.0)
    from_here = EmotionOverride(morph=Morph(goal, 0.0, 4.0, origin=create_state(-1.0, -1.0, -1.0)))
    assert place(apply_override(READING, from_here, 2.0)) == (0.0, 0.0, 0.0)
    from_reading = apply_override(READING, EmotionOverride(morph=Morph(goal, 0.0, 4.0)), 2.0)
    assert place(from_reading) == pytest.approx((0.55, 0.4, 0.65))
    assert READING.confidence < from_reading.confidence < 1.0
    assert from_reading.time == READING.time


def test_axes_that_a_morph_leaves_open_stay_as_overridden_or_read() -> None:
    override = EmotionOverride(arousal=0.5, morph=Morph(EmotionOverride(valence=1.0), 0.0, 4.0))
    assert place(apply_override(READING, override, 4.0)) == (1.0, 0.5, READING.dominance)


def test_an_override_applies_before_the_morph() -> None:
    """An override says where a morph leaves from, not where it ends."""
    override = EmotionOverride(
        valence=-0.4, arousal=0.0, morph=Morph(EmotionOverride(valence=0.4, arousal=0.8), 0.0, 8.0)
    )
    assert [apply_override(READING, override, bar).valence for bar in (0.0, 4.0, 8.0)] == pytest.approx(
        [-0.4, 0.0, 0.4]
    )


@pytest.mark.parametrize("bars", [0.0, -1.0, float("nan"), float("inf")])
def test_a_morph_takes_time(bars: float) -> None:
    with pytest.raises(ConfigError, match="it must take more than 0"):
        apply_override(READING, EmotionOverride(morph=Morph(EmotionOverride(valence=1.0), 0.0, bars)))


def test_a_morph_does_not_lead_to_a_morph() -> None:
    with pytest.raises(ConfigError, match="it must lead to a place"):
        apply_override(READING, EmotionOverride(morph=Morph(SAD_TO_HAPPY)))


def test_nudges_add_up_and_stop_at_the_edge() -> None:
    override = EmotionOverride()
    for _ in range(3):
        override = nudge_axis(override, READING, valence=0.1)
    assert override == EmotionOverride(valence=0.4)
    for _ in range(12):
        override = nudge_axis(override, READING, arousal=-0.1)
    assert override == EmotionOverride(valence=0.4, arousal=-1.0)


def test_a_nudge_takes_over_from_a_morph_where_it_is() -> None:
    state = apply_override(READING, SAD_TO_HAPPY, 6.0)
    override = nudge_axis(SAD_TO_HAPPY, state, arousal=0.1)
    assert override == EmotionOverride(valence=0.09, arousal=0.22, dominance=0.07)  # rounded to two digits
    assert place(apply_override(READING, override, 99.0)) == pytest.approx((0.09, 0.22, 0.07))


def test_a_nudge_leaves_an_emotion_s_name_behind() -> None:
    """Sad, made ten steps happier, is not called sad any more."""
    override = EmotionOverride(emotion="sad")
    for _ in range(10):
        override = nudge_axis(override, apply_override(READING, override), valence=0.1)
    assert override == EmotionOverride(valence=0.37, arousal=-0.27, dominance=-0.33)
    assert apply_override(READING, override).emotion == "neutral"


def test_an_override_is_described_in_words() -> None:
    assert describe_override(EmotionOverride(), 0.0) == []
    both = EmotionOverride(valence=0.3, freeze=True, morph=Morph(EmotionOverride(emotion="happy"), 4.0, 8.0))
    assert describe_override(both, 7.2) == ["frozen", "by hand: V+0.30", "morph to happy: 3 of 8 bars"]
    assert describe_override(both, 12.0)[-1] == "morphed to happy"


def test_overriding_does_not_need_torch() -> None:
    check = "import sys, kelly_live.core.override; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
