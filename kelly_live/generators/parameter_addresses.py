"""Where a parameter is set from outside: its addresses, found before anybody plays. Thread: the main one."""

from __future__ import annotations

from kelly_live.core.errors import ConfigError
from kelly_live.generators import registry
from kelly_live.generators.effect_registry import describe_effect, list_names
from kelly_live.generators.host_preset import list_presets
from kelly_live.generators.parameter import Parameter, format_value

_LONGEST_SHOWN = 60


def list_players() -> dict[str, str]:
    """Return the generator of each player that a preset or `--with` can have: by its part, and by its own name."""
    players = {name: name for name in registry.list_names()}
    for preset in (one.preset for one in list_presets() if one.preset is not None):
        players |= {player.part: player.generator for player in preset.players if player.part is not None}
    return players


def check_player(name: str) -> None:
    """Refuse a player that no preset and no `--with` can have. Raises ConfigError, with the names that there are."""
    if name.casefold() not in {one.casefold() for one in list_players()}:
        known = ", ".join(sorted(list_players()))
        raise ConfigError(f"there is no player {name[:_LONGEST_SHOWN]!r}; there are {known}")


def find_parameter(address: str) -> Parameter:
    """Return the parameter of PLAYER.PARAMETER or PLAYER.EFFECT.PARAMETER.

    Raises ConfigError, with the names that there are. A generator that is not built in is started to ask it.
    """
    place, _, name = address.strip().rpartition(".")
    players = {one.casefold(): generator for one, generator in list_players().items()}
    generator, parameters = players.get(place.casefold()), None
    if generator is not None:
        (info,) = registry.describe_generators([generator])
        if info.descriptor is None:
            raise ConfigError(f"{place} cannot say which parameters it has: {info.problem}")
        parameters = info.descriptor.parameters
    else:
        player, _, effect = place.rpartition(".")
        found = describe_effect(effect.casefold()) if player.casefold() in players else None
        if found is not None and found.descriptor is not None:
            parameters = found.descriptor.parameters
    if parameters is None:
        raise ConfigError(
            f"there is no player {place[:_LONGEST_SHOWN]!r}; there are {', '.join(sorted(list_players()))}, and behind "
            f"each PLAYER.EFFECT with {', '.join(list_names())}"
        )
    parameter = next((one for one in parameters if one.name == name.casefold()), None)
    if parameter is None:
        names = ", ".join(one.name for one in parameters) or "none"
        raise ConfigError(f"{place} has no parameter {name[:_LONGEST_SHOWN]!r}; it has {names}")
    return parameter


def describe_addresses(address: str, parameter: Parameter) -> list[str]:
    """Say how a parameter is set, with its address as it stands in each place, one line each."""
    value = format_value(parameter.default)
    path = address.replace(".", "/")
    ways = {
        f"--set {address}={value}": "as it starts; also in a host preset's `set`",
        f"kelly-live learn set {address}": "MIDI: a knob or fader, 0 to 127 over its range",
        f"kelly-live learn set {address}={value}": "MIDI: a pad or button that sets this value",
        f"/kelly/do/set/{path} 0.5": "OSC: a number from 0 to 1 over its range; or its value as text",
        f'engine.set_parameter("{address}", "{value}")': "Python, with a LiveEngine",
    }
    width = max(len(way) for way in ways)
    return [f"{way:{width}}  {what}" for way, what in ways.items()]
