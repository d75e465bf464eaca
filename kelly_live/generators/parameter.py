"""A generator's own knobs: declared in its descriptor, set by the user, always in range."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

from kelly_live.core.errors import ConfigError
from kelly_live.core.numbers import parse_number, parse_switch, quote_value

Value: TypeAlias = "bool | int | float | str"

_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}", re.ASCII)
_KINDS = {bool: "switch", int: "whole", float: "number", str: "choice"}
_LONGEST_SHOWN = 60  # characters of a value in a message: it may come from anywhere


@dataclass(frozen=True, slots=True)
class Parameter:
    """One knob; raises ConfigError where a rule is broken.

    The default's type is the knob's: a bool is a switch, an int a whole number, a float a number (both from `low` to
    `high`, in `unit`), a str one of `choices`. `help` says in one line what turning it does.
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
        self.parse(self.default)

    @property
    def kind(self) -> str:
        """The word switch, whole, number or choice."""
        return _KINDS[type(self.default)]

    @property
    def range(self) -> str:
        """The permitted values, in words."""
        match self.kind:
            case "switch":
                return "on or off"
            case "choice":
                return f"one of {', '.join(self.choices)}"
            case kind:
                number = "a whole number" if kind == "whole" else "a number"
                return f"{number} from {self.low:g} to {self.high:g}" + (f" {self.unit}" if self.unit else "")

    def at(self, position: float) -> Value:
        """Return the value at a position of the range, 0 (the lowest, the first choice, off) to 1."""
        match self.kind:
            case "switch":
                return position >= 0.5
            case "choice":
                return self.choices[min(len(self.choices) - 1, int(position * len(self.choices)))]
            case kind:
                number = self.low + position * (self.high - self.low)
                return math.floor(number + 0.5) if kind == "whole" else min(self.high, max(self.low, number))

    def parse(self, value: Value) -> Value:
        """Convert a value, or text as typed, to the knob's own type; raises ConfigError.

        Text that ends in % is a position in the range: 0% is the lowest, 100% the highest.
        """
        if isinstance(value, str) and value.strip().endswith("%"):
            percent = parse_number(value.strip()[:-1])
            if 0.0 <= percent <= 100.0:
                return self.at(percent / 100.0)
        match self.kind:
            case "switch":
                is_on = parse_switch(str(value))
                if is_on is not None:
                    return is_on
            case "choice":
                word = str(value).strip().casefold()
                if word in self.choices:
                    return word
            case kind:
                number = math.nan if isinstance(value, bool) else _parse_number(value)
                if self.low <= number <= self.high and (kind == "number" or number == int(number)):
                    return int(number) if kind == "whole" else number
        raise ConfigError(f"{self.name} is {format_value(value)!r}; it must be {self.range}")


def _parse_number(value: Value) -> float:
    if isinstance(value, str):
        return parse_number(value)
    try:
        return float(value)
    except OverflowError:
        return math.inf


def format_value(value: Value) -> str:
    """Format a value as it is typed; long text is cut."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, str):
        return value[:_LONGEST_SHOWN]
    return f"{value:g}" if isinstance(value, float) else quote_value(value)


def resolve_values(parameters: tuple[Parameter, ...], values: Mapping[str, Value]) -> dict[str, Value]:
    """Return every declared parameter's value, the default where none is set; raises ConfigError."""
    parameters_by_name = {parameter.name: parameter for parameter in parameters}
    for name in values:
        if name not in parameters_by_name:
            hint = f"it has {', '.join(parameters_by_name)}" if parameters_by_name else "it has none"
            raise ConfigError(f"there is no parameter {name[:_LONGEST_SHOWN]!r}; {hint}")
    return {
        name: parameter.parse(values.get(name, parameter.default)) for name, parameter in parameters_by_name.items()
    }


def adapt_values(parameters: tuple[Parameter, ...], values: Mapping[str, Value]) -> dict[str, Value]:
    """Return every declared parameter's value, the default where none is set or it does not fit."""
    adapted = {}
    for parameter in parameters:
        try:
            adapted[parameter.name] = parameter.parse(values.get(parameter.name, parameter.default))
        except ConfigError:
            adapted[parameter.name] = parameter.default
    return adapted


class ParameterValues:
    """The values of the declared parameters, each in its own type and range."""

    def __init__(self, parameters: tuple[Parameter, ...], values: Mapping[str, Value] = MappingProxyType({})) -> None:
        """Take the given values, and the defaults of the others. Raises ConfigError."""
        self._values = resolve_values(parameters, values)

    def as_dict(self) -> dict[str, Value]:
        """Return every value by name."""
        return dict(self._values)

    def number(self, name: str) -> float:
        """Return the value of a number or whole number."""
        return float(self._values[name])

    def switch(self, name: str) -> bool:
        """Return the value of a switch."""
        return bool(self._values[name])

    def choice(self, name: str) -> str:
        """Return the value of a choice."""
        return str(self._values[name])
