"""Time: the one seam for "now", and the map between beats and seconds that a tempo curve draws.

Seconds are monotonic (`time.monotonic`, shared by all processes of a machine), never wall clock.
A TempoMap is owned by one thread; both the conductor and the scheduler keep their own copy, fed the same points.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from dataclasses import dataclass
from typing import Protocol

from kelly_live.core.errors import ConfigError


class Clock(Protocol):
    """Where time comes from. `now()` in seconds, monotonic; `sleep_until` returns at or after `deadline`."""

    def now(self) -> float: ...

    def sleep_until(self, deadline: float) -> None: ...


class MonotonicClock:
    """The machine's monotonic clock."""

    def now(self) -> float:
        return time.monotonic()

    def sleep_until(self, deadline: float) -> None:
        remaining = deadline - time.monotonic()
        if remaining > 0.0:
            time.sleep(remaining)


class ManualClock:
    """A clock that stands still until it is told: for tests and for rendering faster than real time."""

    def __init__(self, start: float = 0.0) -> None:
        self._now = start

    def now(self) -> float:
        return self._now

    def sleep_until(self, deadline: float) -> None:
        self._now = max(self._now, deadline)

    def advance(self, seconds: float) -> None:
        """Move on by `seconds` (>= 0)."""
        if seconds < 0.0:
            raise ConfigError(f"a clock cannot go back ({seconds} s)")
        self._now += seconds


@dataclass(frozen=True, slots=True)
class TempoPoint:
    """From `beat` on, `bpm` beats a minute."""

    beat: float
    bpm: float


class TempoMap:
    """Beats <-> seconds, piecewise constant tempo; beat 0 falls at `origin_seconds`.

    Points must come in rising beat order; a point at the last point's beat replaces its tempo. Beats before the
    first point use the first tempo. Old points are forgotten past `max_points`, so it never grows without bound;
    what is asked about the forgotten past is extrapolated from the oldest kept point.
    """

    def __init__(self, origin_seconds: float, bpm: float, *, max_points: int = 4096) -> None:
        if not bpm > 0.0:
            raise ConfigError(f"tempo is {bpm} BPM; it must be over 0")
        self._beats = [0.0]
        self._seconds = [origin_seconds]
        self._bpms = [bpm]
        self._max_points = max_points

    @property
    def bpm(self) -> float:
        """The tempo after the last point."""
        return self._bpms[-1]

    def points(self) -> list[TempoPoint]:
        return [TempoPoint(b, t) for b, t in zip(self._beats, self._bpms, strict=True)]

    def add(self, point: TempoPoint) -> None:
        if not point.bpm > 0.0:
            raise ConfigError(f"tempo is {point.bpm} BPM; it must be over 0")
        if point.beat < self._beats[-1]:
            raise ConfigError(
                f"a tempo point at beat {point.beat:g} comes after one at {self._beats[-1]:g}; points go forward"
            )
        if point.beat == self._beats[-1]:
            self._bpms[-1] = point.bpm
            return
        if point.bpm == self._bpms[-1]:
            return
        seconds = self.seconds_at(point.beat)
        self._beats.append(point.beat)
        self._seconds.append(seconds)
        self._bpms.append(point.bpm)
        if len(self._beats) > self._max_points:
            half = self._max_points // 2
            del self._beats[:half], self._seconds[:half], self._bpms[:half]

    def seconds_at(self, beat: float) -> float:
        i = max(0, bisect_right(self._beats, beat) - 1)
        return self._seconds[i] + (beat - self._beats[i]) * 60.0 / self._bpms[i]

    def beat_at(self, seconds: float) -> float:
        i = max(0, bisect_right(self._seconds, seconds) - 1)
        return self._beats[i] + (seconds - self._seconds[i]) * self._bpms[i] / 60.0
