"""Loudness and brightness between the onsets: at once on a turn, calm where the feeling stays, never twice."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kelly_live.core.commands import Expression
from kelly_live.core.values import Dynamics, MusicParameters
from kelly_live.generators.band import GeneratorBand
from kelly_live.generators.builtin.pad import PadGenerator
from kelly_live.midi.offline import NoteList, OfflineScheduler
from kelly_live.music.conductor import LIVE_SLICE_BEATS, Conductor
from kelly_live.music.expression import POINT_SECONDS, compute_brightness
from tests.music.band import make_parameters

SOFT = make_parameters(bpm=60.0, floor=0.3, ceiling=0.5, density=0.6)
LOUD = make_parameters(bpm=60.0, floor=0.6, ceiling=0.8, density=1.4)
STEP_SECONDS = 0.005


class Session:
    """A live session whose feeling changes at given seconds."""

    def __init__(self, changes: Sequence[tuple[float, MusicParameters]], seconds: float, *, expression: bool = True):
        self.sink = NoteList()
        conductor = Conductor(
            self.sink, GeneratorBand([PadGenerator()]), seed=3, tonic=0, slice_beats=LIVE_SLICE_BEATS,
            expression=expression,
        )  # fmt: skip
        conductor.start(0.0, changes[0][1])
        self.points: list[tuple[float, Expression]] = []
        for step in range(round(seconds / STEP_SECONDS)):
            now = step * STEP_SECONDS
            conductor.advance(now, [asked for second, asked in changes if second <= now][-1])
            new = self.sink.expression[len(self.points) :]
            self.points += [(now, point) for point in new]

    def loudness(self, seconds: float) -> float:
        return [point.loudness for now, point in self.points if now <= seconds][-1]


def to_db(ratio: float) -> float:
    return 40.0 * math.log10(ratio)


def test_a_turn_is_a_decibel_louder_within_a_tenth_of_the_time_to_the_next_beat() -> None:
    session = Session([(0.0, SOFT), (5.1, LOUD)], 7.0)
    before = session.loudness(5.1)
    first = next(now for now, point in session.points if now >= 5.1 and to_db(point.loudness / before) >= 1.0)
    assert first - 5.1 <= 0.03
    assert to_db(session.loudness(5.4) / before) > 4.0
    assert session.points[-1][1].brightness > 0.5 > session.points[0][1].brightness


def test_a_fall_is_heard_as_soon() -> None:
    session = Session([(0.0, LOUD), (5.1, SOFT)], 7.0)
    before = session.loudness(5.1)
    first = next(now for now, point in session.points if now >= 5.1 and to_db(point.loudness / before) <= -1.0)
    assert first - 5.1 <= 0.03


def test_a_rise_only_rises_while_it_lasts() -> None:
    """No pumping: from step to step what sounds grows, for two seconds of growing arousal."""
    ramp = [(4.0 + 0.25 * k, make_parameters(bpm=60.0, floor=0.3 + 0.03 * k, ceiling=0.5 + 0.03 * k)) for k in range(9)]
    session = Session([(0.0, ramp[0][1]), *ramp], 6.2)
    rising = [point.loudness for now, point in session.points if now >= 4.3]
    assert len(rising) > 10
    assert rising == sorted(rising)


def test_the_reader_s_jitter_is_not_heard_as_pumping() -> None:
    """Half a decibel up and down from hop to hop stays within that, over many hops."""
    loud, soft = (replace(LOUD, dynamics=Dynamics(0.6 * k, 0.8 * k, 0.3)) for k in (1.03, 0.97))
    jitter = [(0.25 * k, (loud, soft)[k % 2]) for k in range(80)]
    steady = Session([(0.0, LOUD)], 20.0)
    shaken = Session(jitter, 20.0)
    apart = [to_db(shaken.loudness(t) / steady.loudness(t)) for t in (5.0 + 0.05 * k for k in range(300))]
    assert max(apart) - min(apart) < 0.6


def test_held_notes_rise_and_fall_with_the_phrase() -> None:
    session = Session([(0.0, LOUD)], 17.0)
    phrase = [session.loudness(second) for second in (0.2, 4.0, 8.0, 10.5, 13.0, 15.7)]
    assert phrase[:4] == sorted(phrase[:4])
    assert phrase[3:] == sorted(phrase[3:], reverse=True)
    assert 1.0 < to_db(max(phrase) / min(phrase)) < 4.0


def test_notes_tell_the_loudness_that_their_velocities_show() -> None:
    sink = OfflineScheduler()
    conductor = Conductor(sink, GeneratorBand([PadGenerator()]), seed=3, tonic=0, expression=True, length_bars=4)
    conductor.play_through(SOFT)
    sink.advance(20.0)
    levels = {m.data[2] for m in sink.messages if m.data[0] & 0xF0 == 0xB0 and m.data[1] == 11}
    assert levels  # CC 11 went out
    assert 75 <= min(levels) <= 100 <= max(levels) <= 127


def test_it_can_be_left_out() -> None:
    session = Session([(0.0, SOFT), (2.0, LOUD)], 4.0, expression=False)
    assert session.points == []


@given(st.lists(st.tuples(st.floats(0.0, 4.0), st.sampled_from([SOFT, LOUD])), max_size=60))
@settings(max_examples=15, deadline=None)
def test_points_come_in_order_and_never_faster_than_promised(changes: list[tuple[float, MusicParameters]]) -> None:
    ordered = sorted(changes, key=lambda change: change[0])
    session = Session([(0.0, SOFT), *ordered], 4.5)
    times = [now for now, _ in session.points]
    assert all(b - a >= POINT_SECONDS - 1e-9 for a, b in itertools.pairwise(times))
    beats = [point.beat for _, point in session.points]
    assert beats == sorted(beats)


def test_the_same_feelings_give_the_same_points() -> None:
    first, second = (Session([(0.0, SOFT), (1.5, LOUD)], 3.0) for _ in range(2))
    assert first.points == second.points


@pytest.mark.parametrize("parameters", [SOFT, LOUD])
def test_the_loudness_lies_in_the_range_of_the_dynamics(parameters: MusicParameters) -> None:
    sink = NoteList()
    conductor = Conductor(sink, GeneratorBand([PadGenerator()]), seed=3, tonic=0, expression=True)
    conductor.start(0.0, parameters)
    for step in range(200):
        conductor.advance(0.02 * step, parameters)
    assert all(parameters.dynamics.floor <= point.loudness <= parameters.dynamics.ceiling for point in sink.expression)
    assert -1.0 <= compute_brightness(parameters) <= 1.0
