"""Finds the installed generators, built in and of other packages, through their entry-point group.

Three steps, each with no more cost than needed: `list_names` reads what packages declare and imports nothing,
`describe_generators` imports a class and reads its descriptor, `create_generator` makes one with its values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from kelly_live.core.errors import ConfigError
from kelly_live.core.plugins import LOAD_SECONDS, Plugin, describe_load_failure, find_plugins, select_plugin
from kelly_live.generators.base import Configurable, Descriptor, Generator, Value
from kelly_live.generators.parameter import resolve_values
from kelly_live.generators.sandbox import SandboxedGenerator, run_with_deadline

GROUP = "kelly_live.generators"


@dataclass(frozen=True, slots=True)
class GeneratorInfo:
    """A declared generator with its class's descriptor, or the one-line `problem` of reading it."""

    plugin: Plugin
    descriptor: Descriptor | None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class LoadedGenerator:
    """A registered generator with its parameters' values, or the one-line `problem` of loading it."""

    name: str
    generator: Generator | None
    problem: str | None = None
    values: tuple[tuple[str, Value], ...] = ()


def list_names() -> tuple[str, ...]:
    """List the names of the registered generators, sorted, and import nothing."""
    return tuple(find_plugins(GROUP))


def describe_generators(names: Sequence[str] | None = None) -> tuple[GeneratorInfo, ...]:
    """Read the descriptors of the named generators (default: all); imports their modules, creates none.

    Raises ConfigError for a name that is not registered.
    """
    return tuple(_describe(plugin) for plugin in _select(names))


def load_generators(names: Sequence[str] | None = None) -> tuple[LoadedGenerator, ...]:
    """Create the named generators (default: all), each with its parameters' defaults.

    One that fails to load comes back with its problem. Raises ConfigError for a name that is not registered.
    """
    return tuple(_create(plugin, {}, None) for plugin in _select(names))


def create_generator(
    name: str, values: Mapping[str, Value], *, deadline_seconds: float | None = None
) -> LoadedGenerator:
    """Create one generator with these values of its parameters.

    `deadline_seconds`: one of another package is called in a thread of its own, and has so long for a slice. Raises
    ConfigError for a name that is not registered, or a value out of its range.
    """
    (plugin,) = _select([name])
    return _create(plugin, values, deadline_seconds)


def _select(names: Sequence[str] | None) -> list[Plugin]:
    plugins = find_plugins(GROUP)
    return [select_plugin(name, plugins, "generator") for name in (plugins if names is None else names)]


def _describe(plugin: Plugin) -> GeneratorInfo:
    try:
        made_by = plugin.load()
        return _read_descriptor(plugin, made_by) if plugin.is_ours else _read_aside(plugin, made_by)
    except Exception as error:  # another package's code: its error is its own problem, not the band's
        return GeneratorInfo(plugin, None, describe_load_failure(plugin, error))


def _read_aside(plugin: Plugin, made_by: object) -> GeneratorInfo:
    """Read another package's class, whose attributes may be code, in a thread with a deadline."""
    return run_with_deadline(lambda: _read_descriptor(plugin, made_by), LOAD_SECONDS)


def _read_descriptor(plugin: Plugin, made_by: object) -> GeneratorInfo:
    descriptor = getattr(made_by, "descriptor", None)
    if type(descriptor) is not Descriptor or not all(
        callable(getattr(made_by, method, None)) for method in ("generate", "reset")
    ):
        return GeneratorInfo(
            plugin, None, f"{plugin.target} is not a generator: it lacks `descriptor`, `generate` or `reset`"
        )
    if descriptor.parameters and not callable(getattr(made_by, "configure", None)):
        return GeneratorInfo(
            plugin, None, f"{plugin.target} declares parameters, but has no `configure` to take their values"
        )
    return GeneratorInfo(plugin, descriptor)


def _create(plugin: Plugin, values: Mapping[str, Value], deadline_seconds: float | None) -> LoadedGenerator:
    info = _describe(plugin)
    if info.descriptor is None:
        return LoadedGenerator(plugin.name, None, info.problem)
    try:
        resolved_values = resolve_values(info.descriptor.parameters, values)
    except ConfigError as error:
        raise ConfigError(f"generator {plugin.name}: {error}") from error

    def create() -> Generator:
        generator = cast(Generator, made_by())
        if resolved_values and isinstance(generator, Configurable):
            generator.configure(resolved_values)
        return generator

    try:
        made_by = plugin.load()
        generator = create() if plugin.is_ours else run_with_deadline(create, LOAD_SECONDS)
    except Exception as error:  # another package's code again
        return LoadedGenerator(plugin.name, None, describe_load_failure(plugin, error))
    if deadline_seconds is not None and not plugin.is_ours:
        generator = SandboxedGenerator(generator, descriptor=info.descriptor, deadline_seconds=deadline_seconds)
    return LoadedGenerator(plugin.name, generator, values=tuple(resolved_values.items()))
