"""A lost scheduler process is replaced, in step with the music; what was lost is counted."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable

import pytest

from kelly_live.core.commands import (
    ChannelRelease,
    Controls,
    Expression,
    Notes,
    Pause,
    SinkCommand,
    Start,
    Stop,
    TempoChange,
    Tuning,
)
from kelly_live.core.errors import MidiError
from kelly_live.core.protocols import SchedulerHealth
from kelly_live.core.timebase import ManualClock, TempoPoint
from kelly_live.core.values import ControlChange, NoteEvent
from kelly_live.midi import supervised_sink as supervised
from kelly_live.midi.reports import PortReady
from kelly_live.midi.supervised_sink import SupervisedSink

NOTE = NoteEvent(8.0, 1.0, 60, 80, 3, "melody")


class ScriptedClient:
    """A SchedulerClient that keeps what it is sent, and fails on request."""

    process_id = 1

    def __init__(self, *, opens: bool = True) -> None:
        self.commands: list[SinkCommand] = []
        self.now = SchedulerHealth(sent_messages=10, late_messages=1, sounding_notes=2)
        self.stopped = self.silences_no_more = False
        self._opens = opens

    def open(self) -> PortReady:
        if not self._opens:
            raise MidiError("no MIDI output matches 'synth'")
        return PortReady("synth", is_virtual=False)

    def fail(self) -> None:
        self.now = SchedulerHealth(
            sent_messages=10, late_messages=1, sounding_notes=2, error="the MIDI output 'synth' is gone"
        )

    def send(self, command: SinkCommand) -> None:
        if isinstance(command, Stop):
            self.stopped = True
        else:
            self.commands.append(command)

    def wait(self, timeout_seconds: float) -> None:
        until(lambda: self.stopped, timeout_seconds)

    def stop_silencing(self) -> None:
        self.silences_no_more = True

    def health(self) -> SchedulerHealth:
        return self.now


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen within the time limit"
        time.sleep(0.005)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervised, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(supervised, "WATCH_SECONDS", 0.005)


def test_the_next_process_goes_on_at_the_next_beat_in_the_last_tempo() -> None:
    clock = ManualClock(100.0)
    lives = [ScriptedClient(), ScriptedClient(opens=False), ScriptedClient()]
    clients = iter(lives)
    port = SupervisedSink(clock=clock, create_client=lambda *_, **__: next(clients))
    try:
        port.open()
        port.send(Start(100.0, 120.0))
        port.send(TempoChange(TempoPoint(4.0, 60.0)))  # at 102 s
        port.send(Notes((NOTE,)))
        clock.advance(4.3)
        lives[0].fail()
        until(lambda: port.health().problem is not None)
        assert port.health().error is None
        until(lambda: port.health().problem is None)
        # Beat 4 fell at 102 s; at 60 BPM beat 0 would have been at 98 s, and at 104.3 s the next beat is the 7th.
        assert lives[2].commands == [Tuning("bend"), ChannelRelease((3,)), Start(98.0, 60.0, 7.0)]
        port.send(Notes((NOTE,)))
        assert lives[2].commands[-1] == Notes((NOTE,))
        assert lives[0].stopped
        assert lives[0].silences_no_more
    finally:
        port.send(Stop())
    assert lives[2].stopped


def test_the_next_process_puts_controllers_back_and_is_told_how_loud_the_music_is() -> None:
    clock = ManualClock(100.0)
    lives = [ScriptedClient(), ScriptedClient()]
    clients = iter(lives)
    port = SupervisedSink(clock=clock, create_client=lambda *_, **__: next(clients))
    try:
        port.open()
        port.send(Start(100.0, 120.0))
        port.send(Notes((NOTE,), 0.5))
        for loudness in (0.5, 0.6):
            port.send(Expression(1.0, loudness))
        lives[0].fail()
        until(lambda: bool(lives[1].commands) and port.health().problem is None)
        _, release, _, expression = lives[1].commands
        assert release == ChannelRelease((3,), resets_expression=True)
        assert expression == Expression(1.0, 0.6)
    finally:
        port.send(Stop())


def test_what_falls_into_the_loss_is_counted_and_the_past_is_kept() -> None:
    lives = [ScriptedClient(), ScriptedClient(opens=False)]
    first = lives[0]
    port = SupervisedSink(create_client=lambda *_, **__: lives.pop(0) if len(lives) > 1 else lives[0])
    try:
        port.open()
        port.send(Start(0.0, 120.0))
        first.fail()
        until(lambda: port.health().problem is not None)
        port.send(Notes((NOTE, NOTE)))
        port.send(Controls((ControlChange(1, 20, 64),)))
        health = port.health()
        assert (health.sent_messages, health.late_messages) == (10, 1)
        assert health.dropped_notes == 2 + 2  # what sounded when it went, and what came since
        assert first.commands == [Start(0.0, 120.0)]
    finally:
        port.send(Stop())


def test_the_log_says_what_was_lost_and_how_many_notes(caplog: pytest.LogCaptureFixture) -> None:
    lives = [ScriptedClient(), ScriptedClient()]
    clients = iter(lives)
    port = SupervisedSink("synth", create_client=lambda *_, **__: next(clients))
    with caplog.at_level(logging.INFO):
        try:
            port.open()
            lives[0].fail()
            until(lambda: port.health().problem is None and port.health().dropped_notes == 2)
            until(lambda: len(caplog.records) >= 3)
        finally:
            port.send(Stop())
    assert [record.message for record in caplog.records] == [
        "the MIDI output 'synth' is lost: the MIDI output 'synth' is gone",
        "the MIDI output 'synth' is back",
        "notes dropped so far: 2 (too late, too many, or during a loss)",
    ]


def test_a_pause_outlives_the_loss() -> None:
    lives = [ScriptedClient(), ScriptedClient()]
    clients = iter(lives)
    port = SupervisedSink(create_client=lambda *_, **__: next(clients))
    try:
        port.open()
        port.send(Start(0.0, 120.0))
        port.send(Pause())
        lives[0].fail()
        until(lambda: len(lives[1].commands) >= 2)
        assert [type(command) for command in lives[1].commands] == [Tuning, ChannelRelease]
    finally:
        port.send(Stop())


def test_a_wrong_name_is_still_an_error_at_the_start() -> None:
    port = SupervisedSink(create_client=lambda *_, **__: ScriptedClient(opens=False))
    with pytest.raises(MidiError, match="no MIDI output"):
        port.open()
    port.send(Stop())


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_a_killed_scheduler_process_is_replaced_and_plays_on() -> None:
    port = SupervisedSink(null=True)
    try:
        port.open()
        origin = time.monotonic()
        port.send(Start(origin, 240.0))
        first = port.process_id
        assert first is not None
        os.kill(first, signal.SIGKILL)
        until(lambda: port.health().problem is not None)
        until(lambda: port.health().problem is None)
        assert port.process_id != first
        beat = (time.monotonic() - origin) * 4.0
        port.send(Notes((NoteEvent(beat + 12.0, 0.5, 60, 80, 1, "melody"),)))
        until(lambda: port.health().sent_messages >= 2)
        assert port.health().dropped_notes == 0
    finally:
        port.send(Stop())
