"""Host presets, read from YAML: which generator plays which part, on which channel of which port.

Thread: the main one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, TypeAlias

from kelly_live.core import preset_library
from kelly_live.core.errors import ConfigError, OptionError
from kelly_live.core.resources import find_resources
from kelly_live.core.safe_yaml import Node, read_nodes
from kelly_live.core.values import MAIN_PORT, MAX_LATENCY_MS

FORMAT = 1
DEFAULT = "band"
LISTING_COMMAND = "kelly-live presets"
Notify: TypeAlias = Callable[[str], None]
_log = logging.getLogger(__name__)
_MOST_PLAYERS = 32
MOST_EFFECTS = 8  # behind one player
VOLUMES = (0.05, 4.0)


@dataclass(frozen=True, slots=True)
class PresetPort:
    """A MIDI port beside the main one.

    `output` is the name of the MIDI output that it stands for; None is a virtual port. `clock`: it is sent MIDI clock.
    Everything leaves it `latency_seconds` earlier (negative: later); None: by what was measured for its output.
    """

    name: str
    output: str | None = None
    clock: bool = True
    latency_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class PresetEffect:
    """A note effect behind a player; `values` are its parameters as written, and `where` names file and line."""

    name: str
    values: tuple[tuple[str, str], ...] = ()
    where: str = ""


@dataclass(frozen=True, slots=True)
class PresetPlayer:
    """A player that a preset asks for; None means what the generator's descriptor says.

    `values` are the parameters as written, and `where` names file and line. `effects` change its notes, in order.
    """

    generator: str
    part: str | None = None
    channel: int | None = None
    program: int | None = None
    port: str = MAIN_PORT
    volume: float = 1.0
    values: tuple[tuple[str, str], ...] = ()
    where: str = ""
    effects: tuple[PresetEffect, ...] = ()

    @property
    def name(self) -> str:
        """What it is called in the band: its part, else its generator's name."""
        return self.part or self.generator


@dataclass(frozen=True, slots=True)
class HostPreset:
    """A band as a file describes it: players in order, and the ports that they need beside the main one."""

    name: str
    title: str
    players: tuple[PresetPlayer, ...]
    ports: tuple[PresetPort, ...] = ()


@dataclass(frozen=True, slots=True)
class PresetFile:
    """A preset's file with its preset, or with the problem that keeps it from being used.

    `is_own`: it lies in the user's folder.
    """

    name: str
    path: Path
    is_own: bool
    preset: HostPreset | None
    problem: str | None


class EffectRequest(NamedTuple):
    """A note effect as typed: `PLAYER=EFFECT`, the player by its part or generator."""

    player: str
    effect: str

    @classmethod
    def parse(cls, text: str) -> EffectRequest:
        """Parse one; raises ConfigError."""
        player, _, effect = (part.strip() for part in text.partition("="))
        if not (player and effect):
            raise OptionError(
                f"{text[:60]!r} names no effect; write PLAYER=EFFECT, as `kelly-live generators` lists them"
            )
        return cls(player, effect)


class Setting(NamedTuple):
    """A parameter's value as typed: `PLAYER.PARAMETER=VALUE`, the player by its part or generator.

    The player of an effect's parameter is `PLAYER.EFFECT`.
    """

    player: str
    parameter: str
    value: str

    @classmethod
    def parse(cls, text: str) -> Setting:
        """Parse one setting; raises ConfigError."""
        place, equals, value = text.partition("=")
        player, dot, parameter = place.strip().rpartition(".")
        if not (equals and dot and player and parameter and value.strip()):
            raise OptionError(
                f"{text[:60]!r} sets nothing; write PLAYER.PARAMETER=VALUE, as `kelly-live generators` lists them"
            )
        return cls(player, parameter, value.strip())


def user_folder() -> Path:
    """Return the folder of the user's own host presets; it need not exist."""
    return preset_library.user_folder("hosts")


def list_folders() -> tuple[Path, ...]:
    """List the folders of host presets in the order of search; raises ConfigError if one is missing."""
    return user_folder(), find_resources("presets") / "hosts"


def load_preset(name: str, folders: Sequence[Path] | None = None, notify: Notify = _log.warning) -> HostPreset:
    """Load the preset called `name`; raises ConfigError if there is none, or if it breaks a rule.

    `notify` is told if a file of that name was left out, and another is used.
    """
    presets = preset_library.find_presets(list_folders() if folders is None else folders)
    return read_preset(presets.choose(name, "host preset", LISTING_COMMAND, notify))


def list_left_out(folders: Sequence[Path] | None = None) -> tuple[tuple[Path, str], ...]:
    """List what lies in the folders and is no preset: path and reason."""
    return preset_library.find_presets(list_folders() if folders is None else folders).left_out


def list_presets(folders: Sequence[Path] | None = None) -> tuple[PresetFile, ...]:
    """List every preset, the default first, then by name; also those that cannot be used, with the reason."""
    searched = list_folders() if folders is None else tuple(folders)
    preset_files = []
    for name, path in preset_library.find_presets(searched).files.items():
        preset, problem = None, None
        try:
            preset = read_preset(path)
        except ConfigError as error:
            problem = str(error)
        preset_files.append(PresetFile(name, path, path.parent != searched[-1], preset, problem))
    return tuple(sorted(preset_files, key=lambda file: (file.name != DEFAULT, file.name)))


def read_preset(path: Path) -> HostPreset:
    """Read one file; raises ConfigError that names file, line and field."""
    root = read_nodes(path)
    fields = root.as_fields(("format", "title", "players"), ("ports",))
    fields["format"].as_int(FORMAT, FORMAT)
    ports = (
        tuple(_read_port(name, node) for name, node in fields["ports"].as_map().items()) if "ports" in fields else ()
    )
    players = fields["players"].as_list()
    if not 1 <= len(players) <= _MOST_PLAYERS:
        fields["players"].fail(f"must list 1 to {_MOST_PLAYERS} players")
    port_names = (MAIN_PORT, *(port.name for port in ports))
    accepted: list[PresetPlayer] = []
    lines_by_part: dict[str, int] = {}
    for node in players:
        player = _read_player(node, port_names)
        name = player.name
        if name in lines_by_part:
            node.fail(f"is a second {name!r} (the first: line {lines_by_part[name]}); give it a `part` of its own")
        lines_by_part[name] = node.line
        accepted.append(player)
    for port in ports:
        if all(player.port != port.name for player in accepted):
            fields["ports"].as_map()[port.name].fail("has no player; leave it out, or give a player this `port`")
    return HostPreset(path.stem, fields["title"].as_text(120), tuple(accepted), ports)


def _read_player(node: Node, ports: Sequence[str]) -> PresetPlayer:
    optional = ("part", "channel", "program", "port", "volume", "set", "effects")
    fields = node.as_fields(("generator",), optional)
    port = fields["port"].as_text(preset_library.MAX_NAME) if "port" in fields else MAIN_PORT
    if port not in ports:
        declared_ports = ", ".join(ports[1:]) or "none"
        fields["port"].fail(
            f"is {port!r}; `ports` must declare it (there: {declared_ports}); without `port`, it is the main one"
        )
    return PresetPlayer(
        generator=fields["generator"].as_text(64),
        part=fields["part"].as_text(64) if "part" in fields else None,
        channel=fields["channel"].as_int(1, 16) if "channel" in fields else None,
        program=fields["program"].as_int(0, 127) if "program" in fields else None,
        port=port,
        volume=fields["volume"].as_number(*VOLUMES) if "volume" in fields else 1.0,
        values=_read_values(fields),
        where=f"{node.file} line {node.line}: {node.field}",
        effects=_read_effects(fields["effects"]) if "effects" in fields else (),
    )


def _read_values(fields: Mapping[str, Node]) -> tuple[tuple[str, str], ...]:
    return tuple((name, value.as_text(60)) for name, value in fields["set"].as_map().items()) if "set" in fields else ()


def _read_effects(node: Node) -> tuple[PresetEffect, ...]:
    effects: list[PresetEffect] = []
    for item in node.as_list():
        fields = item.as_fields(("effect",), ("set",))
        name = fields["effect"].as_text(64)
        if name in (effect.name for effect in effects):
            fields["effect"].fail("stands behind this player already; name it once")
        effects.append(PresetEffect(name, _read_values(fields), f"{item.file} line {item.line}: {item.field}"))
    if len(effects) > MOST_EFFECTS:
        node.fail(f"must list at most {MOST_EFFECTS} effects")
    return tuple(effects)


def _read_port(name: str, node: Node) -> PresetPort:
    if not preset_library.NAME.fullmatch(name) or len(name) > preset_library.MAX_NAME:
        node.fail(f"must have a name of up to {preset_library.MAX_NAME} of a-z, 0-9 and single hyphens")
    # `drums:` alone is a port with nothing to say.
    fields = {} if node.value == "" else node.as_fields((), ("output", "clock", "latency_ms"))
    clock = fields["clock"].as_text() if "clock" in fields else "yes"
    if clock not in ("yes", "no"):
        fields["clock"].fail(f"is {clock!r}; it must be yes or no")
    return PresetPort(
        name,
        fields["output"].as_text(120) if "output" in fields else None,
        clock == "yes",
        fields["latency_ms"].as_number(-MAX_LATENCY_MS, MAX_LATENCY_MS) / 1000.0 if "latency_ms" in fields else None,
    )


def add_players(preset: HostPreset, generators: Sequence[str]) -> HostPreset:
    """Add these generators to a preset, except those that it has."""
    present = {player.generator for player in preset.players}
    added = (PresetPlayer(name) for name in dict.fromkeys(generators) if name not in present)
    return replace(preset, players=(*preset.players, *added))


def add_effects(preset: HostPreset, effects: Sequence[EffectRequest]) -> HostPreset:
    """Let these effects stand behind the players that they name, after those that the preset has."""
    players = []
    for player in preset.players:
        present = {effect.name for effect in player.effects}
        requested = (one.effect for one in effects if one.player in (player.part, player.generator))
        added = (PresetEffect(name) for name in dict.fromkeys(requested) if name not in present)
        players.append(replace(player, effects=(*player.effects, *added)))
    return replace(preset, players=tuple(players))
