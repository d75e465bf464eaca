"""A generator of another package in a thread of its own, which the band never waits for.

Threads: the conductor's calls a SandboxedGenerator; the sandbox's own, a daemon, is the only one that calls the
generator and reads what it returns. It has ordinary priority: a loop at real-time priority would take its processor
from everything else. One call at a time is handed over. While it runs, every further slice is given up at once, so that
a generator that hangs costs the conductor its deadline once, and nothing afterwards. What is raised to end the process
(`sys.exit`, KeyboardInterrupt) ends no more than the call.
"""

from __future__ import annotations

import contextlib
import ctypes
import threading
import weakref
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import TypeVar

from kelly_live.core.plugins import PluginError, describe_error, guard_call
from kelly_live.core.timebase import Clock, MonotonicClock
from kelly_live.core.values import MusicParameters, NoteEvent
from kelly_live.generators.answer import Answer, InvalidAnswer, read_answer
from kelly_live.generators.base import BUDGET_SECONDS, FIRST_CALL_SECONDS, Descriptor, Generator
from kelly_live.music.context import MusicContext
from kelly_live.workers.realtime import disable_realtime

THREAD_NAME = "sandboxed generator"
OFFLINE_SECONDS = 30.0  # without a band that waits, only a generator that hangs is given up

T = TypeVar("T")


class DeadlineExceeded(Exception):
    """The error of a generator that has not answered in time; `is_first_call`: it may still be loading."""

    def __init__(self, *, is_first_call: bool = False) -> None:
        super().__init__("no answer in time")
        self.is_first_call = is_first_call


class _Call:
    """One call: its arguments and, once `done` is set, its result; `reset_first` resets the generator."""

    __slots__ = ("answer", "arguments", "done", "error", "reset_first")

    def __init__(self, arguments: tuple[MusicParameters, MusicContext, float, float], *, reset_first: bool) -> None:
        self.arguments = arguments
        self.reset_first = reset_first
        self.done = threading.Event()
        self.answer = Answer([], None)
        self.error: Exception | None = None


class _Inside:
    """What the sandbox's thread works with. It lives until that thread has dropped it."""

    def __init__(self, generator: Generator) -> None:
        self.generators = [generator]  # the only reference
        self.calls: SimpleQueue[_Call | None] = SimpleQueue()  # holds one call at most, and the None that ends it

    def drop(self) -> None:
        """End the thread, and drop the generator in a thread nothing waits for: its `__del__` may hang."""
        self.calls.put(None)
        with contextlib.suppress(RuntimeError):  # the interpreter ends, and starts no more threads
            threading.Thread(target=self.generators.clear, name="plug-in end", daemon=True).start()


class SandboxedGenerator:
    """A generator that runs in a thread of its own, behind the same contract.

    `generate` raises DeadlineExceeded where there is no answer within `deadline_seconds` for a slice of up to a beat,
    and as much again for each further beat; PluginError or InvalidAnswer if it failed. `refusal` says why notes of the
    latest answer were left out. `descriptor`: instead of the generator's own, which may be code. `leave_realtime` is
    called first in the new thread, which would inherit the real-time priority of the thread that starts it.
    """

    def __init__(
        self,
        inner: Generator,
        *,
        descriptor: Descriptor | None = None,
        deadline_seconds: float = BUDGET_SECONDS,
        clock: Clock | None = None,
        leave_realtime: Callable[[], None] = disable_realtime,
    ) -> None:
        self.descriptor = inner.descriptor if descriptor is None else descriptor
        self.refusal: str | None = None
        self._inside = _Inside(inner)
        weakref.finalize(self, self._inside.drop).atexit = False
        self._deadline = deadline_seconds
        self._clock = clock or MonotonicClock()
        self._leave_realtime = leave_realtime
        self._thread: threading.Thread | None = None
        self._call: _Call | None = None
        self._reset_next = True
        self._first_call_seconds: float | None = None
        self._has_answered = False

    def reset(self) -> None:
        """Reset the generator before its next slice; raises PluginError if it still hangs in an earlier call."""
        self._reset_next = True
        if self._call is not None and not self._call.done.is_set():
            raise PluginError("it still hangs in an earlier call")

    def generate(
        self, parameters: MusicParameters, context: MusicContext, start_beat: float, end_beat: float
    ) -> Sequence[NoteEvent]:
        """Return the generator's notes, checked; raises DeadlineExceeded, PluginError or InvalidAnswer."""
        if self._call is not None and not self._call.done.is_set():
            raise DeadlineExceeded(is_first_call=self._is_first_call())
        if self._call is not None:
            self._has_answered = True
            error, self._call.error = self._call.error, None
            if error is not None:
                raise error  # of a slice that had been given up already
        call = self._call = _Call((parameters, context, start_beat, end_beat), reset_first=self._reset_next)
        self._reset_next = False
        if self._first_call_seconds is None:
            self._first_call_seconds = self._clock.now()
        if self._thread is None:
            arguments = (self._inside.calls, self._inside.generators, self._leave_realtime)
            self._thread = threading.Thread(target=_answer_calls, args=arguments, name=THREAD_NAME, daemon=True)
            self._thread.start()
        self._inside.calls.put(call)
        if not call.done.wait(self._deadline * max(1.0, end_beat - start_beat)):
            raise DeadlineExceeded(is_first_call=self._is_first_call())
        self._has_answered = True
        error, call.error = call.error, None
        if error is not None:
            raise error
        self.refusal = call.answer.refusal
        return call.answer.notes

    def close(self) -> None:
        """End the thread; returns at once.

        A thread that is still in a call is asked to stop there. A plain loop does, at its next step; a thread that
        waits inside the system stays behind, idle.
        """
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._inside.calls.put(None)
        if self._call is not None and not self._call.done.is_set():
            _interrupt(thread)
        self._inside.calls = SimpleQueue()

    def _is_first_call(self) -> bool:
        """Tell whether nothing was ever answered, and the time for the first answer is not over."""
        start_seconds = self._first_call_seconds
        return (
            not self._has_answered
            and start_seconds is not None
            and self._clock.now() - start_seconds < FIRST_CALL_SECONDS
        )


def run_with_deadline(function: Callable[[], T], seconds: float) -> T:
    """Run another package's code in a thread of its own, wait at most so long, and return what it returns.

    Raises PluginError for whatever it raises, and if it does not end in time.
    """
    results: list[T] = []
    errors: list[str] = []

    def run() -> None:
        disable_realtime()
        try:
            with guard_call():
                results.append(function())
        except BaseException as error:
            errors.append(describe_error(error))

    thread = threading.Thread(target=run, name="plug-in load", daemon=True)
    thread.start()
    thread.join(seconds)
    if results:
        return results[0]
    if not errors:
        _interrupt(thread)
    raise PluginError(errors[0] if errors else f"it did not end within {seconds:g} s")


def _answer_calls(
    calls: SimpleQueue[_Call | None], generators: Sequence[Generator], leave_realtime: Callable[[], None]
) -> None:
    """Answer calls until the sandbox is closed. Thread: the sandbox's own."""
    leave_realtime()
    with contextlib.suppress(SystemExit):  # the request to stop may arrive between two calls
        while (call := calls.get()) is not None:
            try:
                with guard_call():
                    if call.reset_first:
                        generators[0].reset()
                    call.answer = read_answer(generators[0].generate(*call.arguments), *call.arguments[2:])
            except InvalidAnswer as error:  # raised again in the conductor's thread, where the band mutes the player
                call.error = error
            except BaseException as error:  # it may want to end the process; its thread goes on
                call.error = PluginError(describe_error(error))
            finally:
                call.done.set()


def _interrupt(thread: threading.Thread) -> None:
    """Raise SystemExit in a thread, at the next step of its Python code."""
    if thread.ident is not None:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit))
