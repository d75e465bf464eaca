"""A memory of the player's phrases: what he played last, and whether he is in a phrase or in a gap.

Causal and clock-free: notes come as they are known, and every question names its beat. A phrase ends where no note has
begun for some time, by the player's own pace and by the beat. Its line is the highest voice: of notes that are struck
together the highest counts, and one that lies far below the line is left-hand accompaniment.
"""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from kelly_live.core.sync_state import PlayerNote
from kelly_live.core.timebase import TempoMap

_TOGETHER_BEATS = 0.1  # notes that begin closer than this are one stroke
_BELOW_LINE = 12  # semitones; what lies further under the line accompanies it
_HEIGHT_SHARE = 0.25  # of each note in the line's height
_SOUGHT_DOWN = (
    0.5  # semitones that the line is sought lower, after each note far below it: a left hand is heard for bars
)
_PACE_NOTES = 12
_GAP_PACES = 2.0  # of his usual distance between notes, without a note, end a phrase,
_SHORTEST_GAP, _LONGEST_GAP = 1.25, 1.75  # but neither sooner nor later than this (beats)
_BREATH_BEATS = 1.75  # who plays on so soon was still in his phrase
_OWN_PACE = 0.5  # beats between notes, until his own is known
_KEPT_PHRASES = 8
_KEPT_NOTES = 96  # of one phrase: the rest of a longer one is what it began with
_LATEST_BEATS = 4.0  # of which the density is that of late


class PhraseNote(NamedTuple):
    """A note of the player's line: its beat, its MIDI note number (None: not known), its velocity."""

    beat: float
    pitch: int | None
    velocity: int


@dataclass(frozen=True, slots=True)
class PlayerPhrase:
    """A phrase of the player's, never empty; its notes in order."""

    notes: tuple[PhraseNote, ...]

    @property
    def start_beat(self) -> float:
        """Where it begins."""
        return self.notes[0].beat

    @property
    def last_beat(self) -> float:
        """Where its last note begins."""
        return self.notes[-1].beat

    def list_tails(self, beats: float) -> list[PlayerPhrase]:
        """List its ends that begin within `beats` before its last note, the longest first, of two notes at least."""
        first = next(
            index for index, note in enumerate(self.notes) if note.beat >= self.last_beat - beats - _TOGETHER_BEATS
        )
        last = max(0, len(self.notes) - 2)
        return [PlayerPhrase(self.notes[index:]) for index in range(min(first, last), last + 1)]


class PhraseMemory:
    """Remembers the player's latest phrases. Thread: the conductor's."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all."""
        self._taken: deque[PlayerNote] = deque(maxlen=_KEPT_NOTES)
        self._strokes: deque[float] = deque(maxlen=_KEPT_NOTES)  # beats of all that he struck, accompaniment too
        self._height = 0.0  # of the line: a running average of its pitches
        self._distances: deque[float] = deque(maxlen=_PACE_NOTES)
        self._gaps: deque[float] = deque(maxlen=_KEPT_PHRASES // 2)
        self._line: list[PhraseNote] = []  # of the phrase that goes on
        self._phrases: deque[PlayerPhrase] = deque(maxlen=_KEPT_PHRASES)
        self._began_beat = 0.0
        self._latest_beat = math.inf  # after it, he is expected to go on as he did there

    def expect_no_change(self, beat: float) -> None:
        """From a beat on, expect him to go on as he does there: in his phrase, or in a gap."""
        self._latest_beat = beat

    @property
    def has_notes(self) -> bool:
        """Whether anything is known of what he plays."""
        return bool(self._strokes)

    @property
    def pace_beats(self) -> float:
        """His usual distance between the notes of a phrase."""
        return statistics.median(self._distances) if self._distances else _OWN_PACE

    @property
    def gap_beats(self) -> float:
        """For how many beats nothing begins before a phrase is over."""
        return min(_LONGEST_GAP, max(_SHORTEST_GAP, _GAP_PACES * self.pace_beats))

    @property
    def expected_gap_beats(self) -> float | None:
        """How many beats he usually leaves between a phrase's last note and the next one; None: not known yet."""
        return statistics.median(self._gaps) if self._gaps else None

    @property
    def latest(self) -> PlayerPhrase | None:
        """The phrase that goes on, or the latest one that ended."""
        if self._line:
            return PlayerPhrase(tuple(self._line))
        return self._phrases[-1] if self._phrases else None

    def hear(self, notes: Sequence[PlayerNote], tempo: TempoMap) -> list[PhraseNote]:
        """Take the notes that are new among `notes`; return those that the line has gained."""
        before = self._line[-1].beat if self._line else -math.inf
        for note in notes:
            if note not in self._taken and not (self._taken and note.seconds < self._taken[-1].seconds):
                self._taken.append(note)
                self._add(PhraseNote(tempo.beat_at(note.seconds), note.pitch, note.velocity))
        return [note for note in self._line[-len(notes) :] if note.beat > before] if notes else []

    def is_playing(self, beat: float) -> bool:
        """Tell whether he is in a phrase at a beat."""
        self._end_phrase(min(beat, self._latest_beat))
        return bool(self._line)

    def measure_phrase(self, beat: float) -> float:
        """Measure for how many beats his phrase has lasted; 0 in a gap."""
        return beat - self._began_beat if self.is_playing(beat) else 0.0

    def measure_density(self, beat: float) -> float:
        """Measure how many strokes a beat he has played of late."""
        beat = min(beat, self._latest_beat)
        return sum(beat - _LATEST_BEATS <= stroke < beat for stroke in self._strokes) / _LATEST_BEATS

    def list_line(self, start_beat: float, end_beat: float) -> list[PlayerPhrase]:
        """List what of his phrases lies in [start_beat, end_beat)."""
        phrases = [*self._phrases, *([PlayerPhrase(tuple(self._line))] if self._line else [])]
        parts = (tuple(note for note in phrase.notes if start_beat <= note.beat < end_beat) for phrase in phrases)
        return [PlayerPhrase(part) for part in parts if part]

    def _add(self, note: PhraseNote) -> None:
        is_stroke = not self._strokes or note.beat - self._strokes[-1] >= _TOGETHER_BEATS
        if is_stroke:
            self._strokes.append(note.beat)
        if note.pitch is not None and note.pitch < self._height - _BELOW_LINE:
            self._height -= _SOUGHT_DOWN  # so that a line that has moved down is found again
            return
        self._end_phrase(note.beat)
        if self._line and note.beat - self._line[-1].beat < _TOGETHER_BEATS:
            if note.pitch is not None and note.pitch > (self._line[-1].pitch or 0):
                self._line[-1] = note._replace(beat=self._line[-1].beat)
                self._height += _HEIGHT_SHARE * (note.pitch - self._height)
            return
        if not self._line and self._phrases and note.beat - self._phrases[-1].last_beat < _BREATH_BEATS:
            self._line = [*self._phrases.pop().notes]
        if self._line:
            self._distances.append(note.beat - self._line[-1].beat)
        else:
            if self._phrases:
                self._gaps.append(note.beat - self._phrases[-1].last_beat)
            self._began_beat = note.beat
        if len(self._line) < _KEPT_NOTES:
            self._line.append(note)
        else:
            self._line = [*self._line[1:], note]
        if note.pitch is not None:
            self._height += (_HEIGHT_SHARE if self._height else 1.0) * (note.pitch - self._height)

    def _end_phrase(self, beat: float) -> None:
        if self._line and beat - self._line[-1].beat >= self.gap_beats:
            self._phrases.append(PlayerPhrase(tuple(self._line)))
            self._line = []
