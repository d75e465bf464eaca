"""The limits of a session: how loud, fast and excited it may get, and how soon. What is played never passes them.

The same values come from the command line, the config file and a profile; of several the strictest holds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from kelly_live.core.commands import MAX_NOTES_AT_ONCE, MAX_RISE, LoudnessLimits
from kelly_live.core.errors import ConfigError
from kelly_live.core.numbers import quote_value

MINUTES_A_DAY = 24 * 60
QUIET_VELOCITY = 50  # about mezzo piano
# What a limit may be, by its name: whole numbers where the lowest is one.
RANGES: dict[str, tuple[float, float]] = {
    "velocity": (1, 127),
    "loudness_rise": (0.1, MAX_RISE),
    "accent": (1, 127),
    "notes": (1, MAX_NOTES_AT_ONCE),
    "tempo_rise": (0.1, 1000.0),
    "arousal_rise": (0.01, 100.0),
}
WHOLE = frozenset(("velocity", "accent", "notes"))
_HOURS = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)-([01]?\d|2[0-3]):([0-5]\d)", re.ASCII)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From one minute of the day (local time) to another, past midnight too, no note is louder than `velocity`.

    Raises ConfigError.
    """

    start: int
    end: int
    velocity: int = QUIET_VELOCITY

    def __post_init__(self) -> None:
        if not (0 <= self.start < MINUTES_A_DAY and 0 <= self.end < MINUTES_A_DAY and self.start != self.end):
            raise ConfigError("quiet hours begin and end at two different times; write them as 22:00-07:00")
        _check("quiet_velocity", self.velocity, 1, 127)

    def contains(self, minute: int) -> bool:
        """Return whether a minute of the day is quiet."""
        if self.start < self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end

    def __str__(self) -> str:
        return "-".join(f"{minute // 60:02}:{minute % 60:02}" for minute in (self.start, self.end))


@dataclass(frozen=True, slots=True)
class Limits:
    """What is played keeps to these; None: no such limit. Raises ConfigError.

    Attributes:
        velocity: The loudest note, 1-127.
        loudness_rise: How much louder the music may get in a second, in velocity.
        accent: How much louder than the average of the last two seconds a note may be, in velocity.
        notes: How many notes may sound at once on a port.
        tempo_rise: How much faster it may get in a minute, in BPM.
        arousal_rise: How much the arousal, -1 to 1, may rise in a minute.
        quiet_hours: When there is a lower limit of the velocity.
    """

    velocity: int | None = None
    loudness_rise: float | None = None
    accent: int | None = None
    notes: int | None = None
    tempo_rise: float | None = None
    arousal_rise: float | None = None
    quiet_hours: tuple[QuietHours, ...] = ()

    def __post_init__(self) -> None:
        for name, (low, high) in RANGES.items():
            if (value := getattr(self, name)) is not None:
                _check(name, value, low, high)

    def combine(self, other: Limits) -> Limits:
        """Return the strictest of both."""
        values = {name: _choose_lower(getattr(self, name), getattr(other, name)) for name in RANGES}
        return Limits(**values, quiet_hours=tuple(dict.fromkeys((*self.quiet_hours, *other.quiet_hours))))

    def build_loudness_limits(self, minute: int) -> LoudnessLimits:
        """Return what the notes are held to at a minute of the day."""
        velocity = self.velocity
        for hours in self.quiet_hours:
            if hours.contains(minute):
                velocity = _choose_lower(velocity, hours.velocity)
        return LoudnessLimits(velocity, self.loudness_rise, self.accent, self.notes)

    def describe(self) -> list[str]:
        """Say what is limited, a few words each; empty if nothing is."""
        words = [
            (self.velocity, "velocity {:g}"),
            (self.loudness_rise, "louder by {:g} a second"),
            (self.accent, "accents of {:g}"),
            (self.notes, "{:g} note at once" if self.notes == 1 else "{:g} notes at once"),
            (self.tempo_rise, "faster by {:g} BPM a minute"),
            (self.arousal_rise, "arousal up by {:g} a minute"),
        ]
        quiet = [f"velocity {hours.velocity} from {hours}" for hours in self.quiet_hours]
        return [text.format(value) for value, text in words if value is not None] + quiet


NO_SESSION_LIMITS = Limits()


def parse_quiet_hours(text: str, velocity: int = QUIET_VELOCITY) -> QuietHours:
    """Read quiet hours as they are written: 22:00-07:00. Raises ConfigError."""
    match = _HOURS.fullmatch(text.replace(" ", ""))
    if match is None:
        raise ConfigError(f"{quote_value(text)} is no range of hours; write it as 22:00-07:00")
    hour, minute, end_hour, end_minute = map(int, match.groups())
    return QuietHours(hour * 60 + minute, end_hour * 60 + end_minute, velocity)


def _choose_lower(a: float | None, b: float | None) -> int | None:
    both = [value for value in (a, b) if value is not None]
    return min(both, default=None)  # type: ignore[return-value]


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high or (name in WHOLE and value != int(value)):
        kind = "whole number" if name in WHOLE else "number"
        raise ConfigError(f"the limit {name} is {value:g}; it must be a {kind} from {low:g} to {high:g}")
