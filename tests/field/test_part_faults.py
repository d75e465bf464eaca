"""Parts of a program's own that raise where nobody expects it: the session still ends whole, and says it once."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import numpy as np
import pytest

from kelly_live.audio.sources import ScriptedSource
from kelly_live.core.actions import Action
from kelly_live.core.midi_messages import get_kind
from kelly_live.core.protocols import AudioHealth
from kelly_live.core.sync_state import SyncState
from kelly_live.core.timebase import MonotonicClock
from kelly_live.core.values import MAIN_PORT, AudioWindow, EmotionState
from kelly_live.engine.live import LiveEngine
from kelly_live.engine.live_parts import MAX_WAITING_ACTIONS, ActionQueue, LiveParts
from kelly_live.engine.options.commands import LiveOptions
from kelly_live.engine.supervised_tracker import PROBLEM_SECONDS, SupervisedTracker
from kelly_live.midi.routing import RoutedSink
from kelly_live.midi.scheduler_client import SchedulerClient
from kelly_live.midi.trace import read_trace
from tests.fakes import ScriptedReader
from tests.workers.until import wait_until

BLOCK = AudioWindow(np.zeros(1600, np.float32), 16_000, 0.0)


class Source(ScriptedSource):
    """A minute of silence."""

    def __init__(self) -> None:
        super().__init__(np.zeros(16_000 * 60, np.float32), MonotonicClock(), realtime=True)


class UnclosableSource(Source):
    def close(self) -> None:
        raise RuntimeError("it cannot be closed")


class SourceWithoutHealth(Source):
    """Its counters are lost while the session runs."""

    is_broken = False

    def health(self) -> AudioHealth:
        if self.is_broken:
            raise RuntimeError("it has no counters")
        return super().health()


class UnclosableReader(ScriptedReader):
    def close(self) -> None:
        raise RuntimeError("it cannot be closed")


class ExitingReader(ScriptedReader):
    """Wants to end the process at each block."""

    def push(self, block: AudioWindow) -> list[EmotionState]:
        self.blocks += 1
        raise SystemExit(3)

    def reset(self) -> None:
        raise SystemExit(4)


def make_engine(trace: Path, source: Source, reader: ScriptedReader) -> LiveEngine:
    sink = RoutedSink({MAIN_PORT: SchedulerClient(trace=trace, late_limit_seconds=60.0)})
    return LiveEngine(LiveOptions(profile="none", seed=1), LiveParts(source=source, sink=sink, reader=reader))


@pytest.mark.skipif(os.name != "posix", reason="asks with a signal whether a process is there")
@pytest.mark.parametrize("fault", ["source does not close", "reader does not close", "source loses its counters"])
def test_one_that_fails_at_the_end_keeps_no_other_open_and_no_note_on(tmp_path: Path, fault: str) -> None:
    source = UnclosableSource() if fault == "source does not close" else SourceWithoutHealth()
    reader = UnclosableReader() if fault == "reader does not close" else ScriptedReader()
    engine = make_engine(tmp_path / "trace", source, reader)
    engine.start()
    (sender,) = engine.process_ids
    wait_until(lambda: engine.snapshot().scheduler.sounding_notes)
    if isinstance(source, SourceWithoutHealth):
        source.is_broken = fault == "source loses its counters"
    with pytest.raises(RuntimeError, match=r"it cannot be closed|it has no counters"):
        engine.stop()
    assert not engine.is_running
    assert engine.process_ids == ()
    with pytest.raises(ProcessLookupError):
        os.kill(sender, 0)
    sounding_keys: set[bytes] = set()
    for _, data in read_trace(tmp_path / "trace"):
        if get_kind(data) == "note_on":
            sounding_keys.add(data[1:2])
        elif get_kind(data) == "note_off":
            sounding_keys.discard(data[1:2])
    assert not sounding_keys


def test_a_reader_that_exits_does_not_end_the_show(tmp_path: Path) -> None:
    reader = ExitingReader()
    with make_engine(tmp_path / "trace", Source(), reader) as engine:
        wait_until(lambda: reader.blocks > 2 and engine.snapshot().scheduler.sent_messages > 0)
        assert "SystemExit: 3" in str(engine.snapshot().problem)
        assert engine.is_running


class BrokenTracker:
    """Takes some blocks, then raises at every call."""

    def __init__(self, good_blocks: int) -> None:
        self._good_blocks = good_blocks

    def push(self, block: AudioWindow) -> None:
        self._good_blocks -= 1
        if self._good_blocks < 0:
            raise ZeroDivisionError("of a bug")

    def estimate(self, now: float) -> SyncState:
        return SyncState()


def test_a_beat_tracker_that_raises_at_every_block_is_logged_once_a_loss(caplog: pytest.LogCaptureFixture) -> None:
    good_blocks = [0] * 50 + [int(PROBLEM_SECONDS / 0.1) + 1] + [0] * 50
    tracker = SupervisedTracker(lambda: BrokenTracker(good_blocks.pop(0)))
    with caplog.at_level(logging.ERROR):
        for _ in range(50):
            tracker.push(BLOCK)
        assert len(caplog.records) == 1
        while tracker.problem is not None:
            tracker.push(BLOCK)
        while tracker.problem is None:
            tracker.push(BLOCK)
    assert len(caplog.records) == 2


def test_a_flood_of_actions_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    actions = ActionQueue()
    for _ in range(2):
        for _ in range(MAX_WAITING_ACTIONS + 1000):
            actions.put(Action("panic"))
        actions.poll()
    assert [record.getMessage() for record in caplog.records] == ["actions are dropped: over 256 wait"] * 2
