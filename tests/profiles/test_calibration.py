"""Calibration: an uncertain take counts less, the offset is within MOST, and only a nudge is a hint."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelly_live.core.errors import ConfigError
from kelly_live.profiles.calibration import (
    MOST,
    NO_HINTS,
    NUDGE_HOLD_SECONDS,
    PRIOR,
    Calibration,
    Hints,
    Nudges,
    compute_offset,
)

TIME = "2026-11-23T00:40:00Z"
NOBODY = (None, None, None)


def take(*places: tuple[float, float, float], independent: float | None = None) -> Calibration:
    return Calibration.of(places, -30.0, -60.0, TIME, 30.0, independent)


def test_a_long_steady_take_counts_more_than_a_short_unsteady_one() -> None:
    steady = take(*[(0.2, -0.1, 0.0)] * 40)
    assert steady.offset == pytest.approx((0.2, -0.1, 0.0), abs=0.01)
    shaky = take((0.9, -0.1, 0.0), (-0.5, -0.1, 0.0))
    assert 0.0 < shaky.offset[0] < 0.06
    assert shaky.error[0] > 5 * steady.error[0]


def test_readings_that_share_their_sound_count_as_few() -> None:
    places = [(0.2 + 0.1 * (i % 3 - 1), 0.0, 0.0) for i in range(120)]
    assert take(*places, independent=10.0).error[0] > 2 * take(*places).error[0]


def test_nothing_heard_is_no_take() -> None:
    with pytest.raises(ConfigError, match="nothing was heard"):
        take()


@given(st.lists(st.tuples(*[st.floats(-1, 1)] * 3), min_size=1, max_size=20), st.lists(st.floats(-9, 9), max_size=40))
def test_the_offset_of_a_take_and_hints_is_bounded(places: list, nudges: list[float]) -> None:
    hints = NO_HINTS
    for difference in nudges:
        hints = hints.with_hint("arousal", difference)
    for off in compute_offset(take(*places), hints):
        assert abs(off) <= MOST
    assert compute_offset(None, NO_HINTS) == (0.0, 0.0, 0.0)


def test_hints_are_weak_and_add_up_and_a_take_outweighs_them() -> None:
    once, often = Hints().with_hint("valence", 0.4), Hints()
    for _ in range(20):
        often = often.with_hint("valence", 0.4)
    assert 0.0 < compute_offset(None, once)[0] < 0.07 < compute_offset(None, often)[0] < 0.4
    steady = take(*[(0.0, 0.0, 0.0)] * 40)
    assert abs(compute_offset(steady, often)[0]) < 0.02
    assert take(*[(0.5, 0.0, 0.0)]).error[0] < PRIOR


def test_a_nudge_that_stays_is_one_hint_of_what_was_read_meanwhile() -> None:
    nudges = Nudges()
    nudges.observe_action("nudge-valence", 0.0)
    assert nudges.watch(1.0, (0.5, None, None), (0.1, 0.0, 0.0), True) == []
    assert nudges.watch(2.0, (0.5, None, None), (0.9, 0.0, 0.0), False) == []  # not sure of it: not counted
    ((axis, difference),) = nudges.watch(NUDGE_HOLD_SECONDS, (0.5, None, None), (0.3, 0.0, 0.0), True)
    assert (axis, difference) == ("valence", pytest.approx(-0.3))
    assert nudges.watch(9.0, (0.5, None, None), (0.1, 0.0, 0.0), True) == []


@pytest.mark.parametrize("action", ["emotion", "morph", "let-go", "freeze", "valence"])
def test_emotions_morphs_and_freezes_give_no_hints(action: str) -> None:
    nudges = Nudges()
    nudges.observe_action("nudge-valence", 0.0)
    nudges.observe_action(action, 1.0)
    assert nudges.watch(10.0, (0.5, 0.5, 0.5), (0.1, 0.0, 0.0), True) == []
    assert nudges.watch(20.0, NOBODY, (0.1, 0.0, 0.0), True) == []
