"""Notes end whatever ends the program: a kill, a period that was lost, no file descriptor left."""

from __future__ import annotations

import errno
import os
import signal
import time

import pytest

from kelly_live.core import stderr_guard
from kelly_live.core.commands import Notes, Start, Stop
from kelly_live.core.errors import MidiError
from kelly_live.core.midi_messages import silence_channel
from kelly_live.core.timebase import ManualClock
from kelly_live.core.values import NoteEvent
from kelly_live.midi import scheduler_client
from kelly_live.midi.backends import native
from kelly_live.midi.ports import OpenedPort, RecordingPort
from kelly_live.midi.scheduler import SchedulerCore
from kelly_live.midi.scheduler_client import SchedulerClient
from kelly_live.midi.scheduler_process import SILENCE_REPEAT_SECONDS, SILENCE_REPEATS, end_notes
from kelly_live.workers.supervisor import Supervisor

NO_DESCRIPTORS = OSError(errno.EMFILE, "Too many open files")


class Ending:
    """A core with one held note, on an injected clock."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.port = RecordingPort(self.clock)
        self.core = SchedulerCore(self.port)
        self.core.apply(Start(0.0, 60.0))
        self.core.apply(Notes((NoteEvent(0.0, 60.0, 60, 80, 3, part="pad"),)))
        self.core.run_due(0.0)

    def end(self, *, is_orphaned: bool) -> str | None:
        return end_notes(self.core, lambda: is_orphaned, self.clock.advance)

    def silences(self) -> list[float]:
        return [m.seconds for m in self.port.messages if m.data == silence_channel(3)[0]]


def test_after_a_kill_the_end_of_all_notes_is_said_again_twice_some_periods_later() -> None:
    scheduler_end = Ending()
    assert scheduler_end.end(is_orphaned=True) is None
    times = scheduler_end.silences()
    assert times == pytest.approx([n * SILENCE_REPEAT_SECONDS for n in range(3)])
    assert SILENCE_REPEATS == 2
    assert SILENCE_REPEAT_SECONDS > 2 * 1024 / 48000


def test_after_an_ordinary_stop_it_is_said_once() -> None:
    scheduler_end = Ending()
    assert scheduler_end.end(is_orphaned=False) is None
    assert scheduler_end.silences() == [0.0]


@pytest.mark.parametrize("fault", [MidiError("the port is busy"), NO_DESCRIPTORS])
def test_a_failure_at_the_end_is_said_and_tried_again(fault: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler_end, sender = Ending(), FaultySender(fault)
    monkeypatch.setattr(scheduler_end.port, "send", sender.send)
    assert str(fault) in (scheduler_end.end(is_orphaned=False) or "")
    assert silence_channel(3)[0] in sender.messages


class FaultySender:
    """A port that fails for its first message."""

    def __init__(self, fault: Exception) -> None:
        self.fault: Exception | None = fault
        self.messages: list[bytes] = []

    def send(self, message: bytes) -> None:
        fault, self.fault = self.fault, None
        if fault is not None:
            raise fault
        self.messages.append(message)


@pytest.mark.skipif(os.name != "posix", reason="POSIX signals")
@pytest.mark.parametrize("fault", [MidiError("no MIDI output matches"), NO_DESCRIPTORS])
def test_notes_of_a_killed_scheduler_end_as_soon_as_the_port_opens(
    fault: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler_client, "_OPEN_INTERVAL_SECONDS", 0.01)
    port, tries = RecordingPort(ManualClock()), []

    def open_output(name: str) -> OpenedPort:
        tries.append(name)
        if len(tries) < 3:
            raise fault
        return OpenedPort(port, name, is_virtual=False)

    monkeypatch.setattr(scheduler_client, "open_output", open_output)
    client = SchedulerClient(null=True, realtime=False)
    client.open()
    client.send(Start(time.monotonic(), 60.0))
    client.send(Notes((NoteEvent(0.0, 60.0, 60, 80, 3, part="pad"),)))
    assert client.process_id is not None
    os.kill(client.process_id, signal.SIGKILL)
    deadline = time.monotonic() + 20.0
    while not port.is_closed and time.monotonic() < deadline:
        time.sleep(0.01)
    client.send(Stop())
    assert len(tries) == 3
    assert [m.data for m in port.messages][:2] == list(silence_channel(3))


def test_without_a_descriptor_the_terminal_is_not_guarded_and_the_work_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> int:
        raise NO_DESCRIPTORS

    with monkeypatch.context() as full:
        full.setattr(os, "open", refuse)
        with stderr_guard.guard_stderr():
            is_done = True
    assert is_done
    with stderr_guard.guard_stderr():  # and it works again afterwards
        pass


def test_without_a_descriptor_a_jack_server_is_not_called_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Library:
        @staticmethod
        def jack_get_version_string() -> bytes:
            return b"1.9.21"

    def refuse(*arguments: object) -> None:
        raise NO_DESCRIPTORS

    monkeypatch.setattr(native.glob, "glob", lambda pattern: ["/dev/shm/jack_default_0_0"])
    monkeypatch.setattr(native.socket, "socket", refuse)
    assert native._may_answer(Library())  # type: ignore[arg-type]


def test_a_supervisor_without_descriptors_looks_again() -> None:
    clock, restores = ManualClock(), 0
    faults: list[str | OSError | None] = [NO_DESCRIPTORS, NO_DESCRIPTORS, "gone", None]

    def check() -> str | None:
        fault = faults.pop(0)
        if isinstance(fault, OSError):
            raise fault
        return fault

    def restore() -> bool:
        nonlocal restores
        restores += 1
        if restores < 3:
            raise NO_DESCRIPTORS
        return True

    supervisor = Supervisor("the port", check=check, restore=restore, clock=clock, watch_seconds=1.0, retry_seconds=1.0)
    problems = []
    for _ in range(6):
        clock.advance(1.0)
        supervisor.step()
        problems.append(supervisor.problem)
    assert problems == [None, None, "gone", "gone", None, None]
