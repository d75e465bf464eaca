"""The conductor's end of the scheduler process: SchedulerClient starts and feeds it.

Threads of a SchedulerClient: the caller's (no call but open and stop waits), a writer that may block on the pipe, and
a reader that takes reports and notices if the process dies.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from collections import deque
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from kelly_live.core.commands import DEFAULT_TUNING, Controls, Notes, SinkCommand, Stop, Tuning
from kelly_live.core.errors import MidiError
from kelly_live.core.protocols import SchedulerHealth
from kelly_live.midi.commands import Decoder, encode, split_notes
from kelly_live.midi.ports import open_output
from kelly_live.midi.reports import Failed, HealthReport, Ready, Report
from kelly_live.midi.scheduler import CAPACITY_NOTES, LATE_LIMIT_SECONDS
from kelly_live.midi.tuning import emergency

READY_TIMEOUT_SECONDS = 10.0
OUTBOX_NOTES = 4096  # notes that wait for the pipe; past this a new note is dropped and counted
# A fresh connection may take some periods to carry anything (JACK), more after a crash: say it again.
_SILENCE_ATTEMPTS = 4
_SILENCE_APART_SECONDS = 0.1
_PATIENCE_SECONDS = 1.0  # for each of: a polite stop, a terminate, a kill


class SchedulerClient:
    """A NoteSink whose notes are sent by a process of its own. Call `open` first.

    `query`: the MIDI output's name or part of it; None: a virtual port. `latency_seconds`: all leaves that much earlier
    (negative: later), clock included. `frame_accurate`: through JACK, each message at its frame. `null`: send nowhere;
    `trace`: nor then, but write to that file when each message left: to measure timing.
    """

    def __init__(
        self,
        query: str | None = None,
        *,
        send_clock: bool = False,
        latency_seconds: float = 0.0,
        late_limit_seconds: float = LATE_LIMIT_SECONDS,
        capacity_notes: int = CAPACITY_NOTES,
        realtime: bool = True,
        null: bool = False,
        trace: Path | None = None,
        virtual_name: str | None = None,
        frame_accurate: bool = False,
    ) -> None:
        options = [f"--late-limit={late_limit_seconds}", f"--capacity={capacity_notes}"]
        options += [f"--output={query}"] if query is not None else []
        options += [f"--virtual-name={virtual_name}"] if virtual_name is not None else []
        options += ["--clock"] if send_clock else []
        options += [f"--latency={latency_seconds}"] if latency_seconds else []
        options += [] if realtime else ["--no-realtime"]
        options += ["--frame-accurate"] if frame_accurate else []
        options += ["--null"] if null else []
        options += [f"--trace={trace}"] if trace is not None else []
        # -P: a file in the user's folder called, say, queue.py must not end up inside the scheduler.
        self._command = [sys.executable, "-P", "-m", "kelly_live.midi.scheduler_process", *options]
        self.latency_seconds = latency_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._threads: list[threading.Thread] = []
        self._outbox: deque[tuple[int, bytes]] = deque()  # (what it counts for, frame)
        self._outbox_weight = 0
        self._outbox_changed = threading.Condition()
        self._reported = threading.Event()  # set by Ready, by Failed and by the process's end
        self._ready: Ready | None = None
        self._health = SchedulerHealth()
        self._error: str | None = None
        self._dropped = 0
        self._tuning = DEFAULT_TUNING
        self._channels: set[int] = set()
        self._tuned = False
        self._stopping = self._silenced = False
        self._relieved = threading.Event()

    def open(self, timeout_seconds: float = READY_TIMEOUT_SECONDS) -> Ready:
        """Start the process and wait until its port is open; says which port it is. Raises MidiError."""
        if self._process is not None:
            raise MidiError("the MIDI scheduler was opened twice; make a new one for a new session")
        try:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
            )  # fmt: skip
        except OSError as error:
            raise MidiError(f"the MIDI scheduler cannot be started ({error}); check the Python installation") from error
        self._threads = [
            threading.Thread(target=self._write, args=(self._process,), name="midi-writer", daemon=True),
            threading.Thread(target=self._read, args=(self._process,), name="midi-reader", daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        self._reported.wait(timeout_seconds)
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
        """Of the scheduler process; None before `open`."""
        return None if self._process is None else self._process.pid

    def send(self, command: SinkCommand) -> None:
        """Hand a command over. Only a stop waits: up to about 4 s, whatever state the process is in."""
        match command:
            case Notes(notes):
                self._channels.update(note.channel for note in notes)
                self._tuned = self._tuned or any(note.cents for note in notes)
                for part in split_notes(command):
                    self._queue(part, weight=len(part.notes))
            case Controls():
                self._queue(command, weight=1)
            case Stop():
                self._stop()
            case _:
                if isinstance(command, Tuning):
                    self._tuning = command
                self._queue(command)

    def wait_gone(self, timeout_seconds: float) -> None:
        """Until the process has ended, or so long."""
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout_seconds)

    def relieve(self) -> None:
        """Another client has the port now, and silences what hangs there."""
        self._relieved.set()

    def _stop(self) -> None:
        process = self._process
        if process is None or self._stopping:
            return
        self._stopping = True
        with self._outbox_changed:
            self._outbox.clear()  # what is not sent is cancelled
            self._outbox.append((0, encode(Stop())))
            self._outbox_changed.notify()
        for insist in (None, process.terminate, process.kill):
            if insist is not None:
                insist()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_PATIENCE_SECONDS)
                break
        for thread in self._threads:
            thread.join(_PATIENCE_SECONDS)
        if process.returncode and process.returncode < 0 and not self._silenced:
            self._silence_port_directly()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            pipe.close()

    def health(self) -> SchedulerHealth:
        latest = self._health
        return replace(latest, dropped=latest.dropped + self._dropped, error=self._error)

    def _queue(self, command: SinkCommand, *, weight: int = 0) -> None:
        """Never waits. What has a `weight` counts against the bound; a tempo always goes."""
        frame = encode(command)
        with self._outbox_changed:
            if self._stopping or self._outbox_weight + weight > OUTBOX_NOTES:
                self._dropped += weight if isinstance(command, Notes) else 0
                return
            self._outbox.append((weight, frame))
            self._outbox_weight += weight
            self._outbox_changed.notify()

    def _write(self, process: subprocess.Popen[bytes]) -> None:
        """Thread: midi-writer. Ends after a Stop, or when the process is gone (the reader says why)."""
        assert process.stdin is not None
        stop = encode(Stop())
        while True:
            with self._outbox_changed:
                self._outbox_changed.wait_for(lambda: self._outbox)
                weight, frame = self._outbox.popleft()
                self._outbox_weight -= weight
            rest = memoryview(frame)
            try:
                while rest:
                    rest = rest[process.stdin.write(rest) :]
            except OSError:
                return
            if frame == stop:
                return

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        """Thread: midi-reader. Ends when the process does."""
        assert process.stdout is not None
        decoder: Decoder[Report] = Decoder(Report)  # type: ignore[arg-type]
        try:
            while data := process.stdout.read(65536):
                for message in decoder.feed(data):
                    match message:
                        case HealthReport(health):
                            self._health = health
                        case Failed(text):
                            self._error = text
                        case Ready():
                            self._ready = message
                            self._reported.set()
        except (MidiError, OSError) as error:
            self._error = str(error)
        if not self._stopping and self._error is None:
            self._error = f"the MIDI scheduler ended by itself (exit code {process.wait()}); restart kelly-live"
            self._silence_port_directly()
        self._reported.set()

    def _silence_port_directly(self) -> None:
        """The process died without ending its notes: reach the receiver another way. A virtual port died with it."""
        self._silenced = True
        if self._ready is None or self._ready.is_virtual or not self._channels:
            return
        with contextlib.suppress(MidiError):  # the best that can be done; the death itself is already reported
            out = open_output(self._ready.name).out
            for _ in range(_SILENCE_ATTEMPTS):
                for message in emergency(self._tuning, self._channels, self._tuned):
                    out.send(message)
                if self._relieved.wait(_SILENCE_APART_SECONDS):
                    break
            out.close()
