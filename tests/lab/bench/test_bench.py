"""The bench counts right: given these times, these numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kelly_live.core.midi_messages import CLOCK, control_change, note_off, note_on
from kelly_live.core.sync_state import SyncState
from kelly_live.core.values import Dynamics
from kelly_live.generators.band import GeneratorBand
from kelly_live.lab.bench import hops
from kelly_live.lab.bench.control import (
    FirstBeatRecorder,
    Turn,
    compute_beat_latencies,
    compute_difference_latencies,
    compute_note_latencies,
)
from kelly_live.lab.bench.deadlines import BEAT_SECONDS, NOTE_SECONDS, analyze_trace, measure_punctuality
from kelly_live.lab.bench.peer_isobar import compute_grid_errors
from kelly_live.midi.offline import NoteList
from kelly_live.midi.trace import TracedMessage, TracingPort, read_trace
from kelly_live.music.conductor import Conductor
from tests.music.band import make_parameters

TICK = BEAT_SECONDS / 24


def test_a_trace_is_read_as_it_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    times: Iterator[float] = iter((1.5, 1.625))
    monkeypatch.setattr("kelly_live.midi.trace.read_clock", lambda: next(times))
    port = TracingPort(tmp_path / "trace")
    port.send(note_on(1, 60, 64))
    port.send(CLOCK)
    port.close()
    assert read_trace(tmp_path / "trace") == [TracedMessage(1.5, note_on(1, 60, 64)), TracedMessage(1.625, CLOCK)]


def test_a_full_trace_stops_and_harms_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kelly_live.midi.trace.CAPACITY_MESSAGES", 2)
    port = TracingPort(tmp_path / "trace")
    for _ in range(5):
        port.send(CLOCK)
    port.close()
    assert len(read_trace(tmp_path / "trace")) == 2


def test_lateness_is_measured_from_the_grid_note_by_note() -> None:
    origin = 100.0
    due_time = origin + 3 * BEAT_SECONDS + 5.37 * NOTE_SECONDS
    trace = [
        TracedMessage(due_time + 0.002, note_on(4, 45, 64)),
        TracedMessage(due_time + 0.9 * NOTE_SECONDS - 0.001, note_off(4, 45)),
        *(TracedMessage(origin + k * TICK + (0.003 if k == 2 else 0.0), CLOCK) for k in range(4)),
    ]
    punctuality = analyze_trace(trace, origin, dropped_notes=1)
    assert punctuality.late_seconds == pytest.approx([0.002, -0.001])
    assert punctuality.tick_seconds == pytest.approx([TICK, TICK + 0.003, TICK - 0.003])
    assert punctuality.jitter_seconds == pytest.approx(0.003 * (2 / 3) ** 0.5)
    assert punctuality.drift_seconds == pytest.approx(0.0)
    assert punctuality.dropped_notes == 1


def test_a_clock_that_runs_away_drifts() -> None:
    assert analyze_trace(
        [TracedMessage(k * TICK * 1.01, CLOCK) for k in range(101)], 0.0
    ).drift_seconds == pytest.approx(TICK)


def test_the_real_process_plays_the_whole_grid() -> None:
    punctuality = measure_punctuality(1.0)
    assert len(punctuality.late_seconds) == 2 * 24  # on and off of 12 notes a beat, for two beats
    assert min(punctuality.late_seconds) > -0.001  # never early, but for the stamp's own grain
    assert len(punctuality.tick_seconds) > 2 * 24


def test_the_grid_of_a_peer_lies_where_it_favours_the_peer() -> None:
    times = np.arange(5) * NOTE_SECONDS + 7.0
    assert compute_grid_errors(times) == pytest.approx([0.0] * 5)
    times[3] += 0.01
    assert compute_grid_errors(times) == pytest.approx([0.0, 0.0, 0.0, 0.01, 0.0])


def test_control_latency_counts_to_the_first_note_that_shows_it() -> None:
    turns = [Turn(0.0, loud=False), Turn(1.0, loud=True), Turn(2.0, loud=False)]
    trace = [
        TracedMessage(0.5, note_on(1, 60, 10)),
        TracedMessage(1.05, note_on(1, 60, 10)),  # still soft: decided before
        TracedMessage(1.1, note_off(1, 60)),
        TracedMessage(1.2, note_on(1, 60, 40)),  # on its way
        TracedMessage(1.3, note_on(1, 60, 120)),
        TracedMessage(2.1, note_on(1, 60, 115)),
        TracedMessage(2.3, note_on(1, 60, 100)),
    ]
    assert compute_note_latencies(turns, trace) == pytest.approx([0.2, 0.3])


def test_a_held_note_that_swells_counts_as_heard_where_no_note_has_come_yet() -> None:
    turns = [Turn(0.0, loud=False), Turn(1.0, loud=True), Turn(2.0, loud=False)]
    trace = [
        TracedMessage(0.5, control_change(1, 11, 100)),
        TracedMessage(0.5, note_on(1, 60, 10)),
        TracedMessage(0.6, control_change(2, 11, 100)),  # on a channel where nothing sounds
        TracedMessage(1.02, control_change(2, 11, 120)),
        TracedMessage(1.05, control_change(1, 11, 104)),  # less than a decibel
        TracedMessage(1.08, control_change(1, 11, 108)),
        TracedMessage(1.4, note_on(1, 64, 120)),
        TracedMessage(2.1, control_change(1, 11, 120)),  # the wrong way
        TracedMessage(2.2, note_off(1, 60)),
        TracedMessage(2.2, note_off(1, 64)),
        TracedMessage(2.3, note_on(1, 60, 100)),
    ]
    assert compute_difference_latencies(turns, trace) == pytest.approx([0.08, 0.3])


def test_the_first_beat_that_can_show_a_turn_is_the_first_not_generated_before_it() -> None:
    watch, conductor = FirstBeatRecorder(), Conductor(NoteList(), GeneratorBand([]), seed=1, slice_beats=1 / 16)
    soft = make_parameters(bpm=120.0)
    loud = replace(soft, dynamics=Dynamics(0.9, 0.95, 0.0))
    conductor.start(0.0, soft)
    for step in range(100):
        now = 0.01 * step
        parameters = loud if now >= 0.5 else soft
        conductor.advance(now, parameters)
        watch.record_step(now, parameters, SyncState(), conductor)
    (beat,) = watch.seconds
    assert 0.5 + conductor.look_ahead_seconds < beat < 0.5 + conductor.look_ahead_seconds + 0.06
    turns = [Turn(0.0, loud=False), Turn(0.48, loud=True), Turn(1.5, loud=False)]
    assert compute_beat_latencies(turns, watch.seconds) == pytest.approx([beat - 0.48])


def test_a_stage_inside_another_is_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(hops.time, "perf_counter", lambda: now[0])
    watch = hops.Stopwatch()
    with watch.measure("mapper"):
        now[0] += 2.0
        with watch.measure("culture"):
            now[0] += 3.0
        now[0] += 1.0
    assert watch.lap() == {"mapper": 3.0, "culture": 3.0}
    assert watch.lap() == {}


def test_every_stage_of_a_hop_is_timed() -> None:
    from kelly_live.core.resources import find_resources

    with hops.repeat_recording(find_resources("presets") / "demo" / "recording.ogg", 11.0) as recording:
        hop_times = hops.measure_hops(recording, "cpu")
        assert hops.measure_render(recording, "cpu") > 0.0
    assert set(hop_times.stages) == set(hops.STAGES)
    assert all(max(times) > 0.0 for times in hop_times.stages.values())
    parts = np.sum([hop_times.stages[stage] for stage in hops.STAGES[1:6]], axis=0)
    assert hop_times.hop == pytest.approx(parts)
