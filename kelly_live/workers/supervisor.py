"""Watches a part of the session that can be lost, and restores it with back-off.

Threads of a Supervisor: `start` begins one of its own, which alone calls `check`, `release` and `restore` from then on.
`problem`, `wake` and `stop` are for any thread. Without `start`, `step` does the same from the caller's thread.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable

from kelly_live.core.errors import KellyError
from kelly_live.core.timebase import Clock

WATCH_SECONDS = 0.1
RETRY_SECONDS = 0.7
STOP_SECONDS = 2.0

_log = logging.getLogger(__name__)


class Supervisor:
    """One part's watch.

    Args:
        name: The part, as the subject of log and error lines: "the MIDI input 'Keys'".
        check: Says in a line why the part is lost, or None.
        restore: Brings the part back and returns whether it is there; it may also raise KellyError while it can't. It
            should return soon after `stop` was called: `is_stopping` says so.
        release: Gives up what is left of a lost part, before the first try to restore it; it gets the problem.
        clock: Times the looks and the tries.
        watch_seconds: Between two looks at the part.
        delay_seconds: Between the loss and the first try.
        retry_seconds: Between the first two tries; doubled after each, up to the limit.
        retry_limit_seconds: The longest time between two tries [default: `retry_seconds`, so that it stays the same].
    """

    def __init__(
        self,
        name: str,
        *,
        check: Callable[[], str | None],
        restore: Callable[[], bool],
        release: Callable[[str], None] | None = None,
        clock: Clock,
        watch_seconds: float = WATCH_SECONDS,
        delay_seconds: float = 0.0,
        retry_seconds: float = RETRY_SECONDS,
        retry_limit_seconds: float | None = None,
    ) -> None:
        self._name = name
        self._check, self._restore, self._release = check, restore, release
        self._clock = clock
        self._watch_seconds, self._delay_seconds = watch_seconds, delay_seconds
        self._retry_seconds = self._next_retry_seconds = retry_seconds
        self._retry_limit_seconds = retry_seconds if retry_limit_seconds is None else retry_limit_seconds
        self._problem: str | None = None
        self._next_check = clock.now() + watch_seconds
        self._condition = threading.Condition()
        self._is_awake = False  # with `_stopping` under `_condition`
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=f"supervisor of {name}", daemon=True)

    @property
    def problem(self) -> str | None:
        """Why the part is lost, in one line, for as long as it is; as of the last look."""
        return self._problem

    @property
    def is_stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stopping

    @property
    def is_running(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Watch from now on."""
        self._thread.start()

    def stop(self, timeout_seconds: float = STOP_SECONDS) -> bool:
        """Watch no more, and return whether the thread has ended within the timeout. Safe to call twice."""
        with self._condition:
            self._stopping = True
            self._condition.notify_all()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout_seconds)
        return not self._thread.is_alive()

    def wake(self) -> None:
        """Look at the part at once: it was just lost. The time of the next try stays."""
        with self._condition:
            self._is_awake = True
            self._condition.notify_all()

    def step(self) -> None:
        """Look whether the part is there, or try to restore it, if it is time to."""
        with self._condition:
            is_awake, self._is_awake = self._is_awake, False
        if self._clock.now() < self._next_check and not (is_awake and self._problem is None):
            return
        if self._problem is None and (problem := self._find_problem()) is not None:
            self._lose(problem)
            if self._delay_seconds > 0.0:
                self._next_check = self._clock.now() + self._delay_seconds
                return
        if self._problem is not None and not self._is_restored():
            self._next_check = self._clock.now() + self._next_retry_seconds
            self._next_retry_seconds = min(2.0 * self._next_retry_seconds, self._retry_limit_seconds)
        else:
            self._next_check = self._clock.now() + self._watch_seconds

    def _find_problem(self) -> str | None:
        try:
            return self._check()
        except OSError as error:  # no file descriptor is left to look: the next look may find one
            _log.debug("%s cannot be looked at: %s", self._name, error)
            return None

    def _lose(self, problem: str) -> None:
        _log.warning("%s is lost: %s", self._name, problem)
        self._problem = problem
        self._next_retry_seconds = self._retry_seconds
        if self._release is not None:
            self._release(problem)

    def _is_restored(self) -> bool:
        try:
            is_restored = self._restore()
        except (KellyError, OSError) as error:  # also when no file descriptor is left
            _log.debug("%s cannot be restored yet: %s", self._name, error)
            return False
        if is_restored:
            _log.info("%s is back", self._name)
            self._problem = None
        return is_restored

    def _run(self) -> None:
        try:
            while self._is_due():
                self.step()
        except Exception as error:  # no part should raise this; if one does, it is reported, and the rest plays on
            _log.exception("%s is lost for good", self._name)
            self._problem = f"{self._name} is lost ({error}); start kelly-live again to have it back"
            if self._release is not None:
                with contextlib.suppress(Exception):  # the loss is reported already
                    self._release(self._problem)

    def _is_due(self) -> bool:
        """Wait until the next step is due; return False when there will be none."""
        with self._condition:
            while not self._stopping:
                wait_seconds = self._next_check - self._clock.now()
                if wait_seconds <= 0.0 or (self._is_awake and self._problem is None):
                    return True
                self._condition.wait(wait_seconds)
            return False
