"""One run of a generator's process: its requests, its answers, and why it ended.

Threads: any may call a PluginProcess. Its answers are read on `worker-read` of its WorkerProcess, and what it prints on
`worker-log`. `start` and the calls that say so wait; nothing else does.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import msgspec

from kelly_live.core.errors import ConfigError, WorkerError
from kelly_live.core.plugins import LOAD_SECONDS
from kelly_live.core.timebase import Clock, MonotonicClock
from kelly_live.core.values import NoteEvent
from kelly_live.core.wording import escape, quote_error
from kelly_live.generators.answer import InvalidAnswer, read_values
from kelly_live.generators.descriptor import Descriptor
from kelly_live.generators.note_effect import EffectDescriptor
from kelly_live.generators.parameter import Value
from kelly_live.generators.wire import (
    PROTOCOL,
    Configure,
    Describe,
    DescriptorResponse,
    ErrorResponse,
    Generate,
    Hello,
    HelloResponse,
    Inspect,
    NotesResponse,
    Process,
    Request,
    Reset,
    Response,
    Surroundings,
)
from kelly_live.music.band import PlayerState
from kelly_live.workers.json_lines import JsonLines
from kelly_live.workers.process import WorkerProcess
from kelly_live.workers.realtime import disable_realtime

SERVER = Path(__file__).parents[1] / "generator_server.py"
LAUNCHER = Path(__file__).parents[1] / "workers" / "launcher.py"  # not imported: it needs what Windows lacks
MEMORY_MB = 1536
CLOSE_SECONDS = 0.5
FLOOD_BYTES = 1 << 20  # printed within a second
MAX_LOG_LINES = 100  # of one run
_NOT_STARTED_EXIT_CODE = 127  # the launcher's, and a shell's
_MOST_REPLIES = 8
_LONGEST_LINE = 200  # characters of a line in the log
_FLOOD_SECONDS = 1.0

_log = logging.getLogger(__name__)


class PlayerFault(Exception):
    """The error of a player in a process of its own that cannot play on: its state, and why in one line."""

    def __init__(self, state: PlayerState, reason: str) -> None:
        super().__init__(reason)
        self.state = state
        self.reason = reason


@dataclass(frozen=True, slots=True)
class BarAnswer:
    """The notes of a span, why others were left out, and the state to go on from after them."""

    notes: list[NoteEvent]
    refusal: str | None
    state: Any


Reply: TypeAlias = BarAnswer | PlayerFault


class GeneratorRun(Protocol):
    """A generator that answers in its own time. No call waits but those named so."""

    @property
    def is_ready(self) -> bool:
        """Whether it was made and can play."""

    @property
    def fault(self) -> str | None:
        """Why it cannot play any more, in one line."""

    def ask(self, request: Generate | Process) -> int:
        """Ask for the notes of a span; return the number of the answer."""

    def take(self, number: int) -> Reply | None:
        """Return an answer, once; None while there is none."""

    def wait(self, number: int, seconds: float) -> Reply | None:
        """Wait for an answer, at most so long."""

    def wait_until_ready(self, seconds: float) -> bool:
        """Wait until it can play, at most so long."""

    def reset(self, state: Any) -> None:
        """Let it forget everything, and go on from a state if there is one."""

    def give_up(self, reason: str) -> None:
        """End it at once."""

    def close(self) -> None:
        """End it, beside the caller."""

    def join(self, seconds: float) -> None:
        """Wait for its end, at most so long."""


@dataclass(frozen=True, slots=True)
class PluginCommand:
    """How to start a generator: the command line of a program that speaks the protocol.

    `environment` None: this process's. `memory_mb`: what it may hold, where the system limits that.
    """

    name: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str] | None = field(default=None, repr=False)
    memory_mb: int = MEMORY_MB

    @classmethod
    def for_python(cls, name: str, target: str, python: str | None = None, memory_mb: int = MEMORY_MB) -> PluginCommand:
        """Return the command for a Python target: of an environment's own interpreter, or of this one."""
        environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME")}
        if python is None:
            environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
        return cls(name, (python or sys.executable, str(SERVER), target), environment, memory_mb)

    def build_command_line(self) -> list[str]:
        """Return the command line, behind the launcher where the system has what that needs."""
        if os.name != "posix":
            return list(self.arguments)
        limits = (str(os.getpid()), str(self.memory_mb << 20))
        return [sys.executable, "-I", "-S", str(LAUNCHER), *limits, *self.arguments]


class PluginProcess:
    """A generator's process. `start` it, or `begin` it beside the caller; `close` it in any case."""

    def __init__(self, command: PluginCommand, *, clock: Clock | None = None) -> None:
        self._command = command
        self._clock = clock or MonotonicClock()
        name = f"the player {command.name}"
        self._worker: WorkerProcess[Response] = WorkerProcess(
            command.build_command_line(),
            name=name,
            receives=Response,
            on_message=self._receive,
            on_end=self._notice_end,
            codec=JsonLines(Response, sender=name),
            on_stderr=self._log_output,
            environment=command.environment,
            end_signal=signal.SIGTERM,  # the launcher ends the rest
        )
        self._condition = threading.Condition()
        self._number = 0  # with the next five under `_condition`
        self._requests: dict[int, Request] = {}
        self._replies: dict[int, Reply | Response] = {}
        self._ready_number: int | None = None  # of the reset after which it can play
        self._is_configured = False
        self._fault: str | None = None
        self._threads: list[threading.Thread] = []
        self._printed_bytes, self._printed_since = 0, self._clock.now()  # the log thread's, with the next two
        self._log_lines = 0
        self._first_line = self._last_line = ""
        self._send(Hello(0))

    @property
    def is_ready(self) -> bool:
        """Whether the generator was made and reset."""
        return self._fault is None and self._is_configured

    @property
    def fault(self) -> str | None:
        """Why it cannot play any more, in one line; None after `close`."""
        return self._fault

    @property
    def printed_line(self) -> str:
        """The first line that it printed; empty if it printed none."""
        return self._first_line

    @property
    def process_id(self) -> int | None:
        """The process id of the launcher, or of the program itself where there is none."""
        return self._worker.process_id

    def start(self) -> None:
        """Start the process; returns when the system has."""
        try:
            self._worker.start()
        except WorkerError as error:
            self._fail(str(error))

    def begin(self, values: Mapping[str, Value], state: Any) -> None:
        """Start beside the caller, with these values of its parameters, from a state if there is one."""
        self.configure(values, state)
        self._run_beside(self._start_beside, "plug-in start")

    def describe(self, seconds: float) -> Descriptor | EffectDescriptor:
        """Ask for the descriptor and wait for it; raises PlayerFault."""
        number = self._send(Describe(0))
        with self._condition:
            self._condition.wait_for(lambda: number in self._replies or self._fault is not None, seconds)
            reply = self._replies.pop(number, None)
        if isinstance(reply, DescriptorResponse):
            try:
                return reply.to_descriptor()
            except ConfigError as error:
                raise PlayerFault(PlayerState.NOT_LOADED, str(error)) from error
        reason = self._fault or f"it did not answer within {seconds:g} s"
        raise PlayerFault(PlayerState.NOT_LOADED, reason)

    def inspect(self, seconds: float) -> Surroundings | None:
        """Ask what the generator has done to its process and wait; None if it does not say."""
        number = self._send(Inspect(0))
        with self._condition:
            self._condition.wait_for(lambda: number in self._replies or self._fault is not None, seconds)
            reply = self._replies.pop(number, None)
        return reply if isinstance(reply, Surroundings) else None

    def configure(self, values: Mapping[str, Value], state: Any = None) -> None:
        """Make the generator with these values, from a state if there is one."""
        self._send(Configure(0, dict(values)))
        self.reset(state)

    def reset(self, state: Any) -> None:
        """Let it forget everything, and go on from a state if there is one."""
        number = self._send(Reset(0, state))
        with self._condition:
            if self._ready_number is None:
                self._ready_number = number

    def ask(self, request: Generate | Process) -> int:
        """Ask for the notes of a span; return the number of the answer."""
        return self._send(request)

    def take(self, number: int) -> Reply | None:
        """Return an answer, once; None while there is none."""
        with self._condition:
            reply = self._replies.pop(number, None)
        return reply if isinstance(reply, BarAnswer | PlayerFault) else None

    def wait(self, number: int, seconds: float) -> Reply | None:
        """Wait for an answer, at most so long."""
        with self._condition:
            self._condition.wait_for(lambda: number in self._replies or self._fault is not None, seconds)
        return self.take(number)

    def wait_until_ready(self, seconds: float) -> bool:
        """Wait until it can play, at most so long."""
        with self._condition:
            self._condition.wait_for(lambda: self.is_ready or self._fault is not None, seconds)
        return self.is_ready

    def give_up(self, reason: str) -> None:
        """End it at once, beside the caller."""
        self._fail(reason)
        self._run_beside(lambda: self._end(reason), "plug-in end")

    def close(self) -> None:
        """End it, beside the caller: it has a moment to end by itself."""
        self._run_beside(lambda: self._worker.close(CLOSE_SECONDS), "plug-in end")

    def join(self, seconds: float) -> None:
        """Wait until all that was begun beside the caller is done, at most so long for each."""
        for thread in self._threads:
            thread.join(seconds)

    def _end(self, reason: str) -> None:
        self._worker.give_up(reason)
        self._worker.close(0.0)

    def _start_beside(self) -> None:
        disable_realtime()  # its threads and the process would inherit the conductor's priority
        self.start()

    def _run_beside(self, body: Callable[[], None], name: str) -> None:
        thread = threading.Thread(target=body, name=name, daemon=True)
        self._threads.append(thread)
        try:
            thread.start()
        except RuntimeError as error:  # no thread can be started any more: the process ends with this one
            self._threads.remove(thread)
            _log.warning("%s: %s", self._command.name, quote_error(error))

    def _send(self, request: Request) -> int:
        with self._condition:
            self._number += 1
            number = self._number
            request = msgspec.structs.replace(request, id=number)
            self._requests[number] = request
            try:
                is_taken = self._worker.send(request)
            except WorkerError as error:
                self._fault = self._fault or str(error)
                return number
            if not is_taken:
                self._fault = self._fault or "it takes no requests any more"
        return number

    def _receive(self, response: Response) -> None:
        """Thread: worker-read."""
        with self._condition:
            request = self._requests.pop(response.id, None)
            if request is None:
                self._fault = self._fault or f"it answered request {response.id}, which was not made"
            else:
                reply = _read_reply(request, response, self._command)
                if isinstance(reply, PlayerFault) and not isinstance(request, Generate | Process | Inspect):
                    self._fault = self._fault or reply.reason
                elif isinstance(request, Generate | Process | Describe | Inspect):
                    self._replies[response.id] = reply
                    if len(self._replies) > _MOST_REPLIES:  # to what was asked again since: nobody takes it
                        del self._replies[min(self._replies)]
                if response.id == self._ready_number:
                    self._is_configured = True
            self._condition.notify_all()

    def _notice_end(self) -> None:
        """Thread: the one that noticed."""
        error = self._worker.error
        if error is not None:
            self._fail(self._explain_end(error))

    def _explain_end(self, error: str) -> str:
        """Say why the process ended: what the system says of it, or what this process found."""
        if "ended by itself" not in error and "closed its output" not in error:
            return f"it{error.removeprefix(self._worker.name)}"
        code = self._worker.exit_code
        if code is None:
            return "it closed its connection"
        if code < 0:
            return f"it crashed ({_name_signal(-code)})"
        if code == _NOT_STARTED_EXIT_CODE and self._last_line:
            return self._last_line
        return f"it ended by itself (exit code {code})"

    def _fail(self, reason: str) -> None:
        with self._condition:
            self._fault = self._fault or reason
            self._condition.notify_all()

    def _log_output(self, data: bytes) -> None:
        """Log what the generator prints, the first lines of it. Thread: worker-log."""
        now = self._clock.now()
        if now - self._printed_since > _FLOOD_SECONDS:
            self._printed_bytes, self._printed_since = 0, now
        self._printed_bytes += len(data)
        if self._printed_bytes > FLOOD_BYTES and self._fault is None:
            self.give_up(f"it printed over {FLOOD_BYTES >> 20} MB within a second; a generator must not print")
        for line in data[: MAX_LOG_LINES * _LONGEST_LINE].splitlines():
            if self._log_lines < MAX_LOG_LINES and line.strip():
                self._log_lines += 1
                self._last_line = escape(line[:_LONGEST_LINE].decode(errors="replace"))
                self._first_line = self._first_line or self._last_line
                _log.info("%s: %s", self._command.name, self._last_line)
                if self._log_lines == MAX_LOG_LINES:
                    _log.info("%s prints more, which is not logged", self._command.name)


def describe_plugin(command: PluginCommand) -> Descriptor | EffectDescriptor:
    """Start a plug-in, read its descriptor and end it. Raises PlayerFault."""
    process = PluginProcess(command)
    process.start()
    try:
        return process.describe(LOAD_SECONDS)
    finally:
        process.close()


def begin_plugin(command: PluginCommand, values: Mapping[str, Value], state: object) -> PluginProcess:
    """Begin a plug-in from a state that it saved, with values of its parameters; nothing is waited for."""
    process = PluginProcess(command)
    process.begin(values, state)
    return process


def start_plugin(
    command: PluginCommand, resolve: Callable[[Descriptor | EffectDescriptor], dict[str, Value]], state: object = None
) -> tuple[PluginProcess, Descriptor | EffectDescriptor, dict[str, Value]]:
    """Start a plug-in and wait until it can play; return its process, its descriptor and its parameters' values.

    `resolve` returns every declared parameter's value; it begins from `state`, if there is one. Raises PlayerFault, and
    ConfigError where `resolve` does.
    """
    process = PluginProcess(command)
    process.start()
    try:
        descriptor = process.describe(LOAD_SECONDS)
        values = resolve(descriptor)
        process.configure(values, state)
        if not process.wait_until_ready(LOAD_SECONDS):
            reason = process.fault or f"it was not made within {LOAD_SECONDS:g} s"
            raise PlayerFault(PlayerState.NOT_LOADED, reason)
    except PlayerFault as fault:
        process.give_up(fault.reason)
        raise
    except ConfigError:
        process.close()
        raise
    return process, descriptor, values


def _read_reply(request: Request, response: Response, command: PluginCommand) -> Reply | Response:
    """Return what a response says; a fault for an error, and for an answer of another type or outside the rules."""
    if isinstance(response, ErrorResponse):
        return PlayerFault(*_explain_failure(request, response, command))
    is_played = isinstance(request, Generate | Process)
    if isinstance(request, Generate | Process) and isinstance(response, NotesResponse):
        try:
            notes, refusal = read_values(response.notes, command.name, request.start_beat, request.end_beat)
        except InvalidAnswer as fault:
            return PlayerFault(PlayerState.INVALID, str(fault))
        return BarAnswer(notes, refusal, response.state)
    if isinstance(response, HelloResponse) and response.protocol != PROTOCOL:
        reason = f"it speaks version {response.protocol} of the protocol; this is version {PROTOCOL}"
        return PlayerFault(PlayerState.NOT_LOADED, reason)
    if is_played or (isinstance(request, Describe) != isinstance(response, DescriptorResponse)):
        kind = type(request).__struct_config__.tag
        return PlayerFault(PlayerState.FAILED, f"its answer to {kind} is {response.__struct_config__.tag}")
    return response


def _explain_failure(request: Request, response: ErrorResponse, command: PluginCommand) -> tuple[PlayerState, str]:
    reason = escape(response.reason)[:_LONGEST_LINE]
    if reason.startswith("MemoryError"):
        reason = f"it needs more than the {command.memory_mb} MB of memory that it may have"
    if isinstance(request, Generate | Process):
        call = type(request).__struct_config__.tag
        return (PlayerState.INVALID, reason) if response.rule else (PlayerState.FAILED, f"{call} failed: {reason}")
    if isinstance(request, Reset):
        return PlayerState.FAILED, f"reset failed: {reason}"
    return PlayerState.NOT_LOADED, f"it did not load: {reason}"


def _name_signal(number: int) -> str:
    try:
        return f"signal {signal.Signals(number).name}"
    except ValueError:
        return f"signal {number}"
