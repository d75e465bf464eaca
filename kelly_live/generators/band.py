"""The players as one: asks each for a slice, checks the answer, and mutes a player that fails.

A player in a process of its own comes back at a later bar line, once it was started again (`plugin_generator.py`).

Thread: the conductor's for all calls, except `change`, which any thread may call, and the properties, which any may
read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import MappingProxyType

from kelly_live.core.plugins import describe_error
from kelly_live.core.state_copy import copy_state
from kelly_live.core.values import MusicParameters, NoteEvent
from kelly_live.generators.answer import InvalidAnswer, read_answer
from kelly_live.generators.automation import ParameterState, Values
from kelly_live.generators.base import BUDGET_SECONDS, MAX_OVERRUNS, OVERRUN_DECAY, Configurable, Generator, Value
from kelly_live.generators.lineup import ExternalPlayer, Lineup, PlayerSlot
from kelly_live.generators.plugin_effect import PluginEffect
from kelly_live.generators.plugin_process import PlayerFault
from kelly_live.generators.style_parts import configure_style_part
from kelly_live.music.band import MutedPlayer, ParameterChange, PlayerState
from kelly_live.music.context import MusicContext
from kelly_live.music.form import is_resting

_JOIN_SECONDS = 2.0  # for the end of a player's process, and as long again for the launcher to end the rest


class GeneratorBand:
    """A band of generators: each in a slot of its own, each playing or muted.

    `unloaded_players` names players that could not even be loaded, `remarks` holds lines to say of the others, by
    subject. `stopwatch` returns how many seconds the calling
    thread has worked; None (offline): no player is timed.
    """

    def __init__(
        self,
        players: Iterable[Generator | PlayerSlot],
        unloaded_players: Sequence[MutedPlayer] = (),
        remarks: Mapping[str, str] = MappingProxyType({}),
        *,
        stopwatch: Callable[[], float] | None = None,
    ) -> None:
        self._lineup = Lineup.create(players, unloaded_players, remarks, self._take_values)
        self._next: deque[Lineup] = deque(maxlen=1)
        self._stopwatch = stopwatch
        self._muted: dict[str, MutedPlayer] = {}
        self._overruns: dict[str, float] = {}
        self._remarks: dict[str, str] = {}
        self._closed_players: list[ExternalPlayer | PluginEffect] = []

    @property
    def slots(self) -> tuple[PlayerSlot, ...]:
        """The players' places, in order."""
        return self._lineup.slots

    @property
    def muted(self) -> tuple[MutedPlayer, ...]:
        """The players that are silent, and why."""
        return (*self._lineup.unloaded_players, *self._muted.values())

    @property
    def remarks(self) -> Mapping[str, str]:
        """What else there is to say of the players, a line each, by subject: "the notes of bass".

        Why notes were left out, which failure a player came back from (the first of each), who was given up, and which
        package a player is of where there are several.
        """
        return {**self._lineup.remarks, **self._remarks}

    @property
    def states(self) -> tuple[tuple[str, PlayerState], ...]:
        """Every player's name and state, those that loaded first."""
        silent = {player.name: player.state for player in self.muted}
        loaded_states = [(slot.part, silent.get(slot.part, PlayerState.PLAYING)) for slot in self.slots]
        return (*loaded_states, *((player.name, player.state) for player in self._lineup.unloaded_players))

    def get_role(self, part: str) -> str:
        """Return the part that a player's generator was written for; its slot may have another name."""
        return next((slot.generator.descriptor.part for slot in self.slots if slot.part == part), part)

    def change(
        self,
        players: Iterable[Generator | PlayerSlot],
        unloaded_players: Sequence[MutedPlayer] = (),
        remarks: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Let other players take over at the next bar line; notes that were sent before end by themselves."""
        self._next.append(Lineup.create(players, unloaded_players, remarks, self._take_values))

    @property
    def parameters(self) -> tuple[ParameterState, ...]:
        """The players' and effects' parameters, with their values."""
        return self._lineup.automation.values

    def resolve_setting(self, address: str, value: Value) -> tuple[ParameterChange, ...]:
        """Return the changes that PLAYER.PARAMETER and a value mean. Raises ConfigError. Thread: any."""
        return self._lineup.automation.resolve(address, value)

    def set_parameter(self, change: ParameterChange) -> None:
        """Let a parameter move to a value from the next slice on; one that is not there is left alone.

        Raises ConfigError for a value out of its range.
        """
        self._lineup.automation.set(change)

    def reset(self) -> None:
        """Begin a new session: every player plays again and remembers nothing but its parameters' values."""
        self._muted, self._overruns, self._remarks = {}, {}, {}
        self._lineup.automation.reset()
        for slot in self.slots:
            for effect in slot.effects:
                effect.reset()
            try:
                slot.generator.reset()
            except Exception as error:  # a plug-in's fault mutes the plug-in
                self._mute(slot.part, PlayerState.FAILED, _describe_fault("reset", error))

    def play(
        self, parameters: MusicParameters, context: MusicContext, start_beat: float, end_beat: float
    ) -> list[NoteEvent]:
        """Return the notes that start in [start_beat, end_beat), player by player."""
        if self._next and start_beat % context.beats_per_bar == 0.0:
            self._take_over(self._next.popleft())
        if self._muted and start_beat % context.beats_per_bar == 0.0:
            self._bring_back()
        self._lineup.automation.step(start_beat)
        context = self._keep_sounding(context)
        if self._lineup.melody is not None and self._lineup.melody[0] not in self._muted:
            context = replace(context, melody=self._lineup.melody[1])
        notes: list[NoteEvent] = []
        for slot in self.slots:
            if slot.part in self._muted:
                continue
            if slot.part in self._lineup.chains:
                notes += self._play_chain(slot, parameters, context, start_beat, end_beat)
                continue
            placed: Sequence[NoteEvent] = self._play_alone(slot, parameters, context, start_beat, end_beat)
            if slot.effects and placed and placed[0].onset_beats < start_beat:  # late, and the effects are past that
                notes += [note for note in placed if note.onset_beats < start_beat]
                placed = [note for note in placed if note.onset_beats >= start_beat]
            for effect in slot.effects:
                placed = effect.process(placed, context, start_beat, end_beat)  # type: ignore[union-attr]  # no chain
            notes += placed
        return notes

    def _play_alone(
        self, slot: PlayerSlot, parameters: MusicParameters, context: MusicContext, start_beat: float, end_beat: float
    ) -> list[NoteEvent]:
        """Return a player's notes of a span, in its place, before its effects."""
        if is_resting(slot.generator.descriptor.part, parameters, context, context.bar_at(start_beat)):
            return []
        player = self._resolve_player(slot, parameters, context)
        return [slot.place(note) for note in self._ask(slot, player, parameters, context, start_beat, end_beat)]

    def _play_chain(
        self, slot: PlayerSlot, parameters: MusicParameters, context: MusicContext, start_beat: float, end_beat: float
    ) -> list[NoteEvent]:
        """Return the notes of a slot with an effect in a process of its own, and say what there is to say of that."""
        chain = self._lineup.chains[slot.part]
        if slot.part in self._lineup.external:  # it keeps its own time, slice by slice; its bars are looked at
            self._play_alone(slot, parameters, context, start_beat, end_beat)
        list_bar = partial(self._list_bar, slot)
        notes = chain.play(list_bar, slot.place, parameters, context, start_beat, end_beat, slot.channel)
        effect = chain.effect
        subject, name = f"the effect {effect.descriptor.name} of {slot.part}", f"{slot.part} plays without its"
        if effect.problem is not None:
            line = f"{name} effect {effect.descriptor.name}: {effect.problem}"
            self._remark(subject + effect.is_given_up * ", given up", line)
        if effect.refusal is not None:
            self._remark(f"the notes of {subject}", f"{subject}: notes were left out; {effect.refusal}")
        return notes

    def _list_bar(
        self, slot: PlayerSlot, parameters: MusicParameters, context: MusicContext, bar: int, start_beat: float
    ) -> Sequence[NoteEvent] | None:
        """Return a player's notes from a beat of a bar on; None while they are not there."""
        external = self._lineup.external.get(slot.part)
        if slot.part in self._muted:
            return ()
        if external is None or self._resolve_player(slot, parameters, context) is not external:
            end_beat = float((bar + 1) * context.beats_per_bar)
            return self._play_alone(slot, parameters, context, start_beat, end_beat)
        if is_resting(external.descriptor.part, parameters, context, bar):
            return ()
        try:
            notes = external.peek(bar)
        except PlayerFault as fault:
            self._mute(slot.part, fault.state, fault.reason)
            return ()
        return None if notes is None else [slot.place(note) for note in notes if note.onset_beats >= start_beat]

    def _keep_sounding(self, context: MusicContext) -> MusicContext:
        """Return the context without the parts that its section leaves out, where those are all that there are."""
        phrase = context.phrase
        silent = phrase.role.silent
        if not silent or any(
            slot.generator.descriptor.part not in silent for slot in self.slots if slot.part not in self._muted
        ):
            return context
        return replace(context, phrase=replace(phrase, role=phrase.role._replace(silent=())))

    def prepare(self, parameters: MusicParameters, context: MusicContext, bar: int) -> None:
        """Let the players in processes of their own make a bar before it begins, as it will probably be played."""
        if self._next:
            return  # others take over there
        context = self._keep_sounding(context)
        for part, player in self._lineup.external.items():
            if part not in self._muted and not is_resting(player.descriptor.part, parameters, context, bar):
                player.prepare(parameters, context, bar)
        for slot in self.slots:
            if slot.part in self._lineup.chains and slot.part not in self._muted:
                self._lineup.chains[slot.part].prepare(partial(self._list_bar, slot), parameters, context, bar)

    def copy(self) -> GeneratorBand:
        """Return a band that goes on from here by itself; players and effects in processes of their own are silent."""
        twin = copy_state(self)
        twin._stopwatch = None
        return twin

    def close(self) -> None:
        """End the session: no player is asked again, and no process of a player's is left."""
        self._close(self._lineup.list_processes())
        for player in self._closed_players:
            player.join(_JOIN_SECONDS)

    def _close(self, players: Iterable[ExternalPlayer | PluginEffect]) -> None:
        for player in players:
            player.close()
            self._closed_players.append(player)

    def _bring_back(self) -> None:
        """Let the muted players play again that can."""
        for part, player in self._lineup.external.items():
            muted = self._muted.get(part)
            if muted is None:
                continue
            try:
                if player.is_back():
                    self._muted = {name: other for name, other in self._muted.items() if name != part}
                    self._remark(f"the failure of {part}", f"{part} was silent for a while: {muted.reason}")
            except PlayerFault as fault:
                self._mute(part, fault.state, fault.reason)

    def _take_over(self, lineup: Lineup) -> None:
        remaining_ids = {id(player) for player in lineup.list_processes()}
        self._close(player for player in self._lineup.list_processes() if id(player) not in remaining_ids)
        self._lineup = lineup
        if remaining_ids:
            lineup.automation.hand_over()  # a player that stays may have had others
        self.reset()

    def _take_values(self, part: str, effect: int | None, values: Values) -> None:
        """Hand the player of a part, or its effect of that number, the values of its parameters."""
        slot = next(one for one in self.slots if one.part == part)
        if effect is not None:
            slot.effects[effect].configure(values)
            return
        if isinstance(slot.generator, Configurable):
            try:
                slot.generator.configure(values)
            except Exception as error:  # as in `generate`
                self._mute(slot.part, PlayerState.FAILED, _describe_fault("configure", error))
        style_part = self._lineup.style_parts.get(part)
        if style_part is not None:
            configure_style_part(style_part, slot.generator.descriptor, values)

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
        except PlayerFault as fault:
            self._mute(slot.part, fault.state, fault.reason)
            return ()
        except InvalidAnswer as fault:
            self._mute(slot.part, PlayerState.INVALID, str(fault))
            return ()
        except Exception as error:  # a plug-in's fault mutes the plug-in, the band plays on
            self._mute(slot.part, PlayerState.FAILED, _describe_fault("generate", error))
            return ()
        external = self._lineup.external.get(slot.part)
        if player is external:  # whose answer was read already, and which keeps its own time
            refusal = external.refusal
        else:
            self._time(slot, start_seconds, end_beat - start_beat)
            try:
                notes, refusal = read_answer(notes, start_beat, end_beat)
            except InvalidAnswer as fault:
                self._mute(slot.part, PlayerState.INVALID, str(fault))
                return ()
            except Exception as error:  # a lazy answer
                self._mute(slot.part, PlayerState.FAILED, _describe_fault("generate", error))
                return ()
        if refusal is not None:
            self._remark(f"the notes of {slot.part}", f"{slot.part}: notes were left out; {refusal}")
        return notes

    def _remark(self, subject: str, line: str) -> None:
        """Keep a line, the first of its subject."""
        if subject not in self._remarks:
            self._remarks = {**self._remarks, subject: line}  # replaced whole: others read it

    def _time(self, slot: PlayerSlot, start_seconds: float, beats: float) -> None:
        """Count whether a call overran its budget, but not a player's first one."""
        if self._stopwatch is not None:
            is_overrun = self._stopwatch() - start_seconds > BUDGET_SECONDS * max(1.0, beats)
            self._count_overruns(slot, is_overrun=is_overrun and slot.part in self._overruns)

    def _count_overruns(self, slot: PlayerSlot, *, is_overrun: bool) -> None:
        """Add to a tally that the occasional overruns of a busy machine never fill."""
        tally = self._overruns.get(slot.part, 0.0) + (1.0 if is_overrun else -OVERRUN_DECAY)
        self._overruns[slot.part] = max(0.0, tally)
        if tally >= MAX_OVERRUNS:
            reason = f"over {1000.0 * BUDGET_SECONDS:.0f} ms, again and again; a player must answer within that"
            self._mute(slot.part, PlayerState.TOO_SLOW, reason)

    def _mute(self, part: str, state: PlayerState, reason: str) -> None:
        self._muted = {**self._muted, part: MutedPlayer(part, reason, state)}  # replaced whole: others read it
        player = self._lineup.external.get(part)
        if player is not None and player.is_given_up:
            self._remark(f"the return of {part}", f"{part} stays silent: {reason}")


def _describe_fault(call: str, error: Exception) -> str:
    """Return in one line what a player's call raised."""
    return f"{call} raised {describe_error(error)}"
