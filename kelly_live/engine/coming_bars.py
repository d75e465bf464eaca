"""The coming bars before they are played: a copy of the conductor plays them, a slice now and then.

It shows what is played if the feeling, the player and what is set by hand stay as they are; nothing that is played
depends on it. Players and effects in processes of their own are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

from kelly_live.core.plugins import describe_error
from kelly_live.core.values import MusicParameters, NoteEvent
from kelly_live.midi.offline import NoteList
from kelly_live.music.conductor import SLICE_BEATS, Conductor
from kelly_live.music.form import compute_intensity

BARS_AHEAD = 2  # after the one that plays, so that a note is shown a bar before it sounds, and mostly two
_TURN = 0.08  # of `compute_intensity`: what is shown is made again for a feeling that has moved so far, or its groove


@dataclass(frozen=True, slots=True)
class ComingBars:
    """What will probably be played in [start_beat, end_beat): its notes, and beat and name of each chord."""

    start_beat: float
    end_beat: float
    notes: tuple[NoteEvent, ...]
    chords: tuple[tuple[float, str], ...]


class ComingBarsPreview:
    """Looks ahead from each bar line on. Thread: the conductor's; any may read `coming`.

    A step that the conductor played nothing in is used for a quarter of a beat of the bars to come, so that none costs
    more than the conductor's own slices do.
    """

    def __init__(self, conductor: Conductor) -> None:
        self.coming: ComingBars | None = None
        self._conductor = conductor
        self._slices = 0
        self._run: _Run | None = None
        self._problem: Exception | None = None

    @property
    def problem(self) -> str | None:
        """Why there are no coming bars, in a line: a player can't be copied."""
        return None if self._problem is None else f"the coming bars can't be shown: {describe_error(self._problem)}"

    def restart(self) -> None:
        """Make the coming bars again, since something was set that changes them."""
        self._run = None

    def step(self, parameters: MusicParameters, *, is_shown: bool = True) -> None:
        """Go on, after each `advance` of the conductor with these parameters."""
        conductor, before = self._conductor, self._slices
        self._slices = conductor.slices
        is_anew = self._slices < before or conductor.is_done or conductor.status().is_stopped
        if is_anew or not is_shown or self._problem is not None:
            self.coming = self._run = None
        elif self._slices == before:
            try:
                self._go_on(self._slices * conductor.slice_beats, parameters)
            except Exception as error:  # the music does not depend on it
                self._problem = error

    def _go_on(self, beat: float, parameters: MusicParameters) -> None:
        run = self._run
        if run is None or (run.is_over and beat >= run.next_bar_beat) or run.differs(parameters):
            if beat % SLICE_BEATS == 0.0:
                self._run = _Run(self._conductor, beat, parameters)
        elif run.step():
            self.coming = run.result()


class _Run:
    """One look ahead, from a beat of a bar on."""

    def __init__(self, conductor: Conductor, beat: float, parameters: MusicParameters) -> None:
        per_bar = conductor.status().beats_per_bar
        self.next_bar_beat = (beat // per_bar + 1.0) * per_bar
        self._sink = NoteList()
        self._copy = conductor.copy(self._sink)
        self._parameters, self._start_beat = parameters, beat
        self._end_beat = self.next_bar_beat + BARS_AHEAD * per_bar
        self._chords: dict[float, str] = {}

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to play."""
        return self._beat >= self._end_beat or self._copy.is_done

    @property
    def _beat(self) -> float:
        return self._copy.slices * SLICE_BEATS

    def differs(self, parameters: MusicParameters) -> bool:
        """Tell whether the feeling has clearly moved since it began."""
        if parameters is self._parameters:
            return False
        moved = compute_intensity(parameters) - compute_intensity(self._parameters)
        return abs(moved) > _TURN or parameters.groove != self._parameters.groove

    def step(self) -> bool:
        """Play a slice, if one is left; return whether that was the last one."""
        if self.is_over:
            return False
        beat = self._beat
        self._copy.play_slice(self._parameters)
        if (phrase := self._copy.phrase) is not None:
            span = phrase.span_at(beat)
            self._chords.setdefault(max(span.start_beat, self._start_beat), span.chord.name)
        return self.is_over

    def result(self) -> ComingBars:
        """Return what was played."""
        return ComingBars(self._start_beat, self._beat, tuple(self._sink.notes), tuple(sorted(self._chords.items())))
