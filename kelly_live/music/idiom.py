"""A tradition's melody from its own habits: where notes fall in its measure, and which tone leads to which.

Two measured habits meet in one table of moves between the tones of the ladder: how long each degree sounds, and how
often each interval is taken. The table is the least prejudiced one that keeps both (iterative proportional fitting,
Deming & Stephan 1940). The first note of each bar is an anchor; the notes between two anchors are drawn by the table
under the condition that they arrive, so a bar depends on its neighbours' anchors alone.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kelly_live.domain import ORNAMENTS, Idiom, Metre, MusicParameters, Register, Scale
from kelly_live.music.context import MusicContext
from kelly_live.music.dice import dice
from kelly_live.music.feel import phrase_arc
from kelly_live.music.harmony import FORM
from kelly_live.music.rhythm import PACE, beat_strength, middle_beat, ranked_places, wanted
from kelly_live.music.theory import Key

Floats = npt.NDArray[np.float64]

_ROUNDS = 60  # of the fitting: the margins are then within a percent
_MOST_AHEAD = 48  # moves; further ahead than this an anchor is no constraint
_SPREAD = 0.55  # of half the register: one standard deviation of how far the melody strays from its centre
_HABIT_CENTS = 260.0  # where nobody measured the steps: small ones, each this much larger is e times rarer
_REPEAT = 0.35  # and a repeated tone is this much rarer than the smallest step
_LEAST = 1e-5
# Phrases come to rest, and long: this share of the time. The line between makes up for it, so that the whole keeps the
# degrees' measured shares; so much of a resting note's time is the tonic's.
_REST_SHARE, _REST_TONIC = 0.1, 0.7
_FELT = 0.6  # of a felt density's ratio to the usual one, as a power: the tradition's pace gives way, but not wholly
_USUAL_DENSITY = 0.8  # what the mapper asks for when nothing much is felt
_OCTAVE = 1200.0
_NARROWEST = 14.0  # semitones; a narrower register would lose tones of the scale
_HARMONY_TONES = 7
_CHORD_CENTS = 60.0  # a tone this near to a chord's counts as the chord's
_OFF_CHORD = 0.12  # of the chance, for a bar's first tone that the chord lacks
_ORNAMENT_BEATS = 0.09


class Placed(NamedTuple):
    """A note of the line: its place in the bar and length in beats, and its step on the idiom's ladder."""

    position: float
    length: float
    step: int


def metre_of(idiom: Idiom | None, seed: int) -> Metre | None:
    """The metre of a whole session, by the tradition's shares; None where it has none of its own."""
    if idiom is None or not idiom.metres:
        return None
    weights = [metre.share + 1e-9 for metre in idiom.metres]
    return dice(seed, "metre").choices(idiom.metres, weights)[0]


def metre_in(idiom: Idiom | None, context: MusicContext) -> Metre | None:
    """The session's metre, if the conductor's bar is made of it (it is not where an idiom came in mid-session)."""
    metre = metre_of(idiom, context.seed)
    return metre if metre is not None and metre.bar_beats == context.beats_per_bar else None


def group_starts(metre: Metre | None, beats_per_bar: int) -> tuple[float, ...]:
    """Where the groups of each measure of a bar begin, beats from its start; every beat where there is no metre."""
    if metre is None:
        return tuple(float(beat) for beat in range(beats_per_bar))
    units = list(accumulate((0, *metre.groups[:-1])))
    return tuple(n * metre.beats + unit * metre.unit_beats for n in range(metre.measures) for unit in units)


def accent(metre: Metre | None, position: float, beats_per_bar: int) -> float:
    """Metrical weight 0-1 of a place in the bar: the downbeat, the groups, the units, and what lies between."""
    if metre is None:
        return beat_strength(position, beats_per_bar)
    place = position % metre.beats
    if min(place, metre.beats - place) < 1e-6:
        return 1.0
    if any(abs(place - start) < 1e-6 for start in group_starts(metre, beats_per_bar)):
        return 0.85
    unit = place / metre.unit_beats
    return 0.6 if abs(unit - round(unit)) < 1e-6 else 0.4


def harmonic_scale(idiom: Idiom) -> Scale | None:
    """The scale that a key stands on: the idiom's own; under chords its seven weightiest degrees, for a triad needs
    neighbours to skip."""
    scale = idiom.scale
    if scale is None or not idiom.chordal or len(scale.degrees_cents) <= _HARMONY_TONES:
        return scale
    weights = idiom.degree_weights or (1.0,) * len(scale.degrees_cents)
    by_weight = sorted(range(1, len(weights)), key=lambda degree: -weights[degree])
    kept = sorted((0, *by_weight[: _HARMONY_TONES - 1]))
    return Scale(scale.name, tuple(scale.degrees_cents[degree] for degree in kept))


def melody_key(idiom: Idiom, context: MusicContext) -> Key:
    """The key that the melody walks on: all of the idiom's tones."""
    return context.key if idiom.scale is None else Key(context.key.tonic, idiom.scale)


def register_of(parameters: MusicParameters) -> Register:
    """Half-way between the feeling's register and the tradition's, in whole semitones, wide enough for the scale."""
    own, idiom = parameters.register, parameters.idiom
    other = own if idiom is None or idiom.register is None else idiom.register
    low, centre, high = (round((getattr(own, end) + getattr(other, end)) / 2.0) for end in ("low", "centre", "high"))
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


def bar_profile(metre: Metre, part: str | None = None) -> tuple[float, ...]:
    """The chance of an onset at evenly spaced places of the conductor's bar."""
    found = next((profile for name, profile in metre.parts if name == part), None) if part else metre.profile
    return (found or metre.profile) * metre.measures


@lru_cache(maxsize=512)
def places(parameters: MusicParameters, context: MusicContext, bar: int) -> tuple[float, ...]:
    """Where the melody sounds in a bar, rising, beats from its start. More density only adds places."""
    idiom, per_bar = parameters.idiom, context.beats_per_bar
    assert idiom is not None
    if context.closing:
        return (0.0,)
    metre, in_phrase, last = metre_in(idiom, context), context.bar_in_phrase(bar), context.is_last_bar(bar)
    felt = (max(parameters.density, 0.02) / _USUAL_DENSITY) ** _FELT
    motif = 2 if last else in_phrase % 2
    name = ("idiom rhythm", context.phrase.theme, context.phrase.place.letter, motif)
    if metre is None:
        count = (idiom.density * felt if idiom.density else parameters.density) * per_bar * PACE[context.rhythm]
        ranks = ranked_places(context.rhythm, per_bar, dice(context.seed, *name), freedom=0.4)
        found = sorted(ranks[: max(1, wanted(count, in_phrase))])
    else:
        chances = bar_profile(metre)
        grain = per_bar / len(chances)
        rng = dice(context.seed, *name)
        thrown = _raised(chances, sum(chances) * felt)
        found = [cell * grain for cell, chance in enumerate(thrown) if rng.random() < chance]
    if last:
        rest = _rest(metre, per_bar, closed=context.phrase.place.closed)
        found = sorted({place for place in found if place < rest} | {rest})
    return tuple(found or (0.0,))


def _rest(metre: Metre | None, per_bar: int, *, closed: bool) -> float:
    """Where a phrase comes to rest in its last bar: an answer on a strong place past its middle, a question on the last
    one."""
    starts = [start for start in group_starts(metre, per_bar) if start >= per_bar / 2.0]
    if metre is None:
        return float(middle_beat(per_bar) or per_bar - 1)
    if not starts:  # a measure of one group
        return float(per_bar // 2)
    return starts[-1] if not closed else starts[0] if per_bar <= 8 else starts[len(starts) // 2]


@lru_cache(maxsize=256)
def _raised(chances: tuple[float, ...], total: float) -> tuple[float, ...]:
    """The chances, all made likelier or all less likely (by one shift of their log odds), so that they sum to
    `total`; what never happens still never does."""
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
    k + 1 moves; `weight` `[n]` how much a step is sounded."""

    steps: tuple[int, ...]
    weight: Floats
    ahead: tuple[Floats, ...]

    def arriving(self, moves: int) -> Floats:
        return self.ahead[min(moves, len(self.ahead)) - 1]


@lru_cache(maxsize=32)
def ladder(idiom: Idiom, key: Key, register: Register) -> Ladder:
    """The ladder of a register, fitted to the idiom's degrees and intervals."""
    steps = tuple(key.steps_within(register.low, register.high))
    cents = np.array([key.cents(step) for step in steps])
    degrees = np.array([step % key.size for step in steps])
    weights = np.array(idiom.degree_weights or (1.0 / key.size,) * key.size)
    sigma = _SPREAD * 50.0 * (register.high - register.low)
    bell = np.exp(-0.5 * ((cents - 100.0 * register.centre) / max(sigma, 100.0)) ** 2)
    rests = np.array(_rests(idiom, key.size))
    between = np.maximum(weights - _REST_SHARE * rests, 0.3 * weights) + _LEAST
    table = _fitted(idiom, cents, degrees, between / between.sum(), bell)
    moves = table / table.sum(axis=1, keepdims=True)
    ahead = [moves]
    for _ in range(_MOST_AHEAD - 1):
        ahead.append(ahead[-1] @ moves)
    return Ladder(steps, table.sum(axis=1) / table.sum(), tuple(ahead))


def _fitted(idiom: Idiom, cents: Floats, degrees: npt.NDArray[np.int_], weights: Floats, bell: Floats) -> Floats:
    """`[n, n]` shares of moves, whose margins are the degrees' weights and whose steps are the intervals'."""
    leap = cents[None, :] - cents[:, None]
    table = np.outer(weights[degrees] * bell, weights[degrees] * bell)
    if idiom.intervals:
        sizes = np.array([size for size, _ in idiom.intervals])
        shares = np.array([share for _, share in idiom.intervals]) + _LEAST
        kind = np.abs(leap[:, :, None] - sizes).argmin(axis=2)
        # A step between two measured sizes belongs to the nearer one; one that is near none is hardly taken.
        apart = np.abs(leap - sizes[kind])
        table *= np.where(apart <= 60.0, 1.0, 1e-3)
    else:
        table *= np.exp(-np.abs(leap) / _HABIT_CENTS) * np.where(leap == 0.0, _REPEAT, 1.0)
        kind, shares = np.zeros(leap.shape, dtype=int), np.ones(1)
    table = np.maximum(table / table.sum(), 1e-12)
    present = np.bincount(degrees, minlength=len(weights)) > 0
    wanted_degrees = np.where(present, weights, 0.0) / weights[present].sum()
    held = np.bincount(kind.ravel(), minlength=len(shares)) > 0
    wanted_steps = np.where(held, shares, 0.0) / shares[held].sum()
    for _ in range(_ROUNDS):
        sums = np.bincount(kind.ravel(), weights=table.ravel(), minlength=len(shares))
        table *= (wanted_steps / np.maximum(sums, 1e-15))[kind]
        rows = np.bincount(degrees, weights=table.sum(axis=1), minlength=len(weights))
        table *= (wanted_degrees / np.maximum(rows, 1e-15))[degrees][:, None]
        # What comes in goes out: a line that never ends is at each tone as often as it leaves it.
        flow = np.sqrt(np.maximum(table.sum(axis=1), 1e-15) / np.maximum(table.sum(axis=0), 1e-15))
        table *= flow[None, :] / flow[:, None]
    return np.asarray(table / table.sum(), dtype=np.float64)


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
    """The melody of one bar of the phrase, in an idiom that has a scale."""
    idiom = parameters.idiom
    assert idiom is not None
    register, phrase = register_of(parameters), context.phrase
    key = melody_key(idiom, context)
    rungs = ladder(idiom, key, register)
    here, in_phrase = places(parameters, context, bar), context.bar_in_phrase(bar)
    last = context.is_last_bar(bar)
    moves_by_bar = tuple(
        len(places(parameters, context, phrase.start_bar + n)) - (n == phrase.bars - 1) for n in range(phrase.bars)
    )
    anchors = _anchors(idiom, key, register, context, moves_by_bar)
    now = anchors[min(in_phrase, len(anchors) - 1)]
    following = anchors[min(in_phrase + 1, len(anchors) - 1)]
    rng = dice(context.seed, "idiom line", *_return(context, bar))
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
    idiom: Idiom, key: Key, register: Register, context: MusicContext, moves: tuple[int, ...]
) -> tuple[int, ...]:
    """For each bar of the phrase the place on the ladder that it begins with, then where the phrase comes to rest;
    `moves` is how many there are from each bar's anchor to the next."""
    rungs, phrase = ladder(idiom, key, register), context.phrase
    steps, heights = np.array(rungs.steps), np.array([key.cents(step) for step in rungs.steps])
    rest = _resting(idiom, key, register, context, phrase.index)
    if context.closing:
        return rest, rest
    found: list[int] = []
    sigma = 50.0 * (register.high - register.low)
    before = _resting(idiom, key, register, context, phrase.index - 1)
    for bar in range(phrase.bars):
        rng = dice(context.seed, "idiom anchor", *_return(context, phrase.start_bar + bar))
        swell = 100.0 * register.centre + 150.0 * (2.0 * phrase_arc((bar + 0.5) / phrase.bars) - 1.0)
        chances = np.exp(-0.5 * ((heights - swell) / max(sigma, 200.0)) ** 2)
        if found:
            chances = chances * rungs.arriving(moves[bar - 1])[found[-1]]
        else:
            chances = chances * (rungs.weight if phrase.index == 0 else rungs.ahead[0][before])
        left = sum(moves[bar:])
        if left == 0:
            found.append(rest)
            continue
        chances = chances * rungs.arriving(left)[:, rest]
        if idiom.chordal and idiom.scale is not None:
            beat = float((phrase.start_bar + bar) * phrase.beats_per_bar)
            chances = chances * _fits(key, steps, context, beat)
        found.append(_drawn(chances, rng.random()))
    return (*found, rest)


def _fits(key: Key, steps: npt.NDArray[np.int_], context: MusicContext, beat: float) -> Floats:
    """1 for the steps that the chord holds, less for the others, `[n]`."""
    chord = context.chord_at(beat)
    tones = np.array([chord.key.cents(degree) for degree in chord.degrees])
    apart = np.array([np.abs((key.cents(int(step)) - tones + 600.0) % _OCTAVE - 600.0).min() for step in steps])
    return np.where(apart <= _CHORD_CENTS, 1.0, _OFF_CHORD)


def _questions(idiom: Idiom, size: int) -> list[int]:
    """The degrees that a question may end on: the two weightiest but the tonic."""
    weights = idiom.degree_weights or (1.0,) * size
    return sorted(range(1, size), key=lambda degree: -weights[degree])[:2]


def _rests(idiom: Idiom, size: int) -> list[float]:
    """How the resting notes' time is shared out among the degrees."""
    questions = _questions(idiom, size)
    shares = [0.0] * size
    shares[0] = _REST_TONIC if questions else 1.0
    for degree in questions:
        shares[degree] += (1.0 - _REST_TONIC) / len(questions)
    return shares


def _resting(idiom: Idiom, key: Key, register: Register, context: MusicContext, index: int) -> int:
    """Where phrase `index` ends, as a place on the ladder: an answer on the tonic, a question on another degree."""
    rungs, degree, questions = ladder(idiom, key, register), 0, _questions(idiom, key.size)
    if not (FORM[index % len(FORM)].closed or context.closing) and questions:
        degree = dice(context.seed, "question", index).choice(questions)
    steps = [i for i, step in enumerate(rungs.steps) if step % key.size == degree]
    heights = [key.cents(step) / 100.0 for step in rungs.steps]
    return min(steps or range(len(heights)), key=lambda i: abs(heights[i] - register.centre))


# ---------------------------------------------------------------- ornaments


class Bit(NamedTuple):
    """A short part of an ornamented note: when it begins and how long it lasts (beats after the note's own beginning),
    and how many steps off it lies."""

    after: float
    length: float
    steps: int


_FIGURES: dict[str, tuple[int, ...]] = {
    "grace": (1,), "mordent": (0, -1), "trill": (0, 1, 0, 1), "turn": (1, 0, -1), "tremolo": (0, 0, 0),
}  # fmt: skip
assert tuple(_FIGURES) == ORNAMENTS


def ornament(idiom: Idiom, seed: int, part: str, beat: float, length: float, rising: bool) -> tuple[Bit, ...]:
    """A note as its parts, the ornament first and the note itself last; just the note if it is left plain.

    What lies below it when the melody rises comes from below. A note too short for the figure stays plain.
    """
    throw = dice(seed, "ornament", part, round(beat * 48)).random()
    for kind, rate in zip(ORNAMENTS, idiom.ornaments, strict=True):
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
