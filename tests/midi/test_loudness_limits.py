"""Notes and controllers are held to the limits at the last place, read as scores: velocities at their seconds."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kelly_live.core.commands import Controls, Expression, LoudnessLimits, Notes, Silence, Start
from kelly_live.core.errors import ConfigError
from kelly_live.core.midi_messages import get_kind
from kelly_live.core.rise_limiter import RiseLimiter
from kelly_live.core.values import ControlChange, NoteEvent
from kelly_live.midi.loudness_limiter import ACCENT_SECONDS, SOFT_VELOCITY, WINDOW_SECONDS
from tests.midi.test_scheduler import ClockedCore, note


def play(limits: LoudnessLimits, *notes: NoteEvent, until: float = 60.0) -> list[tuple[float, int]]:
    """At 60 BPM, so that beats are seconds."""
    clocked = ClockedCore()
    clocked.core.apply(limits)
    clocked.core.apply(Notes(notes))
    clocked.to(until)
    return [(round(m.seconds, 3), m.data[2]) for m in clocked.port.messages if get_kind(m.data) == "note_on"]


def line(*velocities: int, beats: float = 1.0) -> list[NoteEvent]:
    return [note(beats * i, 0.5 * beats, velocity=velocity) for i, velocity in enumerate(velocities)]


def sent_values(clocked: ClockedCore, controller: int) -> list[tuple[float, int]]:
    return [
        (round(m.seconds, 3), m.data[2])
        for m in clocked.port.messages
        if get_kind(m.data) == "control_change" and m.data[1] == controller
    ]


def test_no_note_is_louder_than_the_velocity_and_softer_ones_stay() -> None:
    assert play(LoudnessLimits(velocity=90), *line(127, 91, 90, 40)) == [(0.0, 90), (1.0, 90), (2.0, 90), (3.0, 40)]


def test_without_limits_the_notes_are_as_they_were() -> None:
    assert play(LoudnessLimits(), *line(127, 1, 127)) == [(0.0, 127), (1.0, 1), (2.0, 127)]


def test_a_swell_takes_its_time_and_a_fall_does_not() -> None:
    """Ten a second from the soft velocity that is always allowed; after one soft note the loud ones come back."""
    score = play(LoudnessLimits(rise=10.0), *line(127, 127, 127, 20, 127))
    assert score == [(0.0, SOFT_VELOCITY), (1.0, 50), (2.0, 60), (3.0, 20), (4.0, 80)]


def test_after_a_long_rest_the_music_swells_anew() -> None:
    notes = [note(0.1 * i, velocity=100) for i in range(40)]
    late = note(4.0 + WINDOW_SECONDS + 0.1, velocity=100)
    assert play(LoudnessLimits(rise=30.0), *notes, late)[-1] == (late.onset_beats, SOFT_VELOCITY)


def test_a_slow_rise_arrives_although_each_step_is_under_one_velocity() -> None:
    score = play(LoudnessLimits(rise=0.5), *[note(0.25 * i, 0.1, velocity=60) for i in range(200)], until=51.0)
    assert [velocity for seconds, velocity in score if seconds in (10.0, 20.0, 40.0)] == [45, 50, 60]


def test_the_notes_of_a_chord_do_not_lift_each_other() -> None:
    chord = [note(0.0, pitch=40 + i, velocity=127) for i in range(30)]
    assert {velocity for _, velocity in play(LoudnessLimits(rise=10.0), *chord)} == {SOFT_VELOCITY}
    later = [replace(one, onset_beats=1.0) for one in chord]
    score = play(LoudnessLimits(accent=12), *line(60, 60, beats=0.5), *later)
    assert {velocity for seconds, velocity in score if seconds == 1.0} == {58}, "40, then 52, and 12 over their average"


def test_an_accent_stays_near_what_was_played_in_the_last_two_seconds() -> None:
    quavers = [note(0.25 * i, 0.2, velocity=45) for i in range(8)]
    score = play(LoudnessLimits(accent=12), *quavers, note(2.0, velocity=127))
    average = sum(velocity for seconds, velocity in score[:-1]) / 8
    assert ACCENT_SECONDS == 2.0
    assert score[-1] == (2.0, int(average + 12))


def test_one_note_more_than_may_sound_at_once_is_not_begun_and_counts() -> None:
    clocked = ClockedCore()
    clocked.core.apply(LoudnessLimits(notes=2))
    clocked.core.apply(Notes((note(0.0, 4.0, 60), note(1.0, 1.0, 64), note(1.5, 1.0, 67), note(2.0, 1.0, 67))))
    clocked.to(9.0)
    assert [(s, key) for s, word, key in clocked.score() if word == "on"] == [(0.0, 60), (1.0, 64), (2.0, 67)]
    assert clocked.core.health().limited_notes == 1


def test_other_limits_hold_from_when_they_come() -> None:
    clocked = ClockedCore()
    clocked.core.apply(Notes(tuple(line(100, 100, 100))))
    clocked.to(0.5)
    clocked.core.apply(LoudnessLimits(velocity=50))
    clocked.to(1.5)
    clocked.core.apply(LoudnessLimits(velocity=80))
    clocked.to(5.0)
    assert [m.data[2] for m in clocked.port.messages if get_kind(m.data) == "note_on"] == [100, 50, 80]


def test_the_volume_that_a_control_sends_stays_where_receivers_begin() -> None:
    clocked = ClockedCore()
    clocked.core.apply(LoudnessLimits(velocity=90))
    clocked.core.apply(Controls((ControlChange(1, 7, 127), ControlChange(1, 20, 127))))
    clocked.to(1.0)
    assert sent_values(clocked, 7) == [(0.0, 100)]
    assert sent_values(clocked, 20)[0][1] == 127, "no controller of loudness"


def test_a_held_note_swells_no_faster_than_notes_do() -> None:
    """Controller 11 stands at 100 for the note; from a diminuendo it comes back by 10 velocities a second."""
    clocked = ClockedCore()
    clocked.core.apply(LoudnessLimits(rise=10.0))
    clocked.core.apply(Notes((note(0.0, 30.0, velocity=40),), 0.5))
    clocked.core.apply(Expression(1.0, 0.25))
    clocked.core.apply(Expression(3.0, 0.5))
    clocked.to(20.0)
    values = [(seconds, value) for seconds, value in sent_values(clocked, 11) if seconds > 2.9]
    assert values[0][1] <= 54
    assert values[-1][1] >= 98, "it arrives"
    for (before, low), (after, high) in itertools.pairwise(values):
        assert high - low <= 3 + 10.0 * 100 / 127 * min(after - before, 0.25)
    assert values[-1][0] - values[0][0] > 4.0


def test_a_silence_and_a_start_lift_no_limit() -> None:
    clocked = ClockedCore()
    clocked.core.apply(LoudnessLimits(velocity=60))
    clocked.core.apply(Silence())
    clocked.core.apply(Start(0.0, 60.0))
    clocked.core.apply(Notes(tuple(line(127))))
    clocked.to(2.0)
    assert [m.data[2] for m in clocked.port.messages if get_kind(m.data) == "note_on"] == [60]


@pytest.mark.parametrize(
    ("name", "value"), [("velocity", 0), ("velocity", 128), ("rise", 0.0), ("accent", 0), ("notes", 0)]
)
def test_a_limit_out_of_its_range_is_refused(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"the limit of {name} is"):
        LoudnessLimits(**{name: value})  # type: ignore[arg-type]


@given(st.lists(st.tuples(st.floats(0.0, 3.0), st.floats(-100.0, 100.0)), max_size=60), st.floats(0.1, 50.0))
@settings(max_examples=60, deadline=None)
def test_a_value_rises_from_one_of_the_last_seconds_by_the_rate_at_most(
    steps: list[tuple[float, float]], rate: float
) -> None:
    limiter, now, before = RiseLimiter(rate, 5.0, always_allowed=-50.0), 0.0, list[tuple[float, float]]()
    for wait, value in steps:
        now += wait
        limited = limiter.limit(now, value)
        most = max((one + rate * (now - at) for at, one in before if now - at <= 5.0 + 1e-9), default=-50.0)
        assert limited <= max(most, -50.0) + 1e-6
        assert limited == value or limited == pytest.approx(max(most, -50.0))
        before.append((now, limited))
