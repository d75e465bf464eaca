"""The band that plays a host preset: loads its generators and changes presets at a bar line.

Thread: the main one; a change reaches the conductor's thread as one reference.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from kelly_live.core.errors import ConfigError, KellyError, OptionError
from kelly_live.core.values import DRUM_CHANNEL, MAIN_PORT
from kelly_live.generators import registry
from kelly_live.generators.band import GeneratorBand
from kelly_live.generators.base import Descriptor
from kelly_live.generators.effect_registry import load_effect
from kelly_live.generators.host_preset import (
    LISTING_COMMAND,
    EffectRequest,
    HostPreset,
    Notify,
    PresetPlayer,
    PresetPort,
    Setting,
    add_effects,
    add_players,
)
from kelly_live.generators.lineup import PlayerSlot
from kelly_live.generators.note_effect import NoteEffect
from kelly_live.generators.player_loading import list_overrides, load_players
from kelly_live.generators.plugin_effect import EffectChain, PluginEffect
from kelly_live.generators.plugin_generator import PluginGenerator
from kelly_live.generators.preset_writer import save_preset, with_levels, with_values
from kelly_live.generators.registry import LoadedGenerator
from kelly_live.music.band import MutedPlayer

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SlotAssignment:
    """The slots of a preset's players, those that did not load, and what there is to say of the others, by subject."""

    slots: tuple[PlayerSlot, ...]
    unloaded_players: tuple[MutedPlayer, ...]
    remarks: Mapping[str, str] = field(default_factory=dict)


def assign_slots(
    preset: HostPreset,
    settings: Sequence[Setting] = (),
    *,
    live: bool = False,
    one_port: bool = False,
    programs: Mapping[str, int] = MappingProxyType({}),
    prepared: Mapping[str, PluginGenerator] = MappingProxyType({}),
    notify: Notify = _log.info,
) -> SlotAssignment:
    """Load a preset's players and give each its slot and values; settings win over the preset's values.

    Generators of other packages get a process of their own. `live`: nothing waits for their answers; offline only one
    that hangs is given up. `one_port`: all play on the main port, for a file; a player whose channel is taken by
    one of another port moves to a free channel. `programs`: General MIDI programs by the part that a player was written
    for, for players that yield to a style and to which the preset gives no program. `prepared`: generators that are
    there already, by name. `notify` is told which players are waited for. Raises ConfigError.
    """
    slots: list[PlayerSlot] = []
    unloaded_players: list[MutedPlayer] = []
    channels = _ChannelAllocator(one_port=one_port)
    remarks: dict[str, str] = {}
    loads = load_players(preset, settings, prepared, live=live, notify=notify)
    for player, load in zip(preset.players, loads, strict=True):
        part, overrides = player.name, list_overrides(player, settings)
        try:
            loaded_generator = load()
        except ConfigError as error:
            if player.generator in (*prepared, *registry.list_names()):
                if overrides or not player.where:
                    raise OptionError(f"{'--set' if overrides else '--with'}: {error}") from error
                raise ConfigError(f"{player.where}: {error}") from error
            loaded_generator = LoadedGenerator(player.generator, None, str(error))
        if loaded_generator.remark is not None:
            remarks[f"the name {player.generator}"] = loaded_generator.remark
        if loaded_generator.generator is None:
            unloaded_players.append(MutedPlayer(part, loaded_generator.problem or "unknown"))
            continue
        descriptor = loaded_generator.generator.descriptor
        asked = player
        if player.program is None and descriptor.yields_to_style and descriptor.part in programs:
            asked = replace(player, program=programs[descriptor.part])
        channel, program = channels.allocate(asked, descriptor)
        effects = _create_effects(player, part, settings, is_drums=channel == DRUM_CHANNEL, live=live)
        slots.append(
            PlayerSlot(
                loaded_generator.generator,
                part=part,
                channel=channel,
                program=program,
                port=MAIN_PORT if one_port else player.port,
                volume=player.volume,
                sends_program=asked.program is not None and not one_port and channel != DRUM_CHANNEL,
                values=dict(loaded_generator.values),
                effects=effects,
            )
        )
    return SlotAssignment(tuple(slots), tuple(unloaded_players), remarks)


def _create_effects(
    player: PresetPlayer, part: str, settings: Sequence[Setting], *, is_drums: bool, live: bool
) -> tuple[NoteEffect | PluginEffect, ...]:
    """Create the effects behind a player; raises ConfigError."""
    effects: list[NoteEffect | PluginEffect] = []
    for preset_effect in player.effects:
        places = [f"{name}.{preset_effect.name}" for name in (part, player.generator)]
        overrides = {one.parameter: one.value for one in settings if one.player in places}
        where = "--set" if overrides else preset_effect.where or "--effect"
        try:
            effect = load_effect(preset_effect.name, dict(preset_effect.values) | overrides, live=live)
        except ConfigError as error:
            raise OptionError(f"{where}: {error}") from error
        if is_drums and effect.descriptor.needs_pitch:
            raise OptionError(
                f"{where}: {preset_effect.name} stands behind {part}, which plays drums; it needs a player of pitches"
            )
        if isinstance(effect, PluginEffect) and EffectChain.is_needed(effects):
            effect.close()
            raise OptionError(f"{where}: two note effects of other packages stand behind {part}; one at most may")
        effects.append(effect)
    return tuple(effects)


class _ChannelAllocator:
    """The program that each channel of each port plays; players of one sound may share a channel."""

    def __init__(self, *, one_port: bool) -> None:
        self._one_port = one_port
        self._owners: dict[tuple[str, int], tuple[str, int]] = {}  # (port, channel) -> (the preset's port, program)

    def allocate(self, player: PresetPlayer, descriptor: Descriptor) -> tuple[int, int]:
        """Return a player's channel and program.

        A descriptor's channel that is taken gives way; one that the preset names is an error.
        """
        channel = player.channel or descriptor.channel
        program = descriptor.program if player.program is None else player.program
        port = MAIN_PORT if self._one_port else player.port
        owner = self._owners.setdefault((port, channel), (player.port, program))
        if channel == DRUM_CHANNEL or owner == (player.port, program):
            return channel, program
        if player.channel is not None and owner[0] == player.port:
            raise ConfigError(
                f"{player.where}: channel {channel} plays program {owner[1]} already, and {program} here; "
                "give them channels of their own, or one program"
            )
        for free in range(1, 17):
            if free != DRUM_CHANNEL and (port, free) not in self._owners:
                self._owners[port, free] = (player.port, program)
                return free, program
        raise ConfigError(
            f"{player.where or player.generator}: all 16 channels are taken; let players of one sound share"
        )


class PresetBand(GeneratorBand):
    """The band of a session's presets; it begins with the first.

    Thread: the main one for `change_preset` and `request_preset`, else as GeneratorBand.

    `extra` names generators that play beside every preset, `effects` note effects behind players. `programs` are a
    tradition's instruments by part; a program that a preset names wins. `prepared` are generators that play in every
    preset that names them, and are in no registry. `live`: every player has a time budget, and
    nothing waits for one in a process of its own. Otherwise (for a file) no player is timed, and all play on one port.
    `notify` is told which players are waited for.
    """

    def __init__(
        self,
        presets: Sequence[HostPreset],
        *,
        settings: Sequence[Setting] = (),
        extra: Sequence[str] = (),
        effects: Sequence[EffectRequest] = (),
        programs: Mapping[str, int] = MappingProxyType({}),
        prepared: Mapping[str, PluginGenerator] = MappingProxyType({}),
        live: bool = False,
        stopwatch: Callable[[], float] = time.thread_time,
        notify: Notify = _log.info,
    ) -> None:
        self._notify = notify
        if not presets:
            raise ConfigError(f"no host preset is given; name one of `{LISTING_COMMAND}`")
        self._presets = tuple(add_effects(add_players(preset, extra), effects) for preset in presets)
        self._settings = tuple(settings)
        self._programs, self._prepared = programs, prepared
        self._live = live
        self._place = 0
        self._program_channels: set[tuple[str, int]] = set()  # (port, channel) that a program was sent to
        self._check_places(effects)
        first = self._assign(self._presets[0])
        super().__init__(first.slots, first.unloaded_players, first.remarks, stopwatch=stopwatch if live else None)

    @property
    def preset_name(self) -> str:
        """The name of the preset in force."""
        return self._presets[self._place].name

    @property
    def preset_names(self) -> tuple[str, ...]:
        """The names of the session's presets, in order."""
        return tuple(preset.name for preset in self._presets)

    @property
    def ports(self) -> tuple[PresetPort, ...]:
        """Every port beside the main one that a preset needs; of one name, the first that was declared."""
        ports: dict[str, PresetPort] = {}
        for preset in self._presets:
            for port in preset.ports:
                ports.setdefault(port.name, port)
        return tuple(ports.values())

    def change_preset(self, by: int = 1) -> str:
        """Go on to the next preset (with -1: back) at the next bar line, and return its name.

        It is loaded first, which may take a moment, while the old one plays. Raises ConfigError, and then the old one
        stays.
        """
        place = (self._place + by) % len(self._presets)
        if place != self._place:
            assignment = self._assign(self._presets[place])
            self.change(assignment.slots, assignment.unloaded_players, assignment.remarks)
            self._place = place
        return self.preset_name

    def request_preset(self, by: int) -> str:
        """Change the preset as `change_preset` does, and return what to tell the performer, errors included."""
        if len(self._presets) == 1:
            return f"there is no other preset than {self.preset_name}"
        try:
            return f"from the next bar: {self.change_preset(by)}"
        except ConfigError as error:
            return f"still {self.preset_name}: {error}"

    def request_named_preset(self, name: str) -> str:
        """Change to the session's preset of this name, and return what to tell the performer, errors included."""
        names = self.preset_names
        if name not in names:
            return f"there is no preset {name!r} in this session; there are {', '.join(names)}"
        if names.index(name) == self._place:
            return f"{name} plays already"
        return self.request_preset(names.index(name) - self._place)

    def resolve_player(self, name: str) -> tuple[str, ...]:
        """Return the parts of the players called `name`, by part or else by generator. Raises ConfigError."""
        wanted, slots = name.strip().casefold(), self.slots
        parts = [slot.part for slot in slots if slot.part.casefold() == wanted]
        parts = parts or [s.part for s in slots if s.generator.descriptor.name.casefold() == wanted]
        if not parts:
            names = ", ".join(slot.part for slot in slots)
            raise ConfigError(f"there is no player {name[:60]!r}; there are {names or 'none'}")
        return tuple(parts)

    def save_preset(self, name: str, levels: Mapping[str, float] = MappingProxyType({})) -> str:
        """Write the preset in force, with what plays beside it and the values now; return what to tell the performer.

        `levels` are those of the mixer, by part: they become volumes. A generator that is being written is left out.
        """
        preset = self._presets[self._place]
        players = tuple(player for player in preset.players if player.generator not in self._prepared)
        try:
            values = with_values(replace(preset, players=players), self.parameters)
            file = save_preset(with_levels(values, levels), name)
        except KellyError as error:
            return f"not saved: {error}"
        return f"saved the preset {name} ({file}); play it with --preset {name}"

    def _assign(self, preset: HostPreset) -> SlotAssignment:
        assignment = assign_slots(
            preset,
            self._settings,
            live=self._live,
            one_port=not self._live,
            programs=self._programs,
            prepared=self._prepared,
            notify=self._notify,
        )
        program_channels = {(slot.port, slot.channel) for slot in assignment.slots if slot.sends_program}
        # A program that one preset sent to a channel, the next one must set right, even if it would send none itself.
        slots = tuple(
            replace(slot, sends_program=(slot.port, slot.channel) in program_channels | self._program_channels)
            for slot in assignment.slots
        )
        self._program_channels |= program_channels
        return replace(assignment, slots=slots)

    def _check_places(self, effects: Sequence[EffectRequest]) -> None:
        """Raise ConfigError for a setting or an effect that reaches no player: it is a typing error."""
        places: dict[str, None] = {}
        players: dict[str, None] = {}
        for player in (player for preset in self._presets for player in preset.players):
            for name in filter(None, (player.part, player.generator)):
                players[name] = places[name] = None
                places |= dict.fromkeys(f"{name}.{effect.name}" for effect in player.effects)
        for name, known in (
            *((setting.player, places) for setting in self._settings),
            *((effect.player, players) for effect in effects),
        ):
            if name not in known:
                raise OptionError(f"there is no player {name[:60]!r}; there are {', '.join(sorted(known))}")
