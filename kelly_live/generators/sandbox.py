"""A generator from another package, in a thread of its own: it may be slow or hang, the band does not wait for it.

Threads: the conductor's calls a Guest; the Guest's own, a daemon, is the only one that calls the generator. One job at
a time is handed over; while it is worked on, every further slice is given up at once, so that a plug-in that hangs
costs the conductor DEADLINE once, and nothing afterwards.
"""

from __future__ import annotations

import contextlib
import ctypes
import threading
from collections.abc import Sequence
from queue import SimpleQueue

from kelly_live.core.timebase import Clock, MonotonicClock
from kelly_live.core.values import MusicParameters, NoteEvent
from kelly_live.generators.band import DeadlineExceeded
from kelly_live.generators.base import BUDGET_SECONDS, FIRST_CALL_SECONDS, Generator, MusicContext


class _Job:
    """One call: what is asked, and once `done` is set what came of it. `fresh`: the generator is reset first."""

    __slots__ = ("arguments", "done", "error", "fresh", "notes")

    def __init__(self, fresh: bool, arguments: tuple[MusicParameters, MusicContext, float, float]) -> None:
        self.fresh = fresh
        self.arguments = arguments
        self.done = threading.Event()
        self.notes: Sequence[NoteEvent] = ()
        self.error: Exception | None = None


class SandboxedGenerator:
    """Wraps a generator in the same contract. `generate` raises TooLate where the answer is not there within
    `deadline_seconds` for a span of up to a beat, and as much again for each beat more.
    """

    def __init__(
        self, inner: Generator, *, deadline_seconds: float = BUDGET_SECONDS, clock: Clock | None = None
    ) -> None:
        self.descriptor = inner.descriptor
        self._inner = inner
        self._deadline = deadline_seconds
        self._clock = clock or MonotonicClock()
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._job: _Job | None = None
        self._fresh = True
        self._first_asked: float | None = None
        self._answered = False

    def reset(self) -> None:
        """Takes effect before the next slice. Raises RuntimeError if the generator was left behind and never came
        back.
        """
        self._fresh = True
        if self._job is not None and not self._job.done.is_set():
            raise RuntimeError("it still hangs in an earlier call")

    def generate(
        self, parameters: MusicParameters, context: MusicContext, start_beat: float, end_beat: float
    ) -> Sequence[NoteEvent]:
        if self._job is not None and not self._job.done.is_set():
            raise DeadlineExceeded(excused=self._is_first())
        if self._job is not None:
            self._answered = True
            error, self._job.error = self._job.error, None
            if error is not None:
                raise error  # of a slice that had been given up already
        job = self._job = _Job(self._fresh, (parameters, context, start_beat, end_beat))
        self._fresh = False
        if self._first_asked is None:
            self._first_asked = self._clock.now()
        if self._thread is None:
            self._thread = threading.Thread(target=self._live, args=(self._jobs,), name="guest", daemon=True)
            self._thread.start()
        self._jobs.put(job)
        if not job.done.wait(self._deadline * max(1.0, end_beat - start_beat)):
            raise DeadlineExceeded(excused=self._is_first())
        self._answered = True
        if job.error is not None:
            raise job.error
        return job.notes

    def dismiss(self) -> None:
        """Let the thread go. One that is still in a call is asked to stop there: a plain loop does, at its next step;
        one that waits inside the system stays behind, idle.
        """
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._jobs.put(None)
        if self._job is not None and not self._job.done.is_set() and thread.ident is not None:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit))
        self._jobs = SimpleQueue()

    def _is_first(self) -> bool:
        """Whether nothing was ever answered, and the time for the first answer is not over."""
        asked = self._first_asked
        return not self._answered and asked is not None and self._clock.now() - asked < FIRST_CALL_SECONDS

    def _live(self, jobs: SimpleQueue[_Job | None]) -> None:
        """Thread: the guest's own, from its first call until it is dismissed."""
        with contextlib.suppress(SystemExit):  # what asks it to stop may arrive between two calls
            self._work(jobs)

    def _work(self, jobs: SimpleQueue[_Job | None]) -> None:
        while (job := jobs.get()) is not None:
            try:
                if job.fresh:
                    self._inner.reset()
                job.notes = self._inner.generate(*job.arguments)
            except Exception as error:  # told to the conductor, which mutes it
                job.error = error
            except BaseException as error:  # it was asked to stop, or wants to end the process: only its thread ends
                job.error = RuntimeError(f"it ended its thread ({type(error).__name__})")
                return
            finally:
                job.done.set()
