"""The plug-in contract: what a generator is asked for, when, on which thread, and how long it may take.

A generator is a class with no required constructor arguments, registered under the entry point group
`kelly_live.generators`. Its `descriptor` is read from the class, so that listing players makes none; it declares the
parameters (`Parameter`) that `configure` is given.

Units: times and durations in beats from the session's start, pitches in MIDI note numbers (with `cents` beside them),
velocities 1-127, channels 1-16. The host seats a player: it moves its notes to the seat's channel, port and part.

Thread: a generator is made in one thread; every later call comes from another, the same one each time, never two at a
time. Ours are called by the conductor itself; one from another package is called in a thread of its own, so that it
can be left behind if it hangs. Offline (`render`, `compose`) all are called by the caller, and nobody is timed: the
same seed gives the same notes. No call may block, sleep, print or do I/O.

Budget: a call may take BUDGET_SECONDS for a span of up to a beat, and as much again for each beat more (live spans are
a quarter of a beat). Ours are timed by the work that they do, others by the clock, and what a plug-in from another
package answers later is not played. The first call may take FIRST_CALL_SECONDS: a model may be loaded in it. An
overrun counts 1, a call in time takes OVERRUN_FORGIVEN off again: at OVERRUNS_TO_MUTE the player is muted.

State: a generator may remember, but the built-in ones don't: they plan each bar from (seed, part, bar), so that short
slices and long ones give the same notes. Randomness must come from `context.seed`.

A generator that raises, is too slow, or returns nonsense (something unsorted, outside its span, or not a note) is muted
in a named state (`PlayerState`) with the reason in its status, and the band plays on. What no host can help against is
a plug-in that holds the interpreter's lock for good, or that ends the process.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Protocol, runtime_checkable

from kelly_live.core.values import MusicParameters, NoteEvent
from kelly_live.generators.band import BUDGET_SECONDS, OVERRUN_FORGIVEN, OVERRUNS_TO_MUTE, PlayerState
from kelly_live.music.context import Descriptor, MusicContext
from kelly_live.music.feel import phrase_arc, stray, velocity
from kelly_live.music.form import lift
from kelly_live.music.harmony import Phrase
from kelly_live.music.parameter import Parameter, Value, read_all
from kelly_live.music.rhythm import beat_strength

__all__ = [
    "BUDGET_SECONDS", "FIRST_CALL_SECONDS", "OVERRUNS_TO_MUTE", "OVERRUN_FORGIVEN", "BarPlayer", "Configurable",
    "Descriptor", "Generator", "MusicContext", "Parameter", "PlayerState", "Value", "struck",
]  # fmt: skip

FIRST_CALL_SECONDS = 5.0


class Generator(Protocol):
    """One player of the band. `descriptor` is the class's, read before there is an instance."""

    @property
    def descriptor(self) -> Descriptor: ...

    def generate(
        self, parameters: MusicParameters, context: MusicContext, start_beat: float, end_beat: float
    ) -> Sequence[NoteEvent]:
        """The notes that start in [start_beat, end_beat), sorted by onset; durations in beats, may reach past the
        end. The span lies inside `context.phrase` and spans of a session rise without overlap, but may skip.
        Onsets are nominal: the conductor adds the timing feel afterwards. Thread: conductor.
        """

    def reset(self) -> None:
        """Forget everything: a new session begins, or this player enters it. Same thread as `generate`."""


@runtime_checkable
class Configurable(Protocol):
    """What a generator that declares parameters has beside the above."""

    def configure(self, values: Mapping[str, Value]) -> None:
        """The value of every declared parameter, in its own type and range. Once, in the thread that made it, before
        any other call; a changed value comes to a new instance, at a bar line.
        """


class BarPlayer(ABC):
    """A generator that plans by the bar: subclasses say what a bar holds, and slices are cut out of it.

    The plans of the latest bars are kept while nothing they were made from changes; they are a saving, not a state.
    """

    descriptor: ClassVar[Descriptor]

    def __init__(self) -> None:
        self._made_from: tuple[MusicParameters, Phrase, str, bool, float] | None = None
        self._bars: dict[int, list[NoteEvent]] = {}
        self._values = read_all(self.descriptor.parameters, {})

    def configure(self, values: Mapping[str, Value]) -> None:
        self._values = read_all(self.descriptor.parameters, values)
        BarPlayer.reset(self)

    def number(self, name: str) -> float:
        """The value of a number or whole number that the descriptor declares."""
        return float(self._values[name])

    def switch(self, name: str) -> bool:
        """The value of a switch that the descriptor declares."""
        return bool(self._values[name])

    def choice(self, name: str) -> str:
        """The value of a choice that the descriptor declares."""
        return str(self._values[name])

    @abstractmethod
    def bar_notes(self, parameters: MusicParameters, context: MusicContext, bar: int) -> Iterable[NoteEvent]:
        """The notes that start in a bar of `context.phrase`, in any order; a pure function of these and the values."""

    def generate(
        self, parameters: MusicParameters, context: MusicContext, start_beat: float, end_beat: float
    ) -> Sequence[NoteEvent]:
        made_from = (parameters, context.phrase, context.rhythm, context.closing, context.trend)
        if self._made_from != made_from:
            self._made_from = made_from
            self._bars = {}
        per_bar = context.beats_per_bar
        notes: list[NoteEvent] = []
        for bar in range(int(start_beat // per_bar), math.ceil(end_beat / per_bar)):
            if bar not in self._bars:
                planned = self.bar_notes(parameters, context, bar)
                self._bars[bar] = sorted(planned, key=lambda note: (note.onset_beats, note.pitch))
            notes += [note for note in self._bars[bar] if start_beat <= note.onset_beats < end_beat]
        return notes

    def reset(self) -> None:
        self._made_from = None
        self._bars = {}


def struck(
    parameters: MusicParameters, context: MusicContext, part: str, beat: float, *, weight: float = 1.0, voice: int = 0
) -> int:
    """A note's velocity from the metre, the phrase's arc, the form's and its own chance; `weight` 0-1.2 is the player's
    touch.
    """
    metre = beat_strength(beat % context.beats_per_bar, context.beats_per_bar)
    accent = weight * (0.34 + 0.3 * metre + 0.25 * phrase_arc(context.phrase_fraction(beat)))
    accent += lift(context, beat)
    return velocity(parameters.dynamics, accent=accent, stray=stray(context.seed, part, beat, voice))
