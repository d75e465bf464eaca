"""A tradition's melody from its own habits: where notes fall in its measure, and which tone leads to which.

Two measured habits meet in one table of moves between the tones of the ladder: how long each degree sounds, and how
often each interval is taken. The table is the least prejudiced one that keeps both (iterative proportional fitting,
Deming & Stephan 1940). The first note of each bar is an anchor; the notes between two anchors are drawn by the table
under the condition that they arrive, so a bar depends on its neighbours' anchors alone. What phrases do to the habits
(they rest long, and lead there; chords pull, downbeats last, a piece closes on its tonic) is worked out on rhythms and
chords of phrases as they are played, and made up for, so that the whole keeps what was measured.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kelly_live.core.pitch import octave_distance_cents
from kelly_live.core.values import MODES, ORNAMENTS, RHYTHMS, CultureStyle, Metre, MusicParameters, Register, Scale
from kelly_live.music.context import MusicContext
from kelly_live.music.feel import phrase_arc
from kelly_live.music.harmony import BARS_PER_PHRASE, FORM, Phrase, plan_phrase
from kelly_live.music.randomness import rng_for
from kelly_live.music.rhythm import PACE, beat_strength, middle_beat, ranked_places, wanted
from kelly_live.music.theory import Chord, Key, mode_scale

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int_]

_ROUNDS = 15  # of the fitting, each time: the margins are then within a percent
_MOST_AHEAD = 48  # moves; further ahead than this an anchor is no constraint
_SPREAD = 0.55  # of half the register: one standard deviation of how far the melody strays from its centre
_HABIT_CENTS = 260.0  # where nobody measured the steps: small ones, each this much larger is e times rarer
_REPEAT = 0.35  # and a repeated tone is this much rarer than the smallest step
_LEAST = 1e-5
_HARDLY = 1e-6  # of a move's chance, where nobody measured such a step: only if nothing else arrives
_MAKING_UP = 6  # rounds of comparing what phrases are expected to hold with what was measured
_MOST_MADE_UP = 4.0  # times as often, or as rarely, as measured
_FELT = 0.6  # of a felt density's ratio to the usual one, as a power: the tradition's pace gives way, but not wholly
_USUAL_FORMS = 8  # looked at, to know what phrases do to the habits
_PHRASES_A_PIECE = 16  # and how often one closes: four forms of 16 bars
_DENSITY_GRAIN = 1.25  # the ladder is made for the density's nearest power of this
_USUAL_DENSITY = 0.8  # what the mapper asks for when nothing much is felt
_NARROWEST = 14.0  # semitones; a narrower register would lose tones of the scale
LONGEST_NOTE = 8.0  # beats; what is left of a longer one is silence
_HARMONY_TONES = 7
_CHORD_CENTS = 60.0  # a tone this near to a chord's counts as the chord's
_OFF_CHORD = 0.12  # of the chance, for a bar's first tone that the chord lacks
_ORNAMENT_BEATS = 0.09


class Placed(NamedTuple):
    """A note of the line: its place in the bar and length in beats, and its step on the style's ladder."""

    position: float
    length: float
    step: int


def metre_of(style: CultureStyle | None, seed: int) -> Metre | None:
    """The metre of a whole session, by the tradition's shares; None where it has none of its own."""
    if style is None or not style.metres:
        return None
    if len(style.metres) == 1:
        return style.metres[0]
    weights = [metre.share + 1e-9 for metre in style.metres]
    return rng_for(seed, "metre").choices(style.metres, weights)[0]


def metre_in(style: CultureStyle | None, context: MusicContext) -> Metre | None:
    """The session's metre, if the conductor's bar is made of it (it is not where a style came in mid-session)."""
    metre = metre_of(style, context.seed)
    return metre if metre is not None and metre.bar_beats == context.beats_per_bar else None


def in_phrase(parameters: MusicParameters, seed: int, index: int) -> MusicParameters:
    """What phrase `index` is told: at less than full strength only so many phrases, evenly spread, are in the
    tradition's scale; the others are in the feeling's own mode, with what else the tradition has.
    """
    style = parameters.style
    if style is None or style.scale is None or style.strength >= 1.0:
        return parameters
    begun = rng_for(seed, "phrases in the scale").random()
    if math.floor((index + 1) * style.strength + begun) > math.floor(index * style.strength + begun):
        return parameters
    return replace(parameters, scale=None, style=replace(style, scale=None, degree_weights=(), intervals=()))


def group_starts(metre: Metre | None, beats_per_bar: int, bar: int = 0) -> tuple[float, ...]:
    """Where the groups of each measure of a bar begin, beats from its start; every beat where there is no metre."""
    if metre is None:
        return tuple(float(beat) for beat in range(beats_per_bar))
    units = list(accumulate((0, *metre.groups[:-1])))
    starts = [n * metre.beats + unit * metre.unit_beats for n in range(metre.cycles_per_bar) for unit in units]
    first = bar % metre.bars_per_cycle * beats_per_bar
    return tuple(start - first for start in starts if first - 1e-6 <= start < first + beats_per_bar - 1e-6)


def accent(metre: Metre | None, beat: float, beats_per_bar: int) -> float:
    """Metrical weight 0-1 of a beat of the session: the downbeat, the groups, the units, and what lies between."""
    position = beat % beats_per_bar
    if metre is None:
        return beat_strength(position, beats_per_bar)
    place = beat % (metre.bars_per_cycle * beats_per_bar) % metre.beats
    if min(place, metre.beats - place) < 1e-6:
        return 1.0
    if any(abs(position - start) < 1e-6 for start in group_starts(metre, beats_per_bar, int(beat // beats_per_bar))):
        return 0.85
    unit = place / metre.unit_beats
    return 0.6 if abs(unit - round(unit)) < 1e-6 else 0.4


def harmonic_scale(style: CultureStyle) -> Scale | None:
    """The scale that a key stands on: the style's own; under chords its seven weightiest degrees, for a triad needs
    neighbours to skip.
    """
    scale = style.scale
    if scale is None or not style.has_chords or len(scale.degrees_cents) <= _HARMONY_TONES:
        return scale
    weights = style.degree_weights or (1.0,) * len(scale.degrees_cents)
    by_weight = sorted(range(1, len(weights)), key=lambda degree: -weights[degree])
    kept = sorted((0, *by_weight[: _HARMONY_TONES - 1]))
    return Scale(scale.name, tuple(scale.degrees_cents[degree] for degree in kept))


def melody_key(style: CultureStyle, context: MusicContext) -> Key:
    """The key that the melody walks on: all of the style's tones."""
    return context.key if style.scale is None else Key(context.key.tonic, style.scale)


def register_of(parameters: MusicParameters) -> Register:
    """Half-way between the feeling's register and the tradition's (less far at less strength), in whole semitones, wide
    enough for the scale.
    """
    own, style = parameters.register, parameters.style
    other = own if style is None or style.register is None else style.register
    share = 0.5 if style is None else 0.5 * style.strength
    low, centre, high = (
        round((1.0 - share) * getattr(own, end) + share * getattr(other, end)) for end in ("low", "centre", "high")
    )
    missing = max(0.0, _NARROWEST - (high - low)) / 2.0
    low, high = max(0, math.floor(low - missing)), min(127, math.ceil(high + missing))
    return Register(low, min(high, max(low, centre)), high)


def swung(beat: float, ratio: float) -> float:
    """A beat with its second half begun late, `ratio` to 1; places of a beat in thirds stay."""
    whole, part = divmod(beat, 1.0)
    quarters = part * 4.0
    if ratio == 1.0 or abs(quarters - round(quarters)) > 0.02:
        return beat
    late = ratio / (1.0 + ratio)
    return whole + (part * 2.0 * late if part <= 0.5 else late + (part - 0.5) * 2.0 * (1.0 - late))


# ---------------------------------------------------------------- where notes fall


def bar_profile(metre: Metre, part: str | None = None, bar: int = 0) -> tuple[float, ...]:
    """The chance of an onset at evenly spaced places of the conductor's bar, which may be a part of a long measure."""
    found = next((profile for name, profile in metre.parts if name == part), None) if part else metre.profile
    profile, bars = found or metre.profile, metre.bars_per_cycle
    if bars == 1:
        return profile * metre.cycles_per_bar
    if len(profile) % bars:  # a measure in so few places that bars would cut them
        profile = tuple(chance for chance in profile for _ in range(bars))
    each = len(profile) // bars
    return profile[bar % bars * each :][:each]


@lru_cache(maxsize=512)
def places(parameters: MusicParameters, context: MusicContext, bar: int) -> tuple[float, ...]:
    """Where the melody sounds in a bar, rising, beats from its start. More density only adds places."""
    assert parameters.style is not None
    return _places(parameters.style, parameters.density, context, bar)


def _places(style: CultureStyle, density: float, context: MusicContext, bar: int) -> tuple[float, ...]:
    per_bar = context.beats_per_bar
    if context.closing:
        return (0.0,)
    metre, in_phrase, last = metre_in(style, context), context.bar_in_phrase(bar), context.is_last_bar(bar)
    felt = (max(density, 0.02) / _USUAL_DENSITY) ** _FELT
    motif = 2 if last else in_phrase % 2
    name = ("idiom rhythm", context.phrase.theme, context.phrase.place.letter, motif)
    if metre is None:
        count = (style.density * felt if style.density else density) * per_bar * PACE[context.rhythm]
        ranks = ranked_places(context.rhythm, per_bar, rng_for(context.seed, *name), freedom=0.4)
        found = sorted(ranks[: max(1, wanted(count, in_phrase))])
    else:
        chances = bar_profile(metre, bar=bar)
        grain = per_bar / len(chances)
        thrown = _raised(chances, sum(chances) * felt)
        throws = _throws(context, bar, len(thrown))
        found = [
            cell * grain for cell, (chance, throw) in enumerate(zip(thrown, throws, strict=True)) if throw < chance
        ]
    if last:
        rest = _rest(metre, per_bar, bar, closed=context.phrase.place.closed)
        found = sorted({place for place in found if place < rest} | {rest})
    return tuple(found or (0.0,))


def _throws(context: MusicContext, bar: int, cells: int) -> list[float]:
    """A throw in [0, 1) for each place of a bar. The bars of a phrase, and the letters of a form, share one throw,
    turned by halves and quarters: where one of them is silent the other one sounds, and together they keep the
    measure's chances better than throws of their own would.
    """
    phrase, in_phrase = context.phrase, context.bar_in_phrase(bar)
    if context.is_last_bar(bar):
        return list(_thrown(cells, context.seed, "idiom rhythm", phrase.theme, phrase.place.letter, 2))
    turn = 0.5 * (in_phrase % 2) + 0.25 * (phrase.place.letter != FORM[0].letter)
    return [(throw + turn) % 1.0 for throw in _thrown(cells, context.seed, "idiom rhythm", phrase.theme)]


@lru_cache(maxsize=512)
def _thrown(count: int, seed: int, what: str, *index: object) -> tuple[float, ...]:
    rng = rng_for(seed, what, *index)
    return tuple(rng.random() for _ in range(count))


def _rest(metre: Metre | None, per_bar: int, bar: int, *, closed: bool) -> float:
    """Where a phrase comes to rest in its last bar: an answer on a strong place past its middle, a question on the last
    one.
    """
    starts = [start for start in group_starts(metre, per_bar, bar) if start >= per_bar / 2.0]
    if metre is None:
        return float(middle_beat(per_bar) or per_bar - 1)
    if not starts:  # a measure of one group
        return float(per_bar // 2)
    return starts[-1] if not closed else starts[0] if per_bar <= 8 else starts[len(starts) // 2]


@lru_cache(maxsize=256)
def _raised(chances: tuple[float, ...], total: float) -> tuple[float, ...]:
    """The chances, all made likelier or all less likely (by one shift of their log odds), so that they sum to
    `total`; what never happens still never does.
    """
    odds = [math.log(chance / (1.0 - chance)) for chance in (min(0.995, max(1e-6, c)) for c in chances)]
    possible = [odd if chance > 0.0 else None for odd, chance in zip(odds, chances, strict=True)]
    aim = min(total, 0.97 * sum(chance > 0.0 for chance in chances))
    low, high = -14.0, 14.0

    def moved(shift: float) -> tuple[float, ...]:
        return tuple(0.0 if odd is None else 1.0 / (1.0 + math.exp(-odd - shift)) for odd in possible)

    for _ in range(40):
        middle = (low + high) / 2.0
        low, high = (middle, high) if sum(moved(middle)) < aim else (low, middle)
    return moved((low + high) / 2.0)


# ---------------------------------------------------------------- which tones


@dataclass(frozen=True, slots=True)
class Ladder:
    """The steps of a register, and how a melody moves on them: `ahead[k]` is `[n, n]`, the chance to be at a step after
    k + 1 moves; `weight` `[n]` how much a step is sounded.
    """

    steps: tuple[int, ...]
    weight: Floats
    ahead: tuple[Floats, ...]

    def arriving(self, moves: int) -> Floats:
        return self.ahead[min(moves, len(self.ahead)) - 1]


class Course(NamedTuple):
    """What the places of a session's notes depend on: its metre (None: its rhythm), and the density, in grains."""

    metre: Metre | None
    per_bar: int
    rhythm: str
    density: float


def course_of(parameters: MusicParameters, context: MusicContext) -> Course:
    """The course of this session's phrases, as it is felt now."""
    metre = metre_in(parameters.style, context)
    grains = round(math.log(max(parameters.density, 0.02) / _USUAL_DENSITY) / math.log(_DENSITY_GRAIN))
    rhythm = context.rhythm if metre is None else RHYTHMS[0]  # which a metre does not ask for
    return Course(metre, context.beats_per_bar, rhythm, _USUAL_DENSITY * _DENSITY_GRAIN**grains)


@lru_cache(maxsize=32)
def ladder(style: CultureStyle, key: Key, register: Register, course: Course) -> Ladder:
    """The ladder of a register, fitted so that phrases of that course keep the style's degrees and intervals."""
    steps = tuple(key.steps_within(register.low, register.high))
    cents, degrees = np.array([key.cents(step) for step in steps]), np.array([step % key.size for step in steps])
    weights = np.array(style.degree_weights or (1.0 / key.size,) * key.size) + _LEAST
    sigma = _SPREAD * 50.0 * (register.high - register.low)
    bell = np.exp(-0.5 * ((cents - 100.0 * register.centre) / max(sigma, 100.0)) ** 2)
    table, kind, shares = _possible(style, cents, degrees, weights, bell)
    present = np.bincount(degrees, minlength=key.size) > 0
    held = np.bincount(kind.ravel(), minlength=len(shares)) > 0
    wanted_degrees = np.where(present, weights, 0.0) / weights[present].sum()
    wanted_steps = np.where(held, shares, 0.0) / shares[held].sum()
    usual = _usual(style, key, register, course)
    asked_degrees, asked_steps = wanted_degrees, wanted_steps
    for _ in range(_MAKING_UP):
        table = _fitted(table, kind, degrees, asked_degrees, asked_steps)
        sounding, moves = _expected(table / table.sum(axis=1, keepdims=True), usual)
        asked_degrees = _made_up(asked_degrees, wanted_degrees, np.bincount(degrees, sounding, key.size))
        if style.intervals:
            heard = np.bincount(kind.ravel(), moves.ravel(), len(shares))
            asked_steps = _made_up(asked_steps, wanted_steps, heard)
    table = _fitted(table, kind, degrees, asked_degrees, asked_steps)
    chances = table / table.sum(axis=1, keepdims=True)
    return Ladder(steps, table.sum(axis=1) / table.sum(), tuple(_powers(chances, _MOST_AHEAD)))


def _powers(chances: Floats, most: int) -> list[Floats]:
    """What is ahead after 1, 2, … `most` moves."""
    ahead = [chances]
    while len(ahead) < most:
        ahead.append(ahead[-1] @ chances)
    return ahead


def _made_up(asked: Floats, wanted: Floats, expected: npt.NDArray[Any]) -> Floats:
    """What to ask for next, where `asked` led to `expected` instead of what was `wanted`."""
    share = expected / max(float(expected.sum()), 1e-9)
    ratio = np.where(wanted > 0.0, wanted / np.maximum(share, 1e-9), 0.0)
    moved = np.clip(asked * np.sqrt(ratio), wanted / _MOST_MADE_UP, wanted * _MOST_MADE_UP)
    return np.asarray(moved / moved.sum(), dtype=np.float64)


def _possible(
    style: CultureStyle, cents: Floats, degrees: npt.NDArray[np.int_], weights: Floats, bell: Floats
) -> tuple[Floats, npt.NDArray[np.int_], Floats]:
    """The moves `[n, n]` to begin the fitting with, which of the measured steps each of them is, and their shares."""
    leap = cents[None, :] - cents[:, None]
    table = np.outer(weights[degrees] * bell, weights[degrees] * bell)
    if style.intervals:
        sizes = np.array([size for size, _ in style.intervals])
        shares = np.array([share for _, share in style.intervals]) + _LEAST
        kind = np.abs(leap[:, :, None] - sizes).argmin(axis=2)
        # A step between two measured sizes belongs to the nearer one; one that is near none is hardly taken.
        table *= np.where(np.abs(leap - sizes[kind]) <= 60.0, 1.0, _HARDLY)
    else:
        table *= np.exp(-np.abs(leap) / _HABIT_CENTS) * np.where(leap == 0.0, _REPEAT, 1.0)
        kind, shares = np.zeros(leap.shape, dtype=int), np.ones(1)
    return np.maximum(table / table.sum(), 1e-12), kind, shares


def _fitted(
    table: Floats, kind: npt.NDArray[np.int_], degrees: npt.NDArray[np.int_], of_degrees: Floats, of_steps: Floats
) -> Floats:
    """`[n, n]` shares of moves, whose margins are the degrees' shares and whose steps are the intervals'."""
    for _ in range(_ROUNDS):
        sums = np.bincount(kind.ravel(), weights=table.ravel(), minlength=len(of_steps))
        table = table * (of_steps / np.maximum(sums, 1e-15))[kind]
        rows = np.bincount(degrees, weights=table.sum(axis=1), minlength=len(of_degrees))
        table *= (of_degrees / np.maximum(rows, 1e-15))[degrees][:, None]
        # What comes in goes out: a line that never ends is at each tone as often as it leaves it.
        flow = np.sqrt(np.maximum(table.sum(axis=1), 1e-15) / np.maximum(table.sum(axis=0), 1e-15))
        table *= flow[None, :] / flow[:, None]
    return np.asarray(table / table.sum(), dtype=np.float64)


class Usual(NamedTuple):
    """Phrases of a course, `[f]` of them in `[b]` bars: the places on the ladder that each comes from and rests at;
    how its bars lean `[f, b, n]`, how many moves each has `[f, b]`, how long each note is `[f, b, m]` (beats); the bars
    in order, those with the most moves first; the place that pieces close on, how often, and for how long.
    """

    before: Places
    rests: Places
    tilts: Floats
    moves: Places
    lengths: Floats
    longest: Places
    home: int
    closes: float
    closing_beats: float


def _usual(style: CultureStyle, key: Key, register: Register, course: Course) -> Usual:
    """Forms of several sessions as they are played in a course, with the rhythms and the chords that they have."""
    steps = tuple(key.steps_within(register.low, register.high))
    home = _place_of(0, steps, key, register)
    asked = [_place_of(degree, steps, key, register) for degree in _questions(style, key.size)] or [home]
    # The questions of a form ask in turn, and the next form the other way round.
    rests = np.array([
        home if place.closed else asked[(n // 2 + form) % len(asked)]
        for form in range(_USUAL_FORMS) for n, place in enumerate(FORM)
    ])  # fmt: skip
    bars = _usual_places(replace(style, metres=() if course.metre is None else (course.metre,)), course)
    moves = np.array([[len(bar) for bar in phrase] for phrase in bars])
    lengths = np.zeros((*moves.shape, moves.max()))
    for phrase, in_phrase in np.ndindex(*moves.shape):
        onsets = bars[phrase][in_phrase]
        lengths[phrase, in_phrase, : len(onsets)] = np.minimum(np.diff([*onsets, course.per_bar]), LONGEST_NOTE)
    moves[:, -1] -= 1  # the last note is where the others arrive
    fractions = (np.arange(BARS_PER_PHRASE) + 0.5) / BARS_PER_PHRASE
    tilts = np.stack([_tilt(key, steps, register, fraction) for fraction in fractions])[None]
    harmony = harmonic_scale(style)
    if style.has_chords and harmony is not None:
        tilts = tilts * _usual_fits(key.scale, harmony)[:, :, np.array(steps) % key.size]
    return Usual(
        before=np.roll(rests, 1),
        rests=rests,
        tilts=np.broadcast_to(tilts, (*moves.shape, len(steps))),
        moves=moves,
        lengths=lengths,
        longest=np.argsort(-moves.ravel(), kind="stable"),
        home=home,
        closes=len(rests) / _PHRASES_A_PIECE,
        closing_beats=min(course.per_bar, LONGEST_NOTE),
    )


@lru_cache(maxsize=32)
def _usual_places(style: CultureStyle, course: Course) -> tuple[tuple[tuple[float, ...], ...], ...]:
    """Where the notes of usual phrases fall, bar by bar; `style` has no metre but the course's."""
    found = []
    form = _form(0, Key(0, mode_scale(MODES[0])), course.per_bar)
    for seed, phrase in itertools.product(range(_USUAL_FORMS), form):
        context = MusicContext(seed=seed, phrase=phrase, rhythm=course.rhythm, bpm=100.0)
        bars = range(phrase.start_bar, phrase.start_bar + phrase.bars)
        found.append(tuple(_places(style, course.density, context, bar) for bar in bars))
    return tuple(found)


@lru_cache(maxsize=32)
def _usual_fits(scale: Scale, harmony: Scale) -> Floats:
    """How the chords of usual phrases lean towards the degrees of a scale, `[f, b, degree]`."""
    key, degrees = Key(0, scale), tuple(range(len(scale.degrees_cents)))
    phrases = itertools.chain.from_iterable(_form(seed, Key(0, harmony), 4) for seed in range(_USUAL_FORMS))
    chords = [[phrase.span_at(4.0 * (phrase.start_bar + n)).chord for n in range(phrase.bars)] for phrase in phrases]
    fits = {chord: _fits(key, degrees, chord) for phrase in chords for chord in phrase}
    return np.array([[fits[chord] for chord in phrase] for phrase in chords])


def _form(seed: int, key: Key, per_bar: int) -> list[Phrase]:
    """The phrases of a session's first form."""
    return [
        plan_phrase(seed, n, key, start_bar=BARS_PER_PHRASE * n, beats_per_bar=per_bar) for n in range(len(FORM))
    ]  # fmt: skip


def _expected(chances: Floats, usual: Usual) -> tuple[Floats, Floats]:
    """What the phrases hold: of the time each step `[n]`, and of the moves each `[n, n]`. Drawn as in `line`: anchors
    first, each under the condition that the rest is reached, then the notes between two of them under the condition
    that these are: what was gone times what is to go.
    """
    (phrases, bars), n = usual.moves.shape, len(chances)
    ahead = np.stack([np.eye(n), *_powers(chances, _MOST_AHEAD)])
    resting = ahead.transpose(0, 2, 1)  # [k, rest, n]: the chance to rest there, k moves from each step
    left = np.minimum(usual.moves[:, ::-1].cumsum(axis=1)[:, ::-1], _MOST_AHEAD)
    here = _shared(chances[usual.before] * usual.tilts[:, 0] * resting[left[:, 0], usual.rests])
    moved = np.zeros((n, n))
    np.add.at(moved, usual.before, here)
    since, goals = np.empty((phrases, bars, n)), np.empty((phrases, bars, n))
    for bar in range(bars):
        goal = np.eye(n)[usual.rests]
        if bar + 1 < bars:  # the next bar's anchor, or the rest itself
            there = left[:, bar + 1]
            goal = np.where(there[:, None] > 0, usual.tilts[:, bar + 1] * resting[there, usual.rests], goal)
        through = ahead[np.minimum(usual.moves[:, bar], _MOST_AHEAD)]
        gone = here / np.maximum((through @ goal[:, :, None])[:, :, 0], 1e-300)
        since[:, bar], goals[:, bar] = gone, goal
        here = _shared((gone[:, None] @ through)[:, 0] * goal)
    # All bars at once, those with the most moves first, so that those that are still under way are first rows.
    counts, lengths = usual.moves.ravel()[usual.longest], usual.lengths.reshape(phrases * bars, -1)[usual.longest]
    gone, ways = since.reshape(-1, n)[usual.longest], [goals.reshape(-1, n)[usual.longest]]
    while len(ways) <= counts[0]:
        ways.append(ways[-1] @ chances.T)
    to_go, rows, time = np.stack(ways), np.arange(len(counts)), np.zeros(n)
    for move in range(counts[0]):
        on = int(np.searchsorted(-counts, -move))
        gone, rest = gone[:on], counts[:on] - move
        time += np.einsum("f,fn,fn->n", lengths[:on, move], gone, to_go[rest, rows[:on]])
        moved += chances * (gone.T @ to_go[rest - 1, rows[:on]])
        gone = gone @ chances
    np.add.at(time, usual.rests, usual.lengths[np.arange(phrases), -1, usual.moves[:, -1]])
    time[usual.home] += usual.closes * usual.closing_beats
    moved[usual.home, usual.home] += usual.closes
    return time, moved


def _shared(chances: Floats) -> Floats:
    """Each row's shares."""
    return np.asarray(chances / np.maximum(chances.sum(axis=1, keepdims=True), 1e-300), dtype=np.float64)


def _return(context: MusicContext, bar: int) -> tuple[object, ...]:
    """What a bar's tones are thrown by: the first bar of a phrase returns with its letter, the others are varied."""
    phrase, in_phrase = context.phrase, context.bar_in_phrase(bar)
    return phrase.theme, phrase.place.letter, in_phrase, phrase.index if in_phrase else "opening"


def _drawn(chances: Floats, throw: float) -> int:
    """The place that a throw in [0, 1) falls on; the likeliest if nothing is possible."""
    sums = np.cumsum(chances)
    return min(len(chances) - 1, bisect_right(sums.tolist(), throw * float(sums[-1]))) if sums[-1] > 0.0 else 0


@lru_cache(maxsize=64)
def line(parameters: MusicParameters, context: MusicContext, bar: int) -> tuple[Placed, ...]:
    """The melody of one bar of the phrase, in a style that has a scale."""
    style = parameters.style
    assert style is not None
    register, phrase = register_of(parameters), context.phrase
    key = melody_key(style, context)
    rungs = ladder(style, key, register, course_of(parameters, context))
    here, in_phrase = places(parameters, context, bar), context.bar_in_phrase(bar)
    last = context.is_last_bar(bar)
    moves_by_bar = tuple(
        len(places(parameters, context, phrase.start_bar + n)) - (n == phrase.bars - 1) for n in range(phrase.bars)
    )
    anchors = _anchors(parameters, key, register, context, moves_by_bar)
    now = anchors[min(in_phrase, len(anchors) - 1)]
    following = anchors[min(in_phrase + 1, len(anchors) - 1)]
    rng = rng_for(context.seed, "idiom line", *_return(context, bar))
    at = [following if last and len(here) == 1 else now]
    # The last note of the phrase is its goal; in other bars the goal is the next bar's first note.
    moves = len(here) - 1 if last else len(here)
    table = rungs.ahead[0]
    for done in range(1, len(here)):
        left = moves - done
        chances = table[at[-1]] * rungs.arriving(left)[:, following] if left > 0 else table[at[-1]]
        throw = rng.random()
        at.append(following if last and left <= 0 else _drawn(chances, throw))
    ends = [*here[1:], float(context.beats_per_bar)]
    return tuple(
        Placed(position, end - position, rungs.steps[index])
        for position, end, index in zip(here, ends, at, strict=True)
    )


@lru_cache(maxsize=64)
def _anchors(
    parameters: MusicParameters, key: Key, register: Register, context: MusicContext, moves: tuple[int, ...]
) -> tuple[int, ...]:
    """For each bar of the phrase the place on the ladder that it begins with, then where the phrase comes to rest;
    `moves` is how many there are from each bar's anchor to the next.
    """
    style = parameters.style
    assert style is not None
    rungs, phrase = ladder(style, key, register, course_of(parameters, context)), context.phrase
    rest = _resting(style, key, register, context, phrase.index)
    if context.closing:
        return rest, rest
    found: list[int] = []
    before = _resting(style, key, register, context, phrase.index - 1)
    for bar in range(phrase.bars):
        rng = rng_for(context.seed, "idiom anchor", *_return(context, phrase.start_bar + bar))
        chances = _tilt(key, rungs.steps, register, (bar + 0.5) / phrase.bars)
        if found:
            chances = chances * rungs.arriving(moves[bar - 1])[found[-1]]
        else:
            chances = chances * (rungs.weight if phrase.index == 0 else rungs.ahead[0][before])
        left = sum(moves[bar:])
        if left == 0:
            found.append(rest)
            continue
        chances = chances * rungs.arriving(left)[:, rest]
        if style.has_chords and style.scale is not None:
            beat = float((phrase.start_bar + bar) * phrase.beats_per_bar)
            chances = chances * _fits(key, rungs.steps, context.chord_at(beat))
        found.append(_drawn(chances, rng.random()))
    return (*found, rest)


def _tilt(key: Key, steps: tuple[int, ...], register: Register, fraction: float) -> Floats:
    """How much a bar that lies at `fraction` of its phrase leans towards each step, `[n]`: phrases swell."""
    heights = np.array([key.cents(step) for step in steps])
    swell = 100.0 * register.centre + 150.0 * (2.0 * phrase_arc(fraction) - 1.0)
    sigma = max(50.0 * (register.high - register.low), 200.0)
    return np.asarray(np.exp(-0.5 * ((heights - swell) / sigma) ** 2), dtype=np.float64)


def _fits(key: Key, steps: tuple[int, ...], chord: Chord) -> Floats:
    """1 for the steps that the chord holds, less for the others, `[n]`."""
    tones = np.array([chord.key.cents(degree) for degree in chord.degrees])
    heights = np.array([key.cents(step) for step in steps])
    apart = np.abs(octave_distance_cents(heights[:, None], tones)).min(axis=1)
    return np.where(apart <= _CHORD_CENTS, 1.0, _OFF_CHORD)


def _questions(style: CultureStyle, size: int) -> list[int]:
    """The degrees that a question may end on: the two weightiest but the tonic."""
    weights = style.degree_weights or (1.0,) * size
    return sorted(range(1, size), key=lambda degree: -weights[degree])[:2]


def _resting(style: CultureStyle, key: Key, register: Register, context: MusicContext, index: int) -> int:
    """Where phrase `index` ends, as a place on the ladder: an answer on the tonic, a question on another degree."""
    degree, questions = 0, _questions(style, key.size)
    if not (FORM[index % len(FORM)].closed or context.closing) and questions:
        degree = rng_for(context.seed, "question", index).choice(questions)
    return _place_of(degree, tuple(key.steps_within(register.low, register.high)), key, register)


def _place_of(degree: int, steps: tuple[int, ...], key: Key, register: Register) -> int:
    """The place on the ladder of a degree, nearest to the register's centre."""
    places = [i for i, step in enumerate(steps) if step % key.size == degree]
    return min(places or range(len(steps)), key=lambda i: abs(key.cents(steps[i]) / 100.0 - register.centre))


# ---------------------------------------------------------------- ornaments


class Bit(NamedTuple):
    """A short part of an ornamented note: when it begins and how long it lasts (beats after the note's own beginning),
    and how many steps off it lies.
    """

    after: float
    length: float
    steps: int


_FIGURES: dict[str, tuple[int, ...]] = {
    "grace": (1,), "mordent": (0, -1), "trill": (0, 1, 0, 1), "turn": (1, 0, -1), "tremolo": (0, 0, 0),
}  # fmt: skip
assert tuple(_FIGURES) == ORNAMENTS


def ornament(style: CultureStyle, seed: int, part: str, beat: float, length: float, rising: bool) -> tuple[Bit, ...]:
    """A note as its parts, the ornament first and the note itself last; just the note if it is left plain.

    What lies below it when the melody rises comes from below. A note too short for the figure stays plain.
    """
    throw = rng_for(seed, "ornament", part, round(beat * 48)).random()
    for kind, rate in zip(ORNAMENTS, style.ornaments, strict=True):
        figure = _FIGURES[kind]
        if throw < rate and length > _ORNAMENT_BEATS * (len(figure) + 1.5):
            sign = -1 if rising and kind == "grace" else 1
            shorts = [Bit(n * _ORNAMENT_BEATS, _ORNAMENT_BEATS, sign * steps) for n, steps in enumerate(figure)]
            start = _ORNAMENT_BEATS * len(figure)
            return (*shorts, Bit(start, length - start, 0))
        throw -= rate
        if throw < 0.0:
            break
    return (Bit(0.0, length, 0),)
