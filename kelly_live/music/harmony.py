"""Harmony: a grammar for each mode, and phrases that open and cadence as their place in the form asks.

All phrases of a letter open with the same chords; their endings differ by whether they ask or answer (music/forms.py).

The weights of the modes sound as a mixture, so that emotions grade. A phrase's mode is a quantile of the weights from
dark to bright. Its chords lean to major or minor triads as the weights lie above or below what is usual in its mode.
Now and then a chord is borrowed from a parallel mode, as often as that mode weighs.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from kelly_live.core.values import MODES, Scale
from kelly_live.music.forms import BARS_PER_PHRASE, PhraseRole, find_arc_role
from kelly_live.music.grammar import GRAMMARS, Grammar
from kelly_live.music.groove import PLAIN, Groove
from kelly_live.music.progression import choose_between, choose_degrees, choose_opening, fit_degrees, stretch_degrees
from kelly_live.music.randomness import pick, rng_for
from kelly_live.music.rhythm import find_middle_beat
from kelly_live.music.theory import Chord, Key, build_chord, build_mode_scale
from kelly_live.music.vocabulary import load_vocabulary

# Aeolian with a leading tone: as many degrees, so that a chord of it fits a key of aeolian degree by degree.
HARMONIC_MINOR = Scale("harmonic minor", (0.0, 200.0, 300.0, 500.0, 700.0, 800.0, 1100.0))

# The modes from dark to bright: each raises one degree of the one before it.
DARK_TO_BRIGHT = ("locrian", "phrygian", "aeolian", "dorian", "mixolydian", "ionian", "lydian")
_BRIGHTNESS = {mode: float(rank - 3) for rank, mode in enumerate(DARK_TO_BRIGHT)}
COMMITMENT = 1.3  # weights are raised to this before a phrase's mode is drawn from them
_MODE_SPREAD = 0.6  # share of the mixture that the themes of a piece are spread over
_GOLDEN = 0.5 * (math.sqrt(5.0) - 1.0)
_USUAL = 0.6  # the weights of music in a mode lie this share of the way from neutral to that mode
_LEAN = 0.45  # log-odds of a major triad against none, for each mode that the weights lie brighter
_LIGHT_GRAIN = 0.25
_BORROWED = 0.55  # chance of a borrowed chord where the whole weight lay on another mode
_MAJOR, _MINOR = (4, 7), (3, 7)
# Share of the inner bars that have two chords: half of people's chords stay for two beats (vocabulary.md).
_SPLIT = {False: 0.35, True: 0.75}
_UNLISTED = 0.02  # of a row: what a move weighs that people make and the grammar lacks

_DECEIVED = 0.6  # chance of a deceptive cadence, in a groove whose answers break off
_DOMINANT = 4  # a mode degree
_CLOSE = PhraseRole("A", closed=True, energy=0.1)


@dataclass(frozen=True, slots=True)
class ChordSpan:
    """A chord and the beats [start_beat, end_beat) that it lasts."""

    start_beat: float
    end_beat: float
    chord: Chord


@dataclass(frozen=True, slots=True)
class Phrase:
    """A planned phrase: `bars` bars from `start_bar`, its role in the form, and its chords without gaps.

    `preceding` and `following` are its neighbours' roles (None: there is none), `next_chord` the triad that the next
    one begins with (None: the tonic).
    """

    index: int
    role: PhraseRole
    key: Key
    start_bar: int
    bars: int
    beats_per_bar: int
    spans: tuple[ChordSpan, ...]
    preceding: PhraseRole | None = None
    following: PhraseRole | None = None
    next_chord: Chord | None = None

    @property
    def theme(self) -> int:
        """The number of its theme, whose letters return."""
        return self.role.theme

    @property
    def occurrence(self) -> int | str:
        """What its details are drawn by: its number, or its role where it returns note for note."""
        return self.role.identify(self.index)

    @property
    def start_beat(self) -> float:
        """The beat that it begins on."""
        return float(self.start_bar * self.beats_per_bar)

    @property
    def end_beat(self) -> float:
        """The beat that it ends before."""
        return float((self.start_bar + self.bars) * self.beats_per_bar)

    def span_at(self, beat: float) -> ChordSpan:
        """Return the chord in force at a beat; the first one before the phrase, the last one after it."""
        for span in self.spans:
            if beat < span.end_beat:
                return span
        return self.spans[-1]

    def chord_after(self, beat: float) -> Chord:
        """Return the chord after the one at `beat`; past the phrase's end the next one's first."""
        end = self.span_at(beat).end_beat
        if end < self.end_beat:
            return self.span_at(end).chord
        return create_tonic_chord(self.key) if self.next_chord is None else self.next_chord


ChordChoice = tuple[float, Chord | None]  # a beat, and the chord from there on; None: the phrase's own


def replace_chords(phrase: Phrase, choices: Sequence[ChordChoice]) -> Phrase:
    """Return a phrase with the chords of the choices, each until the next; where it is None, with its own.

    The first choice stands on the phrase's first beat. The same object, if all are its own.
    """
    if all(chord is None for _, chord in choices):
        return phrase
    spans: list[ChordSpan] = []
    ends = [*(beat for beat, _ in choices[1:]), phrase.end_beat]
    for (start, chord), end in zip(choices, ends, strict=True):
        if chord is not None:
            spans.append(ChordSpan(start, end, chord))
            continue
        for span in phrase.spans:
            first, last = max(start, span.start_beat), min(end, span.end_beat)
            if first < last:
                spans.append(ChordSpan(first, last, span.chord))
    return replace(phrase, spans=tuple(spans))


def compute_brightness(modes: Sequence[float]) -> float:
    """Compute the brightness of weights over MODES, from -3 (locrian) to 3 (lydian)."""
    return sum(weight * _BRIGHTNESS[mode] for mode, weight in zip(MODES, modes, strict=True))


def choose_theme_mode(seed: int, theme: int, modes: Sequence[float]) -> str:
    """Choose the mode of a theme: a quantile of the weights from dark to bright.

    All phrases of a theme share the quantile, so that a section stays in its mode while the weights do. It lies in the
    middle part of the mixture, where a weight of a half decides; themes are spread evenly over that part. Heavier
    weights are favoured. Weights that grow brighter never give a darker mode.
    """
    draw = 0.5 + _MODE_SPREAD * ((rng_for(seed, "mode").random() + theme * _GOLDEN) % 1.0 - 0.5)
    mode_weights = {mode: modes[MODES.index(mode)] ** COMMITMENT for mode in DARK_TO_BRIGHT}
    below, total = 0.0, sum(mode_weights.values())
    for mode, weight in mode_weights.items():
        below += weight / total
        if draw < below:
            return mode
    return max(mode_weights, key=mode_weights.__getitem__)  # rounding left a crumb


def create_tonic_chord(key: Key) -> Chord:
    """Create the chord to end on: the tonic's triad, without its fifth where that is diminished (locrian)."""
    return build_chord(key, 0, fifth=key.mode != "locrian")


def plan_phrase(
    seed: int,
    index: int,
    key: Key,
    *,
    start_bar: int,
    beats_per_bar: int = 4,
    bars: int = BARS_PER_PHRASE,
    role: PhraseRole | None = None,
    preceding: PhraseRole | None = None,
    following: PhraseRole | None = None,
    busy: bool = False,
    leads_home: bool = False,
    modes: Sequence[float] | None = None,
    groove: Groove = PLAIN,
) -> Phrase:
    """Plan phrase `index` of a session, and look to where the `following` one begins.

    `role` None: that of the arc (music/forms.py), and so its neighbours. `busy` splits more of the inner bars between
    two chords. `leads_home` ends on a chord that leads to the tonic, for a closing bar to follow. `modes`, weights over
    MODES, colour a key that is one of them; None leaves the key alone. Where chords change depends on neither. Each
    `groove` has progressions of its own.
    """
    role, following = role or find_arc_role(index), following or find_arc_role(index + 1)
    preceding = preceding or (find_arc_role(index - 1) if index else None)
    theme = role.theme
    own = (groove.name,) if groove.name else ()
    opening_rng = rng_for(seed, "opening", theme, role.letter, *own)
    # A letter that returns ends as it did, an answer otherwise than a question: the loop of chords is the hook.
    ending = (theme, role.letter, role.closed and not leads_home, *own)
    ending_rng = rng_for(seed, "ending", *ending)
    mixture = modes if modes and key.scale == build_mode_scale(key.mode) else None
    grammar = _brighten_grammar(key.mode, 0.0 if mixture is None else _compute_light(key.mode, mixture))

    def open_letter(other: PhraseRole) -> int:
        return choose_opening(grammar, other, rng_for(seed, "opening", other.theme, other.letter, *own))

    next_degree = 0 if leads_home else open_letter(following)
    # Another part that opens on the tonic, too, goes on otherwise than the first one.
    taken = pick(rng_for(seed, "opening", theme, "A", *own), grammar.moves[0]) if role.is_contrast else None
    if role.degrees:
        degrees = fit_degrees(role.degrees, bars, leads_home=leads_home)
    else:
        planned_bars = bars if leads_home else BARS_PER_PHRASE
        degrees = choose_degrees(
            grammar,
            role,
            planned_bars,
            opening_rng,
            ending_rng,
            leads_home=leads_home,
            next_degree=next_degree,
            taken=taken,
        )
        degrees = degrees if len(degrees) == bars else stretch_degrees(degrees, bars)

    if groove.is_broken_off and role.closed and not leads_home and not role.degrees and ending_rng.random() < _DECEIVED:
        degrees[-1] = 5  # a deceptive cadence: the sixth degree where the tonic was due
    middle = float(find_middle_beat(beats_per_bar) or beats_per_bar - 1)
    spans: list[ChordSpan] = []
    before = degrees[0]
    for bar, degree in enumerate(degrees):
        start = float((start_bar + bar) * beats_per_bar)
        end = start + beats_per_bar
        # The bars that a letter owns split alike whenever it returns; the one before the last goes with the ending.
        leads = bar == bars - 2
        split = rng_for(seed, "split", bar, ending if leads else (theme, role.letter))
        splits = split.random() < _SPLIT[busy] and 0 < bar < bars - 1 and not role.degrees
        chord = _create_chord(key, degree, opening_rng, is_blues=bool(role.degrees))
        if splits and beats_per_bar > 1:
            # On the way to the next bar; but what leads into the ending stands right before it, its own way in first.
            departure, destination = (before, degree) if leads else (degree, degrees[bar + 1])
            between = choose_between(grammar, departure, destination, split)
            before = degree if leads else between
            passing_chord = _create_chord(key, between, split)
            first, second = (passing_chord, chord) if leads else (chord, passing_chord)
            spans.append(ChordSpan(start, start + middle, first))
            spans.append(ChordSpan(start + middle, end, second))
        else:
            before = degree
            spans.append(ChordSpan(start, end, chord))
    if mixture is not None and not role.degrees:
        for number in range(1, len(spans)):
            rng = rng_for(seed, "borrowed", *ending, number)
            spans[number] = replace(spans[number], chord=_borrow(spans[number].chord, mixture, rng))
    next_chord = create_tonic_chord(key) if next_degree == 0 else build_chord(key, key.find_degree(next_degree))
    return Phrase(index, role, key, start_bar, bars, beats_per_bar, tuple(spans), preceding, following, next_chord)


def plan_closing_phrase(index: int, key: Key, theme: int = 0, *, start_bar: int, beats_per_bar: int) -> Phrase:
    """Plan one bar of the tonic, to end on."""
    return _plan_bar(index, key, theme, create_tonic_chord(key), start_bar=start_bar, beats_per_bar=beats_per_bar)


def plan_leading_phrase(index: int, key: Key, theme: int = 0, *, start_bar: int, beats_per_bar: int) -> Phrase:
    """Plan one bar of the chord that leads to the tonic, for a closing bar to follow."""
    return _plan_bar(index, key, theme, create_leading_chord(key), start_bar=start_bar, beats_per_bar=beats_per_bar)


def _plan_bar(index: int, key: Key, theme: int, chord: Chord, *, start_bar: int, beats_per_bar: int) -> Phrase:
    start = float(start_bar * beats_per_bar)
    span = ChordSpan(start, start + beats_per_bar, chord)
    return Phrase(index, _CLOSE._replace(theme=theme), key, start_bar, 1, beats_per_bar, (span,))


def create_leading_chord(key: Key) -> Chord:
    """Create the chord that leads to the tonic best: the dominant, or what a mode without one has for it."""
    home = GRAMMARS[key.mode].home
    degree = max(home, key=lambda one: (home[one], one == _DOMINANT))
    if degree == _DOMINANT and key.scale == build_mode_scale("aeolian"):
        return build_chord(Key(key.tonic, HARMONIC_MINOR), degree)
    return build_chord(key, key.find_degree(degree))


@lru_cache(maxsize=16)
def blend_grammar(mode: str) -> Grammar:
    """Blend a mode's grammar with the vocabulary's moves by their geometric mean.

    Without a vocabulary the grammar stays as it is. Chords that the grammar never enters stay out: they blur the mode.
    """
    tables, grammar = load_vocabulary(), GRAMMARS[mode]
    if tables is None:
        return grammar
    learned_moves = tables.moves(mode)
    moves: dict[int, dict[int, float]] = {}
    for departure, row in grammar.moves.items():
        total = sum(row.values())
        moves[departure] = {
            destination: math.sqrt(
                max(row.get(destination, 0.0) / total, _UNLISTED)
                * learned_moves.get(departure, {}).get(destination, _UNLISTED)
            )
            for destination in grammar.moves
            if destination != departure
        }
    return Grammar(moves, grammar.home, grammar.half, grammar.colour)


def _compute_light(mode: str, modes: Sequence[float]) -> float:
    """Compute how much brighter the weights are than is usual in a mode, in coarse steps."""
    return round((compute_brightness(modes) - _USUAL * _BRIGHTNESS[mode]) / _LIGHT_GRAIN) * _LIGHT_GRAIN


@lru_cache(maxsize=256)
def _brighten_grammar(mode: str, light: float) -> Grammar:
    """Return a mode's grammar with other chances of its triads.

    `light` over 0 makes major triads likelier, under 0 minor and diminished ones.     The tonic and the dominant of
    minor, whose third leads home and carries no mood, stay as they are.
    """
    key, grammar = Key(0, build_mode_scale(mode)), blend_grammar(mode)

    def weigh_kind(degree: int) -> float:
        if degree == 0 or (degree == 4 and mode == "aeolian"):
            return 0.0
        return {_MAJOR: 1.0, _MINOR: -1.0}.get(_measure_triad(key, degree), -2.0)

    def reweigh(weights: Mapping[int, float]) -> dict[int, float]:
        return {degree: weight * math.exp(_LEAN * light * weigh_kind(degree)) for degree, weight in weights.items()}

    moves = {departure: reweigh(destinations) for departure, destinations in grammar.moves.items()}
    return Grammar(moves, reweigh(grammar.home), reweigh(grammar.half), grammar.colour)


def _measure_triad(key: Key, degree: int) -> tuple[int, int]:
    """Return the semitones of a degree's third and fifth above it."""
    root, third, fifth = (key.note(degree + step).pitch for step in (0, 2, 4))
    return third - root, fifth - root


def _borrow(chord: Chord, modes: Sequence[float], rng: random.Random) -> Chord:
    """Return the chord, or now and then the major or minor one that a parallel mode has on its degree.

    Darker modes lend what they have (iv, bVI, bVII; bII in place of iv), brighter ones only chords on roots of the key
    (IV, ii). The rest of the scale is unchanged; the tonic and the dominant are never replaced, so that no phrase of
    minor closes on a major tonic that nothing prepared.
    """
    key, degree, chance = chord.key, chord.root, rng.random()
    own_mode = key.scale.name
    if own_mode not in _BRIGHTNESS or degree in (0, 4):
        return chord
    for mode, weight in zip(MODES, modes, strict=True):
        chance -= _BORROWED * weight * (mode != own_mode)
        if chance < 0.0:
            return _find_borrowed_chord(chord, mode)
    return chord


def _find_borrowed_chord(chord: Chord, mode: str) -> Chord:
    """Return what another mode has in a chord's place, or the chord itself where players do not borrow it."""
    key, degree = chord.key, chord.root
    own_degrees, mode_degrees = key.scale.degrees_cents, build_mode_scale(mode).degrees_cents
    darker = _BRIGHTNESS[mode] < _BRIGHTNESS[key.scale.name]
    if darker and degree == 3 and mode_degrees[1] < 200.0:
        degree = 1  # the Neapolitan
    quality = _measure_triad(Key(key.tonic, build_mode_scale(mode)), degree)
    if quality not in (_MAJOR, _MINOR):
        return chord
    if not darker and mode_degrees[degree] != own_degrees[degree]:
        return chord
    seventh = len(chord.degrees) > 3 and mode_degrees[1] == 200.0
    tones = {(degree + third) % 7 for third in (0, 2, 4, 6)[: 3 + seventh]}
    borrowed_degrees = tuple(
        b if at in tones else a for at, (a, b) in enumerate(zip(own_degrees, mode_degrees, strict=True))
    )
    if borrowed_degrees == own_degrees:
        return chord
    return build_chord(
        Key(key.tonic, Scale(f"{key.scale.name} with {mode}", borrowed_degrees)), degree, seventh=seventh
    )


def _create_chord(key: Key, mode_degree: int, rng: random.Random, *, is_blues: bool = False) -> Chord:
    """Return a chord of the key, now and then with its seventh; in a blues in major always, and that a minor one.

    The locrian tonic always has it, which softens its tritone. The dominant of minor comes from the harmonic minor,
    whose leading tone leads home.
    """
    has_seventh = rng.random() < 0.35
    is_plain = key.scale.degrees_cents == build_mode_scale(key.mode).degrees_cents  # also a tradition's own name of it
    if is_blues and is_plain and _measure_triad(key, 0) == _MAJOR:
        return _create_dominant_seventh(key, mode_degree)
    if mode_degree == 4 and key.scale == build_mode_scale("aeolian"):
        return build_chord(Key(key.tonic, HARMONIC_MINOR), mode_degree, seventh=has_seventh)
    unstable_tonic = key.mode == "locrian" and mode_degree == 0
    return build_chord(key, key.find_degree(mode_degree), seventh=unstable_tonic or has_seventh)


def _create_dominant_seventh(key: Key, degree: int) -> Chord:
    """Create the dominant seventh chord on a degree: its third major, its seventh minor."""
    degrees = list(key.scale.degrees_cents)
    root = degrees[degree]
    for above, cents in ((2, 400.0), (4, 700.0), (6, 1000.0)):
        degrees[(degree + above) % 7] = (root + cents) % 1200.0
    return build_chord(Key(key.tonic, Scale(f"{key.scale.name} with blues", tuple(degrees))), degree, seventh=True)
