"""The clocks, and the map between beats and seconds.

Seconds are monotonic (`read_clock`, common to all processes of a machine), never wall-clock time. A TempoMap
belongs to one thread; the conductor and the scheduler each have their own, built from the same points.
"""

from __future__ import annotations

import copy
import sys
import time
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from kelly_live.core.errors import ConfigError


def choose_clock(platform: str) -> Callable[[], float]:
    """Return the monotonic clock of the highest resolution that all processes of a machine share.

    On Windows `time.monotonic` moves every 15.6 ms before Python 3.13; the performance counter has under 1 µs.
    """
    return time.perf_counter if platform == "win32" else time.monotonic


read_clock = choose_clock(sys.platform)


class Clock(Protocol):
    """A source of time; injected, so that tests and rendering need not wait."""

    def now(self) -> float:
        """Return the time in monotonic seconds."""

    def sleep_until(self, deadline: float) -> None:
        """Return at `deadline` (monotonic seconds) or later."""


class MonotonicClock:
    """The machine's monotonic clock."""

    def now(self) -> float:
        """Return `read_clock()`."""
        return read_clock()

    def sleep_until(self, deadline: float) -> None:
        """Sleep until `deadline`; return at once if it is past."""
        remaining = deadline - read_clock()
        if remaining > 0.0:
            time.sleep(remaining)


class ManualClock:
    """A clock that only moves when it is advanced: for tests, and for rendering faster than real time."""

    def __init__(self, start: float = 0.0) -> None:
        self._now = start

    def now(self) -> float:
        """Return the time that the clock was last set to."""
        return self._now

    def sleep_until(self, deadline: float) -> None:
        """Move on to `deadline` without waiting; never back."""
        self._now = max(self._now, deadline)

    def advance(self, seconds: float) -> None:
        """Move on by `seconds` (>= 0)."""
        if seconds < 0.0:
            raise ConfigError(f"a clock cannot go back ({seconds} s)")
        self._now += seconds


@dataclass(frozen=True, slots=True)
class TempoPoint:
    """A tempo change: `bpm` beats a minute from `beat` on."""

    beat: float
    bpm: float


class TempoMap:
    """Converts between beats and seconds with a piecewise constant tempo.

    Beat 0 falls at `origin_seconds`. Points are added in rising beat order; a point at the beat of the last one
    replaces its tempo. Beats before the first point use the first tempo. Beyond `max_points` the older half is dropped,
    so memory is bounded; times before the oldest remaining point are extrapolated from it.
    """

    def __init__(self, origin_seconds: float, bpm: float, *, max_points: int = 4096) -> None:
        if not bpm > 0.0:
            raise ConfigError(f"tempo is {bpm} BPM; it must be over 0")
        self._beats = [0.0]
        self._seconds = [origin_seconds]
        self._bpms = [bpm]
        self._max_points = max_points

    def __deepcopy__(self, memo: dict[int, object]) -> TempoMap:
        """Return a map that goes on by itself; a long session's has thousands of points."""
        twin = copy.copy(self)
        twin._beats, twin._seconds, twin._bpms = self._beats[:], self._seconds[:], self._bpms[:]
        return twin

    @property
    def bpm(self) -> float:
        """The tempo after the last point."""
        return self._bpms[-1]

    @property
    def last_beat(self) -> float:
        """The beat of the last point."""
        return self._beats[-1]

    def points(self) -> list[TempoPoint]:
        """Return the tempo changes that are kept, in beat order."""
        return [TempoPoint(b, t) for b, t in zip(self._beats, self._bpms, strict=True)]

    def add(self, point: TempoPoint) -> None:
        """Append a tempo change. Raises ConfigError if it lies before the last one or is not over 0 BPM."""
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
        """Return when `beat` falls, in monotonic seconds."""
        i = max(0, bisect_right(self._beats, beat) - 1)
        return self._seconds[i] + (beat - self._beats[i]) * 60.0 / self._bpms[i]

    def beat_at(self, seconds: float) -> float:
        """Return the beat at `seconds` (monotonic)."""
        i = max(0, bisect_right(self._seconds, seconds) - 1)
        return self._beats[i] + (seconds - self._seconds[i]) * self._bpms[i] / 60.0
