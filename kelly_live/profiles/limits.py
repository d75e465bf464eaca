"""The limits of a profile, as its YAML holds them."""

from __future__ import annotations

import math
from dataclasses import replace

from kelly_live.core.errors import ConfigError
from kelly_live.core.limits import QUIET_VELOCITY, RANGES, WHOLE, Limits, QuietHours, parse_quiet_hours
from kelly_live.core.numbers import parse_number, quote_value
from kelly_live.core.safe_yaml import Node

_HOURS, _VELOCITY = "quiet_hours", "quiet_velocity"


def read_limits(node: Node) -> Limits:
    """Read the limits of a file. Raises ConfigError naming file, line and field."""
    fields = node.as_fields((), (*RANGES, _HOURS, _VELOCITY))
    values = {
        name: fields[name].as_int(int(low), int(high)) if name in WHOLE else fields[name].as_number(low, high)
        for name, (low, high) in RANGES.items()
        if name in fields
    }
    velocity = fields[_VELOCITY].as_int(1, 127) if _VELOCITY in fields else QUIET_VELOCITY
    if _VELOCITY in fields and _HOURS not in fields:
        fields[_VELOCITY].fail(f"has no effect without {_HOURS}; give both, or leave it out")
    hours = () if _HOURS not in fields else (_read_hours(fields[_HOURS], velocity),)
    return Limits(**values, quiet_hours=hours)  # type: ignore[arg-type]


def change_limit(limits: Limits, name: str, value: str) -> Limits:
    """Return the limits with one of them set as it is typed, or removed by "none". Raises ConfigError."""
    is_gone, hours = value.casefold() == "none", limits.quiet_hours[:1]
    if name in RANGES:
        number = None if is_gone else parse_number(value)
        if number is not None and math.isnan(number):
            raise ConfigError(f"the limit {name} is {quote_value(value)}; it must be a number, or none")
        whole = int(number) if number is not None and name in WHOLE and number.is_integer() else number
        return replace(limits, **{name: whole})  # type: ignore[arg-type]
    if name == _HOURS:
        velocity = hours[0].velocity if hours else QUIET_VELOCITY
        return replace(limits, quiet_hours=() if is_gone else (parse_quiet_hours(value, velocity),))
    if name != _VELOCITY:
        raise ConfigError(f"there is no limit {quote_value(name)}; there are {', '.join((*RANGES, _HOURS, _VELOCITY))}")
    if not hours:
        raise ConfigError(f"{_VELOCITY} has no effect without {_HOURS}; set those first")
    quiet = change_limit(Limits(), "velocity", value).velocity
    return replace(limits, quiet_hours=(replace(hours[0], velocity=QUIET_VELOCITY if quiet is None else quiet),))


def format_limits(limits: Limits) -> list[str]:
    """Return the lines of a file; the inverse of `read_limits`, for one range of quiet hours at most."""
    lines = [f"  {name}: {value:g}" for name in RANGES if (value := getattr(limits, name)) is not None]
    for hours in limits.quiet_hours[:1]:
        lines += [f"  {_HOURS}: '{hours}'", f"  {_VELOCITY}: {hours.velocity}"]
    return lines


def _read_hours(node: Node, velocity: int) -> QuietHours:
    text = node.as_text(40)
    try:
        return parse_quiet_hours(text, velocity)
    except ConfigError as error:
        node.fail(f"does not fit ({error})")
