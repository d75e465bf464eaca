"""A generator of another package in a thread of its own, which the band never waits for.

Threads: the conductor's calls a SandboxedGenerator; the sandbox's own, a daemon, is the only one that calls the
generator. It has ordinary priority: a loop at real-time priority would take its processor from everything else. One
call at a time is handed over. While it runs, every further slice is given up at once, so that a generator that hangs
costs the conductor its deadline once, and nothing afterwards.
"""

from __future__ import annotations

import contextlib
import ctypes
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue

from kelly_live.core.timebase import Clock, MonotonicClock
from kelly_live.core.values import MusicParameters, NoteEvent
from kelly_live.generators.base import BUDGET_SECONDS, FIRST_CALL_SECONDS, Generator
from kelly_live.music.context import MusicContext
from kelly_live.workers.realtime import disable_realtime

THREAD_NAME = "sandboxed generator"


class DeadlineExceeded(Exception):
    """The error of a generator that has not answered in time; `is_first_call`: it may still be loading."""

    def __init__(self, *, is_first_call: bool = False) -> None:
        super().__init__("no answer in time")
        self.is_first_call = is_first_call


class _Call:
    """One call: its arguments and, once `done` is set, its result; `reset_first` resets the generator."""

    __slots__ = ("arguments", "done", "error", "notes", "reset_first")

    def __init__(self, arguments: tuple[MusicParameters, MusicContext, float, float], *, reset_first: bool) -> None:
        self.arguments = arguments
        self.reset_first = reset_first
        self.done = threading.Event()
        self.notes: Sequence[NoteEvent] = ()
        self.error: Exception | None = None


class SandboxedGenerator:
    """A generator that runs in a thread of its own, behind the same contract.

    `generate` raises DeadlineExceeded where there is no answer within `deadline_seconds` for a slice of up to a beat,
    and as much again for each further beat. `leave_realtime` is called first in the new thread, which would inherit
    the real-time priority of the thread that starts it.
    """

    def __init__(
        self,
        inner: Generator,
        *,
        deadline_seconds: float = BUDGET_SECONDS,
        clock: Clock | None = None,
        leave_realtime: Callable[[], None] = disable_realtime,
    ) -> None:
        self.descriptor = inner.descriptor
        self._inner = inner
        self._deadline = deadline_seconds
        self._clock = clock or MonotonicClock()
        self._leave_realtime = leave_realtime
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()  # holds one call at most, and the None of `close`
        self._thread: threading.Thread | None = None
        self._call: _Call | None = None
        self._reset_next = True
        self._first_call_seconds: float | None = None
        self._has_answered = False

    def reset(self) -> None:
        """Reset the generator before its next slice; raises RuntimeError if it still hangs in an earlier call."""
        self._reset_next = True
        if self._call is not None and not self._call.done.is_set():
            raise RuntimeError("it still hangs in an earlier call")

    def generate(
        self, parameters: MusicParameters, context: MusicContext, start_beat: float, end_beat: float
    ) -> Sequence[NoteEvent]:
        """Return the generator's notes; raises DeadlineExceeded, or what the generator raised."""
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
            self._thread = threading.Thread(target=self._run, args=(self._calls,), name=THREAD_NAME, daemon=True)
            self._thread.start()
        self._calls.put(call)
        if not call.done.wait(self._deadline * max(1.0, end_beat - start_beat)):
            raise DeadlineExceeded(is_first_call=self._is_first_call())
        self._has_answered = True
        if call.error is not None:
            raise call.error
        return call.notes

    def close(self) -> None:
        """End the thread; returns at once.

        A thread that is still in a call is asked to stop there. A plain loop does, at its next step; a thread that
        waits inside the system stays behind, idle.
        """
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._calls.put(None)
        if self._call is not None and not self._call.done.is_set() and thread.ident is not None:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit))
        self._calls = SimpleQueue()

    def _is_first_call(self) -> bool:
        """Tell whether nothing was ever answered, and the time for the first answer is not over."""
        start_seconds = self._first_call_seconds
        return (
            not self._has_answered
            and start_seconds is not None
            and self._clock.now() - start_seconds < FIRST_CALL_SECONDS
        )

    def _run(self, calls: SimpleQueue[_Call | None]) -> None:
        """Answer calls until the sandbox is closed. Thread: the sandbox's own."""
        self._leave_realtime()
        with contextlib.suppress(SystemExit):  # the request to stop may arrive between two calls
            self._answer(calls)

    def _answer(self, calls: SimpleQueue[_Call | None]) -> None:
        while (call := calls.get()) is not None:
            try:
                if call.reset_first:
                    self._inner.reset()
                call.notes = self._inner.generate(*call.arguments)
            except Exception as error:  # raised again in the conductor's thread, where the band mutes the player
                call.error = error
            except BaseException as error:  # it was asked to stop, or wants to end the process: only its thread ends
                call.error = RuntimeError(f"it ended its thread ({type(error).__name__})")
                return
            finally:
                call.done.set()
