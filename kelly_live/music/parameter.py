"""A player's own knobs: declared in its descriptor, set from the command line, a preset or a UI, always in range."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from kelly_live.core.errors import ConfigError

Value: TypeAlias = "bool | int | float | str"

_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}", re.ASCII)
_ON, _OFF = ("on", "yes", "true", "1"), ("off", "no", "false", "0")
_KINDS = {bool: "switch", int: "whole", float: "number", str: "choice"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A knob. The default's type is the knob's: bool a switch, int a whole number, float a number (both from `low` to
    `high`, in `unit`), str one of `choices`. `help` says in one line what turning it does.
    """

    name: str
    default: Value
    help: str
    low: float = 0.0
    high: float = 1.0
    choices: tuple[str, ...] = ()
    unit: str = ""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ConfigError(f"a parameter is called {self.name!r}; it must be a word of a-z, 0-9 and - (32 at most)")
        if type(self.default) not in _KINDS:
            raise ConfigError(f"{self.name} is {self.default!r} by default; it must be a bool, int, float or str")
        if (self.kind == "choice") != bool(self.choices) or len(set(self.choices)) < len(self.choices):
            raise ConfigError(f"{self.name} offers {self.choices}; a choice, and nothing else, has different choices")
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low <= self.high):
            raise ConfigError(f"{self.name} goes from {self.low:g} to {self.high:g}; it must be a range of numbers")
        if not self.help or not self.help.isprintable():
            raise ConfigError(f"{self.name} has no help of one line; say what turning it does")
        self.read(self.default)

    @property
    def kind(self) -> str:
        """switch, whole, number or choice."""
        return _KINDS[type(self.default)]

    @property
    def range(self) -> str:
        """What it may be, in words."""
        match self.kind:
            case "switch":
                return "on or off"
            case "choice":
                return f"one of {', '.join(self.choices)}"
            case kind:
                number = "a whole number" if kind == "whole" else "a number"
                return f"{number} from {self.low:g} to {self.high:g}" + (f" {self.unit}" if self.unit else "")

    def read(self, given: Value) -> Value:
        """The value that was given, text as typed or a value already, in the knob's own type. Raises ConfigError."""
        match self.kind:
            case "switch":
                word = str(given).strip().casefold()
                if word in _ON or word in _OFF:
                    return word in _ON
            case "choice":
                word = str(given).strip().casefold()
                if word in self.choices:
                    return word
            case kind:
                number = math.nan if isinstance(given, bool) else _number(given)
                if self.low <= number <= self.high and (kind == "number" or number == int(number)):
                    return int(number) if kind == "whole" else number
        raise ConfigError(f"{self.name} is {shown(given)!r}; it must be {self.range}")


def _number(given: Value) -> float:
    try:
        return float(given)
    except ValueError:
        return math.nan


def shown(value: Value) -> str:
    """A value as it is typed; a stranger's long text is cut."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)[:60]


def read_all(declared: tuple[Parameter, ...], given: Mapping[str, Value]) -> dict[str, Value]:
    """Every declared parameter's value: the one given, else its default. Raises ConfigError."""
    known = {parameter.name: parameter for parameter in declared}
    for name in given:
        if name not in known:
            there = f"it has {', '.join(known)}" if known else "it has none"
            raise ConfigError(f"there is no parameter {name[:60]!r}; {there}")
    return {name: parameter.read(given.get(name, parameter.default)) for name, parameter in known.items()}
