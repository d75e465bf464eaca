"""Given an arc, these phrases: one begins on each hit point, and the one before it leads there."""

from __future__ import annotations

import pytest

from kelly_live.core.emotion_space import create_state
from kelly_live.core.errors import ConfigError
from kelly_live.core.values import MusicParameters
from kelly_live.music.arc import STEP, Arc, ArcPoint, HitPoint
from kelly_live.music.arc_plan import ArcPlan, PlannedForm, plan_arc
from tests.music.band import make_parameters

CALM, STIRRED = create_state(0.0, -0.6), create_state(0.0, 0.6)


def ask(arc: Arc, place: float) -> MusicParameters:
    arousal = arc.state_at(place).arousal
    return make_parameters(bpm=100.0 + 20.0 * arousal, density=1.5 + arousal, floor=0.5 + 0.3 * arousal, ceiling=0.9)


def plan(*hits: float, states: tuple[ArcPoint, ...] = (ArcPoint(0.0, CALM),), end: float = 60.0) -> ArcPlan:
    arc = Arc(states, tuple(HitPoint(second, f"hit {number}") for number, second in enumerate(hits, 1)), end)
    return plan_arc(arc, ask, beats_per_bar=4)


def test_a_phrase_begins_on_each_hit_point_and_the_one_before_asks() -> None:
    planned = plan(20.0, 41.0)
    assert planned.slots is not None
    starts = {4.0 * slot.start_bar: slot for slot in planned.slots}
    for beat in planned.hit_beats:
        assert starts[beat].role.starts
        assert starts[beat].role.arrival == 1
        assert starts[beat].role.opens_home
        assert not planned.slots[starts[beat].number - 1].role.closed
    assert [slot.role.section for slot in planned.slots if slot.role.starts] == ["opening", "hit 1", "hit 2"]


def test_the_phrases_fill_the_piece_and_the_last_one_leads_home() -> None:
    planned = plan(9.0, 17.3, 30.0)
    assert planned.slots is not None
    bar = 0
    for slot in planned.slots:
        assert slot.start_bar == bar
        assert 2 <= slot.bars <= 6
        bar += slot.bars
    assert bar == planned.bars - 1
    assert [slot.leads_home for slot in planned.slots] == [False] * (len(planned.slots) - 1) + [True]


def test_the_form_rises_to_a_hit_point_and_lets_go_where_the_feeling_falls() -> None:
    fall = (ArcPoint(0.0, STIRRED, STEP), ArcPoint(40.0, CALM))
    planned = plan(40.0, states=fall)
    form = PlannedForm(planned.slots or ())
    at_hit = form.find_slot(int(planned.hit_beats[0] // 4))
    before = form.find_slot(int(planned.hit_beats[0] // 4) - 1)
    assert (at_hit.role.arrival, planned.turns) == (-1, planned.hit_beats)
    assert before.role.energy > form.find_slot(0).role.energy
    assert before.role.energy > at_hit.role.energy


def test_a_change_without_a_hit_point_is_played_from_the_nearest_bar_line() -> None:
    planned = plan(states=(ArcPoint(0.0, CALM, STEP), ArcPoint(31.0, STIRRED)))
    (turn,) = planned.turns
    assert turn % 4 == 0
    assert planned.tempo.tempo_map.seconds_at(turn) == pytest.approx(31.0, abs=1.4)
    assert planned.arc.state_at(planned.find_place(turn)) == STIRRED
    assert planned.arc.state_at(planned.find_place(turn - 0.25)) == CALM
    assert planned.arc.state_at(planned.find_place(turn - 0.25, ahead=True)) == CALM


def test_what_moves_slowly_is_asked_for_ahead() -> None:
    planned = plan(states=(ArcPoint(0.0, CALM), ArcPoint(60.0, STIRRED)))
    assert planned.find_place(20.0, ahead=True) == pytest.approx(planned.find_place(22.0))


def test_a_hit_point_on_the_end_is_the_last_chord() -> None:
    planned = plan(20.0, 60.0)
    last = float(4 * (planned.bars - 1))
    assert planned.hit_beats[-1] == last
    assert planned.tempo.tempo_map.seconds_at(last) == pytest.approx(60.0)
    assert planned.end_seconds == pytest.approx(planned.tempo.tempo_map.seconds_at(last + 4.0))


def test_an_arc_in_bars_has_the_bars_that_it_says() -> None:
    arc = Arc((ArcPoint(0.0, CALM), ArcPoint(8.0, STIRRED)), (HitPoint(8.0, "there"),), 16.0, in_bars=True)
    planned = plan_arc(arc, ask, beats_per_bar=3)
    assert (planned.bars, planned.hit_beats) == (16, (24.0,))
    assert not planned.arc.in_bars
    assert planned.arc.hits[0].place == pytest.approx(planned.tempo.tempo_map.seconds_at(24.0))


def test_hit_points_that_no_tempo_can_meet_are_named() -> None:
    crowd = [0.5 + 0.5 * number for number in range(8)]
    with pytest.raises(ConfigError, match=r"so close: .* are 0\.\d\d s apart; leave one out"):
        plan(*crowd, end=4.4)
