"""The players as one: asks each for a slice, checks the answer, and mutes a player that fails.

Thread: the conductor's for all calls, except `change`, which any thread may call, and the properties, which any may
read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, runtime_checkable

from kelly_live.core.plugins import PluginError, describe_error
from kelly_live.core.values import MAIN_PORT, MusicParameters, NoteEvent
from kelly_live.generators.answer import InvalidAnswer, read_answer
from kelly_live.generators.base import BUDGET_SECONDS, MAX_OVERRUNS, OVERRUN_DECAY, Generator, Value
from kelly_live.generators.note_effect import NoteEffect
from kelly_live.generators.sandbox import OFFLINE_SECONDS, DeadlineExceeded, SandboxedGenerator
from kelly_live.generators.style_parts import StylePart, create_style_part
from kelly_live.music.band import MutedPlayer, PlayerState
from kelly_live.music.context import MelodySource, MusicContext
from kelly_live.music.form import is_resting


@runtime_checkable
class Closable(Protocol):
    """A generator that holds something, such as a thread, until it is closed."""

    def close(self) -> None:
        """Let it go; no other call follows. Returns at once."""


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
    effects: tuple[NoteEffect, ...] = ()

    @classmethod
    def from_generator(cls, generator: Generator) -> PlayerSlot:
        """Create the slot that a generator's own descriptor names."""
        descriptor = generator.descriptor
        return cls(generator, descriptor.part, descriptor.channel, descriptor.program)

    @property
    def is_sandboxed(self) -> bool:
        """Whether the player answers from a thread of its own, so that its timing cannot be repeated."""
        return isinstance(self.generator, Closable)

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
class _Lineup:
    """The slots of a band, the style's part for each, and the players that did not load.

    `melody` is the player whose tune the others hear, with its part.
    """

    slots: tuple[PlayerSlot, ...]
    melody: tuple[str, MelodySource] | None
    style_parts: Mapping[str, StylePart]
    unloaded_players: tuple[MutedPlayer, ...]

    @classmethod
    def create(cls, players: Iterable[Generator | PlayerSlot], unloaded_players: Sequence[MutedPlayer]) -> _Lineup:
        slots = tuple(
            player if isinstance(player, PlayerSlot) else PlayerSlot.from_generator(player) for player in players
        )
        parts = {slot.part: create_style_part(slot.generator.descriptor, slot.values) for slot in slots}
        sources = ((slot.part, slot.generator) for slot in slots)
        melody = next(((part, source) for part, source in sources if isinstance(source, MelodySource)), None)
        return cls(
            slots, melody, {name: part for name, part in parts.items() if part is not None}, tuple(unloaded_players)
        )


class GeneratorBand:
    """A band of generators: each in a slot of its own, each playing or muted.

    `unloaded_players` names players that could not even be loaded. `stopwatch` returns how many seconds the calling
    thread has worked; None (offline): no player is timed.
    """

    def __init__(
        self,
        players: Iterable[Generator | PlayerSlot],
        unloaded_players: Sequence[MutedPlayer] = (),
        *,
        stopwatch: Callable[[], float] | None = None,
    ) -> None:
        self._lineup = _Lineup.create(players, unloaded_players)
        self._next: deque[_Lineup] = deque(maxlen=1)
        self._stopwatch = stopwatch
        self._muted: dict[str, MutedPlayer] = {}
        self._overruns: dict[str, float] = {}
        self._refusals: dict[str, str] = {}

    @property
    def slots(self) -> tuple[PlayerSlot, ...]:
        """The players' places, in order."""
        return self._lineup.slots

    @property
    def muted(self) -> tuple[MutedPlayer, ...]:
        """The players that are silent, and why."""
        return (*self._lineup.unloaded_players, *self._muted.values())

    @property
    def refusals(self) -> Mapping[str, str]:
        """The players of which notes were left out, and why in one line: the first reason of each."""
        return self._refusals

    @property
    def states(self) -> tuple[tuple[str, PlayerState], ...]:
        """Every player's name and state, those that loaded first."""
        silent = {player.name: player.state for player in self.muted}
        loaded_states = [(slot.part, silent.get(slot.part, PlayerState.PLAYING)) for slot in self.slots]
        return (*loaded_states, *((player.name, player.state) for player in self._lineup.unloaded_players))

    def get_role(self, part: str) -> str:
        """Return the part that a player's generator was written for; its slot may have another name."""
        return next((slot.generator.descriptor.part for slot in self.slots if slot.part == part), part)

    def change(self, players: Iterable[Generator | PlayerSlot], unloaded_players: Sequence[MutedPlayer] = ()) -> None:
        """Let other players take over at the next bar line; notes that were sent before end by themselves."""
        self._next.append(_Lineup.create(players, unloaded_players))

    def reset(self) -> None:
        """Begin a new session: every player plays again and remembers nothing."""
        self._muted, self._overruns, self._refusals = {}, {}, {}
        for slot in self.slots:
            for effect in slot.effects:
                effect.reset()
            try:
                slot.generator.reset()
            except Exception as error:  # a plug-in's fault mutes the plug-in
                self._mute(slot, PlayerState.FAILED, _describe_fault("reset", error))

    def play(
        self, parameters: MusicParameters, context: MusicContext, start_beat: float, end_beat: float
    ) -> list[NoteEvent]:
        """Return the notes that start in [start_beat, end_beat), player by player."""
        if self._next and start_beat % context.beats_per_bar == 0.0:
            self._take_over(self._next.popleft())
        context, bar = self._keep_sounding(context), context.bar_at(start_beat)
        if self._lineup.melody is not None and self._lineup.melody[0] not in self._muted:
            context = replace(context, melody=self._lineup.melody[1])
        notes: list[NoteEvent] = []
        for slot in self.slots:
            if slot.part in self._muted:
                continue
            placed: Sequence[NoteEvent] = ()
            if not is_resting(slot.generator.descriptor.part, parameters, context, bar):
                player = self._resolve_player(slot, parameters, context)
                answer = self._ask(slot, player, parameters, context, start_beat, end_beat)
                placed = [slot.place(note) for note in answer]
            for effect in slot.effects:
                placed = effect.process(placed, context, start_beat, end_beat)
            notes += placed
        return notes

    def _keep_sounding(self, context: MusicContext) -> MusicContext:
        """Return the context without the parts that its section leaves out, where those are all that there are."""
        phrase = context.phrase
        silent = phrase.role.silent
        if not silent or any(
            slot.generator.descriptor.part not in silent for slot in self.slots if slot.part not in self._muted
        ):
            return context
        return replace(context, phrase=replace(phrase, role=phrase.role._replace(silent=())))

    def close(self) -> None:
        """End the session: no player is asked again."""
        for slot in self.slots:
            _close(slot)

    def _take_over(self, lineup: _Lineup) -> None:
        remaining_ids = {id(slot.generator) for slot in lineup.slots}
        for slot in self.slots:
            if id(slot.generator) not in remaining_ids:
                _close(slot)
        self._lineup = lineup
        self.reset()

    def _resolve_player(self, slot: PlayerSlot, parameters: MusicParameters, context: MusicContext) -> Generator:
        """Choose what plays in a slot: the part of the style in force where it has one, else the generator."""
        part = self._lineup.style_parts.get(slot.part)
        return part if part is not None and part.is_in_style(parameters, context) else slot.generator

    def _ask(
        self,
        slot: PlayerSlot,
        player: Generator,
        parameters: MusicParameters,
        context: MusicContext,
        start_beat: float,
        end_beat: float,
    ) -> Sequence[NoteEvent]:
        """Return a player's notes for a slice; one that fails is muted, and gives none."""
        start_seconds = self._stopwatch() if self._stopwatch is not None else 0.0
        try:
            notes = player.generate(parameters, context, start_beat, end_beat)
        except DeadlineExceeded as late:
            if not late.is_first_call and self._stopwatch is None:
                self._mute(slot, PlayerState.TOO_SLOW, f"it did not answer within {OFFLINE_SECONDS:g} s")
            elif not late.is_first_call:
                self._count_overruns(slot, is_overrun=True)
            return ()
        except InvalidAnswer as fault:
            self._mute(slot, PlayerState.INVALID, str(fault))
            return ()
        except Exception as error:  # a plug-in's fault mutes the plug-in, the band plays on
            self._mute(slot, PlayerState.FAILED, _describe_fault("generate", error))
            return ()
        if self._stopwatch is not None:
            is_first_call = slot.part not in self._overruns
            work_seconds = self._stopwatch() - start_seconds
            self._count_overruns(
                slot, is_overrun=not is_first_call and work_seconds > BUDGET_SECONDS * max(1.0, end_beat - start_beat)
            )
        refusal = player.refusal if isinstance(player, SandboxedGenerator) else None
        if not isinstance(player, SandboxedGenerator):  # which has read the answer already
            try:
                notes, refusal = read_answer(notes, start_beat, end_beat)
            except InvalidAnswer as fault:
                self._mute(slot, PlayerState.INVALID, str(fault))
                return ()
            except Exception as error:  # a lazy answer
                self._mute(slot, PlayerState.FAILED, _describe_fault("generate", error))
                return ()
        if refusal is not None and slot.part not in self._refusals:
            self._refusals = {**self._refusals, slot.part: f"{slot.part}: notes were left out; {refusal}"}
        return notes

    def _count_overruns(self, slot: PlayerSlot, *, is_overrun: bool) -> None:
        """Add to a tally that the occasional overruns of a busy machine never fill."""
        tally = self._overruns.get(slot.part, 0.0) + (1.0 if is_overrun else -OVERRUN_DECAY)
        self._overruns[slot.part] = max(0.0, tally)
        if tally >= MAX_OVERRUNS:
            reason = f"over {1000.0 * BUDGET_SECONDS:.0f} ms, again and again; a player must answer within that"
            self._mute(slot, PlayerState.TOO_SLOW, reason)

    def _mute(self, slot: PlayerSlot, state: PlayerState, reason: str) -> None:
        self._muted = {
            **self._muted,
            slot.part: MutedPlayer(slot.part, reason, state),
        }  # replaced whole: others read it
        _close(slot)


def _close(slot: PlayerSlot) -> None:
    if isinstance(slot.generator, Closable):
        slot.generator.close()


def _describe_fault(call: str, error: Exception) -> str:
    """Return in one line what a player's call raised, or why it did not end."""
    return f"{call} {'failed: ' if isinstance(error, PluginError) else 'raised '}{describe_error(error)}"
