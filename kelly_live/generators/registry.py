"""Finds the generators that are installed, ours and other people's, through the entry point group.

Three steps, each only as dear as it must be: `declared` reads what packages say and imports nothing, `described`
imports a class and reads its descriptor, `make` makes one and gives it its values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import cast

from kelly_live.core.errors import ConfigError, KellyError
from kelly_live.generators.base import Configurable, Descriptor, Generator, Value
from kelly_live.generators.sandbox import SandboxedGenerator
from kelly_live.music.parameter import read_all

GROUP = "kelly_live.generators"
OURS = "kelly-live"


@dataclass(frozen=True, slots=True)
class Declared:
    """A generator as its package declares it: the name that it is asked for by, where it lies, and whose it is."""

    name: str
    target: str
    package: str
    version: str

    @property
    def ours(self) -> bool:
        return self.package == OURS


@dataclass(frozen=True, slots=True)
class Described:
    """A declared generator and its class's descriptor, or the one-line `problem` that kept it from being read."""

    declared: Declared
    descriptor: Descriptor | None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A registered generator: loaded, or the one-line `problem` that kept it from loading."""

    name: str
    generator: Generator | None
    problem: str | None = None


def declared() -> tuple[Declared, ...]:
    """Every generator by name, nothing imported. Of two packages that declare one name ours has it, else the first."""
    return tuple(_declared(point) for point in _installed().values())


def names() -> tuple[str, ...]:
    """The registered generators, sorted, without loading any."""
    return tuple(_installed())


def described(wanted: Sequence[str] | None = None) -> tuple[Described, ...]:
    """The `wanted` generators (all by default) with their descriptors: their modules are imported, none is made. Raises
    ConfigError: a name that is not registered.
    """
    return tuple(_described(point) for point in _points(wanted))


def load(wanted: Sequence[str] | None = None) -> tuple[Found, ...]:
    """Make the `wanted` generators (all by default), each with its defaults. A name that is not registered raises
    ConfigError; one that fails to load comes back with its problem.
    """
    return tuple(_made(point, {}, alone=False) for point in _points(wanted))


def make(name: str, values: Mapping[str, Value], *, alone: bool = False) -> Found:
    """Make one generator and give it these values. `alone`: one from another package is called in a thread of its own.
    Raises ConfigError: a name that is not registered, or a value out of its range.
    """
    (point,) = _points([name])
    return _made(point, values, alone=alone)


def _installed() -> dict[str, EntryPoint]:
    points = [(point, _declared(point)) for point in entry_points(group=GROUP)]
    first: dict[str, EntryPoint] = {}
    for point, own in sorted(points, key=lambda p: (p[1].name, not p[1].ours, p[1].package, p[1].target)):
        first.setdefault(own.name, point)
    return first


def _declared(point: EntryPoint) -> Declared:
    dist = point.dist
    package = "(unknown)" if dist is None else dist.name.lower().replace("_", "-")
    return Declared(point.name, point.value, package, "" if dist is None else dist.version)


def _points(wanted: Sequence[str] | None) -> list[EntryPoint]:
    installed = _installed()
    for name in wanted or ():
        if name not in installed:
            raise ConfigError(
                f"there is no generator {name!r}; it must be one of {', '.join(installed) or '(none installed)'}"
            )
    return [installed[name] for name in (installed if wanted is None else wanted)]


def _described(point: EntryPoint) -> Described:
    own = _declared(point)
    try:
        made_by = point.load()
        descriptor = getattr(made_by, "descriptor", None)
    except Exception as error:  # someone else's code: whatever it raises is its problem, not the band's
        return Described(own, None, f"{point.value} did not load: {_told(error)}")
    if not isinstance(descriptor, Descriptor) or not all(
        callable(getattr(made_by, method, None)) for method in ("generate", "reset")
    ):
        return Described(own, None, f"{point.value} is not a generator: it lacks `descriptor`, `generate` or `reset`")
    if descriptor.parameters and not callable(getattr(made_by, "configure", None)):
        return Described(own, None, f"{point.value} declares parameters, but has no `configure` to take their values")
    return Described(own, descriptor)


def _made(point: EntryPoint, values: Mapping[str, Value], *, alone: bool) -> Found:
    found = _described(point)
    if found.descriptor is None:
        return Found(point.name, None, found.problem)
    try:
        chosen = read_all(found.descriptor.parameters, values)
    except ConfigError as error:
        raise ConfigError(f"generator {point.name}: {error}") from error
    try:
        made = cast(Generator, point.load()())
        if found.descriptor.parameters and isinstance(made, Configurable):
            made.configure(chosen)
    except Exception as error:  # someone else's code again
        return Found(point.name, None, f"{point.value} did not load: {_told(error)}")
    return Found(point.name, cast(Generator, SandboxedGenerator(made)) if alone and not found.declared.ours else made)


def _told(error: Exception) -> str:
    """An error in one line; what was raised in our own words is told without its kind."""
    text = " ".join(str(error).split())[:300]
    return text if isinstance(error, KellyError) else f"{type(error).__name__}: {text}"
