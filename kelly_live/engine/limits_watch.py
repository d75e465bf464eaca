"""Sends the limits of loudness to the sink, and others where quiet hours begin and end."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime

from kelly_live.core.commands import LoudnessLimits
from kelly_live.core.limits import Limits
from kelly_live.core.protocols import NoteSink

WATCH_SECONDS = 1.0


def read_minute_of_day() -> int:
    """Return the minute of the day, local time, 0 to 1439."""
    now = datetime.now().astimezone()
    return now.hour * 60 + now.minute


class LimitsWatch:
    """Keeps `sink` to the loudness limits of the time of day. Thread: one for all calls.

    `read_minute` is the wall clock: it returns the minute of the day.
    """

    def __init__(self, limits: Limits, sink: NoteSink, read_minute: Callable[[], int] = read_minute_of_day) -> None:
        self.latest = limits.build_loudness_limits(read_minute())
        self._limits, self._sink, self._read_minute = limits, sink, read_minute
        self._next = -math.inf

    def update(self, now: float) -> LoudnessLimits | None:
        """Send other limits if the time of day (asked once a second) has brought them, and return them."""
        if not self._limits.quiet_hours or now < self._next:
            return None
        self._next = now + WATCH_SECONDS
        limits = self._limits.build_loudness_limits(self._read_minute())
        if limits == self.latest:
            return None
        self.latest = limits
        self._sink.send(limits)
        return limits
