"""Harmony that moves: a grammar a mode, phrases that open on the tonic and cadence, and a form that returns.

A phrase is 4 bars, a section two phrases (a question and its answer), a form A A' | B A''. All phrases of a letter
open with the same chords; their endings differ. Themes change every second form.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from kelly_live.domain import MODES, Scale
from kelly_live.music.dice import dice, pick
from kelly_live.music.rhythm import middle_beat
from kelly_live.music.theory import Chord, Key, chord_on, mode_scale

BARS_PER_PHRASE = 4
_PHRASES_PER_THEME = 8
# Aeolian with a leading tone: as many degrees, so that a chord of it fits a key of aeolian degree by degree.
HARMONIC_MINOR = Scale("harmonic minor", (0.0, 200.0, 300.0, 500.0, 700.0, 800.0, 1100.0))


class Place(NamedTuple):
    """A phrase's role in the form: its letter, which return of it this is, and whether it ends at home."""

    letter: str
    variation: int
    closed: bool


FORM = (Place("A", 0, False), Place("A", 1, True), Place("B", 0, False), Place("A", 2, True))


@dataclass(frozen=True, slots=True)
class Grammar:
    """A mode's harmony over degrees 0-6: `moves[a][b]` weighs the move a -> b; `home` the chords that lead to the
    tonic at a full close, `half` those that a question ends on; `colour` the chords that make the mode audible."""

    moves: Mapping[int, Mapping[int, float]]
    home: Mapping[int, float]
    half: Mapping[int, float]
    colour: tuple[int, ...]


# Weights after common practice: functional (T-S-D) in ionian and aeolian; in the others the modal cadences that avoid a
# borrowed leading tone, with the tritone chord of the mode left out except where it is the tonic (locrian).
GRAMMARS: dict[str, Grammar] = {
    "ionian": Grammar(
        {
            0: {3: 3, 5: 3, 4: 2, 1: 2, 2: 1},
            1: {4: 5, 3: 1},
            2: {5: 3, 3: 3},
            3: {4: 3, 0: 2, 1: 1.5},
            4: {0: 3, 5: 3, 3: 0.5},
            5: {3: 3, 1: 3, 4: 1, 2: 0.5},
        },
        home={4: 4, 3: 1},
        half={4: 3, 3: 1},
        colour=(3, 4),
    ),
    "dorian": Grammar(
        {
            0: {3: 5, 6: 2, 2: 1.5, 1: 1, 4: 1},
            1: {3: 2, 0: 2, 4: 1},
            2: {3: 3, 6: 2, 0: 1},
            3: {0: 4, 6: 2, 2: 1, 4: 1},
            4: {0: 2, 3: 3, 6: 1},
            6: {0: 3, 3: 3, 2: 1},
        },
        home={3: 3, 6: 2, 4: 1},
        half={3: 3, 4: 1},
        colour=(3,),
    ),
    "phrygian": Grammar(
        {
            0: {1: 5, 6: 2, 5: 2, 3: 2, 2: 1},
            1: {0: 4, 2: 2, 6: 1, 5: 1},
            2: {1: 3, 3: 1, 5: 1, 0: 1},
            3: {0: 2, 1: 3, 6: 1},
            5: {1: 3, 3: 1, 6: 1, 2: 1},
            6: {0: 3, 5: 2, 1: 2},
        },
        home={1: 5, 6: 2},
        half={1: 3, 6: 1, 3: 1},
        colour=(1,),
    ),
    "lydian": Grammar(
        {
            0: {1: 5, 5: 2, 4: 2, 2: 1, 6: 1},
            1: {0: 3, 5: 2, 4: 2, 2: 1},
            2: {5: 2, 1: 2, 0: 1},
            4: {0: 3, 1: 3, 5: 1},
            5: {1: 3, 4: 2, 2: 1, 0: 1},
            6: {2: 2, 5: 1, 0: 2},
        },
        home={1: 3, 4: 3},
        half={1: 3, 4: 2},
        colour=(1,),
    ),
    "mixolydian": Grammar(
        {
            0: {6: 5, 3: 3, 4: 1.5, 5: 1, 1: 1},
            1: {6: 2, 4: 2, 3: 1, 0: 1},
            3: {0: 4, 6: 2, 1: 1},
            4: {6: 2, 3: 2, 0: 1, 1: 1},
            5: {3: 2, 6: 2, 1: 1},
            6: {3: 4, 0: 3, 5: 0.5},
        },
        home={6: 3, 3: 3, 4: 1},
        half={6: 3, 3: 1, 4: 1},
        colour=(6,),
    ),
    # The dominant is major (see `_voiced`); the relative major's own chords (2, 6) are kept few, or the ear goes there.
    "aeolian": Grammar(
        {
            0: {3: 4, 5: 4, 4: 3, 6: 1.5, 2: 0.7},
            2: {5: 3, 3: 3},
            3: {4: 4, 0: 3, 5: 1, 6: 1},
            4: {0: 4, 5: 3, 3: 0.5},
            5: {3: 3, 4: 3, 6: 2, 0: 1, 2: 0.7},
            6: {0: 3, 5: 2, 3: 2, 4: 0.5},
        },
        home={4: 5, 3: 1.5, 6: 1},
        half={4: 4, 3: 1.5, 6: 1},
        colour=(3, 5),
    ),
    # The tonic is diminished, so the stable major chords on b2 and b5 carry the weight and the tonic passes by
    # as a half-diminished seventh.
    "locrian": Grammar(
        {
            0: {4: 3, 1: 3, 5: 2, 6: 2, 2: 1},
            1: {4: 2, 0: 2, 2: 1, 6: 1},
            2: {1: 2, 4: 1, 5: 1},
            3: {1: 2, 4: 1},
            4: {1: 3, 0: 2, 6: 1},
            5: {1: 2, 6: 2, 4: 1},
            6: {0: 3, 1: 2, 4: 2},
        },
        home={1: 3, 6: 3},
        half={4: 2, 1: 2, 6: 1},
        colour=(4, 1),
    ),
}
assert tuple(GRAMMARS) == MODES

_UNLIKELY = 0.05  # a move that the grammar lacks, where an ending leaves no other


@dataclass(frozen=True, slots=True)
class ChordSpan:
    """A chord and the beats [start_beat, end_beat) that it holds."""

    start_beat: float
    end_beat: float
    chord: Chord


@dataclass(frozen=True, slots=True)
class Phrase:
    """A planned phrase: `bars` bars from `start_bar`, its role in the form, and its chords without gaps."""

    index: int
    place: Place
    theme: int
    key: Key
    start_bar: int
    bars: int
    beats_per_bar: int
    spans: tuple[ChordSpan, ...]

    @property
    def start_beat(self) -> float:
        return float(self.start_bar * self.beats_per_bar)

    @property
    def end_beat(self) -> float:
        return float((self.start_bar + self.bars) * self.beats_per_bar)

    def span_at(self, beat: float) -> ChordSpan:
        """The chord in force at a beat; the first before the phrase, the last after it."""
        for span in self.spans:
            if beat < span.end_beat:
                return span
        return self.spans[-1]

    def chord_after(self, beat: float) -> Chord:
        """The chord that follows the one at `beat`; past the phrase's end, the tonic, where phrases begin."""
        end = self.span_at(beat).end_beat
        return self.span_at(end).chord if end < self.end_beat else tonic_chord(self.key)


def tonic_chord(key: Key) -> Chord:
    """The chord to end on: the tonic's triad, without its fifth where that is diminished (locrian)."""
    return chord_on(key, 0, fifth=key.mode != "locrian")


def plan_phrase(
    seed: int,
    index: int,
    key: Key,
    *,
    start_bar: int,
    beats_per_bar: int = 4,
    bars: int = BARS_PER_PHRASE,
    busy: bool = False,
    leads_home: bool = False,
) -> Phrase:
    """Phrase `index` of a session. `busy` splits inner bars between two chords; `leads_home` ends on a chord that
    wants the tonic, for a closing bar to follow. Where chords change does not depend on the key."""
    place = FORM[index % len(FORM)]
    theme = index // _PHRASES_PER_THEME
    opening = dice(seed, "opening", theme, place.letter)
    ending = dice(seed, "ending", index)
    grammar = GRAMMARS[key.mode]
    degrees = _degrees(grammar, place, bars, leads_home, opening, ending)

    split = dice(seed, "split", index)
    middle = float(middle_beat(beats_per_bar) or beats_per_bar - 1)
    spans: list[ChordSpan] = []
    for bar, degree in enumerate(degrees):
        start = float((start_bar + bar) * beats_per_bar)
        end = start + beats_per_bar
        splits = split.random() < 0.75 and 0 < bar < bars - 1
        if busy and splits and beats_per_bar > 1:
            passing = _between(grammar, degree, degrees[bar + 1], ending)
            spans.append(ChordSpan(start, start + middle, _voiced(key, degree, opening)))
            spans.append(ChordSpan(start + middle, end, _voiced(key, passing, ending)))
        else:
            spans.append(ChordSpan(start, end, _voiced(key, degree, opening)))
    return Phrase(index, place, theme, key, start_bar, bars, beats_per_bar, tuple(spans))


def closing_phrase(index: int, key: Key, *, start_bar: int, beats_per_bar: int) -> Phrase:
    """One bar of the tonic, to end on."""
    start = float(start_bar * beats_per_bar)
    span = ChordSpan(start, start + beats_per_bar, tonic_chord(key))
    return Phrase(index, FORM[-1], index // _PHRASES_PER_THEME, key, start_bar, 1, beats_per_bar, (span,))


def _degrees(
    grammar: Grammar, place: Place, bars: int, leads_home: bool, opening: random.Random, ending: random.Random
) -> list[int]:
    """One mode degree a bar: an opening that the letter owns, an ending that the phrase owns."""
    goes_home = place.closed and not leads_home
    last = 0 if goes_home else pick(ending, grammar.home if leads_home else grammar.half)
    if bars == 1:
        return [last]
    first = 0 if place.letter == "A" else pick(opening, grammar.moves[0])
    degrees = [first]
    while len(degrees) < bars - 2:
        degrees.append(pick(opening, grammar.moves[degrees[-1]]))
    if bars > 2:
        # The bar before the last leads into it: a full close by the mode's own cadence, a half one by the grammar.
        source = grammar.home if goes_home else dict.fromkeys(grammar.moves, 1.0)
        here = grammar.moves[degrees[-1]]
        # Two chords to and fro are not a progression: the third bar brings a third one.
        heard = {*degrees, last}
        avoid = heard if len(heard) < 3 else {degrees[-1], last}
        ways = {
            d: w * here.get(d, _UNLIKELY) * grammar.moves[d].get(last, _UNLIKELY)
            for d, w in source.items()
            if d not in avoid
        }
        if not heard & set(grammar.colour):  # the last chance for the chord that makes the mode audible
            ways = {d: w for d, w in ways.items() if d in grammar.colour} or ways
        degrees.append(pick(ending, ways or grammar.home))
    degrees.append(last)
    if bars > 2 and not set(degrees) & set(grammar.colour):
        degrees[1] = grammar.colour[0]
    return degrees


def _between(grammar: Grammar, here: int, there: int, rng: random.Random) -> int:
    """A chord to pass through on the way; `here` once more if nothing leads on."""
    return pick(
        rng,
        {d: w * grammar.moves[d].get(there, _UNLIKELY) for d, w in grammar.moves[here].items() if d != there}
        or {here: 1},
    )


def _voiced(key: Key, mode_degree: int, rng: random.Random) -> Chord:
    """A chord of the key, now and then with its seventh; the locrian tonic always, which softens its tritone. The
    dominant of minor is borrowed from the harmonic minor, whose leading tone says where home is."""
    coloured = rng.random() < 0.35
    if mode_degree == 4 and key.scale == mode_scale("aeolian"):
        return chord_on(Key(key.tonic, HARMONIC_MINOR), mode_degree, seventh=coloured)
    unstable_tonic = key.mode == "locrian" and mode_degree == 0
    return chord_on(key, key.degree_of(mode_degree), seventh=unstable_tonic or coloured)
