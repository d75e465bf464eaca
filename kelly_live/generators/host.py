"""Host presets: who plays which part on which channel of which port, read from YAML and seated in a band.

Threads: everything here is for the main one; a change reaches the conductor's as one reference, at a bar line.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from kelly_live.core import preset_library as shelf
from kelly_live.core.errors import ConfigError
from kelly_live.core.resources import find_resources
from kelly_live.core.safe_yaml import Node, read_nodes
from kelly_live.core.values import MAIN_PORT
from kelly_live.generators import registry
from kelly_live.generators.band import Band, Muted, PlayerSlot
from kelly_live.generators.base import Descriptor

FORMAT = 1
DEFAULT = "band"
LISTING_COMMAND = "kelly-live presets"
DRUM_CHANNEL = 10
_MOST_PLAYERS = 32
_VOLUMES = (0.05, 4.0)
_MOST_LATENCY_MS = 500.0


@dataclass(frozen=True, slots=True)
class PresetPort:
    """A MIDI port beside the main one: the output that it means (None: a virtual port), whether it gets a clock, and
    how many seconds earlier (negative: later) all leaves it.
    """

    name: str
    output: str | None = None
    clock: bool = True
    latency_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class PresetPlayer:
    """A player that a preset asks for. None: as the generator's descriptor has it. `values` as written, by parameter;
    `where` names file and line.
    """

    generator: str
    part: str | None = None
    channel: int | None = None
    program: int | None = None
    port: str = MAIN_PORT
    volume: float = 1.0
    values: tuple[tuple[str, str], ...] = ()
    where: str = ""


@dataclass(frozen=True, slots=True)
class HostPreset:
    """A band to be: its players in order, and the ports that they need beside the main one."""

    name: str
    title: str
    players: tuple[PresetPlayer, ...]
    ports: tuple[PresetPort, ...] = ()


@dataclass(frozen=True, slots=True)
class Shelved:
    """A file on the shelf: its preset, or the problem that keeps it from being used. `own`: from the user's folder."""

    name: str
    path: Path
    own: bool
    preset: HostPreset | None
    problem: str | None


class Setting(NamedTuple):
    """`PLAYER.PARAMETER=VALUE` as typed; the player by its part's or its generator's name."""

    player: str
    parameter: str
    value: str

    @classmethod
    def read(cls, typed: str) -> Setting:
        """Raises ConfigError."""
        place, equals, value = typed.partition("=")
        player, dot, parameter = place.strip().rpartition(".")
        if not (equals and dot and player and parameter and value.strip()):
            raise ConfigError(
                f"{typed[:60]!r} sets nothing; write PLAYER.PARAMETER=VALUE, as `kelly-live generators` lists them"
            )
        return cls(player, parameter, value.strip())


def user_folder() -> Path:
    """Where a user's own host presets lie; it need not exist."""
    return shelf.user_folder("hosts")


def folders() -> tuple[Path, ...]:
    """Where host presets are looked for, in this order. Raises ConfigError if the shipped ones are missing."""
    return user_folder(), find_resources("presets") / "hosts"


def load_preset(name: str, among: Sequence[Path] | None = None) -> HostPreset:
    """The preset called `name`. Raises ConfigError: no such name (with near ones), or a preset that breaks a rule."""
    files = shelf.find_presets(folders() if among is None else among)
    return read_preset(files[shelf.resolve_name(name, tuple(files), "host preset", LISTING_COMMAND)])


def list_presets(among: Sequence[Path] | None = None) -> tuple[Shelved, ...]:
    """Every preset, the default first, then by name; also those that cannot be used, with the reason."""
    given = folders() if among is None else tuple(among)
    listed = []
    for name, path in shelf.find_presets(given).items():
        preset, problem = None, None
        try:
            preset = read_preset(path)
        except ConfigError as error:
            problem = str(error)
        listed.append(Shelved(name, path, path.parent != given[-1], preset, problem))
    return tuple(sorted(listed, key=lambda one: (one.name != DEFAULT, one.name)))


def read_preset(path: Path) -> HostPreset:
    """One file. Raises ConfigError naming file, line and field."""
    root = read_nodes(path)
    fields = _fields(root, ("format", "title", "players"), ("ports",))
    fields["format"].as_int(FORMAT, FORMAT)
    ports = tuple(_port(name, node) for name, node in fields["ports"].as_map().items()) if "ports" in fields else ()
    players = fields["players"].as_list()
    if not 1 <= len(players) <= _MOST_PLAYERS:
        fields["players"].fail(f"must list 1 to {_MOST_PLAYERS} players")
    known = (MAIN_PORT, *(port.name for port in ports))
    wishes = []
    taken: dict[str, int] = {}
    for node in players:
        wish = _player(node, known)
        part = wish.part or wish.generator
        if part in taken:
            node.fail(f"is a second {part!r} (the first: line {taken[part]}); give it a `part` of its own")
        taken[part] = node.line
        wishes.append(wish)
    for port in ports:
        if all(wish.port != port.name for wish in wishes):
            fields["ports"].as_map()[port.name].fail("is played by nobody; leave it out, or give a player this `port`")
    return HostPreset(path.stem, fields["title"].as_text(120), tuple(wishes), ports)


def _player(node: Node, ports: Sequence[str]) -> PresetPlayer:
    optional = ("part", "channel", "program", "port", "volume", "set")
    fields = _fields(node, ("generator",), optional)
    port = fields["port"].as_text(shelf.MAX_NAME) if "port" in fields else MAIN_PORT
    if port not in ports:
        there = ", ".join(ports[1:]) or "none"
        fields["port"].fail(
            f"is {port!r}; `ports` must declare it (there: {there}); without `port`, it is the main one"
        )
    return PresetPlayer(
        generator=fields["generator"].as_text(64),
        part=fields["part"].as_text(64) if "part" in fields else None,
        channel=fields["channel"].as_int(1, 16) if "channel" in fields else None,
        program=fields["program"].as_int(0, 127) if "program" in fields else None,
        port=port,
        volume=fields["volume"].as_number(*_VOLUMES) if "volume" in fields else 1.0,
        values=tuple((name, value.as_text(60)) for name, value in fields["set"].as_map().items())
        if "set" in fields
        else (),
        where=f"{node.file} line {node.line}: {node.field}",
    )


def _port(name: str, node: Node) -> PresetPort:
    if not shelf.NAME.fullmatch(name) or len(name) > shelf.MAX_NAME:
        node.fail(f"must have a name of up to {shelf.MAX_NAME} of a-z, 0-9 and single hyphens")
    fields = _fields(node, (), ("output", "clock", "latency_ms"))
    clock = fields["clock"].as_text() if "clock" in fields else "yes"
    if clock not in ("yes", "no"):
        fields["clock"].fail(f"is {clock!r}; it must be yes or no")
    latency = fields["latency_ms"].as_number(-_MOST_LATENCY_MS, _MOST_LATENCY_MS) if "latency_ms" in fields else 0.0
    return PresetPort(
        name, fields["output"].as_text(120) if "output" in fields else None, clock == "yes", latency / 1000.0
    )


def _fields(node: Node, needed: Sequence[str], optional: Sequence[str]) -> dict[str, Node]:
    fields = {} if node.value == "" and not needed else node.as_map()  # `drums:` alone is a port with nothing to say
    for name, field in fields.items():
        if name not in (*needed, *optional):
            field.fail(f"is not known here; there may be {', '.join((*needed, *optional))}")
    for name in needed:
        if name not in fields:
            node.fail(f"lacks `{name}`; it must have {', '.join(needed)}")
    return fields


@dataclass(frozen=True, slots=True)
class Seating:
    """A preset's players in their seats, and who could not be loaded."""

    seats: tuple[PlayerSlot, ...]
    unloaded: tuple[Muted, ...]


def seat(
    preset: HostPreset, settings: Sequence[Setting] = (), *, alone: bool = False, one_port: bool = False
) -> Seating:
    """Load the players of a preset and give each its place and values (settings win over the preset's). `alone`:
    plug-ins from other packages get a thread of their own. `one_port`: all on the main port, for a file; players whose
    channel another port's already have move to a free one. Raises ConfigError.
    """
    seats: list[PlayerSlot] = []
    unloaded: list[Muted] = []
    places = _Places(one_port)
    for wish in preset.players:
        part = wish.part or wish.generator
        values = dict(wish.values)
        by_hand = {one.parameter: one.value for one in settings if one.player in (part, wish.generator)}
        values |= by_hand
        try:
            found = registry.make(wish.generator, values, alone=alone)
        except ConfigError as error:
            if wish.generator in registry.names():
                raise ConfigError(f"{'--set' if by_hand else wish.where or '--with'}: {error}") from error
            found = registry.Found(wish.generator, None, str(error))
        if found.generator is None:
            unloaded.append(Muted(part, found.problem or "unknown"))
            continue
        own = found.generator.descriptor
        channel, program = places.find(wish, own)
        seats.append(
            PlayerSlot(
                found.generator,
                part=part,
                channel=channel,
                program=program,
                port=MAIN_PORT if one_port else wish.port,
                volume=wish.volume,
                sent_program=wish.program is not None and not one_port and channel != DRUM_CHANNEL,
            )
        )
    return Seating(tuple(seats), tuple(unloaded))


class _Places:
    """Which program each channel of each port plays; players of one sound may share a channel."""

    def __init__(self, one_port: bool) -> None:
        self._one_port = one_port
        self._taken: dict[tuple[str, int], tuple[str, int]] = {}  # (port, channel) -> (wished port, program)

    def find(self, wish: PresetPlayer, own: Descriptor) -> tuple[int, int]:
        """The channel and program; an own channel that is taken gives way, one that the preset names is an error."""
        channel = wish.channel or own.channel
        program = own.program if wish.program is None else wish.program
        port = MAIN_PORT if self._one_port else wish.port
        there = self._taken.setdefault((port, channel), (wish.port, program))
        if channel == DRUM_CHANNEL or there == (wish.port, program):
            return channel, program
        if wish.channel is not None and there[0] == wish.port:
            raise ConfigError(
                f"{wish.where}: channel {channel} plays program {there[1]} already, and {program} here; "
                "give them channels of their own, or one program"
            )
        for free in range(1, 17):
            if free != DRUM_CHANNEL and (port, free) not in self._taken:
                self._taken[port, free] = (wish.port, program)
                return free, program
        raise ConfigError(f"{wish.where or wish.generator}: all 16 channels are taken; let players of one sound share")


class Host:
    """The presets of a session in their order, the one in force, and the band that plays it. Thread: the main one.

    `extra` names generators that play beside every preset. `live`: plug-ins from other packages get a thread of their
    own, and everybody a time budget; else (a file) nobody is timed and all play on one port.
    """

    def __init__(
        self,
        presets: Sequence[HostPreset],
        *,
        settings: Sequence[Setting] = (),
        extra: Sequence[str] = (),
        live: bool = False,
        stopwatch: Callable[[], float] = time.thread_time,
    ) -> None:
        if not presets:
            raise ConfigError(f"no host preset is given; name one of `{LISTING_COMMAND}`")
        self._presets = tuple(with_extra(preset, extra) for preset in presets)
        self._settings = tuple(settings)
        self._live = live
        self._place = 0
        self._told: set[tuple[str, int]] = set()  # (port, channel) that a program was sent to
        self._check(settings)
        seated = self._seated(self._presets[0])
        self.band = Band(seated.seats, seated.unloaded, stopwatch=stopwatch if live else None)

    @property
    def name(self) -> str:
        """Of the preset in force."""
        return self._presets[self._place].name

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(preset.name for preset in self._presets)

    @property
    def ports(self) -> tuple[PresetPort, ...]:
        """Every port beside the main one that any of the presets needs; of one name, the first that was declared."""
        wanted: dict[str, PresetPort] = {}
        for preset in self._presets:
            for port in preset.ports:
                wanted.setdefault(port.name, port)
        return tuple(wanted.values())

    def step(self, by: int = 1) -> str:
        """Go on to the next preset (or, with -1, back) at the next bar line; its name. Loads it first, which may take a
        moment, while the old one plays. Raises ConfigError, and then the old one stays.
        """
        place = (self._place + by) % len(self._presets)
        if place != self._place:
            seated = self._seated(self._presets[place])
            self.band.change(seated.seats, seated.unloaded)
            self._place = place
        return self.name

    def turn(self, by: int) -> str:
        """`step` for a performer's key or pedal: what to tell, be it that it cannot be done."""
        if len(self._presets) == 1:
            return f"there is no other preset than {self.name}"
        try:
            return f"from the next bar: {self.step(by)}"
        except ConfigError as error:
            return f"still {self.name}: {error}"

    def _seated(self, preset: HostPreset) -> Seating:
        seated = seat(preset, self._settings, alone=self._live, one_port=not self._live)
        told = {(one.port, one.channel) for one in seated.seats if one.sent_program}
        # What one preset told a channel, the next one must put right, also where it would not have spoken itself.
        seats = tuple(replace(one, sent_program=(one.port, one.channel) in told | self._told) for one in seated.seats)
        self._told |= told
        return replace(seated, seats=seats)

    def _check(self, settings: Sequence[Setting]) -> None:
        """A setting that reaches nobody is a typing error."""
        there = {name for preset in self._presets for wish in preset.players for name in (wish.part, wish.generator)}
        for one in settings:
            if one.player not in there:
                known = ", ".join(sorted(filter(None, there)))
                raise ConfigError(f"nobody called {one.player[:60]!r} plays; there are {known}")


def with_extra(preset: HostPreset, extra: Sequence[str]) -> HostPreset:
    """The preset and these generators beside it, except those that it has."""
    there = {wish.generator for wish in preset.players}
    more = (PresetPlayer(name) for name in dict.fromkeys(extra) if name not in there)
    return replace(preset, players=(*preset.players, *more))
