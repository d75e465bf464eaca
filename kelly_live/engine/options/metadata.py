"""Declare a setting as a dataclass field: its default, its range, its flag and its help."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

from kelly_live.core.checks import as_number, require_whole_number
from kelly_live.core.errors import ConfigError
from kelly_live.core.numbers import quote_value
from kelly_live.core.values import MAX_SEED
from kelly_live.engine.options.rules import check_rules

_OPTION = "kelly_live.option"
_GROUP = "kelly_live.group"


@dataclass(frozen=True, slots=True)
class OptionSpec:
    """How one setting is typed.

    `flags`: such as ("--seed",); two words with a slash are a switch that can be turned off.
    `kind`: str, int, float, bool or Path; `is_folder`: the Path of a folder.
    `choices`, `minimum` and `maximum` (inclusive) limit the value.
    `repeatable`: it may be given more than once; the value is then a tuple. `repeat_help` is added to the help there.
    `parse`: from the text (or the tuple of texts) to the value; it raises ConfigError.
    `format`: from the value back to text, for the log; None: its `str`, or those of a tuple with commas.
    `default_note`: what an absent option means, in words; None shows the default itself, "" shows nothing.
    """

    flags: tuple[str, ...]
    help: str
    kind: type = str
    is_folder: bool = False
    metavar: str | None = None
    choices: tuple[Any, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    repeatable: bool = False
    repeat_help: str = ""
    parse: Callable[[Any], Any] | None = None
    format: Callable[[Any], str] | None = None
    default_note: str | None = ""


@dataclass(frozen=True, slots=True)
class GroupSpec:
    """An options value inside another one.

    `without`: fields that this command does not offer. `single`: repeatable fields that it takes only once.
    `present_with`: the field without which the whole group is None.
    """

    type: type
    without: frozenset[str] = frozenset()
    single: frozenset[str] = frozenset()
    present_with: str | None = None


def option(*flags: str, help: str, default: Any = None, default_factory: Any = MISSING, **spec: Any) -> Any:
    """Make a dataclass field that is a setting; the further arguments are those of OptionSpec."""
    metadata = {_OPTION: OptionSpec(flags, help, **spec)}
    if default_factory is not MISSING:
        return field(default_factory=default_factory, metadata=metadata)
    return field(default=default, metadata=metadata)


def required_option(*flags: str, help: str, **spec: Any) -> Any:
    """Make a dataclass field that is a setting without a default."""
    return field(metadata={_OPTION: OptionSpec(flags, help, **spec)})


def group(
    of: type, *, without: tuple[str, ...] = (), single: tuple[str, ...] = (), present_with: str | None = None
) -> Any:
    """Make a dataclass field that holds another options value, flattened on a command line."""
    spec = GroupSpec(of, frozenset(without), frozenset(single), present_with)
    metadata = {_GROUP: spec}
    if present_with is not None:
        return field(default=None, metadata=metadata)
    return field(default_factory=of, metadata=metadata)


def list_specs(options: Any) -> Iterator[tuple[str, OptionSpec | GroupSpec]]:
    """List the settings of an options class or value, in the order of their declaration."""
    for one in fields(options):
        spec = one.metadata.get(_OPTION) or one.metadata.get(_GROUP)
        if spec is not None:
            yield one.name, spec


def check_options(options: Any) -> None:
    """Check choices and ranges of every setting of an options value, and RULES among them.

    Raises ConfigError naming the first that is wrong. A class calls it from `__post_init__`.
    """
    defaults = {one.name: one.default for one in fields(options)}
    given_flags, available_flags = [], []
    for name, spec in list_specs(options):
        if isinstance(spec, OptionSpec):
            value = _check(spec, getattr(options, name))
            object.__setattr__(options, name, value)  # a number of another type (NumPy's) as ours
            available_flags.append(_flag_of(spec))
            if value != defaults[name]:
                given_flags.append(_flag_of(spec))
    check_rules(given_flags, available_flags)


def list_settings(options: Any) -> tuple[tuple[str, str], ...]:
    """List the settings that are not empty, groups included, as (name, text)."""
    settings: list[tuple[str, str]] = []
    for name, spec in list_specs(options):
        value = getattr(options, name)
        if isinstance(spec, GroupSpec):
            settings += () if value is None else list_settings(value)
        elif value not in (None, False, (), {}):
            settings.append((_name_of(spec), _format(spec, value)))
    return tuple(settings)


def _format(spec: OptionSpec, value: Any) -> str:
    if spec.format is not None:
        return spec.format(value)
    if isinstance(value, bool):
        return "on"  # what is off is not listed
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _name_of(spec: OptionSpec) -> str:
    return _flag_of(spec).removeprefix("--").replace("-", "_")


def _flag_of(spec: OptionSpec) -> str:
    return spec.flags[0].partition("/")[0]


def _check(spec: OptionSpec, value: Any) -> Any:
    """Return a value that keeps its setting's rules, in the setting's own type. Raises ConfigError."""
    flag = _flag_of(spec)
    if spec.kind is str and spec.parse is None:
        texts = value if spec.repeatable else (value,)
        if not isinstance(texts, tuple) or any(not isinstance(one, str | None) for one in texts):
            raise ConfigError(
                f"{flag} is {quote_value(value)}; it must be {'a tuple of texts' if spec.repeatable else 'text'}"
            )
    if value is None or spec.repeatable or spec.parse is not None:
        return value
    if spec.choices and value not in spec.choices:
        raise ConfigError(f"{flag} is {quote_value(value)}; it must be one of {', '.join(map(str, spec.choices))}")
    if spec.kind is int and not spec.choices:
        value = require_whole_number(flag, value)
    if spec.minimum is None and spec.maximum is None:
        if spec.kind is Path and not isinstance(value, Path):
            raise ConfigError(f"{flag} is {quote_value(value)}; it must be a Path")
        return value
    low = spec.minimum if spec.minimum is not None else float("-inf")
    high = spec.maximum if spec.maximum is not None else float("inf")
    number = value if type(value) is int else as_number(value)
    if number is None or not low <= number <= high:
        raise ConfigError(f"{flag} is {quote_value(value)}; it must be {_describe_range(spec)}")
    return number


def _describe_range(spec: OptionSpec) -> str:
    if spec.maximum is None:
        return f"a number of at least {spec.minimum:g}"
    if spec.maximum == MAX_SEED:
        return f"a number of at least {spec.minimum:g}, of 18 digits at most"
    return f"a number from {spec.minimum:g} to {spec.maximum:g}"
