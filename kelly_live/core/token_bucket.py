"""A limit on how often something may happen."""

from __future__ import annotations


class TokenBucket:
    """A rate limit: `per_second` tokens a second, and as many at once. Thread: one."""

    def __init__(self, per_second: float) -> None:
        self._per_second = self._tokens = per_second
        self._seconds = 0.0

    def take(self, seconds: float) -> bool:
        """Take one token at this time, and return whether there was one."""
        self._tokens = min(self._per_second, self._tokens + max(0.0, seconds - self._seconds) * self._per_second)
        self._seconds = seconds
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True
