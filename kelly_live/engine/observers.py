"""Observers of a session: callbacks that see snapshots at a bounded rate, each in its own thread.

Threads: `observe` and `close` are for any. `publish` is for the console's and never waits: an observer that is still
busy misses a snapshot. One that is busy for SLOW_SECONDS, or that raises, is dropped for good, and that is logged.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from kelly_live.core.errors import ConfigError
from kelly_live.core.timebase import Clock

T = TypeVar("T")

DEFAULT_MAX_HERTZ = 10.0
SLOW_SECONDS = 1.0
MAX_OBSERVERS = 32
_log = logging.getLogger(__name__)


class Observation(Generic[T]):
    """One observer's subscription. `missed_snapshots` counts the snapshots that came while it was busy."""

    def __init__(self, callback: Callable[[T], object], max_hertz: float) -> None:
        self.missed_snapshots = 0
        self._callback = callback
        self._interval_seconds = 1.0 / max_hertz
        self._condition = threading.Condition()
        self._next: T | None = None
        self._due_seconds = float("-inf")
        self._busy_since: float | None = None
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="observer", daemon=True)
        self._thread.start()

    @property
    def is_open(self) -> bool:
        """Whether it is still shown snapshots."""
        return not self._is_closed

    @property
    def is_busy(self) -> bool:
        """Whether it was handed a snapshot that it has not dealt with yet."""
        with self._condition:
            return self._busy_since is not None

    def close(self) -> None:
        """Show it no more snapshots; a call that is under way is not waited for. Safe to call twice."""
        with self._condition:
            self._is_closed = True
            self._condition.notify()

    def offer(self, snapshot: T, now: float) -> None:
        """Hand over a snapshot if one is due; drop the observer if it has been busy for SLOW_SECONDS."""
        with self._condition:
            if self._is_closed or now < self._due_seconds:
                return
            if self._busy_since is not None:
                self.missed_snapshots += 1
                if now - self._busy_since >= SLOW_SECONDS:
                    self._is_closed = True
                    _log.warning("an observer was dropped: it took over %g s for a snapshot", SLOW_SECONDS)
                return
            self._due_seconds = now + self._interval_seconds
            self._next, self._busy_since = snapshot, now
            self._condition.notify()

    def _run(self) -> None:
        while True:
            with self._condition:
                while self._next is None and not self._is_closed:
                    self._condition.wait()
                if self._is_closed or self._next is None:
                    return
                snapshot, self._next = self._next, None
            try:
                self._callback(snapshot)
            except BaseException:  # also what would end the thread; it is the program's own code, not ours
                _log.exception("an observer was dropped: it raised an error")
                self.close()
            with self._condition:
                self._busy_since = None


class Observers(Generic[T]):
    """All observers of a session."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._adding = threading.Lock()
        self._observations: tuple[Observation[T], ...] = ()  # replaced whole, so that readers need no lock

    def observe(self, callback: Callable[[T], object], *, max_hertz: float = DEFAULT_MAX_HERTZ) -> Observation[T]:
        """Show `callback` snapshots, at most `max_hertz` a second. Raises ConfigError."""
        if not 0.0 < max_hertz <= 1000.0:
            raise ConfigError(f"max_hertz is {max_hertz:g}; it must be over 0 and at most 1000")
        with self._adding:
            open_observations = tuple(one for one in self._observations if one.is_open)
            if len(open_observations) >= MAX_OBSERVERS:
                raise ConfigError(
                    f"{len(open_observations)} observers are open; close one first, {MAX_OBSERVERS} are the most"
                )
            observation = Observation(callback, max_hertz)
            self._observations = (*open_observations, observation)
        return observation

    def publish(self, snapshot: T) -> None:
        """Show a snapshot to every observer that is due and not busy."""
        now = self._clock.now()
        for observation in self._observations:
            observation.offer(snapshot, now)

    def close(self) -> None:
        """Show no more snapshots. Safe to call twice."""
        for observation in self._observations:
            observation.close()
