"""The live engine as a program uses it: it plays in its own thread, obeys, shows, and ends in order."""

from __future__ import annotations

import json
import os
import queue
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kelly_live.audio.sources import ScriptedSource
from kelly_live.core.actions import Action
from kelly_live.core.commands import Notes, SinkCommand
from kelly_live.core.errors import AudioError, ConfigError, KellyError
from kelly_live.core.midi_messages import get_kind
from kelly_live.core.protocols import Mapper, NoteSink, SchedulerHealth
from kelly_live.core.sync_state import SyncState
from kelly_live.core.timebase import MonotonicClock
from kelly_live.core.values import MAIN_PORT, EmotionState, MusicParameters, TempoRange
from kelly_live.engine.journal import NoJournal
from kelly_live.engine.live import EngineError, LiveEngine
from kelly_live.engine.live_parts import MAX_WAITING_ACTIONS, ActionQueue, LiveParts
from kelly_live.engine.options.commands import LiveOptions
from kelly_live.engine.options.cues import CueOptions
from kelly_live.engine.options.recording import RecordingOptions
from kelly_live.engine.session import Snapshot
from kelly_live.midi.routing import RoutedSink
from kelly_live.midi.scheduler_client import SchedulerClient
from kelly_live.midi.trace import read_trace
from kelly_live.music.conductor import Conductor
from tests.fakes import ScriptedReader

PATIENCE_SECONDS = 30.0


class ClosingReader(ScriptedReader):
    """An emotion reader without nets that remembers that it was closed."""

    is_closed = False

    def close(self) -> None:
        self.is_closed = True


class FastMapper:
    """Maps as another does, at 150 BPM, and keeps the states that it maps."""

    def __init__(self, inner: Mapper) -> None:
        self._inner = inner
        self.states: list[EmotionState] = []

    @property
    def audience(self) -> object:
        return self._inner.audience

    def __call__(self, state: EmotionState) -> MusicParameters:
        self.states.append(state)
        return replace(self._inner(state), tempo=TempoRange(150.0, 150.0, 150.0))


class CommandLog:
    """A NoteSink before another that keeps the commands."""

    def __init__(self, inner: NoteSink) -> None:
        self._inner = inner
        self.commands: list[SinkCommand] = []

    def send(self, command: SinkCommand) -> None:
        self.commands.append(command)
        self._inner.send(command)

    def health(self) -> SchedulerHealth:
        return self._inner.health()


class StepCounter(NoJournal):
    """A Journal that counts the steps."""

    steps = 0

    def record_step(self, now: float, parameters: MusicParameters, sync: SyncState, conductor: Conductor) -> None:
        self.steps += 1


class EngineRun:
    """An engine on silence, without nets, whose port keeps what leaves."""

    def __init__(
        self,
        folder: Path,
        *,
        seconds: float = 60.0,
        failure: AudioError | None = None,
        is_recorded: bool = True,
        is_reported: bool = False,
        cues: CueOptions | None = None,
        expression: bool = True,
        **parts: Any,
    ) -> None:
        self.trace = folder / "trace"
        self.reader = ClosingReader()
        samples = np.zeros(int(16_000 * seconds), np.float32)
        engine_parts = LiveParts(
            source=ScriptedSource(samples, MonotonicClock(), realtime=True, failure=failure),
            sink=RoutedSink({MAIN_PORT: SchedulerClient(trace=self.trace, late_limit_seconds=60.0)}),
            reader=self.reader,
            **parts,
        )
        recording = RecordingOptions(
            log=folder / "log.jsonl" if is_recorded else None, report=folder / "report.json" if is_reported else None
        )
        self.options = LiveOptions(
            profile="none", seed=1, recording=recording, expression=expression, cues=cues or CueOptions()
        )
        self.engine = LiveEngine(self.options, engine_parts)

    def wait_for(self, condition: Callable[[Snapshot], bool]) -> Snapshot:
        """The first snapshot that an observer sees to be so."""
        snapshots: queue.Queue[Snapshot] = queue.Queue()
        observation = self.engine.observe(
            lambda snapshot: condition(snapshot) and snapshots.put(snapshot), max_hertz=100.0
        )
        try:
            return snapshots.get(timeout=PATIENCE_SECONDS)
        finally:
            observation.close()

    def sent_notes(self) -> int:
        return sum(get_kind(data) == "note_on" for _, data in read_trace(self.trace))


@pytest.fixture
def run(tmp_path: Path) -> EngineRun:
    return EngineRun(tmp_path)


def test_it_plays_obeys_and_stops(run: EngineRun) -> None:
    with run.engine as engine:
        assert engine.is_running
        assert run.wait_for(lambda snapshot: snapshot.conductor.beat > 0.5).conductor.bpm < 110.0
        assert engine.act("emotion", "excited")
        assert run.wait_for(lambda snapshot: snapshot.conductor.bpm > 120.0)
        assert engine.act(Action("panic"))
    assert not engine.is_running
    assert run.reader.is_closed
    report = engine.stop()
    assert report.snapshot.reading.state.emotion == "excited"
    assert report.snapshot.scheduler.sent_messages > 0
    assert run.sent_notes() > 0
    assert report.describe()[-1].startswith(f"stopped: {report.snapshot.scheduler.sent_messages} events sent, ")
    log = run.options.recording.log
    assert log is not None
    assert '"excited"' in log.read_text()
    assert '"program"' in log.read_text()


def test_a_parameter_is_set_while_it_plays_and_is_in_the_log(run: EngineRun, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    with run.engine as engine:
        assert {one.address: one.value for one in engine.parameters}["melody.octave"] == 0
        assert engine.set_parameter("melody.octave", 2)
        assert engine.act("set", "percussion.fills=off")
        assert engine.act("set", "flute.octave=50%")
        assert engine.act("set", "flute.octave=51%")
        with pytest.raises(ConfigError, match="melody has no parameter 'volume'; it has octave"):
            engine.set_parameter("melody.volume", 1.0)

        def read_values() -> list[object]:
            values = {one.address: one.value for one in engine.parameters}
            return [values["melody.octave"], values["percussion.fills"]]

        run.wait_for(lambda snapshot: read_values() == [2, False])
    refusal = "not set: no player 'flute' has parameters; there are chords, melody, percussion, as PLAYER.PARAMETER"
    assert [line for line in caplog.messages if "flute" in line] == [refusal], "said once"
    log = run.options.recording.log
    assert log is not None
    assert '"event":"parameter"' in log.read_text()


def test_a_mix_and_a_lock_hold_while_it_plays_and_are_in_the_log(
    run: EngineRun, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    with run.engine as engine:
        bpm = run.wait_for(lambda snapshot: snapshot.conductor.beat > 0.5).conductor.bpm
        for action, value in (("mute", "Chords"), ("level", "melody=25%"), ("lock", "tempo"), ("solo", "flute")):
            assert engine.act(action, value)
        engine.act("emotion", "excited")

        def is_mixed(snapshot: Snapshot) -> bool:
            strips = {strip.part: strip for strip in snapshot.conductor.strips}
            return strips["chords"].is_muted and strips["melody"].level == 0.25

        locked = run.wait_for(lambda snapshot: is_mixed(snapshot) and snapshot.conductor.locks == ("tempo",))
        later = run.wait_for(lambda snapshot: snapshot.conductor.beat > locked.conductor.beat + 3.0)
        assert later.conductor.bpm == bpm
        assert later.reading.parameters.tempo.suggested > 1.1 * bpm
    assert "solo: there is no player 'flute'; there are bass, chords, melody, percussion" in caplog.messages
    log = run.options.recording.log
    assert log is not None
    assert {"mixer", "lock"} <= {json.loads(line).get("event") for line in log.read_text().splitlines()}


def test_at_the_end_a_report_says_what_was_played_and_by_whom_it_was_steered(tmp_path: Path) -> None:
    show = tmp_path / "show.yaml"
    show.write_text("format: 1\ncues:\n  - {name: storm, place: angry, cut: yes}\n")
    run = EngineRun(tmp_path, is_recorded=False, is_reported=True, cues=CueOptions(show, "storm"))
    with run.engine as engine:
        run.wait_for(lambda snapshot: snapshot.reading.state.emotion == "angry" and snapshot.conductor.beat > 0.5)
        assert engine.act("mute", "bass")
        run.wait_for(lambda snapshot: snapshot.conductor.strips[0].is_muted)
    wrote = [f"wrote {tmp_path / 'report.json'}", f"wrote {tmp_path / 'report.png'}"]
    assert engine.stop().describe()[:2] == wrote
    report = json.loads((tmp_path / "report.json").read_bytes())
    steered = [(one["source"], one["actions"]) for one in report["steering"]]
    assert steered == [("cue", {"go": 1}), ("program", {"mute": 1})]
    assert 0 < report["notes"] == run.sent_notes()
    assert not (tmp_path / "report.jsonl").exists(), "the log was not asked for"


@pytest.mark.parametrize("expression", [True, False])
def test_held_notes_show_a_change_unless_they_are_told_not_to(tmp_path: Path, *, expression: bool) -> None:
    """And at the end every channel is as it was found."""
    run = EngineRun(tmp_path, expression=expression)
    with run.engine as engine:
        run.wait_for(lambda snapshot: snapshot.conductor.beat > 2.0)
        assert engine.act("emotion", "excited")
        run.wait_for(lambda snapshot: snapshot.conductor.beat > 4.0)
    levels = [data for _, data in read_trace(run.trace) if get_kind(data) == "control_change" and data[1] == 11]
    assert (len({data[2] for data in levels}) > 3) is expression
    assert set({data[0]: data[2] for data in levels}.values()) == ({127} if expression else set())


def test_a_slow_observer_does_not_hold_up_the_session(run: EngineRun) -> None:
    release, has_been_called = threading.Event(), threading.Event()

    def hang(snapshot: Snapshot) -> None:
        has_been_called.set()
        release.wait(PATIENCE_SECONDS)

    slow = run.engine.observe(hang)
    with run.engine as engine:
        assert has_been_called.wait(PATIENCE_SECONDS)
        beat = engine.snapshot().conductor.beat
        run.wait_for(lambda snapshot: snapshot.conductor.beat > beat + 2.0)
        assert not slow.is_open
    release.set()
    assert run.sent_notes() > 0


def test_a_program_ends_by_itself_when_its_source_does(tmp_path: Path) -> None:
    run = EngineRun(tmp_path, seconds=0.5)
    run.engine.start()
    assert run.engine.wait(PATIENCE_SECONDS)
    run.engine.stop()
    open_voices: set[bytes] = set()
    for _, data in read_trace(run.trace):
        voice = bytes((data[0] & 0x0F, data[1])) if len(data) > 1 else b""
        if get_kind(data) == "note_on":
            open_voices.add(voice)
        elif get_kind(data) == "note_off":
            open_voices.discard(voice)
    assert run.sent_notes() > 0
    assert not open_voices


def test_a_part_that_fails_ends_it_and_stop_says_why(tmp_path: Path) -> None:
    run = EngineRun(tmp_path, seconds=0.3, failure=AudioError("the input was pulled out"))
    run.engine.start()
    assert run.engine.wait(PATIENCE_SECONDS)
    with pytest.raises(AudioError, match="pulled out"):
        run.engine.stop()
    assert run.reader.is_closed


def test_calls_in_the_wrong_order_are_errors(run: EngineRun) -> None:
    for call in (run.engine.stop, run.engine.snapshot, run.engine.run, lambda: run.engine.act("panic")):
        with pytest.raises(EngineError, match="start"):
            call()
    with pytest.raises(ConfigError, match="no action is called 'dance'"):
        run.engine.act("dance")


def test_parts_around_the_mapper_and_the_sink_and_a_journal_take_part(tmp_path: Path) -> None:
    mappers: list[FastMapper] = []
    sinks: list[CommandLog] = []
    journal = StepCounter()

    def wrap_mapper(mapper: Mapper) -> FastMapper:
        mappers.append(FastMapper(mapper))
        return mappers[-1]

    def wrap_sink(sink: NoteSink) -> CommandLog:
        sinks.append(CommandLog(sink))
        return sinks[-1]

    run = EngineRun(tmp_path, is_recorded=False, wrap_mapper=wrap_mapper, wrap_sink=wrap_sink, journal=journal)
    with run.engine:
        shown = run.wait_for(lambda snapshot: snapshot.scheduler.sent_messages > 0)
    assert shown.reading.parameters.tempo.suggested == 150.0
    (mapper,), (sink,) = mappers, sinks
    assert mapper.states
    assert journal.steps > 0
    notes = [note for command in sink.commands if isinstance(command, Notes) for note in command.notes]
    assert len(notes) >= run.sent_notes() > 0


def test_a_recorded_session_takes_no_other_journal(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="takes no other journal; leave out one of the two"):
        EngineRun(tmp_path, journal=StepCounter())


def test_it_names_the_processes_that_work_for_it(run: EngineRun) -> None:
    assert run.engine.process_ids == ()
    with run.engine as engine:
        (sender,) = engine.process_ids  # the source and the reader of this session are no processes
        os.kill(sender, 0)
    assert run.engine.process_ids == ()


def test_it_starts_only_once(tmp_path: Path) -> None:
    run = EngineRun(tmp_path, seconds=0.2)
    with run.engine as engine:
        with pytest.raises(EngineError, match="make a new one"):
            engine.start()
        with pytest.raises(EngineError, match="make a new one"):
            engine.open()


def test_actions_beyond_the_limit_are_dropped() -> None:
    actions = ActionQueue()
    queued = [actions.put(Action("panic")) for _ in range(MAX_WAITING_ACTIONS + 3)]
    assert queued.count(False) == 3
    assert len(actions.poll()) == MAX_WAITING_ACTIONS


def test_what_cannot_be_opened_is_raised_by_start(tmp_path: Path) -> None:
    run = EngineRun(tmp_path)
    run.engine.options = LiveOptions(profile="nobody of this name", seed=1)
    with pytest.raises(KellyError, match="no profile is called"):
        run.engine.start()
    assert run.reader.is_closed
