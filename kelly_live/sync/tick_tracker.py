"""The line that the ticks of a MIDI clock lie on: which tick is which, when the next ones fall.

Ticks arrive with jitter (a driver's period, a busy machine), so the beat is taken from a straight line fitted to the
last ones, never from one tick. The line is long while the tempo is constant and short while it changes gradually.

A tick that is far off the line waits until the next ones tell what it is: the first of a new tempo, held up, one too
many, or the first after some that are missing. A new tempo is told from jitter by a likelihood ratio: the errors of the
newest ticks grow in proportion to their number, and by more than jitter would make them.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from kelly_live.core.midi_messages import CLOCKS_PER_BEAT

SLOWEST_BPM, FASTEST_BPM = 20.0, 400.0
LOST_SECONDS = 1.0  # after a longer pause the beat is taken from the new ticks
_LINES = (96, 48, 24, 12)  # ticks that a line is fitted to; the longest one that is straight is used
_FEWEST = 4  # ticks that an unknown tempo needs
_TAIL = 8  # the newest ticks, by which a line is tested
_STRAIGHT_ERRORS = 2.5  # their mean error may be this many standard errors,
_STRAIGHT_SECONDS = 0.0003  # and this much more
_OUTLIER = 4.0  # a tick this many median errors off the line, and the next more, is left out
_OUTLIER_SECONDS = 0.002
_SAME_PERIOD_ERRORS = 4.0  # a clock that returns has its old tempo until its ticks are this many standard errors off
_ON_TIME = 0.2  # of a period; or, up to the next share, within some errors of the jitter
_ON_TIME_MOST = 0.4
_SAME_ERROR = 0.15  # of a period: the ticks after missing ones do not get later
_ON_TIME_ERRORS = 4.0
_BASE_TICKS = 48  # before the tail, to which the tail is compared
_FEWEST_BASE_TICKS = 8
_SMALLEST_JITTER = 0.0005  # s; machines stall, and a stall holds up several ticks
_UNKNOWN_JITTER = 0.001
_JUMP_LIKELIHOOD = 64.0  # twice the log-likelihood ratio; jitter of 2 ms a tick reached 36 in minutes
_JUMP_STRAIGHT = 2.5  # the ticks after a jump are off their new line by at most so many errors of the jitter
_SMALLEST_JUMP = 0.01  # share of the period
_LARGE_JUMP = 0.3  # three ticks tell; for a smaller one, which a stall may look like, it takes four
_DOUBLE = 0.56  # a period under this share of the old one may also be two clocks at once
_DOUBLE_TICKS = 12  # that tell
_STRAIGHT_TICKS = 6  # that are straight by themselves are believed, wherever they lie
_ANCHORED_TICKS = 8
_MOST_SUSPECTS = 24
_IRREGULAR = 0.2  # of a period: with more jitter there is no line, until so many ticks in a row have less than that
_REGULAR_AGAIN, _REGULAR_AGAIN_TICKS = 0.08, 36


class Line(NamedTuple):
    """Tick `n` falls at `seconds` + n * `period`."""

    seconds: float
    period: float

    @property
    def bpm(self) -> float:
        """Beats a minute; infinite where the ticks fall at once."""
        return 60.0 / (CLOCKS_PER_BEAT * self.period) if self.period > 0.0 else math.inf

    def seconds_at(self, n: float) -> float:
        """Return when tick `n` falls."""
        return self.seconds + n * self.period


class TickTracker:
    """Numbers ticks and fits their line. Thread: one.

    Attributes:
        line: The line; None while it is not known.
        count: The number of the next tick.
        newest: When the newest tick came; None before the first and after `forget`.
        extra: Ticks that were left out because another one was on time.
        missing: Ticks that were counted although they did not come.
        is_irregular: The ticks lie on no line.
    """

    def __init__(self) -> None:
        self.line: Line | None = None
        self.newest: float | None = None
        self.extra = 0
        self.missing = 0
        self.is_irregular = False
        self._count = 0
        self._ticks: deque[tuple[float, float]] = deque(maxlen=max(_LINES))  # (number, seconds)
        self._suspects: list[float] = []  # the ticks after those, which wait
        self._run: list[float] = []  # all ticks since some were left out
        self._extra_at = -math.inf  # the number of the tick that was taken instead
        self._period_before: float | None = None  # before the clock paused
        self._is_anchored = False  # the line runs through the first of the ticks, where the tempo changed
        self._grain = 0.0

    @property
    def count(self) -> int:
        """The number of the next tick."""
        return self._count + len(self._suspects)

    @property
    def is_confirmed(self) -> bool:
        """Whether enough ticks have come for their line to be known, not assumed."""
        return len(self._ticks) >= min(_LINES)

    def is_on_time(self, seconds: float) -> bool:
        """Return whether a tick that comes now is the next one of the line."""
        return self.line is not None and self._is_on_time(self.line, seconds, self.count)

    def forget(self) -> None:
        """Take the line from the next tick on; the tempo is assumed to be the same."""
        self._count = self.count
        self._ticks.clear()
        self._suspects.clear()
        self._run.clear()
        self._period_before = self._period_before if self.line is None else self.line.period
        self.line = self.newest = None
        self._is_anchored = False

    def skip_to(self, seconds: float) -> None:
        """Count the ticks that are missing until then by the tempo, and forget the line."""
        if self.line is not None:
            due_ticks = round((seconds - self.line.seconds) / self.line.period)
            self._suspects.clear()
            self._count = max(self._count, due_ticks)
        self.forget()

    def add(self, seconds: float, grain: float) -> None:
        """Take the next tick, whose time is a multiple of `grain` (0: any)."""
        self.newest, self._grain = seconds, grain
        if self.line is None or not (self.is_confirmed or self._is_anchored):
            self._commit([seconds])
            return
        self._suspects.append(seconds)
        if self._follow_jump(self.line) or self._keep(self.line) or self._follow_others():
            return
        if len(self._suspects) >= _MOST_SUSPECTS:
            self.forget()
            self._period_before = None
            self.is_irregular = True

    def _commit(self, ticks: Sequence[float], first: int | None = None) -> bool:
        """Count ticks as the next ones, or from number `first` on, and fit the line. Return True."""
        number = self._count if first is None else first
        self._ticks.extend((number + i, seconds) for i, seconds in enumerate(ticks))
        self._count = number + len(ticks)
        self._suspects.clear()
        self.line = self._fit()
        return True

    def _adopt(self, ticks: Sequence[tuple[float, float]], *, is_anchored: bool) -> bool:
        """Replace all ticks by these, which are on a new line. Return True."""
        self._ticks.clear()
        self._ticks.extend(ticks)
        self._count = round(ticks[-1][0]) + 1
        self._suspects.clear()
        self._run.clear()
        self._period_before, self._is_anchored = None, is_anchored
        self.line = self._fit()
        return True

    def _is_on_time(self, line: Line, seconds: float, number: int) -> bool:
        limit = max(_ON_TIME * line.period, _ON_TIME_ERRORS * self._jitter_of(line, list(self._ticks)))
        return abs(seconds - line.seconds_at(number)) <= min(limit, _ON_TIME_MOST * line.period + self._grain / 2.0)

    def _jitter_of(self, line: Line, ticks: Sequence[tuple[float, float]]) -> float:
        """Return the standard error of a tick."""
        least_jitter = _SMALLEST_JITTER if len(ticks) >= _FEWEST_BASE_TICKS else _UNKNOWN_JITTER
        errors = sorted(abs(error) for error in _errors(line, ticks))
        errors = errors[: max(1, len(errors) * 9 // 10)]  # a tick that was held up is not jitter
        spread = math.sqrt(sum(error * error for error in errors) / len(errors)) if errors else 0.0
        return max(least_jitter, self._grain / math.sqrt(12.0), spread)

    def _keep(self, line: Line) -> bool:
        """Take the newest tick as one of the line, if it is, and with it those that wait."""
        suspects, number = self._suspects, self._count
        newest = suspects[-1]
        if self._is_on_time(line, newest, number + len(suspects) - 1):
            if len(suspects) == 1 and self._run:
                self._run.clear()  # no more than one a period
            return self._commit(suspects)
        if len(suspects) == 1:
            return False
        if self._is_on_time(line, newest, number):  # those before it were too many
            self._run = [*(self._run or [self._ticks[-1][1]]), *suspects]
            self.extra += len(suspects) - 1
            self._extra_at = number
            return self._commit([newest]) and (self._follow_double() or True)
        missing = round((newest - line.seconds_at(number + len(suspects) - 1)) / line.period)
        # Coarse stamps are soon on time by chance, so more of them have to be.
        evidence = suspects[-2 - math.ceil(2.0 * self._grain / line.period) :]
        first = number + len(suspects) - len(evidence) + missing
        is_constant = all(self._is_on_time(line, seconds, first + i) for i, seconds in enumerate(evidence))
        errors = [seconds - line.seconds_at(first + i) for i, seconds in enumerate(evidence)]
        is_constant = is_constant and max(errors) - min(errors) <= _SAME_ERROR * line.period + self._grain / 2.0
        if missing > 0 and is_constant and len(evidence) >= 2 + math.ceil(2.0 * self._grain / line.period):
            self.missing += missing
            return self._commit(evidence, first)
        return False

    def _follow_double(self) -> bool:
        """Take a clock that has become twice as fast for one, if its ticks are as even as one's."""
        if len(self._run) <= _DOUBLE_TICKS:
            return False
        numbered_ticks = list(enumerate(self._run))
        line = _least_squares(numbered_ticks)
        jitter = max(_SMALLEST_JITTER, self._grain / math.sqrt(12.0))
        self._run = self._run[2:]
        if (
            max(abs(error) for error in _errors(line, numbered_ticks)) > _JUMP_STRAIGHT * jitter
            or line.bpm > FASTEST_BPM
        ):
            return False
        first = self._count - 1 - (len(numbered_ticks) - 1) // 2
        return self._adopt([(first + i, seconds) for i, seconds in numbered_ticks], is_anchored=False)

    def _follow_others(self) -> bool:
        """Take ticks that are on a line of their own, wherever it lies."""
        if len(self._suspects) < _STRAIGHT_TICKS:
            return False
        numbered_ticks = [(self._count + i, seconds) for i, seconds in enumerate(self._suspects)][-_STRAIGHT_TICKS:]
        line = _least_squares(numbered_ticks)
        limit = _JUMP_STRAIGHT * max(_UNKNOWN_JITTER, self._grain / math.sqrt(12.0))
        if max(abs(error) for error in _errors(line, numbered_ticks)) > limit or not _is_plausible(line):
            return False
        return self._adopt(numbered_ticks, is_anchored=False)

    def _follow_jump(self, line: Line) -> bool:
        """Take the newest ticks for a new tempo, if that is much more likely than jitter."""
        ticks = list(self._ticks)
        numbered_ticks = [(self._count + i, seconds) for i, seconds in enumerate(self._suspects)]
        base, tail = ticks[:-_TAIL][-_BASE_TICKS:], ticks[-_TAIL:]
        if len(base) >= _FEWEST_BASE_TICKS:
            line = _fit_line(base)
        else:
            base, tail = ticks, []
        newest = (tail + numbered_ticks)[-_TAIL:]
        errors = _errors(line, newest)
        is_doubtful = self._count - self._extra_at < CLOCKS_PER_BEAT
        fewest = _STRAIGHT_TICKS if is_doubtful else _FEWEST - 1
        best = min(
            (_fit_change(errors, length) for length in range(max(fewest, len(numbered_ticks)), len(newest) + 1)),
            key=lambda change: change.rest,
            default=None,
        )
        if best is None:
            return False
        # A line of few ticks is itself not exact, and less so where it is continued.
        reach = len(base) / 2.0 + _TAIL
        variance = self._jitter_of(line, base) ** 2 * (1.0 + 12.0 * reach**2 / max(len(base), _FEWEST_BASE_TICKS) ** 3)
        coarse = self._grain * (1.0 + _TAIL / max(len(base), _FEWEST_BASE_TICKS))  # coarse stamps drift, and leap back
        period = line.period + best.slope
        if (
            sum(e * e for e in errors) - best.rest < _JUMP_LIKELIHOOD * variance
            or best.rest > _JUMP_STRAIGHT**2 * variance * len(newest)
            or abs(best.slope) * (best.length - best.place) < coarse
            or abs(best.slope) < _SMALLEST_JUMP * line.period
            or (best.length < _FEWEST and abs(best.slope) < _LARGE_JUMP * line.period)
            or period < _DOUBLE * line.period
            or not _is_plausible(Line(0.0, period))
        ):
            return False
        since = newest[-best.length :]
        place = since[0][0] - 1 + best.place
        return self._adopt([(place, line.seconds_at(place)), *since], is_anchored=True)

    def _fit(self) -> Line | None:
        """Fit the longest straight line to the newest ticks; with few of them, at the tempo known before."""
        ticks = list(self._ticks)
        if self._is_anchored:
            if len(ticks) <= _ANCHORED_TICKS:
                return _fit_from(ticks)
            self._is_anchored = False
            self._ticks.popleft()  # by now the ticks know better where the tempo changed
            del ticks[0]
        least_ticks = _REGULAR_AGAIN_TICKS if self.is_irregular else min(_LINES)
        if len(ticks) < least_ticks:
            return self._fit_few(ticks)
        self._period_before = None
        # The jitter is measured on the shortest line. If a longer one is bent, its newest ticks are off by more.
        shortest = ticks[-least_ticks:]
        line = _fit_line(shortest)
        spread = math.sqrt(sum(error * error for error in _errors(line, shortest)) / (len(shortest) - 2))
        self.is_irregular = not self._is_regular(line, shortest)
        if self.is_irregular:
            return None
        # Coarse time stamps are not noise: their pattern repeats, and a part of it can look straight.
        error_limit = max(_STRAIGHT_SECONDS + _STRAIGHT_ERRORS * spread / math.sqrt(_TAIL), self._grain / 2.0)
        for length in _LINES[:-1]:
            if length <= len(ticks):
                longer = _fit_line(ticks[-length:])
                if abs(sum(_errors(longer, ticks[-_TAIL:]))) / _TAIL <= error_limit:
                    return longer
        return line

    def _fit_few(self, ticks: Sequence[tuple[float, float]]) -> Line | None:
        """Fit the first ticks after a pause: at the tempo before it, until they tell another one."""
        period = self._period_before
        if period is not None:
            errors = _errors(Line(ticks[0][1] - ticks[0][0] * period, period), ticks)[1:]
            jitter = max(_UNKNOWN_JITTER, self._grain / math.sqrt(12.0))
            steps = range(1, len(errors) + 1)
            error_limit = _SAME_PERIOD_ERRORS * jitter / math.sqrt(sum(step * step for step in steps) or 1.0)
            if len(errors) < 2 or abs(_slope(errors, steps)) <= error_limit:
                return Line(sum(seconds - number * period for number, seconds in ticks) / len(ticks), period)
            if len(ticks) < _FEWEST:
                return _fit_from(ticks)
            self._period_before = None
        if len(ticks) < _FEWEST or self.is_irregular:
            return None
        line = _fit_line(ticks)
        return line if self._is_regular(line, ticks) else None

    def _is_regular(self, line: Line, ticks: Sequence[tuple[float, float]]) -> bool:
        limit = _REGULAR_AGAIN if self.is_irregular else _IRREGULAR
        return line.period > 0.0 and self._jitter_of(line, ticks) <= limit * line.period + self._grain


def _is_plausible(line: Line) -> bool:
    return SLOWEST_BPM <= line.bpm <= FASTEST_BPM


class _Change(NamedTuple):
    """A change of tempo before the last `length` ticks: `rest` sums the squared errors that remain.

    It lies `place` (0 to 1) of the way from the tick before; from there on the errors grow by `slope` a tick.
    """

    length: int
    place: float
    slope: float
    rest: float


def _fit_change(errors: Sequence[float], length: int) -> _Change:
    """Fit a change of tempo before the last `length` errors."""
    since = errors[-length:]
    line = _least_squares(list(enumerate(since, 1)))
    latest = 1.0 if length > 2 else 0.5  # or a single tick would tell, which may only have been held up
    place = min(max(-line.seconds / line.period, 0.0), latest) if line.period else 0.0
    steps = [i - place for i in range(1, length + 1)]
    slope = _slope(since, steps)
    rest = sum((error - step * slope) ** 2 for error, step in zip(since, steps, strict=True))
    return _Change(length, place, slope, rest + sum(error * error for error in errors[:-length]))


def _slope(errors: Sequence[float], steps: Sequence[float]) -> float:
    """Return by how much the errors grow a step, from 0 at step 0."""
    return sum(step * e for step, e in zip(steps, errors, strict=True)) / sum(step * step for step in steps)


def _fit_from(ticks: Sequence[tuple[float, float]]) -> Line:
    """Fit a line through the first of the ticks."""
    first, seconds = ticks[0]
    period = sum((n - first) * (s - seconds) for n, s in ticks) / sum((n - first) ** 2 for n, _ in ticks)
    return Line(seconds - first * period, period)


def _fit_line(ticks: Sequence[tuple[float, float]]) -> Line:
    """Fit by least squares, then once more without outliers."""
    line = _least_squares(ticks)
    errors = [abs(error) for error in _errors(line, ticks)]
    limit = _OUTLIER_SECONDS + _OUTLIER * sorted(errors)[len(errors) // 2]
    inliers = [tick for tick, error in zip(ticks, errors, strict=True) if error <= limit]
    return line if len(inliers) == len(ticks) or len(inliers) < _FEWEST else _least_squares(inliers)


def _errors(line: Line, ticks: Sequence[tuple[float, float]]) -> list[float]:
    return [seconds - line.seconds_at(number) for number, seconds in ticks]


def _least_squares(ticks: Sequence[tuple[float, float]]) -> Line:
    # Centred on the means, so that hours of monotonic time cost no precision.
    middle = sum(number for number, _ in ticks) / len(ticks)
    mean = sum(seconds for _, seconds in ticks) / len(ticks)
    spread = sum((number - middle) ** 2 for number, _ in ticks)
    period = sum((number - middle) * (seconds - mean) for number, seconds in ticks) / spread
    return Line(mean - middle * period, period)
