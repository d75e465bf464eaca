"""Finds the installed generators, built in and of other packages, through their entry-point group.

Three steps, each no dearer than it must be: `list_entries` reads what packages declare and imports nothing,
`describe_generators` imports a class and reads its descriptor, `create_generator` makes one with its values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import cast

from kelly_live.core.errors import ConfigError, KellyError
from kelly_live.generators.base import Configurable, Descriptor, Generator, Value
from kelly_live.generators.parameter import resolve_values
from kelly_live.generators.sandbox import SandboxedGenerator

GROUP = "kelly_live.generators"
OWN_PACKAGE = "kelly-live"


@dataclass(frozen=True, slots=True)
class GeneratorEntry:
    """A generator as its package declares it: its name, the class that the entry point names, and the package."""

    name: str
    target: str
    package: str
    version: str

    @property
    def is_built_in(self) -> bool:
        """Whether it comes with kelly-live itself."""
        return self.package == OWN_PACKAGE


@dataclass(frozen=True, slots=True)
class GeneratorInfo:
    """A declared generator with its class's descriptor, or the one-line `problem` that kept it from being read."""

    entry: GeneratorEntry
    descriptor: Descriptor | None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class LoadedGenerator:
    """A registered generator, or the one-line `problem` that kept it from loading; `values` are its parameters'."""

    name: str
    generator: Generator | None
    problem: str | None = None
    values: tuple[tuple[str, Value], ...] = ()


def list_entries() -> tuple[GeneratorEntry, ...]:
    """List every generator by name, and import nothing.

    If two packages declare one name, kelly-live's own has it, else the first package by name.
    """
    return tuple(_read_entry(point) for point in _find_points().values())


def list_names() -> tuple[str, ...]:
    """List the names of the registered generators, sorted, and import nothing."""
    return tuple(_find_points())


def describe_generators(names: Sequence[str] | None = None) -> tuple[GeneratorInfo, ...]:
    """Read the descriptors of the named generators (default: all); imports their modules, creates none.

    Raises ConfigError for a name that is not registered.
    """
    return tuple(_describe(point) for point in _select_points(names))


def load_generators(names: Sequence[str] | None = None) -> tuple[LoadedGenerator, ...]:
    """Create the named generators (default: all), each with its parameters' defaults.

    One that fails to load comes back with its problem. Raises ConfigError for a name that is not registered.
    """
    return tuple(_create(point, {}, sandboxed=False) for point in _select_points(names))


def create_generator(name: str, values: Mapping[str, Value], *, sandboxed: bool = False) -> LoadedGenerator:
    """Create one generator with these values of its parameters.

    `sandboxed`: one of another package is called in a thread of its own. Raises ConfigError for a name that is not
    registered, or a value out of its range.
    """
    (point,) = _select_points([name])
    return _create(point, values, sandboxed=sandboxed)


def _find_points() -> dict[str, EntryPoint]:
    points = [(point, _read_entry(point)) for point in entry_points(group=GROUP)]
    first: dict[str, EntryPoint] = {}
    for point, entry in sorted(points, key=lambda p: (p[1].name, not p[1].is_built_in, p[1].package, p[1].target)):
        first.setdefault(entry.name, point)
    return first


def _read_entry(point: EntryPoint) -> GeneratorEntry:
    dist = point.dist
    package = "(unknown)" if dist is None else dist.name.lower().replace("_", "-")
    return GeneratorEntry(point.name, point.value, package, "" if dist is None else dist.version)


def _select_points(names: Sequence[str] | None) -> list[EntryPoint]:
    points = _find_points()
    for name in names or ():
        if name not in points:
            raise ConfigError(
                f"there is no generator {name!r}; it must be one of {', '.join(points) or '(none installed)'}"
            )
    return [points[name] for name in (points if names is None else names)]


def _describe(point: EntryPoint) -> GeneratorInfo:
    entry = _read_entry(point)
    try:
        made_by = point.load()
        descriptor = getattr(made_by, "descriptor", None)
    except Exception as error:  # another package's code: its error is its own problem, not the band's
        return GeneratorInfo(entry, None, f"{point.value} did not load: {_format_error(error)}")
    if not isinstance(descriptor, Descriptor) or not all(
        callable(getattr(made_by, method, None)) for method in ("generate", "reset")
    ):
        return GeneratorInfo(
            entry, None, f"{point.value} is not a generator: it lacks `descriptor`, `generate` or `reset`"
        )
    if descriptor.parameters and not callable(getattr(made_by, "configure", None)):
        return GeneratorInfo(
            entry, None, f"{point.value} declares parameters, but has no `configure` to take their values"
        )
    return GeneratorInfo(entry, descriptor)


def _create(point: EntryPoint, values: Mapping[str, Value], *, sandboxed: bool) -> LoadedGenerator:
    info = _describe(point)
    if info.descriptor is None:
        return LoadedGenerator(point.name, None, info.problem)
    try:
        resolved = resolve_values(info.descriptor.parameters, values)
    except ConfigError as error:
        raise ConfigError(f"generator {point.name}: {error}") from error
    try:
        generator = cast(Generator, point.load()())
        if info.descriptor.parameters and isinstance(generator, Configurable):
            generator.configure(resolved)
    except Exception as error:  # another package's code again
        return LoadedGenerator(point.name, None, f"{point.value} did not load: {_format_error(error)}")
    if sandboxed and not info.entry.is_built_in:
        generator = SandboxedGenerator(generator)
    return LoadedGenerator(point.name, generator, values=tuple(resolved.items()))


def _format_error(error: Exception) -> str:
    """Format an error in one line, without its type if it is one of ours."""
    text = " ".join(str(error).split())[:300]
    return text if isinstance(error, KellyError) else f"{type(error).__name__}: {text}"
