"""The conductor's end of the scheduler process: a note sink that starts, feeds and ends the process.

Threads: `open` and the sending of a `Stop` wait, no other call does. Reports are taken on the worker's reader thread.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from kelly_live.core.commands import DEFAULT_TUNING, Controls, Expression, Notes, Signature, SinkCommand, Stop, Tuning
from kelly_live.core.errors import MidiError, WorkerError
from kelly_live.core.protocols import SchedulerHealth
from kelly_live.midi.expression import build_resting_messages
from kelly_live.midi.ports import open_output
from kelly_live.midi.reports import Failure, HealthReport, PortReady, Report
from kelly_live.midi.scheduler import CAPACITY_NOTES, LATE_LIMIT_SECONDS
from kelly_live.midi.tuning import MPE_MASTER, build_silencing_messages, list_sending_channels
from kelly_live.workers.process import WorkerProcess, module_command

READY_TIMEOUT_SECONDS = 10.0
OUTBOX_NOTES = 4096  # notes that wait for the pipe; past this a new note is dropped and counted
NOTES_PER_MESSAGE = 256  # a message is queued or dropped whole
_OUTBOX_OTHERS = 1024  # tempos, pauses and the like may wait beside the notes
# A fresh connection may take some periods to carry anything (JACK), more after a crash: say it again.
_SILENCE_ATTEMPTS = 4
_SILENCE_INTERVAL_SECONDS = 0.1
_OPEN_ATTEMPTS, _OPEN_INTERVAL_SECONDS = 4, 0.4
_PATIENCE_SECONDS = 1.0  # for each of: the end of stdin, a terminate, a kill

_log = logging.getLogger(__name__)


class SchedulerClient:
    """A NoteSink whose notes are sent by a process of its own. Call `open` first.

    Args:
        query: The MIDI output's name or part of it; None: a virtual port.
        send_clock: Send MIDI clock too.
        latency_seconds: Everything leaves that much earlier (negative: later), clock included. None: by what is stored
            for the output; `latency_seconds` then has it once the port is open.
        late_limit_seconds: A note that is later than this is dropped.
        capacity_notes: How many notes may wait for their time.
        realtime: Ask for real-time priority.
        null: Send nowhere, to measure timing.
        trace: As `null`, but write to this file when each message left.
        virtual_name: The name of a virtual port.
        frame_accurate: Send through JACK, each message at its frame.
        command: What sends, for a test [default: the scheduler process with these options].
    """

    def __init__(
        self,
        query: str | None = None,
        *,
        send_clock: bool = False,
        latency_seconds: float | None = 0.0,
        late_limit_seconds: float = LATE_LIMIT_SECONDS,
        capacity_notes: int = CAPACITY_NOTES,
        realtime: bool = True,
        null: bool = False,
        trace: Path | None = None,
        virtual_name: str | None = None,
        frame_accurate: bool = False,
        command: Sequence[str] | None = None,
    ) -> None:
        options = [f"--late-limit={late_limit_seconds}", f"--capacity={capacity_notes}"]
        options += [f"--output={query}"] if query is not None else []
        options += [f"--virtual-name={virtual_name}"] if virtual_name is not None else []
        options += ["--clock"] if send_clock else []
        options += ["--measured-latency"] if latency_seconds is None else [f"--latency={latency_seconds}"]
        options += [] if realtime else ["--no-realtime"]
        options += ["--frame-accurate"] if frame_accurate else []
        options += ["--null"] if null else []
        options += [f"--trace={trace}"] if trace is not None else []
        self._command = command or module_command("kelly_live.midi.scheduler_process", *options)
        self.latency_seconds = latency_seconds or 0.0
        self._process: WorkerProcess[Report] | None = None
        self._has_reported = threading.Event()  # set by PortReady, by Failure and by the process's end
        self._ready: PortReady | None = None
        self._health = SchedulerHealth()
        self._error: str | None = None
        self._dropped_notes = 0
        self._tuning = DEFAULT_TUNING
        self._channels: set[int] = set()
        self._has_cents = self._has_expression = False
        self._is_stopping = self._is_silenced = False
        self._is_replaced = threading.Event()

    def open(self, timeout_seconds: float = READY_TIMEOUT_SECONDS) -> PortReady:
        """Start the process, wait until its port is open, and return which port it is.

        Raises:
            MidiError: The process or the port cannot be opened, or this was called before.
        """
        if self._process is not None:
            raise MidiError("the MIDI scheduler was opened twice; make a new one for a new session")
        self._process = WorkerProcess(
            self._command,
            name="the MIDI scheduler",
            receives=Report,
            on_message=self._take,
            on_end=self._note_end,
            outbox_weight=OUTBOX_NOTES,
            outbox_messages=OUTBOX_NOTES + _OUTBOX_OTHERS,
        )
        try:
            self._process.start()
        except WorkerError as error:
            raise MidiError(str(error)) from error
        self._has_reported.wait(timeout_seconds)
        if self._ready is None:
            error_line = self._error or f"the MIDI scheduler was not ready within {timeout_seconds:g} s; try again"
            self._stop()
            raise MidiError(error_line)
        return self._ready

    def __enter__(self) -> SchedulerClient:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    @property
    def process_id(self) -> int | None:
        """The scheduler process's id; None before `open`."""
        return None if self._process is None else self._process.process_id

    @property
    def exit_code(self) -> int | None:
        """The scheduler process's exit code (a negative signal number after a kill); None before its end."""
        return None if self._process is None else self._process.exit_code

    def send(self, command: SinkCommand) -> None:
        """Queue a command for the process. Only a stop waits: at most about 4 s."""
        match command:
            case Notes(notes):
                self._channels.update(note.channel for note in notes)
                self._has_cents = self._has_cents or any(note.cents for note in notes)
                for part in split_notes(command):
                    if not self._queue(part, weight=len(part.notes)):
                        self._dropped_notes += len(part.notes)
            case Controls():
                self._queue(command, weight=1)
            case Expression():
                self._has_expression = True
                self._queue(command, weight=1)
            case Stop():
                self._stop()
            case Signature():
                pass  # the process has no use for it
            case _:
                if isinstance(command, Tuning):
                    self._tuning = command
                self._queue(command, weight=0)

    def wait(self, timeout_seconds: float) -> None:
        """Wait until the process has ended, or so long."""
        if self._process is not None:
            self._process.wait(timeout_seconds)

    def stop_silencing(self) -> None:
        """Leave the receiver to another client, which has the port now and ends the notes that hang there."""
        self._is_replaced.set()

    def health(self) -> SchedulerHealth:
        """Return the counters of the latest report; `error` says why the process was lost."""
        latest = self._health
        return replace(latest, dropped_notes=latest.dropped_notes + self._dropped_notes, error=self._error)

    def _queue(self, command: SinkCommand, *, weight: int) -> bool:
        """Queue for the process, and return whether there was room. What has no weight always finds some."""
        return self._process is not None and not self._is_stopping and self._process.send(command, weight=weight)

    def _stop(self) -> None:
        process = self._process
        if process is None or self._is_stopping:
            return
        self._is_stopping = True
        # What waits in the outbox goes first: `sent_until` promises that all that was due by then was sent.
        process.close(_PATIENCE_SECONDS, terminate=True)
        if process.exit_code is not None and process.exit_code < 0:
            self._silence_port_directly()

    def _take(self, report: Report) -> None:
        """Thread: worker-read."""
        match report:
            case HealthReport(health):
                self._health = health
            case Failure(message):
                self._error = message
            case PortReady():
                self._ready = report
                if report.measured_latency is not None:
                    self.latency_seconds = report.measured_latency
                self._has_reported.set()

    def _note_end(self) -> None:
        """The process is gone. Thread: the worker's that noticed."""
        assert self._process is not None
        if self._process.error is not None and self._error is None:
            self._error = f"{self._process.error}; restart kelly-live"
            self._silence_port_directly()
        self._has_reported.set()

    def _silence_port_directly(self) -> None:
        """End the notes of a process that died without doing so, over a connection of our own.

        A virtual port died with its process, and the receiver is out of reach.
        """
        if self._is_silenced:
            return
        self._is_silenced = True
        if self._ready is None or self._ready.is_virtual or not self._channels:
            return
        problem = ""
        for _ in range(_OPEN_ATTEMPTS):
            try:
                self._send_silence(self._ready.name)
            except (MidiError, OSError) as error:  # also when no file descriptor is left
                problem = str(error)
                if self._is_replaced.wait(_OPEN_INTERVAL_SECONDS):
                    break
            else:
                return
        _log.warning("notes may hang at the MIDI output %r: %s", self._ready.name, problem)

    def _list_silencing_messages(self) -> list[bytes]:
        messages = build_silencing_messages(self._tuning, self._channels, has_cents=self._has_cents)
        if self._has_expression:
            channels = list_sending_channels(self._tuning, self._channels, has_cents=self._has_cents)
            messages += build_resting_messages({*channels, *((MPE_MASTER,) if self._tuning.mode == "mpe" else ())})
        return messages

    def _send_silence(self, name: str) -> None:
        out = open_output(name).out
        try:
            for _ in range(_SILENCE_ATTEMPTS):
                for message in self._list_silencing_messages():
                    out.send(message)
                if self._is_replaced.wait(_SILENCE_INTERVAL_SECONDS):
                    break
        finally:
            out.close()


def split_notes(command: Notes) -> list[Notes]:
    """Split a command into ones of at most NOTES_PER_MESSAGE notes."""
    notes = command.notes
    if 0 < len(notes) <= NOTES_PER_MESSAGE:
        return [command]
    return [Notes(notes[i : i + NOTES_PER_MESSAGE], command.loudness) for i in range(0, len(notes), NOTES_PER_MESSAGE)]
