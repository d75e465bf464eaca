"""How the music ends: the rest of a bar that leads home where it is told to end, and a last bar as the groove closes.

Pure: beats come in, a plan goes out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from kelly_live.core.values import NoteEvent
from kelly_live.music.feel import LOUDEST_VELOCITY
from kelly_live.music.groove import Closing
from kelly_live.music.harmony import Phrase, create_leading_chord, replace_chords
from kelly_live.music.rhythm import find_middle_beat

_LEAST_LEADING_BEATS = 1.0


@dataclass(frozen=True, slots=True)
class Ending:
    """The last bar, and the beat from which the chord before it leads home (None: it does so already)."""

    closing_bar: int
    leading_beat: float | None = None

    def lead_home(self, phrase: Phrase) -> Phrase:
        """Return a phrase before the last bar as it leads there; the same object each time."""
        if self.leading_beat is None or phrase.end_beat <= self.leading_beat:
            return phrase
        return _lead_home(phrase, self.leading_beat)

    def shape_notes(self, notes: Sequence[NoteEvent], closing: Closing, beats_per_bar: int) -> Sequence[NoteEvent]:
        """Return notes as the groove closes: a break before the last bar, and the length and accent of its stroke.

        The chord that leads home has a beat at least before the break. What begins in the bar before ends there.
        """
        closing_beat = float(self.closing_bar * beats_per_bar)
        if not notes or notes[-1].onset_beats < closing_beat - beats_per_bar:
            return notes
        break_beat = closing_beat - closing.break_beats
        if self.leading_beat is not None:
            break_beat = min(closing_beat, max(break_beat, self.leading_beat + _LEAST_LEADING_BEATS))
        shaped = list[NoteEvent]()
        for note in notes:
            length = note.duration_beats
            if note.onset_beats >= closing_beat:
                length = length if closing.stroke_beats is None else min(length, closing.stroke_beats)
                velocity = min(LOUDEST_VELOCITY, round(closing.accent * note.velocity))
                shaped.append(replace(note, duration_beats=length, velocity=velocity))
            elif note.onset_beats < break_beat:
                shaped.append(replace(note, duration_beats=min(length, break_beat - note.onset_beats)))
        return shaped


def plan_ending(phrase: Phrase | None, beat: float, beats_per_bar: int, *, has_chords: bool) -> Ending:
    """Plan the ending from `beat`, before which all notes are made, and which lies in `phrase` or ends it.

    The dominant comes in the middle of this bar, else on its last beat. Where that has begun, it has a bar of its own.
    """
    bar, into = divmod(beat, beats_per_bar)
    next_bar = int(bar) + (into > 0.0)
    if phrase is None or not has_chords:
        return Ending(next_bar)
    leading = create_leading_chord(phrase.key)
    before = phrase.span_at(next_bar * beats_per_bar - 0.5).chord
    if phrase.start_beat < beat and before.degrees[:3] == leading.degrees[:3]:
        return Ending(next_bar)
    middle, last = find_middle_beat(beats_per_bar), beats_per_bar - 1
    place = next((place for place in (middle, last) if place is not None and place >= into), None)
    if place is None:
        return Ending(next_bar + 1, float(next_bar * beats_per_bar))
    return Ending(int(bar) + 1, float(bar * beats_per_bar + place))


@lru_cache(maxsize=8)
def _lead_home(phrase: Phrase, beat: float) -> Phrase:
    """Return the phrase with the chord that leads home from `beat` on."""
    start = max(beat, phrase.start_beat)
    return replace_chords(phrase, ((phrase.start_beat, None), (start, create_leading_chord(phrase.key))))
