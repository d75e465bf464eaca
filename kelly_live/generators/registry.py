"""Finds the generators: built in, of installed packages (by their entry-point group), and those that the user added.

Three steps, each with no more cost than needed: `list_names` reads what packages declare and imports nothing,
`describe_generators` reads descriptors, `create_generator` makes one with its values. A generator that is not built in
is imported in a process of its own, and never in this one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

from kelly_live.core.errors import ConfigError
from kelly_live.core.plugins import (
    Plugin,
    describe_load_failure,
    find_plugins,
    find_rivals,
    select_plugin,
)
from kelly_live.generators.added import GROUP, AddedGenerator, load_added
from kelly_live.generators.base import Configurable, Descriptor, Generator, Value
from kelly_live.generators.note_effect import EffectDescriptor
from kelly_live.generators.parameter import resolve_values
from kelly_live.generators.plugin_generator import OFFLINE_SECONDS, PluginGenerator
from kelly_live.generators.plugin_process import PlayerFault, PluginCommand, begin_plugin, describe_plugin, start_plugin
from kelly_live.generators.wire import GENERATOR
from kelly_live.music.band import PlayerState

__all__ = [
    "GROUP",
    "GeneratorInfo",
    "LoadedGenerator",
    "create_generator",
    "describe_generators",
    "list_names",
    "load_generators",
    "require_name",
]


@dataclass(frozen=True, slots=True)
class GeneratorSource:
    """Where a generator comes from: the package that provides it, and its class or command.

    `plugin` is set for one that is built in, `command` for any other. `rivals` are packages that have one of the same
    name, which is not used.
    """

    name: str
    target: str
    package: str
    version: str
    plugin: Plugin | None = None
    command: PluginCommand | None = None
    rivals: tuple[str, ...] = ()

    @property
    def remark(self) -> str | None:
        """Say that there are several of the name; None if there are not."""
        if not self.rivals:
            return None
        others = ", ".join(self.rivals)
        return f"{self.name}: that of {self.package} plays, as {others} has one of the same name; uninstall one of them"


@dataclass(frozen=True, slots=True)
class GeneratorInfo:
    """A generator with its descriptor, or the one-line `problem` of reading it."""

    source: GeneratorSource
    descriptor: Descriptor | None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class LoadedGenerator:
    """A generator with its parameters' values, or the one-line `problem` of loading it."""

    name: str
    generator: Generator | None
    problem: str | None = None
    values: tuple[tuple[str, Value], ...] = ()
    remark: str | None = None


def list_names() -> tuple[str, ...]:
    """List the names of the generators, sorted, and import none."""
    return tuple(_find_sources())


def list_commands() -> dict[str, PluginCommand]:
    """Return how to start those that run in a process of their own, by name."""
    return {name: source.command for name, source in _find_sources().items() if source.command is not None}


def require_name(name: str) -> None:
    """Raise ConfigError, with the names that there are, for one that is none."""
    _select([name])


def describe_generators(names: Sequence[str] | None = None) -> tuple[GeneratorInfo, ...]:
    """Read the descriptors of the named generators (default: all), and create none.

    Raises ConfigError for a name that is not registered.
    """
    return tuple(_describe(source) for source in _select(names))


def load_generators(names: Sequence[str] | None = None) -> tuple[LoadedGenerator, ...]:
    """Create the named generators (default: all), each with its parameters' defaults.

    One that fails to load comes back with its problem. Raises ConfigError for a name that is not registered.
    """
    return tuple(_create(source, {}, waits=True, offline_seconds=OFFLINE_SECONDS) for source in _select(names))


def create_generator(
    name: str, values: Mapping[str, Value], *, waits: bool = True, offline_seconds: float | None = None
) -> LoadedGenerator:
    """Create one generator with these values of its parameters.

    One that is not built in gets a process of its own. `waits`: its answers are waited for, `offline_seconds` at most
    [default: OFFLINE_SECONDS].
    Raises ConfigError for a name that is not registered, or a value out of its range.
    """
    (source,) = _select([name])
    return _create(source, values, waits=waits, offline_seconds=offline_seconds or OFFLINE_SECONDS)


def load_command(command: PluginCommand, *, waits: bool) -> LoadedGenerator:
    """Create the generator of a command that is not registered, with its parameters' defaults."""
    source = GeneratorSource(command.name, command.arguments[-1], "in development", "", None, command)
    return _create_external(source, command, {}, waits=waits, offline_seconds=OFFLINE_SECONDS)


def describe_command(command: PluginCommand) -> Descriptor:
    """Start a generator's command, read its descriptor and end it; raises PlayerFault."""
    return _require_generator(describe_plugin(command))


def _find_sources() -> dict[str, GeneratorSource]:
    """Return the sources by name, sorted; what the user added comes before an installed package's, ours before both."""
    sources: dict[str, GeneratorSource] = {}
    for plugin in find_plugins(GROUP).values():
        sources[plugin.name] = _from_plugin(plugin, find_rivals(GROUP, plugin))
    for added in (one for one in load_added() if one.kind == GENERATOR):
        installed = sources.get(added.name)
        if installed is None:
            sources[added.name] = _from_added(added, ())
        elif installed.plugin is None:
            sources[added.name] = _from_added(added, (installed.package,))
    return dict(sorted(sources.items()))


def _from_plugin(plugin: Plugin, rivals: tuple[str, ...]) -> GeneratorSource:
    if plugin.is_ours:
        return GeneratorSource(plugin.name, plugin.target, plugin.package, plugin.version, plugin, rivals=rivals)
    command = PluginCommand.for_python(plugin.name, plugin.target)
    return GeneratorSource(plugin.name, plugin.target, plugin.package, plugin.version, None, command, rivals)


def _from_added(added: AddedGenerator, rivals: tuple[str, ...]) -> GeneratorSource:
    return GeneratorSource(added.name, added.target, "added", "", None, added.build_command(), rivals)


def _select(names: Sequence[str] | None) -> list[GeneratorSource]:
    sources = _find_sources()
    return [select_plugin(name, sources, "generator") for name in (sources if names is None else names)]


def _describe(source: GeneratorSource) -> GeneratorInfo:
    try:
        if source.command is not None:
            return GeneratorInfo(source, describe_command(source.command))
        assert source.plugin is not None
        return GeneratorInfo(source, cast(Descriptor, source.plugin.load().descriptor))
    except PlayerFault as fault:
        return GeneratorInfo(source, None, _describe_fault(source, fault))
    except Exception as error:  # a library that ours needs is not there
        assert source.plugin is not None
        return GeneratorInfo(source, None, describe_load_failure(source.plugin, error))


def _create(
    source: GeneratorSource, values: Mapping[str, Value], *, waits: bool, offline_seconds: float
) -> LoadedGenerator:
    if source.command is not None:
        return _create_external(source, source.command, values, waits=waits, offline_seconds=offline_seconds)
    info = _describe(source)
    if info.descriptor is None or source.plugin is None:
        return LoadedGenerator(source.name, None, info.problem)
    resolved_values = _resolve(source, info.descriptor, values)
    generator = cast(Generator, source.plugin.load()())
    if resolved_values and isinstance(generator, Configurable):
        generator.configure(resolved_values)
    return LoadedGenerator(source.name, generator, values=tuple(resolved_values.items()), remark=source.remark)


def _create_external(
    source: GeneratorSource, command: PluginCommand, values: Mapping[str, Value], *, waits: bool, offline_seconds: float
) -> LoadedGenerator:
    try:
        process, descriptor, resolved_values = start_plugin(command, lambda found: _resolve(source, found, values))
    except PlayerFault as fault:
        return LoadedGenerator(source.name, None, _describe_fault(source, fault), remark=source.remark)
    assert isinstance(descriptor, Descriptor)
    begin = partial(begin_plugin, command, resolved_values)
    generator = PluginGenerator(descriptor, process, begin, waits=waits, offline_seconds=offline_seconds)
    return LoadedGenerator(source.name, generator, values=tuple(resolved_values.items()), remark=source.remark)


def _resolve(
    source: GeneratorSource, descriptor: Descriptor | EffectDescriptor, values: Mapping[str, Value]
) -> dict[str, Value]:
    _require_generator(descriptor)
    try:
        return resolve_values(descriptor.parameters, values)
    except ConfigError as error:
        raise ConfigError(f"generator {source.name}: {error}") from error


def _require_generator(descriptor: Descriptor | EffectDescriptor) -> Descriptor:
    if isinstance(descriptor, Descriptor):
        return descriptor
    raise PlayerFault(PlayerState.NOT_LOADED, f"it is a note effect: --effect PLAYER={descriptor.name}")


def _describe_fault(source: GeneratorSource, fault: PlayerFault) -> str:
    reason = fault.reason.removeprefix("it did not load: ")
    return f"{source.target} did not load: {reason}"
