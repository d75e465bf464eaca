"""Loads the generators of a preset's players: those in processes of their own side by side.

Thread: the main one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial

from kelly_live.core.errors import ConfigError
from kelly_live.core.plugins import LOAD_SECONDS
from kelly_live.generators import registry
from kelly_live.generators.host_preset import HostPreset, Notify, PresetPlayer, Setting
from kelly_live.generators.parameter import resolve_values
from kelly_live.generators.plugin_generator import PluginGenerator
from kelly_live.generators.registry import LoadedGenerator

_PATIENCE_SECONDS = 0.7  # until it is said that a player is waited for


def load_players(
    preset: HostPreset,
    settings: Sequence[Setting],
    prepared: Mapping[str, PluginGenerator],
    *,
    live: bool,
    notify: Notify,
) -> list[Callable[[], LoadedGenerator]]:
    """Load the generators of a preset's players; settings win over the preset's values.

    Returns for each player what returns its generator, or raises ConfigError. `prepared`: generators that are there
    already, by name. `live`: nothing waits for their answers. `notify` is told which players are still waited for.
    """
    external = registry.list_commands().keys() - prepared.keys()
    loads: list[Callable[[], LoadedGenerator]] = []
    waiting: dict[Future[LoadedGenerator], str] = {}
    with ThreadPoolExecutor(max(1, len(preset.players)), "load") as pool:
        for player in preset.players:
            values = dict(player.values) | list_overrides(player, settings)
            if player.generator in prepared:
                loads.append(partial(_configure, prepared[player.generator], values))
                continue
            create = partial(registry.create_generator, player.generator, values, waits=not live)
            if player.generator not in external:
                loads.append(create)
                continue
            future = pool.submit(create)
            waiting[future] = player.name
            loads.append(future.result)
        _, late = wait(waiting, _PATIENCE_SECONDS)
        if late:
            names = ", ".join(waiting[future] for future in waiting if future in late)
            notify(f"{names}: still loading; the band begins when that is done, after {LOAD_SECONDS:g} s at most")
    return loads


def list_overrides(player: PresetPlayer, settings: Sequence[Setting]) -> dict[str, str]:
    """Return the values that the settings give a player."""
    return {one.parameter: one.value for one in settings if one.player in (player.name, player.generator)}


def _configure(generator: PluginGenerator, values: Mapping[str, str]) -> LoadedGenerator:
    """Give a generator that is there the values of its parameters. Raises ConfigError."""
    name = generator.descriptor.name
    try:
        resolved = resolve_values(generator.descriptor.parameters, values)
    except ConfigError as error:
        raise ConfigError(f"generator {name}: {error}") from error
    if not generator.values:  # else it plays already, and takes them at a bar line
        generator.configure(resolved)
    return LoadedGenerator(name, generator, values=tuple(resolved.items()))
