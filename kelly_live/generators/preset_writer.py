"""Writes a host preset: the players as they play now, with the values that their parameters were given.

Thread: the main one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from kelly_live.core import preset_library
from kelly_live.core.atomic_write import create_folder, write_atomically
from kelly_live.core.errors import ConfigError
from kelly_live.core.values import MAIN_PORT
from kelly_live.generators.automation import ParameterState
from kelly_live.generators.host_preset import (
    FORMAT,
    LISTING_COMMAND,
    VOLUMES,
    HostPreset,
    PresetPlayer,
    PresetPort,
    list_folders,
    user_folder,
)
from kelly_live.generators.parameter import Value, format_value


def save_preset(preset: HostPreset, name: str) -> Path:
    """Write a preset into the user's folder; returns the file. Raises ConfigError for a name that cannot be had.

    No preset is written over. Raises OutputError if it cannot be written.
    """
    if not preset_library.NAME.fullmatch(name) or len(name) > preset_library.MAX_NAME:
        raise ConfigError(
            f"{name[:60]!r} is no name of a preset; it must be 1 to {preset_library.MAX_NAME} of a-z, 0-9 and single "
            "hyphens"
        )
    found = preset_library.find_presets(list_folders())
    folder = user_folder()
    file = folder / f"{name}.yaml"
    if name in found.files or file.exists():
        raise ConfigError(f"there is a preset {name} already (`{LISTING_COMMAND}`); choose another name")
    create_folder(folder, private=True)
    write_atomically(file, format_preset(preset).encode())
    return file


def with_values(preset: HostPreset, states: Sequence[ParameterState]) -> HostPreset:
    """Return the preset with these values; a parameter that it does not name and that has its default is left out."""
    targets = {state.address: state for state in states}
    players = []
    for player in preset.players:
        effects = tuple(
            replace(effect, values=_choose(f"{player.name}.{effect.name}", effect.values, targets))
            for effect in player.effects
        )
        players.append(replace(player, values=_choose(player.name, player.values, targets), effects=effects))
    return replace(preset, players=tuple(players))


def with_levels(preset: HostPreset, levels: Mapping[str, float]) -> HostPreset:
    """Return the preset with the volumes of its players times these levels of a mixer, by part."""
    softest, _ = VOLUMES
    mixed = (
        replace(player, volume=max(softest, player.volume * levels.get(player.name, 1.0))) for player in preset.players
    )
    return replace(preset, players=tuple(mixed))


def _choose(
    place: str, named: Sequence[tuple[str, str]], targets: dict[str, ParameterState]
) -> tuple[tuple[str, str], ...]:
    values = dict(named)
    for address, state in targets.items():
        owner, _, name = address.rpartition(".")
        if owner == place and (name in values or state.target != state.parameter.default):
            values[name] = _format_exactly(state.target)
    return tuple(values.items())


def _format_exactly(value: Value) -> str:
    return repr(value) if isinstance(value, float) else format_value(value)


def format_preset(preset: HostPreset) -> str:
    """Return a preset as YAML, which `read_preset` reads as the same."""
    lines = [
        "# Written by the action save-preset of kelly-live.",
        f"format: {FORMAT}",
        f"title: {_quote(preset.title)}",
    ]
    if preset.ports:
        lines.append("ports:")
        for port in preset.ports:
            lines += [f"  {port.name}:", *(f"    {line}" for line in _list_port(port))]
    lines.append("players:")
    for player in preset.players:
        first, *rest = _list_player(player)
        lines += [f"  - {first}", *(f"    {line}" for line in rest)]
    return "\n".join(lines) + "\n"


def _list_port(port: PresetPort) -> Iterator[str]:
    yield f"clock: {'yes' if port.clock else 'no'}"
    if port.output is not None:
        yield f"output: {_quote(port.output)}"
    if port.latency_seconds is not None:
        yield f"latency_ms: {1000.0 * port.latency_seconds:.6g}"


def _list_player(player: PresetPlayer) -> Iterator[str]:
    yield f"generator: {_quote(player.generator)}"
    if player.part is not None:
        yield f"part: {_quote(player.part)}"
    if player.channel is not None:
        yield f"channel: {player.channel}"
    if player.program is not None:
        yield f"program: {player.program}"
    if player.port != MAIN_PORT:
        yield f"port: {_quote(player.port)}"
    if player.volume != 1.0:
        yield f"volume: {player.volume:.6g}"
    yield from _list_values(player.values)
    if player.effects:
        yield "effects:"
        for effect in player.effects:
            yield f"  - effect: {_quote(effect.name)}"
            yield from (f"    {line}" for line in _list_values(effect.values))


def _list_values(values: Sequence[tuple[str, str]]) -> Iterator[str]:
    if values:
        yield "set:"
        yield from (f"  {name}: {_quote(value)}" for name, value in values)


def _quote(text: str) -> str:
    """Return text as YAML has it in any case."""
    return json.dumps(text, ensure_ascii=False)
