"""Checks of the values that packages exchange; each raises ConfigError with the rule."""

from __future__ import annotations

import numbers
import operator

from kelly_live.core.errors import ConfigError

_SUM_TOLERANCE = 1e-3


def require(condition: bool, message: str) -> None:
    """Raise a ConfigError with this message unless the condition holds."""
    if not condition:
        raise ConfigError(message)


# Values are made tens of thousands of times a minute, so an error's text is formatted only when it is raised.
def require_range(name: str, value: float, low: float, high: float) -> None:
    """Require a number in [low, high]; NaN is refused."""
    if not low <= value <= high:  # false for NaN too
        raise ConfigError(f"{name} is {value}; it must be a number from {low:g} to {high:g}")


def require_note_numbers(pitch: int, velocity: int, channel: int, program: int | None = None) -> None:
    """Require a MIDI pitch 0-127, a velocity 1-127, a channel 1-16, and a program 0-127 or none."""
    if not 0 <= pitch <= 127:
        raise ConfigError(f"pitch is {pitch}; it must be in 0..127")
    if not 1 <= velocity <= 127:
        raise ConfigError(f"velocity is {velocity}; it must be in 1..127")
    if not 1 <= channel <= 16:
        raise ConfigError(f"channel is {channel}; it must be in 1..16")
    if not (program is None or 0 <= program <= 127):
        raise ConfigError(f"program is {program}; it must be in 0..127")


def as_whole_number(value: object) -> int | None:
    """Return a whole number of any type (60, 60.0, a NumPy integer) as an int; None for anything else.

    True and False are no numbers, and text is none.
    """
    if type(value) is int:
        return value
    if isinstance(value, bool):
        return None
    try:
        return operator.index(value)  # type: ignore[arg-type]  # it says itself whether it is one
    except TypeError:
        number = as_number(value)
    return int(number) if number is not None and number.is_integer() else None


def require_whole_number(name: str, value: object) -> int:
    """Return a whole number of any type as an int; refuse anything else."""
    number = as_whole_number(value)
    if number is None:
        raise ConfigError(f"{name} is {value!r}; it must be a whole number")
    return number


def as_number(value: object) -> float | None:
    """Return a real number of any type as a float; None for anything else, as for `as_whole_number`."""
    if type(value) is float:
        return value
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return None
    try:
        return float(value)
    except OverflowError:  # an int or a fraction that no float can hold
        return None


def require_weights(name: str, weights: tuple[float, ...], length: int) -> None:
    """Require this many numbers in [0, 1] whose sum is 1."""
    if len(weights) != length:
        raise ConfigError(f"{name} has {len(weights)} weights; it must have {length}")
    label = f"{name} weight"
    for weight in weights:
        require_range(label, weight, 0.0, 1.0 + _SUM_TOLERANCE)
    total = sum(weights)
    if not abs(total - 1.0) <= _SUM_TOLERANCE:
        raise ConfigError(f"{name} weights sum to {total:.4f}; they must sum to 1")
