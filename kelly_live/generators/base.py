"""The plug-in contract: what a generator is asked for, on which thread, and how long it may take.

A generator is a class without required constructor arguments, registered under the entry-point group
`kelly_live.generators`. Its `descriptor` is read from the class, so that listing generators creates none. A generator
whose descriptor declares parameters (`Parameter`) has `configure`, too.

Units: times and durations in beats from the session's start; pitches in MIDI note numbers, with `cents` beside them;
velocities 1-127; channels 1-16. The band moves a player's notes to the port, channel and part of its slot.

Process: a built-in generator is created and called in the host, by one thread at a time. A generator of another package
lives in a process of its own (`generator_server.py`), which has one thread for it: what it prints goes to the log, and
neither its crash nor its loop holds anybody up. No call may block, sleep, print or do I/O. Its arguments are plain
data: in a process `context.melody` is None.

Spans: a built-in generator is asked for slices (a sixteenth of a beat live). One in a process is asked for whole bars,
a beat before they begin, with the parameters of that time; where the harmony changes after that, the rest of the bar is
asked for again.

Budget: a built-in generator may take BUDGET_SECONDS of processor time for a slice of up to a beat, and as much again
for each further beat; each overrun counts 1, each call in time takes OVERRUN_DECAY off again, and at MAX_OVERRUNS the
player is muted. One in a process has until its beat: notes that come later are left out, which is said, and one that
does not answer at all is ended and started again. Its first answer may take FIRST_CALL_SECONDS, to load a model.
Offline (`render`, `compose`) nothing is timed, so that the same seed gives the same notes; only a generator in a
process that does not answer for 30 s is given up.

State: a generator may keep state, but the built-in ones keep none: they plan each bar from (seed, part, bar), so that
short slices and long ones give the same notes. `melody-neural` alone goes on from what it played, bar by bar. A player
with a `list_bar` (`music/context.py`: MelodySource) is the band's tune: the others find it in `context.melody`, and the
chords do not clash with it. Randomness must come from `context.seed`. A generator in a process that goes on from what
it played gives that as `save_state()`, anything that JSON can hold, and takes it back by `load_state(state)`: it is
taken back to the state before a bar that is asked for again, and goes on from its last state when it is started again.

Style: a generator is always called, unless its descriptor says `yields_to_style`, as the built-in players do. Where
`parameters.style` has a part for the role of such a player (`style_parts.STYLE_PARTS`: melody, chords, pad, arpeggio,
bass, percussion), the band plays that part in the player's slot and does not call the player for those slices. The
style's part takes the values of those of the player's parameters that it declares alike (the melody's `octave`). A
generator that does not yield reads `parameters.style` itself or ignores it, and finds the style's scale and bar length
in `context` either way.

Faults: a generator that raises (`sys.exit` and KeyboardInterrupt are no exception), is too slow, or returns invalid
notes (unsorted, outside the span, or no NoteEvent) is muted in a named state (`PlayerState`), the reason is said in one
line, and the band plays on. One in a process may also crash, hang, print without end or need more memory than it may
have; it is started again with its last state, plays from the next bar line on, and is given up after three failures in
a row. A whole number of any type (62.0, a NumPy integer) is taken as an int; a note with anything else in the place of
a number is left out, which is said once, and the rest plays.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Protocol, runtime_checkable

from kelly_live.core.values import MusicParameters, NoteEvent
from kelly_live.generators.descriptor import Descriptor
from kelly_live.generators.parameter import Parameter, ParameterValues, Value
from kelly_live.music.band import PlayerState
from kelly_live.music.context import MusicContext
from kelly_live.music.feel import compute_phrase_arc, draw_deviation, velocity_for
from kelly_live.music.form import compute_lift
from kelly_live.music.harmony import Phrase
from kelly_live.music.rhythm import weigh_position

__all__ = [
    "BUDGET_SECONDS", "FIRST_CALL_SECONDS", "MAX_OVERRUNS", "OVERRUN_DECAY", "BarPlayer", "Configurable", "Descriptor",
    "Generator", "MusicContext", "Parameter", "PlayerState", "Value", "compute_velocity",
]  # fmt: skip

BUDGET_SECONDS = 0.02
FIRST_CALL_SECONDS = 5.0
MAX_OVERRUNS = 8.0
OVERRUN_DECAY = 0.125


class Generator(Protocol):
    """One player of the band. `descriptor` is the class's, and read before there is an instance."""

    @property
    def descriptor(self) -> Descriptor:
        """The generator's name, part, sound and parameters."""

    def generate(
        self, parameters: MusicParameters, context: MusicContext, start_beat: float, end_beat: float
    ) -> Sequence[NoteEvent]:
        """Return the notes that start in [start_beat, end_beat), sorted by onset.

        Durations are in beats and may reach past the end. The slice lies inside `context.phrase`; the slices of a
        session rise without overlap, but may skip. Onsets are exact: the conductor adds the timing feel. Thread:
        conductor.
        """

    def reset(self) -> None:
        """Forget everything: a new session begins, or this player enters it. Thread: as `generate`."""


@runtime_checkable
class Configurable(Protocol):
    """The additional method of a generator that declares parameters."""

    def configure(self, values: Mapping[str, Value]) -> None:
        """Take the value of every declared parameter, in its own type and range.

        Called before any other method, in the thread that created the generator; and again between two calls of
        `generate`, in that thread, when values are changed while it plays. What it remembers of the music stays.
        """


class BarPlayer(ABC):
    """A generator that plans whole bars: subclasses say what a bar holds, and slices are cut out of it.

    The plans of the latest bars are kept while nothing that they were made from changes; this saves time and is no
    state.
    """

    descriptor: ClassVar[Descriptor]

    def __init__(self) -> None:
        self._planned_for: tuple[MusicParameters, Phrase, str, bool, float] | None = None
        self._bars: dict[int, list[NoteEvent]] = {}
        self._values = ParameterValues(self.descriptor.parameters)

    def configure(self, values: Mapping[str, Value]) -> None:
        """Take the parameters' values; those that are not given keep their defaults."""
        self._values = ParameterValues(self.descriptor.parameters, values)
        BarPlayer.reset(self)

    def number(self, name: str) -> float:
        """Return the value of a number or whole number that the descriptor declares."""
        return self._values.number(name)

    def switch(self, name: str) -> bool:
        """Return the value of a switch that the descriptor declares."""
        return self._values.switch(name)

    def choice(self, name: str) -> str:
        """Return the value of a choice that the descriptor declares."""
        return self._values.choice(name)

    @abstractmethod
    def bar_notes(self, parameters: MusicParameters, context: MusicContext, bar: int) -> Iterable[NoteEvent]:
        """Return the notes that start in a bar of `context.phrase`, in any order.

        The answer must depend on nothing but these arguments and the parameters' values.
        """

    def generate(
        self, parameters: MusicParameters, context: MusicContext, start_beat: float, end_beat: float
    ) -> Sequence[NoteEvent]:
        """Return the notes that start in [start_beat, end_beat), cut out of the planned bars."""
        planned_for = (parameters, context.phrase, context.rhythm, context.closing, context.trend)
        if self._planned_for != planned_for:
            self._planned_for = planned_for
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
        """Drop the planned bars."""
        self._planned_for = None
        self._bars = {}


def compute_velocity(
    parameters: MusicParameters, context: MusicContext, part: str, beat: float, *, weight: float = 1.0, voice: int = 0
) -> int:
    """Return a note's MIDI velocity from its metrical place, the phrase's and the form's rise, and chance.

    `weight` (0-1.2) is how firmly the player strikes it; `voice` tells the notes of one beat from each other.
    """
    metre = weigh_position(beat % context.beats_per_bar, context.beats_per_bar)
    accent = weight * (0.34 + 0.3 * metre + 0.25 * compute_phrase_arc(context.phrase_fraction(beat)))
    accent += compute_lift(context, beat)
    return velocity_for(parameters.dynamics, accent=accent, deviation=draw_deviation(context.seed, part, beat, voice))
