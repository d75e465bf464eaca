"""Who plays in a band: a slot for each player, and what follows from the slots."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

from kelly_live.core.state_copy import copy_fields
from kelly_live.core.values import MAIN_PORT, MusicParameters, NoteEvent
from kelly_live.generators.automation import Automation, Values
from kelly_live.generators.base import Generator, Value
from kelly_live.generators.note_effect import NoteEffect
from kelly_live.generators.plugin_effect import EffectChain, PluginEffect
from kelly_live.generators.style_parts import StylePart, create_style_part
from kelly_live.music.band import MutedPlayer
from kelly_live.music.context import MelodySource, MusicContext


@runtime_checkable
class ExternalPlayer(Generator, Protocol):
    """A generator that runs in a process of its own.

    Its `generate` raises PlayerFault, and its notes were checked.
    """

    refusal: str | None  # why notes were left out, the first time

    @property
    def is_given_up(self) -> bool:
        """Whether it will not play again in this session."""

    def prepare(self, parameters: MusicParameters, context: MusicContext, bar: int) -> None:
        """Ask for a bar that will probably be played so."""

    def peek(self, bar: int) -> Sequence[NoteEvent] | None:
        """Return a bar's notes, if it was asked for and they have come; raises PlayerFault."""

    def is_back(self) -> bool:
        """Tell whether it can play again, at a bar line; raises PlayerFault if it failed again."""

    def close(self) -> None:
        """End its process; returns at once."""

    def join(self, seconds: float) -> None:
        """Wait for the end of its processes, at most so long for each."""


@dataclass(frozen=True, slots=True)
class PlayerSlot:
    """A player's place in the band: its generator, and where its notes go.

    `part` is its name in the band. Its notes go to `channel` of `port`, with every velocity times `volume`.
    `sends_program`: a live port is sent `program`, too. `values` are the generator's parameters that were set; the part
    that a culture's style plays in this slot takes those that it shares. `effects` change its notes, in order.
    """

    generator: Generator
    part: str
    channel: int
    program: int
    port: str = MAIN_PORT
    volume: float = 1.0
    sends_program: bool = False
    values: Mapping[str, Value] = field(default_factory=dict)
    effects: tuple[NoteEffect | PluginEffect, ...] = ()

    def __deepcopy__(self, memo: dict[int, Any]) -> PlayerSlot:
        return copy_fields(self, memo)

    @classmethod
    def from_generator(cls, generator: Generator) -> PlayerSlot:
        """Create the slot that a generator's own descriptor names."""
        descriptor = generator.descriptor
        return cls(generator, descriptor.part, descriptor.channel, descriptor.program)

    @property
    def is_external(self) -> bool:
        """Whether the player or an effect answers from a process of its own.

        Its timing cannot be repeated then.
        """
        return isinstance(self.generator, ExternalPlayer) or EffectChain.is_needed(self.effects)

    def place(self, note: NoteEvent) -> NoteEvent:
        """Move a note to this slot."""
        velocity = note.velocity
        if self.volume != 1.0:
            velocity = min(127, max(1, round(velocity * self.volume)))
        program = self.program if self.sends_program else None
        if (note.channel, note.part, note.port, note.velocity, note.program) == (
            self.channel, self.part, self.port, velocity, program,
        ):  # fmt: skip
            return note
        return replace(note, channel=self.channel, part=self.part, port=self.port, velocity=velocity, program=program)


@dataclass(frozen=True, slots=True)
class Lineup:
    """The slots of a band, and what follows from them.

    That is the style's part for each, the players that did not load, and remarks by subject. `melody` is the player
    whose tune the others hear, with its part.
    """

    slots: tuple[PlayerSlot, ...]
    melody: tuple[str, MelodySource] | None
    style_parts: Mapping[str, StylePart]
    unloaded_players: tuple[MutedPlayer, ...]
    remarks: Mapping[str, str]
    external: Mapping[str, ExternalPlayer]  # by part
    chains: Mapping[str, EffectChain]  # by part, where an effect runs in a process of its own
    automation: Automation

    @classmethod
    def create(
        cls,
        players: Iterable[Generator | PlayerSlot],
        unloaded_players: Sequence[MutedPlayer],
        remarks: Mapping[str, str],
        take_values: Callable[[str, int | None, Values], None],
    ) -> Lineup:
        """Create the lineup of players; `take_values` is given the values of a part's parameters."""
        slots = tuple(
            player if isinstance(player, PlayerSlot) else PlayerSlot.from_generator(player) for player in players
        )
        parts = {slot.part: create_style_part(slot.generator.descriptor, slot.values) for slot in slots}
        sources = ((slot.part, slot.generator) for slot in slots)
        melody = next(((part, source) for part, source in sources if isinstance(source, MelodySource)), None)
        return cls(
            slots,
            melody,
            {name: part for name, part in parts.items() if part is not None},
            tuple(unloaded_players),
            remarks,
            {slot.part: slot.generator for slot in slots if isinstance(slot.generator, ExternalPlayer)},
            {slot.part: EffectChain(slot.effects) for slot in slots if EffectChain.is_needed(slot.effects)},
            Automation(slots, take_values),
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> Lineup:
        return copy_fields(self, memo)

    def list_processes(self) -> list[ExternalPlayer | PluginEffect]:
        """List what runs in a process of its own."""
        return [*self.external.values(), *(chain.effect for chain in self.chains.values())]
