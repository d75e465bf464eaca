"""An iso session as a score: what is heard is met, then led to a goal, minute by minute."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from kelly_live.audio.sources import ScriptedSource
from kelly_live.core.errors import ConfigError
from kelly_live.core.protocols import EmotionOverride, Reading
from kelly_live.core.timebase import ManualClock
from kelly_live.core.values import EmotionState
from kelly_live.engine.iso_principle import FAR, HEARD_SECONDS, STEPS, IsoGoal
from kelly_live.engine.offline import accompany
from kelly_live.engine.options.iso import IsoOptions
from kelly_live.engine.options.override import format_target, parse_target
from kelly_live.engine.override import OverrideStage
from kelly_live.midi.offline import OfflineScheduler
from tests.engine.test_override import CountingMapper
from tests.engine.test_session import band
from tests.fakes import ScriptedReader, state

CALM = parse_target("calm")
GOAL = IsoGoal(CALM, "calm", lead_seconds=100.0, meet_seconds=10.0)
STEP = 0.25


class Session:
    """A stage that hears one state after another."""

    def __init__(self, goal: IsoGoal = GOAL, opening: EmotionState | None = None, rise: float | None = None) -> None:
        self.mapper = CountingMapper()
        self.stage = OverrideStage(self.mapper, opening or state(), arousal_rise=rise, goal=goal)
        self.now = 50.0
        self.played: list[EmotionState] = []

    def hear(self, seconds: float, heard: EmotionState | None) -> Reading:
        for _ in range(round(seconds / STEP)):
            self.now += STEP
            reading = self.stage.map(heard, 0.0, self.now)
            self.played.append(reading.state)
        return reading

    def describe(self) -> str:
        progress = self.stage.iso.progress
        return "" if progress is None else progress.describe()


def place(reading: Reading) -> tuple[float, float]:
    return reading.state.valence, reading.state.arousal


def test_what_is_heard_is_met_then_led_at_an_even_speed_and_kept() -> None:
    session, heard = Session(), state(valence=0.0, arousal=-0.2)
    assert place(session.hear(10.0, heard)) == (0.0, -0.2)
    assert session.describe() == "meets what is heard, then leads to calm"
    assert place(session.hear(50.25, heard)) == pytest.approx((0.2, -0.4), abs=0.002)
    assert session.describe() == "leads to calm: 50 of 100 s"
    assert place(session.hear(50.0, heard)) == pytest.approx((0.4, -0.6), abs=0.002)
    assert session.describe() == "has led to calm"
    assert place(session.hear(5.0, state(valence=-0.5, arousal=0.5))) == (0.4, -0.6), "it stays, whatever is heard"
    arousals = [one.arousal for one in session.played]
    assert all(0.0 <= before - after < 0.003 for before, after in itertools.pairwise(arousals))
    assert session.mapper.calls < STEPS + 10


def test_on_the_way_what_is_heard_counts_as_much_as_the_way_that_is_left() -> None:
    session = Session()
    session.hear(10.25 + 25.0, state(valence=0.0, arousal=-0.2))
    assert place(session.hear(STEP, state(valence=0.4, arousal=-0.6))) == pytest.approx((0.4, -0.6), abs=0.002)
    assert place(session.hear(STEP, state(valence=0.0, arousal=0.2))) == pytest.approx((0.1, 0.0), abs=0.01)


def test_the_way_waits_while_what_is_heard_is_far_and_goes_on_when_it_comes_nearer() -> None:
    session, angry = Session(), state(valence=-0.5, arousal=0.6)
    session.hear(100.0, angry)
    assert session.describe().startswith("waits on the way to calm")
    waiting = place(session.hear(STEP, angry))
    distance = ((waiting[0] + 0.5) ** 2 + (waiting[1] - 0.6) ** 2) ** 0.5
    assert distance == pytest.approx(FAR, abs=0.02)
    assert place(session.hear(10.0, angry)) == waiting
    calmer = state(valence=0.2, arousal=-0.3)
    session.hear(HEARD_SECONDS, calmer)
    assert session.describe().startswith("leads to calm")
    session.hear(60.0, calmer)
    assert session.describe() == "has led to calm"


def test_it_waits_no_longer_in_all_than_the_way_takes() -> None:
    session = Session()
    session.hear(10.0 + 100.0 + 99.0, angry := state(valence=-0.7, arousal=0.8))
    assert session.describe() != "has led to calm"
    session.hear(3.0, angry)
    assert session.describe() == "has led to calm"


def test_a_hand_stops_the_way_and_letting_go_goes_on_from_there() -> None:
    session, heard = Session(), state(valence=0.0, arousal=-0.2)
    before = place(session.hear(60.0, heard))
    session.stage.set_override(EmotionOverride(valence=0.9))
    assert session.hear(30.0, heard).state.valence == 0.9
    session.stage.set_override(EmotionOverride())
    assert place(session.hear(STEP, heard)) == pytest.approx(before, abs=0.004)
    session.stage.set_override(EmotionOverride(freeze=True))
    frozen = place(session.hear(STEP, heard))
    assert place(session.hear(30.0, state(valence=1.0))) == frozen


def test_it_begins_with_the_first_reading_and_another_goal_begins_anew() -> None:
    session, heard = Session(), state(valence=0.0, arousal=-0.2)
    session.hear(60.0, None)
    assert session.describe() == ""
    session.hear(10.0, heard)
    assert session.describe().startswith("meets")
    session.hear(60.0, heard)
    session.stage.iso.set_goal(IsoGoal(EmotionOverride(emotion="happy"), "happy", 100.0, 10.0))
    assert place(session.hear(5.0, heard)) == (0.0, -0.2)
    assert session.describe() == "meets what is heard, then leads to happy"
    session.stage.iso.set_goal(None)
    session.hear(STEP, heard)
    assert session.describe() == ""


def test_no_goal_passes_a_limit() -> None:
    goal = IsoGoal(EmotionOverride(emotion="excited"), "excited", 20.0, 0.0)
    quiet = state(arousal=-0.3)
    session = Session(goal, opening=quiet, rise=0.3)
    session.hear(120.0, quiet)
    for before, after in zip(session.played, session.played[240:], strict=False):
        assert after.arousal - before.arousal <= 0.3 + 0.05, "a minute apart"
    assert session.played[-1].arousal == pytest.approx(0.3, abs=0.05)


def test_calm_is_a_place_and_minutes_need_a_goal() -> None:
    assert format_target(parse_target(" Calm ")) == "calm"
    goal = IsoOptions(goal=parse_target("-0.2,0.5"), goal_minutes=5.0).build_goal()
    assert goal == IsoGoal(EmotionOverride(-0.2, 0.5), "-0.2,0.5", 300.0, 120.0)
    assert IsoOptions().build_goal() is None
    with pytest.raises(ConfigError, match="--goal-minutes has no effect without --goal"):
        IsoOptions(goal_minutes=5.0)


def test_what_is_rendered_is_led_by_the_time_of_the_recording() -> None:
    scheduler = OfflineScheduler()
    goal = IsoGoal(CALM, "calm", lead_seconds=4.0, meet_seconds=1.0)
    source = ScriptedSource(np.zeros(8 * 16_000, np.float32), ManualClock(), sample_rate=16_000)
    stage = OverrideStage(CountingMapper(), state(), goal=goal)
    performance = accompany(source, ScriptedReader(), stage, band(scheduler), scheduler)
    valences = {reading.state.time: reading.state.valence for reading in performance.readings}
    assert (valences[1.0], valences[8.0]) == (0.0, 0.4)
    assert valences[3.25] == pytest.approx(0.2, abs=0.03)
