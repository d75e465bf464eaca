"""One reaction of a listener: the state, what was played, and what they said about it.

How reactions become preference targets (mapping/taste.py):

- A target (kind `wish`) names a value; it counts once.
- `too-fast` and its like ask for at least one step away from what was played (WORDS); a step is twice the error of a
  target. Any value beyond the step meets the target too, so repeating the word continues from there.
- A `like` is a weak target for every value that was played; `more-like-this` weighs twice as much.
- A `dislike` does not say what was wrong. It is a weak target half way back to the base, and nothing where the base
  itself was played.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from kelly_live.core.errors import ConfigError
from kelly_live.core.values import EmotionState

# The parameters that a target may be about, with their ranges; those of mapping/taste.py (a test compares them).
RANGES: dict[str, tuple[float, float]] = {
    "tempo": (20.0, 300.0), "register": (0.0, 127.0), "level": (0.0, 1.0), "variation": (0.0, 1.0),
    "density": (0.0, 3.0), "major": (0.0, 1.0), "straight": (0.0, 1.0), "dotted": (0.0, 1.0),
    "syncopated": (0.0, 1.0), "triplet": (0.0, 1.0), "sustained": (0.0, 1.0), "behind": (0.0, 1.0), "on": (0.0, 1.0),
    "ahead": (0.0, 1.0),
}  # fmt: skip
# What a reaction records of the music: BPM, MIDI note, share of full velocity, notes per beat, share of major modes.
PLAYED_PARAMETERS = ("tempo", "register", "level", "density", "major")
_BY_RATIO = frozenset(("tempo", "density"))  # compared by ratio; the others by difference

# Word -> (parameter, step). Steps of tempo (a fifth of an octave) and density (half of one) are ratios.
_FASTER, _BUSIER = 2.0**0.2, 2.0**0.5
WORDS: dict[str, tuple[tuple[str, float], ...]] = {
    "too-fast": (("tempo", 1.0 / _FASTER),),
    "too-slow": (("tempo", _FASTER),),
    "too-dark": (("register", 4.0), ("major", 0.2)),
    "too-bright": (("register", -4.0), ("major", -0.2)),
    "too-busy": (("density", 1.0 / _BUSIER),),
    "too-sparse": (("density", _BUSIER),),
    "too-loud": (("level", -0.1),),
    "too-soft": (("level", 0.1),),
}
LIKE, DISLIKE, MORE, PREFERENCE = "like", "dislike", "more-like-this", "wish"
KINDS = (PREFERENCE, LIKE, DISLIKE, MORE, *WORDS)
OPINION_WEIGHT = 0.3  # of a like or dislike, for each parameter
MAX_WEIGHT = 100.0  # of one preference target
MOST_COUNTED = 10  # a row that stands for more reactions counts as this many, so that a taste can still change


@dataclass(frozen=True, slots=True)
class PreferenceTarget:
    """In `state`, `parameter` (one of RANGES) should be `value` (BPM, MIDI note, share, …).

    `weight` counts it as that many targets. `side` -1: at most that much, +1: at least; a value on that side is met.
    """

    state: EmotionState
    parameter: str
    value: float
    weight: float = 1.0
    side: int = 0

    def __post_init__(self) -> None:
        _check_value(self.parameter, self.value)
        if not (math.isfinite(self.weight) and 0.0 <= self.weight <= MAX_WEIGHT):
            raise ConfigError(f"a preference weighs {self.weight:g}; it must be from 0 to {MAX_WEIGHT:g}")
        if self.side not in (-1, 0, 1):
            raise ConfigError(f"the side of a preference is {self.side}; it must be -1, 0 or 1")


@dataclass(frozen=True, slots=True)
class Reaction:
    """What a listener said of the music at one moment.

    A `kind` of KINDS at `time` (UTC, YYYY-MM-DDTHH:MM:SSZ) in `state`. `played` is what was played, over
    PLAYED_PARAMETERS. A target has a `parameter` and a `value`. `count`: how many equal reactions this row stands for.
    """

    time: str
    kind: str
    state: EmotionState
    played: tuple[float, ...]
    parameter: str | None = None
    value: float | None = None
    count: int = 1

    def __post_init__(self) -> None:
        parse_time(self.time)
        if self.kind not in KINDS:
            raise ConfigError(f"nothing is said as {self.kind[:40]!r}; say one of {', '.join(KINDS)}")
        if len(self.played) != len(PLAYED_PARAMETERS):
            raise ConfigError(f"a reaction has {len(self.played)} parameters; it must have {len(PLAYED_PARAMETERS)}")
        for name, value in zip(PLAYED_PARAMETERS, self.played, strict=True):
            _check_value(name, value)
        if (self.kind == PREFERENCE) != (self.parameter is not None) or (self.parameter is None) != (
            self.value is None
        ):
            raise ConfigError("a target has a parameter and a value; no other reaction has")
        if self.parameter is not None and self.value is not None:
            _check_value(self.parameter, self.value)
        if not 1 <= self.count <= 10**9:
            raise ConfigError(f"a reaction counts {self.count}; it must be from 1 to 10^9")

    @property
    def topic(self) -> tuple[str, str | None, str]:
        """The kind, parameter and emotion; reactions of one topic may be merged."""
        return self.kind, self.parameter, self.state.emotion

    def targets(self, base: Sequence[float]) -> list[PreferenceTarget]:
        """Return its preference targets; `base` is what the base mapping plays here, over PLAYED_PARAMETERS."""
        count = float(min(self.count, MOST_COUNTED))
        if self.parameter is not None and self.value is not None:
            return [PreferenceTarget(self.state, self.parameter, self.value, count)]
        played_values = dict(zip(PLAYED_PARAMETERS, self.played, strict=True))
        if self.kind in WORDS:
            targets = [(name, _add_step(name, played_values[name], step)) for name, step in WORDS[self.kind]]
            weight = count / len(targets)
            return [
                PreferenceTarget(self.state, n, v, weight, 1 if v > played_values[n] else -1)
                for n, v in targets
                if v != played_values[n]
            ]
        weight = OPINION_WEIGHT * count * (2.0 if self.kind == MORE else 1.0)
        if self.kind in (LIKE, MORE):
            return [PreferenceTarget(self.state, name, value, weight) for name, value in played_values.items()]
        back = {
            name: _interpolate(name, played_values[name], base_value)
            for name, base_value in zip(PLAYED_PARAMETERS, base, strict=True)
        }
        return [
            PreferenceTarget(self.state, name, value, weight)
            for name, value in back.items()
            if not math.isclose(value, played_values[name], rel_tol=1e-3, abs_tol=1e-3)
        ]


def create_reaction(
    when: datetime, kind: str, state: EmotionState, played_values: Sequence[float], parameter: str | None = None,
    value: float | None = None,
) -> Reaction:  # fmt: skip
    """Create a reaction, rounded to the digits that the file keeps; raises ConfigError.

    `state` is the state as the mapper takes it (relaxed by its confidence).
    """
    timestamp = when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return _round_reaction(Reaction(timestamp, kind, state, tuple(played_values), parameter, value))


def merge_reactions(one: Reaction, other: Reaction) -> Reaction:
    """Merge two reactions of one topic into one row: the later time, and the mean of the rest by count."""
    total = one.count + other.count
    part = other.count / total

    def mean(a: float, b: float) -> float:
        return a + part * (b - a)

    chances = zip(one.state.probabilities, other.state.probabilities, strict=True)
    state = replace(
        one.state,
        probabilities=tuple(mean(a, b) for a, b in chances),
        valence=mean(one.state.valence, other.state.valence),
        arousal=mean(one.state.arousal, other.state.arousal),
        dominance=mean(one.state.dominance, other.state.dominance),
    )
    value = None
    if one.parameter is not None and one.value is not None and other.value is not None:
        value = _interpolate(one.parameter, one.value, other.value, part)
    played_values = tuple(
        _interpolate(n, a, b, part) for n, a, b in zip(PLAYED_PARAMETERS, one.played, other.played, strict=True)
    )
    return _round_reaction(
        Reaction(max(one.time, other.time), one.kind, state, played_values, one.parameter, value, total)
    )


def parse_time(text: str) -> datetime:
    """Parse a time as files have it. Raises ConfigError."""
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise ConfigError(f"the time {text[:40]!r} must be like 2026-11-23T00:40:00Z") from error


def _check_value(name: str, value: float) -> None:
    if name not in RANGES:
        raise ConfigError(f"nothing is called {name[:40]!r}; a target is one of {', '.join(RANGES)}")
    low, high = RANGES[name]
    if not (math.isfinite(value) and low <= value <= high):
        raise ConfigError(f"{name} is {value:g}; it must be from {low:g} to {high:g}")


def _add_step(name: str, value: float, step: float) -> float:
    low, high = RANGES[name]
    return min(high, max(low, value * step if name in _BY_RATIO else value + step))


def _interpolate(name: str, start: float, end: float, share: float = 0.5) -> float:
    if name in _BY_RATIO and start > 0.0 and end > 0.0:
        return start * math.exp(share * math.log(end / start))
    return start + share * (end - start)


def _round_reaction(exact: Reaction) -> Reaction:
    state = exact.state
    return replace(
        exact,
        state=EmotionState(
            tuple(round(p, 5) for p in state.probabilities), round(state.valence, 4), round(state.arousal, 4),
            round(state.dominance, 4), 1.0, 0.0,
        ),
        played=tuple(round(value, 4) for value in exact.played),
        value=None if exact.value is None else round(exact.value, 4),
    )  # fmt: skip
