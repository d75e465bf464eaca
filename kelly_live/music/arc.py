"""An arc: which feeling when, and the moments that the music must hit.

Places are seconds from the start, or bars counted from 0 where `in_bars`. Pure values; music/arc_file.py reads them.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, replace

from kelly_live.core.emotion_space import interpolate_states
from kelly_live.core.errors import ConfigError
from kelly_live.core.values import EmotionState

STEP, LINEAR, SMOOTH = "step", "linear", "smooth"
INTERPOLATIONS = (STEP, LINEAR, SMOOTH)
SHORTEST_SECONDS, LONGEST_SECONDS = 4.0, 900.0
SHORTEST_BARS, LONGEST_BARS = 2.0, 400.0
CLOSEST_HITS_SECONDS = 0.5  # two strikes that are nearer are heard as one


@dataclass(frozen=True, slots=True)
class ArcPoint:
    """A feeling at a place, and how it goes on from there: one of INTERPOLATIONS."""

    place: float
    state: EmotionState
    interpolation: str = LINEAR


@dataclass(frozen=True, slots=True)
class ArcChange:
    """From a place on: a groove ("" is the plain band) or a tradition; None: it stays as it was.

    `origin` names the file and line that asked for it.
    """

    place: float
    style: str | None = None
    culture: str | None = None
    origin: str = ""


@dataclass(frozen=True, slots=True)
class HitPoint:
    """A moment that the music must hit, by name."""

    place: float
    name: str


@dataclass(frozen=True, slots=True)
class Arc:
    """The course of feeling over a piece, its hit points, and where it ends (None: that is still to be said).

    Points, changes and hits are in rising order. Raises ConfigError.
    """

    points: tuple[ArcPoint, ...]
    hits: tuple[HitPoint, ...] = ()
    end: float | None = None
    changes: tuple[ArcChange, ...] = ()
    in_bars: bool = False

    def __post_init__(self) -> None:
        if not self.points:
            raise ConfigError("an arc has no feeling; give it one point or more")
        for places in (self.points, self.changes, self.hits):
            numbers = [one.place for one in places]
            if any(not (math.isfinite(one) and one >= 0.0) for one in numbers) or numbers != sorted(numbers):
                raise ConfigError("an arc's places are not in rising order from 0; sort them")
        if self.end is None:
            return
        low, high = (SHORTEST_BARS, LONGEST_BARS) if self.in_bars else (SHORTEST_SECONDS, LONGEST_SECONDS)
        unit = "bars" if self.in_bars else "s"
        if not low <= self.end <= high:
            raise ConfigError(f"the piece ends after {self.end:g} {unit}; it must be {low:g} to {high:g} {unit} long")
        if self.hits and (self.hits[-1].place > self.end or (self.in_bars and self.hits[-1].place == self.end)):
            raise ConfigError(f"the hit point {self.hits[-1].name!r} comes after the end; move one of them")

    @property
    def is_struck_at_its_end(self) -> bool:
        """Whether a hit point lies on the end: the last chord is struck there, and rings out after it."""
        return self.end is not None and bool(self.hits) and self.hits[-1].place == self.end

    def with_end(self, seconds: float) -> Arc:
        """Return the arc with another end; hit points after it are refused. Raises ConfigError."""
        if self.in_bars:
            raise ConfigError("the arc counts in bars, and a length is in seconds; write its places as times")
        return replace(self, end=seconds)

    def state_at(self, place: float) -> EmotionState:
        """Return the feeling that is asked for at a place; before the first point it is that point's."""
        index = bisect_right([point.place for point in self.points], place) - 1
        if index < 0:
            return self.points[0].state
        before = self.points[index]
        if index + 1 == len(self.points) or before.interpolation == STEP:
            return before.state
        after = self.points[index + 1]
        share = (place - before.place) / (after.place - before.place)
        if before.interpolation == SMOOTH:
            share = share * share * (3.0 - 2.0 * share)
        return interpolate_states(before.state, after.state, share)

    def change_at(self, place: float) -> ArcChange:
        """Return the style and the tradition in force at a place."""
        style = culture = None
        origin = ""
        for change in self.changes:
            if change.place > place:
                break
            style = style if change.style is None else change.style
            if change.culture is not None:
                culture, origin = change.culture, change.origin
        return ArcChange(place, style, culture, origin)

    def list_steps(self) -> list[float]:
        """List the places after the start where the feeling, the style or the tradition is another at once."""
        steps = {change.place for change in self.changes if change.place > 0.0}
        for before, after in zip(self.points, self.points[1:], strict=False):
            if before.interpolation == STEP and before.state != after.state:
                steps.add(after.place)
        return sorted(place for place in steps if self.end is None or place < self.end)

    def move_places(self, move: Callable[[float], float], end: float) -> Arc:
        """Return the arc in seconds, each place moved; it ends at `end`."""
        return Arc(
            tuple(replace(one, place=move(one.place)) for one in self.points),
            tuple(replace(one, place=move(one.place)) for one in self.hits),
            end,
            tuple(replace(one, place=move(one.place)) for one in self.changes),
        )
