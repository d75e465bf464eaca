"""How long a stage of a session takes."""

from __future__ import annotations

CALLS = 500  # 2.5 s of the conductor's steps


class LongestTime:
    """The longest time of the last CALLS to twice as many calls of a stage, in seconds.

    Threads: one adds, any may read.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._latest, self._calls = 0.0, 0

    def add(self, seconds: float) -> None:
        """Take a call's time."""
        self._latest, self._calls = max(self._latest, seconds), self._calls + 1
        self.seconds = max(self.seconds, seconds)
        if self._calls >= CALLS:
            self.seconds, self._latest, self._calls = self._latest, 0.0, 0
