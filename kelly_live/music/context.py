"""The moment that a generator plays in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol, runtime_checkable

from kelly_live.core.values import MusicParameters
from kelly_live.music.forms import PRESENTATION
from kelly_live.music.harmony import ChordSpan, Phrase
from kelly_live.music.theory import Chord, Key, Note


class MelodyNote(NamedTuple):
    """A note of the tune: onset and length in beats of the session, and its pitch."""

    onset_beats: float
    duration_beats: float
    note: Note


@runtime_checkable
class MelodySource(Protocol):
    """A player whose tune the others hear, instead of the one that the seed alone decides (music/melody_line.py)."""

    def list_bar(self, parameters: MusicParameters, context: MusicContext, bar: int) -> Sequence[MelodyNote]:
        """List the notes that start in a bar of the phrase, in order; the same whoever asks."""


@dataclass(frozen=True, slots=True)
class MusicContext:
    """The musical surroundings of a slice: phrase, key, rhythm and tempo.

    Beats count from the session's start. `rhythm` is the one of RHYTHMS that the whole band plays in this phrase, and
    `bpm` the tempo in force. `closing` marks the last bar of all. `trend` says whether the emotion builds up (to 1) or
    calms down (to -1). `melody` plays the tune, where that is a player with one of its own. `upcoming` is the next
    phrase and its rhythm as they are expected in a phrase's last bar; they may come out otherwise.
    """

    seed: int
    phrase: Phrase
    rhythm: str
    bpm: float
    closing: bool = False
    trend: float = 0.0
    melody: MelodySource | None = field(default=None, compare=False)
    upcoming: tuple[Phrase, str] | None = field(default=None, compare=False)

    @property
    def key(self) -> Key:
        """The tonic and scale in force; the scale may have its own tuning."""
        return self.phrase.key

    @property
    def beats_per_bar(self) -> int:
        """The length of a bar, in beats."""
        return self.phrase.beats_per_bar

    def span_at(self, beat: float) -> ChordSpan:
        """Return the chord at a beat with the beats that it lasts."""
        return self.phrase.span_at(beat)

    def chord_at(self, beat: float) -> Chord:
        """Return the chord at a beat."""
        return self.phrase.span_at(beat).chord

    def bar_at(self, beat: float) -> int:
        """Return the bar of the session that a beat lies in, from 0."""
        return int(beat // self.beats_per_bar)

    def expect_bar(self, bar: int) -> MusicContext | None:
        """Return the context that is expected in a later bar, of this phrase or the next one; None: not known yet."""
        phrase, rhythm = self.phrase, self.rhythm
        if bar >= phrase.start_bar + phrase.bars:
            if self.upcoming is None or self.upcoming[0].start_bar != bar:
                return None
            phrase, rhythm = self.upcoming
        return replace(self, phrase=phrase, rhythm=rhythm)

    def bar_in_phrase(self, bar: int) -> int:
        """Return a bar's place in the phrase, from 0."""
        return bar - self.phrase.start_bar

    def is_last_bar(self, bar: int) -> bool:
        """Tell whether a bar ends the phrase."""
        return self.bar_in_phrase(bar) == self.phrase.bars - 1

    def is_cadence(self, bar: int) -> bool:
        """Tell whether a phrase comes to rest in a bar: its last one, but for the first half of a sentence."""
        return self.is_last_bar(bar) and self.phrase.role.build != PRESENTATION

    def phrase_fraction(self, beat: float) -> float:
        """Return how far through the phrase a beat lies, 0-1."""
        return (beat - self.phrase.start_beat) / (self.phrase.end_beat - self.phrase.start_beat)
