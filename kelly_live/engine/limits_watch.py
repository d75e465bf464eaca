"""Chooses the limits, and sends those of loudness to the sink, others where quiet hours begin and end."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from kelly_live.core.commands import LoudnessLimits
from kelly_live.core.limits import Limits
from kelly_live.core.protocols import NoteSink
from kelly_live.core.wording import plural

if TYPE_CHECKING:
    from kelly_live.engine.options.limits import LimitsOptions
    from kelly_live.engine.performance import Performance
    from kelly_live.profiles.profile import Profile

WATCH_SECONDS = 1.0


def choose_limits(options: LimitsOptions, profile: Profile | None) -> Limits:
    """Return the stricter of what the options and the profile say."""
    limits = options.build_limits()
    return limits if profile is None else limits.combine(profile.limits)


def choose_file_limits(options: LimitsOptions, profile: Profile | None) -> Limits:
    """Return the limits of music that is written to a file: it is played at no hour yet, so none is quiet."""
    return replace(choose_limits(options, profile), quiet_hours=())


def report_limited(performance: Performance, notify: Callable[[str], None]) -> None:
    """Say how many notes were held to the limits, if any were."""
    if performance.limited_notes:
        notify(f"{plural(performance.limited_notes, 'note')} held to the limits")


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
