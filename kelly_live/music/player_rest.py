"""What the band does while the player rests: it plays on, takes a solo, or closes and is silent until he returns.

Pure and clock-free, as `synchronization.py` is. All of it happens at bar lines. A band that rests, too, first waits for
as long as a phrase. Then it plays a cadence of two bars, the last of them as its groove ends (music/groove.py), and is
silent; it comes back in the bar after the player's first note.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import StrEnum

from kelly_live.core.sync_state import PlayerActivity
from kelly_live.core.values import MusicParameters, NoteEvent
from kelly_live.music.feel import SOFTEST_VELOCITY
from kelly_live.music.harmony import Phrase, plan_closing_phrase, plan_leading_phrase
from kelly_live.music.rest_options import REST, SOLO, RestOptions

_CADENCE_BARS = 2  # of the chord that leads to the tonic, and of the tonic
_SOFTER_PER_BAR = 0.92  # each bar of a rest is so much softer,
_SOFTEST = 0.55  # until the band plays on as softly as that
_LEVEL_NOTES = 48  # the band's own level is an average over so many notes, a bar or two
_SOLO_DENSITY = 0.5  # more of it in a solo: about two notes more a bar
_SOLO_ACCOMPANIMENT = 0.8  # of its velocity, under a solo


class RestAnswer(StrEnum):
    """What the band does about a rest now; the values are printed."""

    NONE = ""
    CLOSING = "closing while you rest"
    RESTING = "resting until you play"
    SOLO = "solo until you play"


class RestResponder:
    """Decides at each bar line who plays, and gives the band its ending. Thread: the conductor's."""

    def __init__(self, options: RestOptions) -> None:
        self._options = options
        self.reset()

    def reset(self) -> None:
        """Begin anew, with everybody playing."""
        self._bar: int | None = None  # of the band's ending, from 0
        self._begin_seconds: float | None = None  # of the first bar
        self._is_soloing = False
        self._gain = 1.0  # of every velocity
        self._level = self._level_before = 0.0  # of the form's velocities: now, and before the player stopped
        self._phrase: Phrase | None = None
        self._returns = False

    @property
    def is_silent(self) -> bool:
        """Whether nobody plays in this bar."""
        return self._bar is not None and self._bar >= _CADENCE_BARS

    @property
    def answer(self) -> RestAnswer:
        """What the band does in this bar."""
        if self._bar is not None:
            return RestAnswer.RESTING if self.is_silent else RestAnswer.CLOSING
        return RestAnswer.SOLO if self._is_soloing else RestAnswer.NONE

    @property
    def bars_to_last(self) -> int | None:
        """In how many bars the last one before the silence comes; 0: this is it, None: none is planned."""
        return None if self._bar is None or self.is_silent else _CADENCE_BARS - 1 - self._bar

    @property
    def returns(self) -> bool:
        """Whether the band comes back from silence in this bar."""
        return self._returns

    def enter_bar(self, seconds: float, bar_seconds: float, activity: PlayerActivity | None) -> None:
        """Decide for the bar that begins at `seconds` and lasts `bar_seconds`."""
        was_silent = self.is_silent
        begin = self._begin_seconds = seconds if self._begin_seconds is None else self._begin_seconds
        rests, is_long = False, False
        if activity is not None and not activity.is_playing:
            rests = True
            is_long = seconds - max(begin, activity.since) >= self._options.bars * bar_seconds
        self._is_soloing = is_long and self._options.when_silent == SOLO
        self._gain = max(_SOFTEST, self._gain * _SOFTER_PER_BAR) if rests and not self._is_soloing else 1.0
        if self._options.when_silent != REST or not rests:
            self._bar = None
        elif self._bar is not None:
            self._bar = min(self._bar + 1, _CADENCE_BARS)
        elif is_long:
            self._bar = 0
        self._returns = was_silent and not self.is_silent

    def choose_phrase(self, phrase: Phrase, bar: int, *, has_chords: bool) -> Phrase:
        """Return the band's ending in a bar where it plays one, else the phrase itself."""
        if self._bar is None or self.is_silent:
            self._phrase = None
            return phrase
        if self._phrase is None or bar >= self._phrase.start_bar + self._phrase.bars:
            plan = plan_leading_phrase if self.bars_to_last and has_chords else plan_closing_phrase
            self._phrase = plan(
                phrase.index, phrase.key, phrase.theme, start_bar=bar, beats_per_bar=phrase.beats_per_bar
            )
        return self._phrase

    def adapt(self, parameters: MusicParameters) -> MusicParameters:
        """Return the parameters that the band plays with."""
        if not self._is_soloing:
            return parameters
        return replace(parameters, density=min(3.0, parameters.density + _SOLO_DENSITY))

    def soften_notes(self, notes: Sequence[NoteEvent], get_role: Callable[[str], str]) -> Sequence[NoteEvent]:
        """Return the notes softer, the longer the player rests, and under a solo.

        Where the form grows louder meanwhile, the band does not.
        """
        for note in notes:
            self._level += (note.velocity - self._level) / _LEVEL_NOTES if self._level else float(note.velocity)
        if self._is_soloing:
            return [note if get_role(note.part) == "melody" else _soften(note, _SOLO_ACCOMPANIMENT) for note in notes]
        if self._gain == 1.0:
            self._level_before = self._level
            return notes
        gain = self._gain
        if 0.0 < self._level_before < self._level:
            gain *= self._level_before / self._level
        return [_soften(note, gain) for note in notes]


def _soften(note: NoteEvent, gain: float) -> NoteEvent:
    return replace(note, velocity=max(SOFTEST_VELOCITY, round(note.velocity * gain)))
