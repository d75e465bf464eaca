"""Finds the note effects: built in, of installed packages (by their entry-point group), and those that the user added.

One that is not built in runs in a process of its own, as a generator of another package does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from kelly_live.core.errors import ConfigError
from kelly_live.core.plugins import find_plugins
from kelly_live.generators.added import EFFECT_GROUP, load_added
from kelly_live.generators.effects.registry import EFFECTS, create_effect
from kelly_live.generators.note_effect import EffectDescriptor, NoteEffect
from kelly_live.generators.parameter import Value, resolve_values
from kelly_live.generators.plugin_effect import PluginEffect
from kelly_live.generators.plugin_process import PlayerFault, PluginCommand, begin_plugin, describe_plugin, start_plugin
from kelly_live.generators.wire import NOTE_EFFECT


@dataclass(frozen=True, slots=True)
class EffectSource:
    """Where a note effect of another package comes from."""

    name: str
    package: str
    command: PluginCommand


@dataclass(frozen=True, slots=True)
class EffectInfo:
    """A note effect with its descriptor, or the one-line `problem` of reading it; one of ours has no `source`."""

    name: str
    source: EffectSource | None
    descriptor: EffectDescriptor | None
    problem: str | None = None


def list_names() -> tuple[str, ...]:
    """List the names of the note effects, those that are built in first."""
    return (*EFFECTS, *_find_sources())


def describe_effect(name: str) -> EffectInfo | None:
    """Read the descriptor of one note effect; None if there is none of the name."""
    if name in EFFECTS:
        return EffectInfo(name, None, EFFECTS[name].descriptor)
    source = _find_sources().get(name)
    return None if source is None else _describe(source)


def list_commands() -> dict[str, PluginCommand]:
    """Return how to start those that run in a process of their own, by name."""
    return {name: source.command for name, source in _find_sources().items()}


def describe_effects() -> tuple[EffectInfo, ...]:
    """Read the descriptors of all note effects; each that is not built in is started once."""
    built_in = tuple(EffectInfo(name, None, effect.descriptor) for name, effect in EFFECTS.items())
    return (*built_in, *(_describe(source) for source in _find_sources().values()))


def load_effect(name: str, values: Mapping[str, Value], *, live: bool) -> NoteEffect | PluginEffect:
    """Create an effect with these values of its parameters; raises ConfigError for a name or value it cannot take.

    `live`: nothing waits for the answers of one in a process of its own.
    """
    source = _find_sources().get(name)
    if source is None:
        if name not in EFFECTS:
            raise ConfigError(f"there is no note effect {name[:60]!r}; there are {', '.join(list_names())}")
        return create_effect(name, values)
    command = source.command
    try:
        process, descriptor, resolved = start_plugin(command, lambda found: _resolve(found, name, values))
    except PlayerFault as fault:
        raise ConfigError(f"effect {name} did not load: {fault.reason}; repair it, or play without it") from fault
    assert isinstance(descriptor, EffectDescriptor)
    begin = partial(begin_plugin, command, resolved)
    return PluginEffect(descriptor, resolved, process, begin, waits=not live)


def _resolve(descriptor: object, name: str, values: Mapping[str, Value]) -> dict[str, Value]:
    if not isinstance(descriptor, EffectDescriptor):
        raise ConfigError(f"{name} is no note effect; play it with --with {name}")
    try:
        return resolve_values(descriptor.parameters, values)
    except ConfigError as error:
        raise ConfigError(f"effect {name}: {error}") from error


def _find_sources() -> dict[str, EffectSource]:
    """Return the sources by name, sorted; what the user added comes before an installed package's, ours before both."""
    sources = {
        plugin.name: EffectSource(plugin.name, plugin.package, PluginCommand.for_python(plugin.name, plugin.target))
        for plugin in find_plugins(EFFECT_GROUP).values()
    }
    added = (one for one in load_added() if one.kind == NOTE_EFFECT)
    sources |= {one.name: EffectSource(one.name, "added", one.build_command()) for one in added}
    return {name: source for name, source in sorted(sources.items()) if name not in EFFECTS}


def _describe(source: EffectSource) -> EffectInfo:
    try:
        descriptor = describe_plugin(source.command)
    except PlayerFault as fault:
        return EffectInfo(source.name, source, None, fault.reason)
    if isinstance(descriptor, EffectDescriptor):
        return EffectInfo(source.name, source, descriptor)
    return EffectInfo(source.name, source, None, "it is no note effect")
