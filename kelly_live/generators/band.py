"""The players as one: asks each for a slice of time, checks what comes back, seats it, and mutes the one that fails.

Thread: the conductor's for all calls, except `change`, which any thread may call, and the properties, which any may
read.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from kelly_live.core.values import MusicParameters, NoteEvent
from kelly_live.music.context import MusicContext

if TYPE_CHECKING:
    from kelly_live.generators.base import Generator

_MOST_NOTES_PER_BEAT = 128  # a generator that wants more in one slice (at least a beat's worth) has lost its mind
_LONGEST_NOTE_BEATS = 64.0
BUDGET_SECONDS = 0.02
OVERRUNS_TO_MUTE = 8.0
OVERRUN_FORGIVEN = 0.125


class PlayerState(StrEnum):
    """How a player is."""

    PLAYING = "playing"
    RAISED = "muted-raised"
    SLOW = "muted-slow"
    NONSENSE = "muted-nonsense"
    NOT_LOADED = "not-loaded"


@dataclass(frozen=True, slots=True)
class Muted:
    """A player that does not play, the one-line reason, and the state that this is."""

    name: str
    reason: str
    state: PlayerState = PlayerState.NOT_LOADED


class DeadlineExceeded(Exception):
    """Raised by a player whose answer is not there in time. `excused`: it is still at its first, which may be long."""

    def __init__(self, excused: bool = False) -> None:
        super().__init__("no answer in time")
        self.excused = excused


@runtime_checkable
class Dismissible(Protocol):
    """A generator that holds something, such as a thread, until it is not asked any more."""

    def dismiss(self) -> None:
        """It will not be asked again. Returns at once."""


@dataclass(frozen=True, slots=True)
class PlayerSlot:
    """A player's place: `part` is its name in the band, and its notes go to `channel` of `port` ("" is the main one)
    with every velocity times `volume`. `sent_program`: a live port is told the program too.
    """

    generator: Generator
    part: str
    channel: int
    program: int
    port: str = ""
    volume: float = 1.0
    sent_program: bool = False

    @classmethod
    def made_for(cls, generator: Generator) -> PlayerSlot:
        """The place that a generator's own descriptor names."""
        own = generator.descriptor
        return cls(generator, own.part, own.channel, own.program)

    def seated(self, note: NoteEvent) -> NoteEvent:
        """The note, moved to this place."""
        velocity = note.velocity
        if self.volume != 1.0:
            velocity = min(127, max(1, round(velocity * self.volume)))
        program = self.program if self.sent_program else None
        if (note.channel, note.part, note.port, note.velocity, note.program) == (
            self.channel, self.part, self.port, velocity, program,
        ):  # fmt: skip
            return note
        return replace(note, channel=self.channel, part=self.part, port=self.port, velocity=velocity, program=program)


class Band:
    """The seats, each playing or muted; each has a `part` of its own. `unloaded` names players that could not even be
    loaded. `stopwatch` says how many seconds the calling thread has worked; None (offline): nobody is timed.
    """

    def __init__(
        self,
        players: Iterable[Generator | PlayerSlot],
        unloaded: Sequence[Muted] = (),
        *,
        stopwatch: Callable[[], float] | None = None,
    ) -> None:
        self._seats = tuple(_seat(player) for player in players)
        self._unloaded = tuple(unloaded)
        self._next: deque[tuple[tuple[PlayerSlot, ...], tuple[Muted, ...]]] = deque(maxlen=1)
        self._stopwatch = stopwatch
        self._muted: dict[str, Muted] = {}
        self._overruns: dict[str, float] = {}

    @property
    def muted(self) -> tuple[Muted, ...]:
        """Who does not play, and why."""
        return (*self._unloaded, *self._muted.values())

    def programs(self) -> tuple[PlayerSlot, ...]:
        """Who plays on which channel of which port, with which General MIDI program."""
        return self._seats

    def role(self, part: str) -> str:
        """What a seat's generator calls its part itself, whatever the seat is called: its feel goes by that."""
        return next((seat.generator.descriptor.part for seat in self._seats if seat.part == part), part)

    def states(self) -> tuple[tuple[str, PlayerState], ...]:
        """Everybody's name and state, the seated ones first."""
        muted = self.muted
        silent = {one.name: one.state for one in muted}
        seated = [(seat.part, silent.get(seat.part, PlayerState.PLAYING)) for seat in self._seats]
        return (*seated, *((one.name, one.state) for one in self._unloaded))

    def change(self, players: Iterable[Generator | PlayerSlot], unloaded: Sequence[Muted] = ()) -> None:
        """From the next bar line that is made on, these play instead; what was sent before still ends by itself."""
        self._next.append((tuple(_seat(player) for player in players), tuple(unloaded)))

    def reset(self) -> None:
        """A new session: everybody plays again, and remembers nothing."""
        self._muted, self._overruns = {}, {}
        for seat in self._seats:
            self._begin(seat)

    def play(self, parameters: MusicParameters, context: MusicContext, start: float, end: float) -> list[NoteEvent]:
        """The notes that start in [start, end) beats, player by player."""
        if self._next and start % context.beats_per_bar == 0.0:
            self._take_over()
        notes: list[NoteEvent] = []
        for seat in self._seats:
            if seat.part not in self._muted:
                notes += [seat.seated(note) for note in self._ask(seat, parameters, context, start, end)]
        return notes

    def dismiss(self) -> None:
        """The session is over: nobody is asked again."""
        for seat in self._seats:
            _dismiss(seat)

    def _take_over(self) -> None:
        seats, unloaded = self._next.popleft()
        stay = {id(seat.generator) for seat in seats}
        for seat in self._seats:
            if id(seat.generator) not in stay:
                _dismiss(seat)
        self._seats, self._unloaded = seats, unloaded
        self.reset()

    def _begin(self, seat: PlayerSlot) -> None:
        try:
            seat.generator.reset()
        except Exception as error:  # a plug-in's fault mutes the plug-in
            self._mute(seat, PlayerState.RAISED, f"reset raised {_told(error)}")

    def _ask(
        self, seat: PlayerSlot, parameters: MusicParameters, context: MusicContext, start: float, end: float
    ) -> Sequence[NoteEvent]:
        """A player's notes for a slice; a player that fails is muted, and gives none."""
        began = self._stopwatch() if self._stopwatch is not None else 0.0
        try:
            notes = seat.generator.generate(parameters, context, start, end)
        except DeadlineExceeded as late:
            if not late.excused:
                self._count(seat, overran=True)
            return ()
        except Exception as error:  # a plug-in's fault mutes the plug-in, the band plays on
            self._mute(seat, PlayerState.RAISED, f"generate raised {_told(error)}")
            return ()
        if self._stopwatch is not None:
            first = seat.part not in self._overruns
            took = self._stopwatch() - began
            self._count(seat, overran=not first and took > BUDGET_SECONDS * max(1.0, end - start))
        try:
            fault = _fault(notes, start, end)
        except Exception as error:  # what cannot even be looked at
            fault = f"returned a {type(notes).__name__} ({_told(error)}); it must return a list of NoteEvents"
        if fault:
            self._mute(seat, PlayerState.NONSENSE, fault)
            return ()
        return notes

    def _count(self, seat: PlayerSlot, *, overran: bool) -> None:
        """Keep the tally of overruns that a busy machine's occasional ones never fill."""
        tally = self._overruns.get(seat.part, 0.0) + (1.0 if overran else -OVERRUN_FORGIVEN)
        self._overruns[seat.part] = max(0.0, tally)
        if tally >= OVERRUNS_TO_MUTE:
            reason = f"over {1000.0 * BUDGET_SECONDS:.0f} ms, again and again; a player must answer within that"
            self._mute(seat, PlayerState.SLOW, reason)

    def _mute(self, seat: PlayerSlot, state: PlayerState, reason: str) -> None:
        self._muted = {**self._muted, seat.part: Muted(seat.part, reason, state)}  # whole, for whoever reads it
        _dismiss(seat)


def _seat(player: Generator | PlayerSlot) -> PlayerSlot:
    return player if isinstance(player, PlayerSlot) else PlayerSlot.made_for(player)


def _dismiss(seat: PlayerSlot) -> None:
    if isinstance(seat.generator, Dismissible):
        seat.generator.dismiss()


def _told(error: Exception) -> str:
    """An error in one line, however many it brought."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _fault(notes: Sequence[NoteEvent], start: float, end: float) -> str | None:
    """What is wrong with a player's answer, in one line; None if nothing is."""
    limit = math.ceil(max(1.0, end - start) * _MOST_NOTES_PER_BEAT)
    if len(notes) > limit:
        return f"{len(notes)} notes from beat {start:g} to {end:g}; at most {limit} may start there"
    before = start
    for note in notes:
        if not isinstance(note, NoteEvent):
            return f"returned a {type(note).__name__}; it must return NoteEvents"
        if not start <= note.onset_beats < end:
            return f"a note at beat {note.onset_beats:g} is outside the slice {start:g} to {end:g}"
        if note.onset_beats < before:
            return f"a note at beat {note.onset_beats:g} comes after one at {before:g}; notes must be sorted by onset"
        if note.duration_beats > _LONGEST_NOTE_BEATS:
            return f"a note of {note.duration_beats:g} beats; at most {_LONGEST_NOTE_BEATS:g} are allowed"
        before = note.onset_beats
    return None
