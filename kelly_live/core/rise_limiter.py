"""Let a value rise by no more than so much a second; it may fall at will. Pure: time comes in from outside."""

from __future__ import annotations

import math
from collections import deque

MAX_VALUES = 1024  # that are remembered; one that is forgotten early only makes the limit stricter


class RiseLimiter:
    """Limits how fast a value rises, measured from what it was in the last `window_seconds`.

    What `limit` returns lies over some value that it returned in that time by `per_second` times the seconds in between
    at most, or is at most `always_allowed`. So a fall that is shorter than the window is forgiven: the value may come
    back. With `keeps_last` the last value counts even if it is older. A time that falls back allows less; with
    `replans` what was returned for later times is then forgotten: it was planned, and never played. Who rounds the
    result rounds it down, after the call: a slow rise would never reach the next step otherwise.
    """

    def __init__(
        self,
        per_second: float,
        window_seconds: float,
        *,
        always_allowed: float = -math.inf,
        keeps_last: bool = False,
        replans: bool = False,
    ) -> None:
        self._per_second = per_second
        self._window = window_seconds
        self._always_allowed = always_allowed
        self._keeps_last, self._replans = keeps_last, replans
        # (time, value - per_second * time), the second falling: each is the highest of what came after it.
        self._heads: deque[tuple[float, float]] = deque(maxlen=MAX_VALUES)
        self._last: tuple[float, float] | None = None
        self._values: deque[tuple[float, float]] = deque(maxlen=MAX_VALUES)  # with `replans`: (time, value)

    def limit(self, now: float, value: float) -> float:
        """Return `value`, or less if it would rise too fast. The first one is free, if nothing is always allowed."""
        allowed = self.compute_allowed(now)
        limited = min(value, allowed)
        self.add(now, limited)
        return limited

    def compute_allowed(self, now: float) -> float:
        """Return the highest value that is allowed at a time."""
        self._forget_plans(now)
        self._forget(now)
        if self._heads:
            return max(self._always_allowed, self._heads[0][1] + self._per_second * now)
        if self._last is not None and self._keeps_last:
            return max(self._always_allowed, self._last[1] + self._per_second * (now - self._last[0]))
        return math.inf if self._always_allowed == -math.inf else self._always_allowed

    def add(self, now: float, value: float) -> None:
        """Note a value that was returned, or set by other means."""
        self._forget_plans(now)
        self._forget(now)
        if self._replans:
            self._values.append((now, value))
        self._note(now, value)

    def _note(self, now: float, value: float) -> None:
        head = value - self._per_second * now
        while self._heads and self._heads[-1][1] <= head:
            self._heads.pop()
        self._heads.append((now, head))
        self._last = now, value

    def _forget_plans(self, now: float) -> None:
        """Take back what was planned for later; a plan may have hidden what was played before it."""
        if not self._values or self._values[-1][0] <= now:
            return
        while self._values and self._values[-1][0] > now:
            self._values.pop()
        self._heads.clear()
        self._last = None
        for time, value in self._values:
            self._note(time, value)

    def _forget(self, now: float) -> None:
        while self._heads and self._heads[0][0] < now - self._window:
            self._heads.popleft()
        while len(self._values) > 1 and self._values[0][0] < now - self._window:
            self._values.popleft()  # the last one counts on
