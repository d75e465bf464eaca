"""Frozen dataclasses as plain JSON values and back; floats come back to the bit.

Only what a type's annotations allow is built: numbers, text, tuples, dataclasses and None. Nothing in a file can name a
class. What does not fit raises ConfigError.
"""

from __future__ import annotations

import math
import types
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from kelly_live.core.errors import ConfigError

T = TypeVar("T")


def plain(value: Any) -> Any:
    """Dataclasses as maps without the fields that have their default, tuples as lists; the rest as it is."""
    if is_dataclass(value) and not isinstance(value, type):
        told = ((field, getattr(value, field.name)) for field in fields(value))
        return {field.name: plain(item) for field, item in told if field.default is MISSING or item != field.default}
    if isinstance(value, msgspec.Struct):
        return msgspec.to_builtins(value)
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return value


def typed(kind: type[T], value: Any, what: str = "") -> T:
    """The value as `kind` has it; `what` names it in an error. Raises ConfigError."""
    built: T = _built(kind, value, what or getattr(kind, "__name__", "value").lower())
    return built


def _built(kind: Any, value: Any, what: str) -> Any:
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in get_args(kind):
            return None
        return _either([option for option in get_args(kind) if option is not type(None)], value, what)
    if origin is tuple:
        return _tuple(get_args(kind), value, what)
    if is_dataclass(kind):
        return _dataclass(kind, value, what)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        try:
            return msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            raise ConfigError(f"{what}: {error}") from error
    if kind is float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ConfigError(f"{what} is {_shown(value)}; it must be a number")
        return float(value)
    if isinstance(kind, type) and isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
        return value
    raise ConfigError(f"{what} is {_shown(value)}; it must be {getattr(kind, '__name__', kind)}")


def _either(options: list[Any], value: Any, what: str) -> Any:
    for option in options[:-1]:
        try:
            return _built(option, value, what)
        except ConfigError:
            continue
    return _built(options[-1], value, what)


def _tuple(kinds: tuple[Any, ...], value: Any, what: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise ConfigError(f"{what} is {_shown(value)}; it must be a list")
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        kinds = (kinds[0],) * len(value)
    if len(kinds) != len(value):
        raise ConfigError(f"{what} has {len(value)} items; it must have {len(kinds)}")
    return tuple(_built(kind, item, what) for kind, item in zip(kinds, value, strict=True))


def _dataclass(kind: Any, value: Any, what: str) -> Any:
    hints, required = _shape(kind)
    if not isinstance(value, dict):
        raise ConfigError(f"{what} is {_shown(value)}; it must be a map")
    for name in value:
        if name not in hints:
            raise ConfigError(f"{what} has {name[:40]!r}, which nobody knows")
    for name in required:
        if name not in value:
            raise ConfigError(f"{what} lacks {name!r}")
    return kind(**{name: _built(hints[name], item, f"{what}.{name}") for name, item in value.items()})


@cache
def _shape(kind: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    hints = get_type_hints(kind)
    no_default = (f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING)
    return {field.name: hints[field.name] for field in fields(kind)}, tuple(no_default)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:40] + "…"
