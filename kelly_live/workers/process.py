"""A child process that exchanges typed messages with this one over two pipes: the parent's end.

Threads of a WorkerProcess: any may call it. `worker-write` writes to the child, `worker-read` decodes what comes
back and calls `on_message`, `worker-watch` ends a child that stopped reading; `worker-log`, if it has one, reads its
stderr and calls `on_stderr`. Only `start` and `close` wait, both for
a bounded time. The child's end is `kelly_live.workers.child`.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

from kelly_live.core.errors import WorkerError
from kelly_live.workers.child import GIVEN_UP_EXIT_CODE
from kelly_live.workers.framing import MAX_FRAME_BYTES, Codec, FrameDecoder

OUTBOX_WEIGHT = 4096
OUTBOX_MESSAGES = 1024
WRITE_SECONDS = 5.0  # a child that reads nothing for so long is ended
CLOSE_SECONDS = 2.0

_CHECK_PYTHON = "check the Python installation"
_CHUNK_BYTES = 1 << 16
_WATCH_LOOKS = 5  # in WRITE_SECONDS
_REAP_SECONDS = 1.0  # for the system, after a kill
_KILL_SIGNAL: int = getattr(signal, "SIGKILL", signal.SIGTERM)  # Windows ends a process by either

_log = logging.getLogger(__name__)

Received = TypeVar("Received")


def module_command(module: str, *arguments: str) -> list[str]:
    """Return the command line that runs a module of this program in a Python of its own.

    `-P`: a file in the user's folder that is called, say, queue.py must not end up inside the child.
    """
    return [sys.executable, "-P", "-m", module, *arguments]


class WorkerProcess(Generic[Received]):
    """A child process with a bounded outbox, a deadline on every write, and an end in bounded time.

    Args:
        command: The command line of the child; see `module_command`.
        name: What the child is, as the subject of error lines: "the audio capture".
        receives: The union of the messages that the child may send.
        on_message: Called with each of them, on the reader's thread; it must not block.
        on_end: Called once when the child has ended or was given up, on the thread that noticed; `error` says why,
            None after `close`.
        outbox_weight: The sum of the weights that may wait for the pipe.
        outbox_messages: The number of messages that may wait for the pipe, those of weight 0 included.
        write_seconds: A child that takes nothing from its full pipe for so long is ended. Counted while this process
            runs, so that its own suspension is not the child's fault.
        codec: Of the messages [default: `framing`'s, by `receives`].
        on_stderr: Called with what the child writes to its stderr, on `worker-log` [default: it has this one's].
        environment: The child's environment variables [default: this process's].
        end_signal: Ends the child at once; SIGTERM for a launcher that must end others first. A child that is still
            there a second later is killed.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        name: str,
        receives: Any,
        on_message: Callable[[Received], None],
        on_end: Callable[[], None] | None = None,
        outbox_weight: int = OUTBOX_WEIGHT,
        outbox_messages: int = OUTBOX_MESSAGES,
        write_seconds: float = WRITE_SECONDS,
        max_frame_bytes: int = MAX_FRAME_BYTES,
        codec: Codec[Received] | None = None,
        on_stderr: Callable[[bytes], None] | None = None,
        environment: Mapping[str, str] | None = None,
        end_signal: int = _KILL_SIGNAL,
    ) -> None:
        self.name = name
        self._command = list(command)
        self._codec = codec or FrameDecoder(receives, sender=name, max_bytes=max_frame_bytes)
        self._on_stderr, self._environment, self._end_signal = on_stderr, environment, end_signal
        self._on_message, self._on_end = on_message, on_end
        self._outbox_weight, self._outbox_messages = outbox_weight, outbox_messages
        self._write_seconds = write_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._threads: list[threading.Thread] = []
        self._outbox: deque[tuple[int, bytes]] = deque()  # (weight, frame); with the next three under `_condition`
        self._weight = 0
        self._is_closing = False
        self._error: str | None = None
        self._condition = threading.Condition()
        self._write_number = 0  # of the write in progress, 0 between writes; the writer's
        self._has_ended = threading.Event()

    @property
    def process_id(self) -> int | None:
        """The child's process id; None before `start`."""
        return None if self._process is None else self._process.pid

    @property
    def exit_code(self) -> int | None:
        """The child's exit code (a negative signal number after a kill); None while it runs."""
        return None if self._process is None else self._process.poll()

    @property
    def error(self) -> str | None:
        """Why the child was lost, in one line; None while it runs and after an end that was asked for."""
        return self._error

    @property
    def is_lost(self) -> bool:
        """Whether the child has ended, or was given up or closed."""
        return self._is_closing or self._has_ended.is_set()

    def start(self) -> None:
        """Start the child.

        Raises:
            WorkerError: The system cannot start it, or it was started or closed before.
        """
        with self._condition:
            if self._process is not None:
                raise WorkerError(f"{self.name} was started twice; make a new one")
            if self._is_closing:  # by another thread: nothing may be left behind
                raise WorkerError(f"{self.name} was closed before it was started; make a new one")
            try:
                with _hold_interrupts():
                    self._process = subprocess.Popen(
                        self._command,
                        stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE,
                        stderr=None if self._on_stderr is None else subprocess.PIPE,
                        env=self._environment,
                        bufsize=0,
                    )
            except OSError as error:
                is_full = error.errno in (errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM)
                remedy = "close other programs, or raise the limits (`ulimit -a`)" if is_full else _CHECK_PYTHON
                message = f"{self.name} cannot be started ({error}); {remedy}"
                raise WorkerError(message) from error
            process = self._process
            bodies = (self._write, self._read, self._watch, *[self._log] * (self._on_stderr is not None))
            for body in bodies:
                thread = threading.Thread(target=body, args=(process,), name=f"worker-{body.__name__[1:]}", daemon=True)
                thread.start()
                self._threads.append(thread)
        _log.info("%s started: process %d", self.name, process.pid)

    def send(self, message: object, *, weight: int = 1) -> bool:
        """Queue a message for the child, without waiting, and return whether there was room.

        A message of weight 0 is only counted against `outbox_messages`.

        Raises:
            WorkerError: The message has no schema, or is too long.
        """
        frame = self._codec.encode(message)
        with self._condition:
            is_too_heavy = weight > 0 and self._weight + weight > self._outbox_weight
            if self.is_lost or is_too_heavy or len(self._outbox) >= self._outbox_messages:
                return False
            self._outbox.append((weight, frame))
            self._weight += weight
            self._condition.notify_all()
        return True

    def give_up(self, error: str) -> None:
        """End the child at once; `error` says why, in one line, unless it has ended before."""
        process = self._process
        if process is not None:
            self._end(process, error)

    def close(self, patience_seconds: float = CLOSE_SECONDS, *, terminate: bool = False) -> None:
        """End the child: send what waits, close its stdin, wait for its end, then kill it. Safe to call twice.

        Args:
            patience_seconds: How long the child may take.
            terminate: Send SIGTERM and wait as long again before the kill.
        """
        with self._condition:
            self._is_closing = True
            self._condition.notify_all()
        process = self._process
        if process is None:
            return
        is_over = _wait(process, patience_seconds)
        if not is_over and terminate:
            process.terminate()
            is_over = _wait(process, patience_seconds)
        if not is_over:
            _log.warning("%s did not end within %g s and is killed", self.name, patience_seconds)
        self._end(process, None)
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(_REAP_SECONDS)
        for name, pipe in (("worker-read", process.stdout), ("worker-log", process.stderr)):
            if pipe is not None and not any(thread.name == name and thread.is_alive() for thread in self._threads):
                pipe.close()

    def wait(self, timeout_seconds: float) -> bool:
        """Wait for the child's end, at most so long, and return whether it has ended."""
        return self._process is None or _wait(self._process, timeout_seconds)

    def _write(self, process: subprocess.Popen[bytes]) -> None:
        """Thread: worker-write. Ends after `close`, once the outbox is empty, or with the child."""
        assert process.stdin is not None
        number = 0
        with contextlib.suppress(OSError):  # the child is gone; the reader says why
            while (frame := self._next_frame()) is not None:
                rest = memoryview(frame)
                while rest:
                    number += 1
                    self._write_number = number
                    rest = rest[os.write(process.stdin.fileno(), rest[:_CHUNK_BYTES]) :]
                self._write_number = 0
        self._write_number = 0
        with contextlib.suppress(OSError):
            process.stdin.close()

    def _next_frame(self) -> bytes | None:
        with self._condition:
            self._condition.wait_for(lambda: self._outbox or self.is_lost)
            if self._has_ended.is_set() or not self._outbox:
                return None
            weight, frame = self._outbox.popleft()
            self._weight -= weight
            return frame

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        """Thread: worker-read. Ends when the child does."""
        assert process.stdout is not None
        error: str | None = None
        try:
            while data := os.read(process.stdout.fileno(), _CHUNK_BYTES):
                for message in self._codec.feed(data):
                    self._on_message(message)
        except (WorkerError, OSError, ValueError) as problem:  # ValueError: closed by `close`
            error = str(problem)
        except Exception as problem:  # the owner's callback; without a reader the child would be deaf and unnoticed
            _log.exception("%s: its message could not be used", self.name)
            error = f"{self.name} was given up ({type(problem).__name__}: {problem})"
        if error is None and _wait(process, _REAP_SECONDS):
            is_given_up = process.returncode == GIVEN_UP_EXIT_CODE
            reason = "this process did not read its messages" if is_given_up else _explain_exit(process.returncode)
            error = f"{self.name} ended by itself ({reason})"
        self._end(process, error or f"{self.name} closed its output")

    def _log(self, process: subprocess.Popen[bytes]) -> None:
        """Thread: worker-log. Ends when nobody writes to the child's stderr any more."""
        assert process.stderr is not None
        assert self._on_stderr is not None
        with contextlib.suppress(OSError, ValueError):  # closed by `close`
            while data := os.read(process.stderr.fileno(), _CHUNK_BYTES):
                self._on_stderr(data)

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        """Thread: worker-watch. Gives a child up that takes nothing from its full pipe.

        Looks are counted, not seconds: however long this process was suspended, that is one look.
        """
        before, looks = 0, 0
        while not self._has_ended.wait(self._write_seconds / _WATCH_LOOKS):
            number = self._write_number
            looks = looks + 1 if number and number == before else 0
            before = number
            if looks >= _WATCH_LOOKS:
                self._end(process, f"{self.name} took no message for {self._write_seconds:g} s and was ended")

    def _end(self, process: subprocess.Popen[bytes], error: str | None) -> None:
        """Make sure that the child is gone; tell the owner, once."""
        with self._condition:
            is_first = not self._has_ended.is_set()
            if is_first and not self._is_closing:
                self._error = error
            self._has_ended.set()
            self._outbox.clear()
            self._weight = 0
            self._condition.notify_all()
        if process.poll() is None:
            process.send_signal(self._end_signal)
            if not _wait(process, _REAP_SECONDS):
                process.kill()
                _wait(process, _REAP_SECONDS)
        if not is_first:
            return
        if self._error is not None:
            _log.warning("lost: %s", self._error)
        else:
            _log.info("%s ended (exit code %s)", self.name, process.poll())
        if self._on_end is not None:
            self._on_end()


@contextlib.contextmanager
def _hold_interrupts() -> Iterator[None]:
    """Hold Ctrl-C back from a child that is started: until it ignores it, it would print a traceback.

    A child inherits the signals that the starting thread holds back. This process gets a Ctrl-C
    that comes meanwhile afterwards.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


def _explain_exit(code: int) -> str:
    """The exit code, and what an abort mostly means: C++ libraries end so when an allocation fails."""
    return f"exit code {code}" + (", as where there is not enough memory" if code == -signal.SIGABRT else "")


def _wait(process: subprocess.Popen[bytes], seconds: float) -> bool:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    return process.poll() is not None
