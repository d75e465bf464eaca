"""How a style's melody moves between the tones of its scale, as a Markov chain of scale steps.

Two measured habits meet in one table of moves: how long each degree sounds, and how often each interval is taken. The
table is the least prejudiced one that keeps both (iterative proportional fitting, Deming & Stephan 1940). Phrases
distort these habits: they rest long, and lead to where they rest; chords attract, downbeats last, a piece closes on its
tonic. The distortion is computed on the rhythms and chords of phrases as they are played, and compensated, so that the
music as a whole keeps what was measured.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kelly_live.core.arrays import Floats
from kelly_live.core.pitch import octave_distance_cents
from kelly_live.core.values import MODES, RHYTHMS, CultureStyle, Metre, MusicParameters, Register, Scale
from kelly_live.music.context import MusicContext
from kelly_live.music.feel import compute_phrase_arc
from kelly_live.music.forms import BARS_PER_PHRASE, PHRASES_PER_ROUND, PhraseRole, find_arc_role
from kelly_live.music.harmony import Phrase, plan_phrase
from kelly_live.music.style.habits import compute_height, find_section_share, fit_turns
from kelly_live.music.style.metre import find_metre
from kelly_live.music.style.rhythm import LONGEST_NOTE_BEATS, USUAL_DENSITY, place_onsets_at_density
from kelly_live.music.style.scale import choose_harmonic_scale
from kelly_live.music.theory import Chord, Key, build_mode_scale

Indices = npt.NDArray[np.int_]

_ROUNDS = 15  # of each fit: the margins are then within a percent
_MOST_MOVES = 48  # further ahead than this a goal is no constraint
_REGISTER_SPREAD = 0.55  # of half the register: one standard deviation of the melody's distance from its centre
_HABIT_CENTS = 260.0  # where the intervals were not measured: small ones, each this much larger is e times rarer
_REPEAT = 0.35  # and a repeated tone is this much rarer than the smallest step
_SMALLEST_SHARE = 1e-5
_UNMEASURED = 1e-6  # of a move's chance, where no such interval was measured: only if nothing else arrives
_COMPENSATION_ROUNDS = 6
_MOST_COMPENSATION = 4.0  # times as often, or as rarely, as measured
_ARC_CENTS = 150.0  # how far a phrase rises above its middle, and falls below it
_CONTOUR_SPREAD = (
    600.0  # cents from a measured contour: one standard deviation; at 400 min'yō lost shares of its degrees
)
_TYPICAL_FORMS = 8  # from which the distortion is computed
_PHRASES_A_PIECE = 16  # four forms of 16 bars, then a close
_DENSITY_GRAIN = 1.25  # a table is made for the density's nearest power of this
_CHORD_CENTS = 60.0  # a tone this near to a chord's counts as the chord's
_OFF_CHORD = 0.12  # of the chance, for a bar's first tone that the chord lacks


@dataclass(frozen=True, slots=True)
class StepTransitions:
    """The scale steps of a register, and the chances of a melody's moves between them.

    `steps` are n rising steps of the key. `weight` `[n]` is how much each sounds. `powers[k]` `[n, n]` is the chance to
    be at a step (column) k + 1 moves after another (row). `turns` `[n, n, n]` is how much likelier a step is after two
    others than after the second alone; None: the same.
    """

    steps: tuple[int, ...]
    weight: Floats
    powers: tuple[Floats, ...]
    turns: Floats | None = None

    def after_moves(self, moves: int) -> Floats:
        """Return the chances `[n, n]` after a number of moves, 1 or more."""
        return self.powers[min(moves, len(self.powers)) - 1]


class RhythmSettings(NamedTuple):
    """What the onsets of a session depend on: its metre, or else its rhythm, and a coarse density."""

    metre: Metre | None
    per_bar: int
    rhythm: str
    density: float


def find_settings(parameters: MusicParameters, context: MusicContext) -> RhythmSettings:
    """Return the rhythm settings in force."""
    metre = find_metre(parameters.style, context)
    grains = round(math.log(max(parameters.density, 0.02) / USUAL_DENSITY) / math.log(_DENSITY_GRAIN))
    rhythm = context.rhythm if metre is None else RHYTHMS[0]  # without meaning beside a metre
    return RhythmSettings(metre, context.beats_per_bar, rhythm, USUAL_DENSITY * _DENSITY_GRAIN**grains)


@lru_cache(maxsize=32)
def fit_transitions(style: CultureStyle, key: Key, register: Register, settings: RhythmSettings) -> StepTransitions:
    """Fit the moves in a register, so that phrases keep the style's shares of degrees and intervals."""
    steps = tuple(key.steps_within(register.low, register.high))
    cents, degrees = np.array([key.cents(step) for step in steps]), np.array([step % key.size for step in steps])
    weights = np.array(style.degree_weights or (1.0 / key.size,) * key.size) + _SMALLEST_SHARE
    sigma = _REGISTER_SPREAD * 50.0 * (register.high - register.low)
    register_weights = np.exp(-0.5 * ((cents - 100.0 * register.centre) / max(sigma, 100.0)) ** 2)
    table, kind, shares = _create_moves(style, cents, degrees, weights, register_weights)
    is_degree_present = np.bincount(degrees, minlength=key.size) > 0
    is_interval_present = np.bincount(kind.ravel(), minlength=len(shares)) > 0
    goal_degrees = np.where(is_degree_present, weights, 0.0) / weights[is_degree_present].sum()
    goal_steps = np.where(is_interval_present, shares, 0.0) / shares[is_interval_present].sum()
    typical = _describe_phrases(style, key, register, settings)
    target_degrees, target_steps = goal_degrees, goal_steps
    for _ in range(_COMPENSATION_ROUNDS):
        table = _fit_margins(table, kind, degrees, target_degrees, target_steps)
        step_times, moves = _expect_shares(table / table.sum(axis=1, keepdims=True), typical)
        target_degrees = _compensate(target_degrees, goal_degrees, np.bincount(degrees, step_times, key.size))
        if style.intervals:
            interval_shares = np.bincount(kind.ravel(), moves.ravel(), len(shares))
            target_steps = _compensate(target_steps, goal_steps, interval_shares)
    table = _fit_margins(table, kind, degrees, target_degrees, target_steps)
    chances = table / table.sum(axis=1, keepdims=True)
    shares = table.sum(axis=1) / table.sum()
    turns = fit_turns(style.habits, key.size, steps, chances, shares) if style.habits.cells else None
    return StepTransitions(steps, shares, tuple(_raise_to_powers(chances, _MOST_MOVES)), turns)


def _raise_to_powers(chances: Floats, most: int) -> list[Floats]:
    """Return the chances after 1, 2, … `most` moves."""
    powers = [chances]
    while len(powers) < most:
        powers.append(powers[-1] @ chances)
    return powers


def _compensate(target: Floats, goal: Floats, result: npt.NDArray[Any]) -> Floats:
    """Return the next target of a fit, where the target `target` led to `result` instead of `goal`."""
    share = result / max(float(result.sum()), 1e-9)
    ratio = np.where(goal > 0.0, goal / np.maximum(share, 1e-9), 0.0)
    next_target = np.clip(target * np.sqrt(ratio), goal / _MOST_COMPENSATION, goal * _MOST_COMPENSATION)
    return np.asarray(next_target / next_target.sum(), dtype=np.float64)


def _create_moves(
    style: CultureStyle, cents: Floats, degrees: npt.NDArray[np.int_], weights: Floats, register_weights: Floats
) -> tuple[Floats, npt.NDArray[np.int_], Floats]:
    """Return the table `[n, n]` to begin a fit with, each move's measured interval, and their shares."""
    leap = cents[None, :] - cents[:, None]
    table = np.outer(weights[degrees] * register_weights, weights[degrees] * register_weights)
    if style.intervals:
        sizes = np.array([size for size, _ in style.intervals])
        shares = np.array([share for _, share in style.intervals]) + _SMALLEST_SHARE
        kind = np.abs(leap[:, :, None] - sizes).argmin(axis=2)
        # A step between two measured sizes belongs to the nearer one; one that is near none is hardly taken.
        table *= np.where(np.abs(leap - sizes[kind]) <= 60.0, 1.0, _UNMEASURED)
    else:
        table *= np.exp(-np.abs(leap) / _HABIT_CENTS) * np.where(leap == 0.0, _REPEAT, 1.0)
        kind, shares = np.zeros(leap.shape, dtype=int), np.ones(1)
    return np.maximum(table / table.sum(), 1e-12), kind, shares


def _fit_margins(
    table: Floats, kind: npt.NDArray[np.int_], degrees: npt.NDArray[np.int_], degree_shares: Floats, step_shares: Floats
) -> Floats:
    """Fit shares of moves `[n, n]` to the degrees' shares (its margins) and the intervals' shares."""
    for _ in range(_ROUNDS):
        sums = np.bincount(kind.ravel(), weights=table.ravel(), minlength=len(step_shares))
        table = table * (step_shares / np.maximum(sums, 1e-15))[kind]
        rows = np.bincount(degrees, weights=table.sum(axis=1), minlength=len(degree_shares))
        table *= (degree_shares / np.maximum(rows, 1e-15))[degrees][:, None]
        # What comes in goes out: a line that never ends is at each tone as often as it leaves it.
        flow = np.sqrt(np.maximum(table.sum(axis=1), 1e-15) / np.maximum(table.sum(axis=0), 1e-15))
        table *= flow[None, :] / flow[:, None]
    return np.asarray(table / table.sum(), dtype=np.float64)


class TypicalPhrases(NamedTuple):
    """The phrases that the distortion is computed on: f phrases of b bars, on n steps.

    `before` and `rests` `[f]` are the step indices that each phrase comes from and rests on. `tilts` `[f, b, n]` is how
    a bar's first note leans towards each step, `moves` `[f, b]` how many moves a bar has, and `lengths` `[f, b, m]` how
    many beats each note lasts. `longest` orders the bars, those with the most moves first. A piece closes on step index
    `home`, `closes` times in all, for `closing_beats`.
    """

    before: Indices
    rests: Indices
    tilts: Floats
    moves: Indices
    lengths: Floats
    longest: Indices
    home: int
    closes: float
    closing_beats: float


def _describe_phrases(style: CultureStyle, key: Key, register: Register, settings: RhythmSettings) -> TypicalPhrases:
    """Describe the forms of several sessions with these settings, with their rhythms and chords."""
    steps = tuple(key.steps_within(register.low, register.high))
    questions = find_question_degrees(style, key.size) or [0]
    roles = [find_arc_role(n) for n in range(PHRASES_PER_ROUND)]
    # The questions of a form ask in turn, and the next form the other way round.
    rests = np.array([
        find_rest_index(
            style, 0 if role.closed else questions[(n // 2 + form) % len(questions)], steps, key, register,
            find_section_share(role, 1.0),
        )
        for form in range(_TYPICAL_FORMS) for n, role in enumerate(roles)
    ])  # fmt: skip
    tonic_step = find_rest_index(style, 0, steps, key, register, 1.0)
    bars = _place_typical_onsets(replace(style, metres=() if settings.metre is None else (settings.metre,)), settings)
    moves = np.array([[len(bar) for bar in phrase] for phrase in bars])
    lengths = np.zeros((*moves.shape, moves.max()))
    for phrase, in_phrase in np.ndindex(*moves.shape):
        onsets = bars[phrase][in_phrase]
        lengths[phrase, in_phrase, : len(onsets)] = np.minimum(np.diff([*onsets, settings.per_bar]), LONGEST_NOTE_BEATS)
    moves[:, -1] -= 1  # the last note is where the others arrive
    fractions = (np.arange(BARS_PER_PHRASE) + 0.5) / BARS_PER_PHRASE
    tilts = np.stack([
        [weigh_by_contour(style, key, steps, register, role, fraction) for fraction in fractions]
        for role in roles
    ])  # fmt: skip
    tilts = np.tile(tilts, (_TYPICAL_FORMS, 1, 1))
    harmony = choose_harmonic_scale(style)
    if style.has_chords and harmony is not None:
        tilts = tilts * _weigh_typical_chords(key.scale, harmony)[:, :, np.array(steps) % key.size]
    return TypicalPhrases(
        before=np.roll(rests, 1),
        rests=rests,
        tilts=np.broadcast_to(tilts, (*moves.shape, len(steps))),
        moves=moves,
        lengths=lengths,
        longest=np.argsort(-moves.ravel(), kind="stable"),
        home=tonic_step,
        closes=len(rests) / _PHRASES_A_PIECE,
        closing_beats=min(settings.per_bar, LONGEST_NOTE_BEATS),
    )


@lru_cache(maxsize=32)
def _place_typical_onsets(style: CultureStyle, settings: RhythmSettings) -> tuple[tuple[tuple[float, ...], ...], ...]:
    """Return the onsets of typical phrases, bar by bar; `style` has no metre but that of the settings."""
    onsets = []
    form = _plan_form(0, Key(0, build_mode_scale(MODES[0])), settings.per_bar)
    for seed, phrase in itertools.product(range(_TYPICAL_FORMS), form):
        context = MusicContext(seed=seed, phrase=phrase, rhythm=settings.rhythm, bpm=100.0)
        bars = range(phrase.start_bar, phrase.start_bar + phrase.bars)
        onsets.append(tuple(place_onsets_at_density(style, settings.density, context, bar) for bar in bars))
    return tuple(onsets)


@lru_cache(maxsize=32)
def _weigh_typical_chords(scale: Scale, harmony: Scale) -> Floats:
    """Return how the chords of typical phrases lean towards the degrees of a scale, `[f, b, degree]`."""
    key, degrees = Key(0, scale), tuple(range(len(scale.degrees_cents)))
    phrases = itertools.chain.from_iterable(_plan_form(seed, Key(0, harmony), 4) for seed in range(_TYPICAL_FORMS))
    chords = [[phrase.span_at(4.0 * (phrase.start_bar + n)).chord for n in range(phrase.bars)] for phrase in phrases]
    weights_by_chord = {chord: weigh_by_chord(key, degrees, chord) for phrase in chords for chord in phrase}
    return np.array([[weights_by_chord[chord] for chord in phrase] for phrase in chords])


def _plan_form(seed: int, key: Key, per_bar: int) -> list[Phrase]:
    """Plan the phrases of a session's first form."""
    numbers = range(PHRASES_PER_ROUND)
    return [plan_phrase(seed, n, key, start_bar=BARS_PER_PHRASE * n, beats_per_bar=per_bar) for n in numbers]


def _expect_shares(chances: Floats, typical: TypicalPhrases) -> tuple[Floats, Floats]:
    """Return the expected time on each step `[n]` and the expected number of each move `[n, n]`.

    Notes are drawn as in `build_line`. The bars' first notes come first, each under the condition that the phrase's
    rest is reached. The notes between two of them follow, under the condition that these are reached: the chance of the
    moves made times the chance of the moves left.
    """
    (phrases, bars), n = typical.moves.shape, len(chances)
    powers = np.stack([np.eye(n), *_raise_to_powers(chances, _MOST_MOVES)])
    rest_chances = powers.transpose(0, 2, 1)  # [k, rest, n]: the chance to rest there, k moves from each step
    moves_left = np.minimum(typical.moves[:, ::-1].cumsum(axis=1)[:, ::-1], _MOST_MOVES)
    start_shares = _normalize_rows(
        chances[typical.before] * typical.tilts[:, 0] * rest_chances[moves_left[:, 0], typical.rests]
    )
    move_counts = np.zeros((n, n))
    np.add.at(move_counts, typical.before, start_shares)
    since, goals = np.empty((phrases, bars, n)), np.empty((phrases, bars, n))
    for bar in range(bars):
        goal = np.eye(n)[typical.rests]
        if bar + 1 < bars:  # the next bar's first note, or the rest itself
            next_moves_left = moves_left[:, bar + 1]
            goal = np.where(
                next_moves_left[:, None] > 0,
                typical.tilts[:, bar + 1] * rest_chances[next_moves_left, typical.rests],
                goal,
            )
        through = powers[np.minimum(typical.moves[:, bar], _MOST_MOVES)]
        gone = start_shares / np.maximum((through @ goal[:, :, None])[:, :, 0], 1e-300)
        since[:, bar], goals[:, bar] = gone, goal
        start_shares = _normalize_rows((gone[:, None] @ through)[:, 0] * goal)
    # All bars at once, those with the most moves first, so that those that are still under way are first rows.
    counts, lengths = (
        typical.moves.ravel()[typical.longest],
        typical.lengths.reshape(phrases * bars, -1)[typical.longest],
    )
    gone, ways = since.reshape(-1, n)[typical.longest], [goals.reshape(-1, n)[typical.longest]]
    while len(ways) <= counts[0]:
        ways.append(ways[-1] @ chances.T)
    to_go, rows, time = np.stack(ways), np.arange(len(counts)), np.zeros(n)
    for move in range(counts[0]):
        on = int(np.searchsorted(-counts, -move))
        gone, rest = gone[:on], counts[:on] - move
        time += np.einsum("f,fn,fn->n", lengths[:on, move], gone, to_go[rest, rows[:on]])
        move_counts += chances * (gone.T @ to_go[rest - 1, rows[:on]])
        gone = gone @ chances
    np.add.at(time, typical.rests, typical.lengths[np.arange(phrases), -1, typical.moves[:, -1]])
    time[typical.home] += typical.closes * typical.closing_beats
    move_counts[typical.home, typical.home] += typical.closes
    return time, move_counts


def _normalize_rows(chances: Floats) -> Floats:
    """Scale each row to sum to 1."""
    return np.asarray(chances / np.maximum(chances.sum(axis=1, keepdims=True), 1e-300), dtype=np.float64)


def weigh_by_contour(
    style: CultureStyle, key: Key, steps: tuple[int, ...], register: Register, role: PhraseRole, fraction: float
) -> Floats:
    """Return how a bar at `fraction` of its phrase, `role` in the form, leans towards each step, `[n]`.

    Phrases rise and fall, and sections as the style's contour does.
    """
    heights = np.array([key.cents(step) for step in steps])
    swell = compute_height(style.habits, key, register, find_section_share(role, fraction))
    swell += _ARC_CENTS * (2.0 * compute_phrase_arc(fraction) - 1.0)
    sigma = _CONTOUR_SPREAD if style.habits.contour else max(50.0 * (register.high - register.low), 200.0)
    return np.asarray(np.exp(-0.5 * ((heights - swell) / sigma) ** 2), dtype=np.float64)


def weigh_by_chord(key: Key, steps: tuple[int, ...], chord: Chord) -> Floats:
    """Return 1 for the steps that the chord has and less for the others, `[n]`."""
    tones = np.array([chord.key.cents(degree) for degree in chord.degrees])
    heights = np.array([key.cents(step) for step in steps])
    distance = np.abs(octave_distance_cents(heights[:, None], tones)).min(axis=1)
    return np.where(distance <= _CHORD_CENTS, 1.0, _OFF_CHORD)


def find_question_degrees(style: CultureStyle, size: int) -> list[int]:
    """Return the degrees that a question may end on: the two where phrases rest most, or last most, but the tonic."""
    weights = style.habits.rests or style.degree_weights or (1.0,) * size
    return sorted(range(1, size), key=lambda degree: -weights[degree])[:2]


def find_rest_index(
    style: CultureStyle, degree: int, steps: tuple[int, ...], key: Key, register: Register, share: float
) -> int:
    """Return the index in `steps` of a degree, nearest to where melodies are at a share (0-1) of a section."""
    height = compute_height(style.habits, key, register, share)
    places = [i for i, step in enumerate(steps) if step % key.size == degree]
    return min(places or range(len(steps)), key=lambda i: abs(key.cents(steps[i]) - height))
