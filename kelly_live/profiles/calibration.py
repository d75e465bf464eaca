"""The calibration of an input: the offset of its readings, from a neutral take and from nudges.

Valence, arousal and dominance of a take are averaged and shrunk towards 0 by their uncertainty. A nudge is a far weaker
hint of the same offset, for it may only ask for other music. The offset is at most MOST, so that no take can turn an
emotion into its opposite. Only numbers are stored, no audio.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from kelly_live.core.errors import ConfigError

AXES = ("valence", "arousal", "dominance")
MOST = 0.3  # of an axis from -1 to 1; more is no offset of an input but a take that was not neutral
PRIOR = 0.2  # standard deviation of what inputs differ by, before any take
LEAST_SPREAD = 0.05  # of readings around their mean: a take that happens to be steady is not certain for that
HINT_ERROR = 0.5  # standard error of one nudge about what should have been read
MOST_HINTS = 20  # counted; a later one still moves the mean
INDEPENDENT_SECONDS = 3.0  # readings nearer together share most of their audio
NUDGE_HOLD_SECONDS = 4.0

Place: TypeAlias = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Calibration:
    """A neutral recording of `seconds` at `time` (UTC), as numbers.

    The offset of each of AXES with its standard error, the mean level and the level of the quietest tenth (dBFS).
    """

    time: str
    seconds: float
    level_dbfs: float
    floor_dbfs: float
    offset: Place
    error: Place

    def __post_init__(self) -> None:
        try:
            datetime.strptime(self.time, "%Y-%m-%dT%H:%M:%SZ")
        except ValueError as error:
            raise ConfigError(f"the time of a take, {self.time[:40]!r}, must be like 2026-11-23T00:40:00Z") from error
        for name, number, low, high in (
            ("seconds", self.seconds, 0.0, 3600.0),
            ("level", self.level_dbfs, -200.0, 20.0),
            ("floor", self.floor_dbfs, -200.0, 20.0),
            *(("offset", number, -MOST, MOST) for number in self.offset),
            *(("error", number, 0.0, 1.0) for number in self.error),
        ):
            if not (math.isfinite(number) and low <= number <= high):
                raise ConfigError(f"the {name} of a take is {number:g}; it must be from {low:g} to {high:g}")

    @classmethod
    def of(
        cls, places: Sequence[Sequence[float]], level_dbfs: float, floor_dbfs: float, time: str, seconds: float,
        independent: float | None = None,
    ) -> Calibration:  # fmt: skip
        """Average the readings of a take.

        `independent` is how many of them are independent of each other [default: all]. Raises ConfigError without any.
        """
        if not places:
            raise ConfigError("nothing was heard in the take; play or speak, neutrally, all through it")
        count = max(1.0, len(places) if independent is None else independent)
        offset, error = [], []
        for axis in range(len(AXES)):
            values = [place[axis] for place in places]
            mean = sum(values) / len(values)
            spread = math.sqrt(sum((value - mean) ** 2 for value in values) / len(values)) + LEAST_SPREAD
            posterior_mean, posterior_error = _posterior(mean / (spread**2 / count), count / spread**2)
            offset.append(posterior_mean)
            error.append(posterior_error)
        return cls(time, seconds, level_dbfs, floor_dbfs, _place(offset), _place(error))


@dataclass(frozen=True, slots=True)
class Hints:
    """How often each of AXES was nudged, and the mean difference, reading minus override."""

    counts: tuple[int, int, int] = (0, 0, 0)
    means: Place = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        for count, mean in zip(self.counts, self.means, strict=True):
            if not (0 <= count <= 10**9 and math.isfinite(mean) and abs(mean) <= 2.0):
                raise ConfigError("the hints of nudges are a count and a mean from -2 to 2, for each axis")

    def with_hint(self, axis: str, difference: float) -> Hints:
        """Return the hints with one more difference, reading minus override.

        Beyond MOST_HINTS, a new one moves the mean by 1/MOST_HINTS of its distance.
        """
        at = AXES.index(axis)
        counts, means = list(self.counts), list(self.means)
        counts[at] += 1
        means[at] += (min(2.0, max(-2.0, difference)) - means[at]) / min(counts[at], MOST_HINTS)
        return Hints((counts[0], counts[1], counts[2]), _place([round(mean, 4) for mean in means]))


NO_HINTS = Hints()


def compute_offset(take: Calibration | None, hints: Hints) -> Place:
    """Return the offset to subtract from a reading: take and hints by their precision, within MOST."""
    offset = []
    for axis in range(len(AXES)):
        weight, weighted_sum = 0.0, 0.0
        if take is not None:
            # The take's own offset holds the prior already; without it, what is left is what was measured.
            weight = max(0.0, 1.0 / max(take.error[axis], 1e-3) ** 2 - 1.0 / PRIOR**2)
            weighted_sum = take.offset[axis] / max(take.error[axis], 1e-3) ** 2
        hint_weight = min(hints.counts[axis], MOST_HINTS) / HINT_ERROR**2
        offset.append(_posterior(weighted_sum + hint_weight * hints.means[axis], weight + hint_weight)[0])
    return _place(offset)


def _posterior(weighted_sum: float, weight: float) -> tuple[float, float]:
    """Return the posterior mean, within MOST, and its standard deviation.

    `weight` is the sum of the measurements' precisions, `weighted_sum` their precision-weighted sum.
    """
    precision = 1.0 / PRIOR**2 + weight
    return min(MOST, max(-MOST, weighted_sum / precision)), 1.0 / math.sqrt(precision)


def _place(numbers: Sequence[float]) -> Place:
    valence, arousal, dominance = (round(number, 4) for number in numbers)
    return valence, arousal, dominance


@dataclass(slots=True)
class Nudges:
    """Watches nudges: an axis that stays where it was nudged for NUDGE_HOLD_SECONDS gives one hint.

    A named emotion, a morph or a freeze says where the music should go, not that a reading is wrong: it gives none.
    Thread: the main one.
    """

    _since: dict[str, float] = field(default_factory=dict)
    _read: dict[str, list[float]] = field(default_factory=dict)

    def observe_action(self, action: str, now: float) -> None:
        """Take an action of the performer (a name of ACTIONS)."""
        axis = action.removeprefix("nudge-")
        if action.startswith("nudge-") and axis in AXES:
            self._since[axis], self._read[axis] = now, []
        elif action in ("emotion", "morph", "let-go", "freeze", *AXES):
            self._since.clear()
            self._read.clear()

    def watch(
        self, now: float, override: Sequence[float | None], read: Sequence[float], sure: bool
    ) -> list[tuple[str, float]]:
        """Take the override and the reading on AXES, and return the complete hints: (axis, difference).

        `sure` says whether the reading can be believed. The difference is what was read minus the override.
        """
        hints = []
        for at, axis in enumerate(AXES):
            place = override[at]
            if axis not in self._since or place is None:
                continue
            if sure:
                self._read[axis].append(read[at])
            if now - self._since[axis] >= NUDGE_HOLD_SECONDS:
                values = self._read.pop(axis)
                del self._since[axis]
                if values:
                    hints.append((axis, sum(values) / len(values) - place))
        return hints
