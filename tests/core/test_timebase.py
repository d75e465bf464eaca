"""Beats and seconds, read as a score: where a beat falls under a tempo curve."""

import ast
import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import kelly_live
from kelly_live.core.errors import ConfigError
from kelly_live.core.state_copy import copy_state
from kelly_live.core.timebase import ManualClock, MonotonicClock, TempoMap, TempoPoint

PLAYING_PACKAGES = (
    "core", "workers", "audio", "emotion", "mapping", "sync", "music", "generators", "midi", "control", "ui", "engine",
)  # fmt: skip
tempi = st.floats(20.0, 300.0)
curves = st.lists(st.tuples(st.floats(0.0, 1000.0), tempi), max_size=20).map(lambda points: sorted(points))


def create_map(origin: float, bpm: float, curve: list[tuple[float, float]]) -> TempoMap:
    tempo_map = TempoMap(origin, bpm)
    for beat, tempo in curve:
        tempo_map.add(TempoPoint(beat, tempo))
    return tempo_map


def test_a_tempo_change_moves_only_what_comes_after_it() -> None:
    tempo_map = create_map(10.0, 120.0, [(4.0, 60.0)])
    assert [tempo_map.seconds_at(beat) for beat in (-2, 0, 2, 4, 5, 8)] == [9.0, 10.0, 11.0, 12.0, 13.0, 16.0]
    assert tempo_map.bpm == 60.0


def test_a_point_at_the_last_points_beat_replaces_it() -> None:
    tempo_map = create_map(0.0, 120.0, [(4.0, 60.0), (4.0, 240.0)])
    assert tempo_map.points() == [TempoPoint(0.0, 120.0), TempoPoint(4.0, 240.0)]


def test_a_copy_goes_on_by_itself() -> None:
    tempo = TempoMap(0.0, 60.0)
    twin = copy_state(tempo)
    twin.add(TempoPoint(4.0, 120.0))
    assert (tempo.bpm, twin.bpm) == (60.0, 120.0)
    assert (tempo.seconds_at(8.0), twin.seconds_at(8.0)) == (8.0, 6.0)


def test_points_go_forward_and_are_positive() -> None:
    tempo_map = create_map(0.0, 120.0, [(4.0, 60.0)])
    with pytest.raises(ConfigError, match="points go forward"):
        tempo_map.add(TempoPoint(3.0, 100.0))
    for bpm in (0.0, -1.0, float("nan")):
        with pytest.raises(ConfigError, match="over 0"):
            tempo_map.add(TempoPoint(5.0, bpm))
        with pytest.raises(ConfigError, match="over 0"):
            TempoMap(0.0, bpm)


def test_old_points_are_dropped_and_times_do_not_shift() -> None:
    short_map, long_map = TempoMap(0.0, 100.0, max_points=8), TempoMap(0.0, 100.0)
    for beat in range(1, 100):
        for tempo_map in (short_map, long_map):
            tempo_map.add(TempoPoint(float(beat), 100.0 + beat % 7))
    assert len(short_map.points()) <= 8
    assert short_map.seconds_at(120.0) == long_map.seconds_at(120.0)


@given(st.floats(0.0, 1e6), tempi, curves, st.floats(0.0, 2000.0))
def test_seconds_and_beats_are_inverse(
    origin: float, bpm: float, curve: list[tuple[float, float]], beat: float
) -> None:
    tempo_map = create_map(origin, bpm, curve)
    assert tempo_map.beat_at(tempo_map.seconds_at(beat)) == pytest.approx(beat, abs=1e-6)


@given(tempi, curves, st.lists(st.floats(-10.0, 2000.0), min_size=2))
def test_later_beats_fall_later(bpm: float, curve: list[tuple[float, float]], beats: list[float]) -> None:
    tempo_map = create_map(0.0, bpm, curve)
    seconds = [tempo_map.seconds_at(beat) for beat in sorted(beats)]
    assert all(a <= b + 1e-9 for a, b in itertools.pairwise(seconds))


def test_a_manual_clock_moves_only_when_advanced() -> None:
    clock = ManualClock(5.0)
    clock.advance(1.5)
    clock.sleep_until(6.0)
    assert clock.now() == 6.5
    clock.sleep_until(9.0)
    assert clock.now() == 9.0
    with pytest.raises(ConfigError, match="cannot go back"):
        clock.advance(-0.1)


def test_the_monotonic_clock_wakes_at_or_after_the_deadline() -> None:
    clock = MonotonicClock()
    deadline = clock.now() + 0.01
    clock.sleep_until(deadline)
    assert clock.now() >= deadline


def test_nothing_that_plays_reads_the_wall_clock() -> None:
    """A clock that is set, or a leap second, then moves no note; only dates may be read."""
    wall = {("time", "time"), ("time", "time_ns"), ("datetime", "now"), ("datetime", "utcnow"), ("date", "today")}
    # The day of a reaction, of a recording, and of a calibration; quiet hours, and OSC's time tags, which are dates by
    # definition.
    dated = {
        "mapping/learner.py", "engine/record.py", "engine/profile_actions.py", "engine/limits_watch.py",
        "control/osc_input.py",
    }  # fmt: skip
    package = Path(kelly_live.__file__).parent
    readers = []
    for name in PLAYING_PACKAGES:
        files = sorted((package / name).rglob("*.py"))
        assert files, f"there is no package {name}"
        for file in files:
            for node in ast.walk(ast.parse(file.read_text())):
                is_attribute = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
                if is_attribute and (node.value.id, node.attr) in wall and f"{name}/{file.name}" not in dated:
                    readers.append(f"{name}/{file.name}:{node.lineno}")
    assert not readers
