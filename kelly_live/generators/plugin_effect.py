"""A note effect of another package, behind one player: asked for whole bars, as a generator of another package is.

Thread: the conductor's. The player's notes of a bar are made a beat before it begins and sent to the effect's process.
Live, nothing waits for the answer. While there is none, the player's own notes sound; so they do while the process is
started again, and after the effect was given up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kelly_live.core.values import MusicParameters, NoteEvent
from kelly_live.generators.base import Descriptor
from kelly_live.generators.note_effect import EffectDescriptor, NoteEffect
from kelly_live.generators.parameter import ParameterValues, Value
from kelly_live.generators.plugin_generator import LATE_SECONDS, Basis, Begin, PluginGenerator
from kelly_live.generators.plugin_process import GeneratorRun, PlayerFault
from kelly_live.generators.silent_copies import SilentEffect
from kelly_live.generators.wire import Process, build_generate, build_process
from kelly_live.music.context import MusicContext

ListBar = Callable[[MusicParameters, MusicContext, int, float], "Sequence[NoteEvent] | None"]
"""Returns the player's notes of a bar from a beat on; None while they are not there."""

_PATIENCE_SECONDS = 0.6 * LATE_SECONDS  # an answer of the slice before is still in time
_CHANNEL = 1  # of a slot that has none


class _EffectRun(PluginGenerator):
    """Asks for what an effect makes of a bar; `dry` has the player's notes of the bars to come."""

    dry: Mapping[int, Sequence[NoteEvent]]
    channel = _CHANNEL

    def has_answer(self, bar: int) -> bool:
        """Tell whether a bar was asked for and answered."""
        asked = self._bars.get(bar)
        return asked is not None and (asked.answer is not None or asked.former is not None)

    def skip(self, end_beat: float) -> None:
        """Leave out what starts before a beat: the player's own notes sounded instead."""
        self._given_beat = end_beat

    def _build_request(
        self,
        parameters: MusicParameters,
        context: MusicContext,
        start_beat: float,
        end_beat: float,
        values: Mapping[str, Value],
    ) -> Process:
        notes = [note for note in self.dry[context.bar_at(start_beat)] if start_beat <= note.onset_beats < end_beat]
        request = build_generate(parameters, context, start_beat, end_beat, values)
        return build_process(request, notes, self.channel)


@dataclass(frozen=True, slots=True)
class _DryBar:
    """The player's notes of a bar, and what they were made for."""

    basis: Basis
    notes: Sequence[NoteEvent]


class PluginEffect:
    """A note effect in a process of its own. `start`, `waits` and the rest are as for PluginGenerator."""

    def __init__(
        self,
        descriptor: EffectDescriptor,
        values: Mapping[str, Value],
        run: GeneratorRun,
        begin: Begin,
        *,
        waits: bool,
        **options: Any,
    ) -> None:
        self.descriptor = descriptor
        self.values = ParameterValues(descriptor.parameters, values)
        player = Descriptor(descriptor.name, descriptor.name, _CHANNEL, 0, descriptor.parameters)
        self._run = _EffectRun(player, run, begin, waits=waits, **options)
        self._dry_notes: dict[int, Sequence[NoteEvent]] = {}
        self._run.dry = self._dry_notes
        self._bars: dict[int, _DryBar] = {}
        self._owed_from: float | None = None  # the beat from which nothing was given yet
        self._coming: tuple[MusicParameters, MusicContext, int] | None = None  # a bar whose notes are not there yet
        self._is_down = False
        self.problem: str | None = None

    def __deepcopy__(self, memo: dict[int, object]) -> SilentEffect:
        """Return what stands for it in a copy of the band: there is one process."""
        return SilentEffect(self.descriptor)

    @property
    def refusal(self) -> str | None:
        """Why notes of the effect were left out, the first time."""
        return self._run.refusal

    @property
    def is_given_up(self) -> bool:
        """Whether it will not play again in this session."""
        return self._run.is_given_up

    def configure(self, values: Mapping[str, Value]) -> None:
        """Take new values of the parameters, while it plays. Raises ConfigError."""
        self.values = ParameterValues(self.descriptor.parameters, values)
        self._run.configure(values)

    def reset(self) -> None:
        """Let the effect begin a new session."""
        self._run.reset()
        self._bars.clear()
        self._dry_notes.clear()
        self._owed_from, self._coming, self._is_down, self.problem = None, None, False, None

    def prepare(self, list_bar: ListBar, parameters: MusicParameters, context: MusicContext, bar: int) -> None:
        """Ask for a bar that will probably be played so, if the player's notes are there."""
        start_beat = float(bar * context.beats_per_bar)
        self._coming = None
        if self._is_down:
            return
        if self._find_dry(list_bar, parameters, context, bar, start_beat) is None:
            self._coming = parameters, context, bar
        else:
            self._run.prepare(parameters, context, bar)

    def play(
        self,
        list_bar: ListBar,
        parameters: MusicParameters,
        context: MusicContext,
        start_beat: float,
        end_beat: float,
        channel: int,
    ) -> list[NoteEvent]:
        """Return the notes of a slice: what the effect made of the player's, else those themselves."""
        bar = context.bar_at(start_beat)
        for past in [one for one in self._bars if one < bar]:
            del self._bars[past], self._dry_notes[past]
        if self._is_down and start_beat % context.beats_per_bar == 0.0:
            self._return()
        self._run.channel = channel
        if self._coming is not None and self._coming[2] > bar:
            self.prepare(list_bar, *self._coming)
        dry = self._find_dry(list_bar, parameters, context, bar, start_beat)
        if self._owed_from is None:
            self._owed_from = start_beat
        if dry is None:
            return []
        if not self._is_down:
            wet = self._ask(parameters, context, start_beat, end_beat)
            if wet is not None:
                self._owed_from = None
                return wet
            waited_seconds = (end_beat - self._owed_from) * 60.0 / context.bpm
            if not self._is_down and waited_seconds < _PATIENCE_SECONDS and not context.closing:
                return []
        first = max(self._owed_from, start_beat - LATE_SECONDS * context.bpm / 60.0)
        self._owed_from = None
        self._run.skip(end_beat)
        return [note for note in dry if first <= note.onset_beats < end_beat]

    def close(self) -> None:
        """End the effect's process; returns at once."""
        self._run.close()

    def join(self, seconds: float) -> None:
        """Wait for the end of its processes, at most so long for each."""
        self._run.join(seconds)

    def _ask(
        self, parameters: MusicParameters, context: MusicContext, start_beat: float, end_beat: float
    ) -> list[NoteEvent] | None:
        try:
            notes = self._run.generate(parameters, context, start_beat, end_beat)
        except PlayerFault as fault:
            self._is_down, self.problem = True, fault.reason
            return None
        return list(notes) if self._run.has_answer(context.bar_at(start_beat)) else None

    def _return(self) -> None:
        try:
            self._is_down = not self._run.is_back()
        except PlayerFault as fault:
            self.problem = fault.reason

    def _find_dry(
        self, list_bar: ListBar, parameters: MusicParameters, context: MusicContext, bar: int, start_beat: float
    ) -> Sequence[NoteEvent] | None:
        """Return the player's notes of a bar; the rest of it is made anew where the harmony has changed."""
        known, basis = self._bars.get(bar), Basis.of(context)
        if known is not None and known.basis == basis:
            return known.notes
        notes = list_bar(parameters, context, bar, start_beat)
        if notes is None:
            return None
        before = [] if known is None else [note for note in known.notes if note.onset_beats < start_beat]
        self._bars[bar] = _DryBar(basis, [*before, *notes])
        self._dry_notes[bar] = self._bars[bar].notes
        return self._bars[bar].notes


class EffectChain:
    """The effects behind a player, one of which runs in a process of its own: those before it, it, and those after."""

    def __init__(self, effects: Sequence[NoteEffect | PluginEffect]) -> None:
        place = next(number for number, one in enumerate(effects) if isinstance(one, PluginEffect))
        effect = effects[place]
        assert isinstance(effect, PluginEffect)
        self.effect = effect
        self._before = [one for one in effects[:place] if isinstance(one, NoteEffect)]
        self._after = [one for one in effects[place + 1 :] if isinstance(one, NoteEffect)]

    @staticmethod
    def is_needed(effects: Sequence[NoteEffect | PluginEffect]) -> bool:
        """Tell whether one of the effects runs in a process of its own."""
        return any(isinstance(one, PluginEffect) for one in effects)

    def prepare(self, list_bar: ListBar, parameters: MusicParameters, context: MusicContext, bar: int) -> None:
        """Let the effect make a bar that will probably be played so."""
        self.effect.prepare(self._pass_through(list_bar), parameters, context, bar)

    def play(
        self,
        list_bar: ListBar,
        place: Callable[[NoteEvent], NoteEvent],
        parameters: MusicParameters,
        context: MusicContext,
        start_beat: float,
        end_beat: float,
        channel: int,
    ) -> list[NoteEvent]:
        """Return the notes of a slice; `place` moves a note of the effect to the player's slot."""
        answer = self.effect.play(self._pass_through(list_bar), parameters, context, start_beat, end_beat, channel)
        notes = [place(note) for note in answer]
        late = [note for note in notes if note.onset_beats < start_beat]  # the effects behind are past that
        in_time: Sequence[NoteEvent] = notes[len(late) :]
        for effect in self._after:
            in_time = effect.process(in_time, context, start_beat, end_beat)
        return [*late, *in_time]

    def _pass_through(self, list_bar: ListBar) -> ListBar:
        """Return the player's notes as the effects before have changed them."""

        def list_changed(
            parameters: MusicParameters, context: MusicContext, bar: int, start_beat: float
        ) -> Sequence[NoteEvent] | None:
            notes = list_bar(parameters, context, bar, start_beat)
            for effect in self._before if notes is not None else ():
                notes = effect.process(notes or (), context, start_beat, float((bar + 1) * context.beats_per_bar))
            return notes

        return list_changed
