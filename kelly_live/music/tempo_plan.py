"""Plans the tempo of a piece so that beats fall on given seconds, as near to the tempo asked for as that allows.

Where each moment lands in the metre is searched: a bar line first, else another beat, else half of one, so that the
tempo between the moments changes least. Then the length of every beat is solved for at once: the nearest in least
squares to what is asked, exact at each moment, and no beat over STEP_LIMIT longer or shorter than the one before. It is
a quadratic programme, solved by the alternating direction method of multipliers (Boyd et al. 2011, as OSQP does,
Stellato et al. 2020).

Pure: seconds and a course of tempo come in, beats go out.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from typing import NamedTuple, TypeAlias

import numpy as np

from kelly_live.core.arrays import Floats
from kelly_live.core.timebase import TempoMap, TempoPoint

STEP_LIMIT = 0.04  # share of the tempo by which it may change from beat to beat
_SOLVED_STEPS = (0.036, 0.0395)  # what is solved for, as the solver leaves crumbs: the first that can be met
_SLOWEST_BPM, _FASTEST_BPM = 36.0, 220.0
_SHORTEST_BEAT, _LONGEST_BEAT = 0.15, 4.0  # s
_GRID_SECONDS = 0.1
# What it costs not to fall on a bar line, against a span's beats times the squared log of its change of tempo: the
# middle of a bar is taken where the tempo would otherwise have to change by a fifth for fifteen beats. Ours.
_MIDDLE_COST, _BEAT_COST, _HALF_COST = 0.5, 0.8, 2.0
_COUPLING = 4.0  # of the difference between neighbouring spans' changes of tempo
_CROWDED_COST = 2.0  # of a moment that falls inside the closing bar
_UNREACHABLE_COST = 40.0
_LARGEST_CHANGE = 0.6  # log of the tempo's change in one span
_BEAM, _SOLVED = 300, 12  # places that are kept on the way, and tempos that are solved for
_SMOOTHNESS = 6.0
_PENALTY, _EQUAL_PENALTY, _REGULAR, _RELAXATION = 8.0, 8000.0, 1e-6, 1.6
_ROUNDS, _RESIDUAL = 4000, 1e-6

Course: TypeAlias = Callable[[float], float]  # seconds -> BPM that is asked for
Share: TypeAlias = Callable[[float, float], float]  # closing beat, beat -> share of the tempo that is asked there


class Span(NamedTuple):
    """From one moment to the next: the seconds that it takes, and the beats from the start that it ends at."""

    seconds: float
    end_beat: float


@dataclass(frozen=True, slots=True)
class TempoPlan:
    """The tempo of each beat in BPM, and the beats on which the moments fall.

    `tempo_map` holds the same, with beat 0 at second 0. `largest_step` is the largest change from beat to beat, as a
    share.
    """

    bpms: tuple[float, ...]
    moment_beats: tuple[float, ...]
    beats_per_bar: int
    largest_step: float
    tempo_map: TempoMap = field(compare=False)

    @property
    def bars(self) -> int:
        """The number of bars, the closing one included."""
        return len(self.bpms) // self.beats_per_bar

    def bpm_at(self, beat: float) -> float:
        """Return the tempo at a beat, the last one's after the end."""
        return self.bpms[min(len(self.bpms) - 1, max(0, int(beat)))]


def plan_tempo(
    course: Course,
    moments: Sequence[float],
    end: float,
    *,
    beats_per_bar: int,
    closing_beats: float,
    share: Share = lambda closing_beat, beat: 1.0,
) -> TempoPlan:
    """Plan the tempo so that a beat falls on each of the `moments` (s, rising, over 0), and the end comes in time.

    `closing_beats` after the last bar line the piece is at `end` (s): a bar, or the length of its last stroke, or 0
    where the last chord is struck there. `share` slows down what is asked near the closing beat. Where no plan keeps
    the tempo's steps under STEP_LIMIT, the one with the smallest steps is returned: the moments come first.
    """
    beats = _CumulativeBeats(course, end)
    places = _search_places(beats, moments, end, beats_per_bar, closing_beats)
    plans = list[TempoPlan]()
    for largest_step, ends in product(_SOLVED_STEPS, places):
        spans = [Span(b - a, end_beat) for a, b, end_beat in zip((0.0, *moments), (*moments, end), ends, strict=True)]
        closing_beat = float(round(ends[-1] - closing_beats))
        asked = _list_asked(beats, spans, int(closing_beat) + beats_per_bar, partial(share, closing_beat))
        plans.append(_create_plan(_solve(asked, spans, largest_step), ends[:-1], beats_per_bar))
        if plans[-1].largest_step <= STEP_LIMIT:
            return plans[-1]
    return min(plans, key=lambda plan: plan.largest_step)


def smooth_tempo(asked_bpm: Sequence[float], beats_per_bar: int) -> TempoPlan:
    """Plan the tempo nearest to what is asked of each beat, without moments to fall on."""
    return _create_plan(_solve(np.array([60.0 / _limit(bpm) for bpm in asked_bpm]), []), (), beats_per_bar)


def _create_plan(seconds: Floats, moment_beats: Sequence[float], beats_per_bar: int) -> TempoPlan:
    """Create the plan of so many seconds a beat; its largest step is infinite where no band could play it."""
    can_be_played = bool(np.all((seconds >= _SHORTEST_BEAT) & (seconds <= _LONGEST_BEAT)))
    seconds = np.clip(np.nan_to_num(seconds), _SHORTEST_BEAT, _LONGEST_BEAT)
    bpms = tuple(float(60.0 / one) for one in seconds)
    tempo_map = TempoMap(0.0, bpms[0], max_points=len(bpms) + 1)
    for beat, bpm in enumerate(bpms):
        tempo_map.add(TempoPoint(float(beat), bpm))
    steps = np.maximum(seconds[1:] / seconds[:-1], seconds[:-1] / seconds[1:])
    largest_step = float(np.max(steps, initial=1.0)) - 1.0 if can_be_played else math.inf
    return TempoPlan(bpms, tuple(moment_beats), beats_per_bar, largest_step, tempo_map)


def _limit(bpm: float) -> float:
    return min(_FASTEST_BPM, max(_SLOWEST_BPM, bpm))


class _CumulativeBeats:
    """How many beats have passed by a second, and the other way round, at the tempo that is asked for."""

    def __init__(self, course: Course, end: float) -> None:
        self._seconds = np.linspace(0.0, end, max(2, math.ceil(end / _GRID_SECONDS) + 1))
        middles = 0.5 * (self._seconds[1:] + self._seconds[:-1])
        self._bpms = np.array([_limit(course(float(second))) for second in middles])
        self._beats = np.concatenate(([0.0], np.cumsum(np.diff(self._seconds) * self._bpms / 60.0)))

    def at(self, seconds: float) -> float:
        """Return the beats that have passed by a second."""
        return float(np.interp(seconds, self._seconds, self._beats))

    def list_bpms(self, beats: Floats) -> Floats:
        """Return the tempo that is asked for where so many beats have passed."""
        index = np.searchsorted(self._beats, beats, side="right") - 1
        found: Floats = self._bpms[np.clip(index, 0, len(self._bpms) - 1)]
        return found


class _Way(NamedTuple):
    """Where the moments up to now are placed; what that costs, and the last span's beats, change and tempo (logs)."""

    cost: float
    places: tuple[float, ...]
    beats: float = 0.0
    change: float = 0.0
    tempo: float = 0.0


def _search_places(
    beats: _CumulativeBeats, moments: Sequence[float], end: float, beats_per_bar: int, closing_beats: float
) -> list[tuple[float, ...]]:
    """Return the best places of the moments and the end, in beats from the start, the cheapest first.

    Each way to place them costs, for every span, its beats times the squared log of its change of tempo, the jump of
    that change from span to span, and what each place costs. A jump between the tempos of two spans that no steps
    within the limit could make costs far more.
    """
    ways = [_Way(0.0, ())]
    before, second = 0.0, 0.0
    for number, moment in enumerate((*moments, end)):
        is_end, asked, seconds = number == len(moments), max(0.25, beats.at(moment) - before), moment - second
        before, second = beats.at(moment), moment
        found: dict[tuple[float, float], _Way] = {}
        for way in ways:
            start = way.places[-1] if way.places else 0.0
            for place in _list_places(start, asked, beats_per_bar, closing_beats if is_end else None):
                length = place - start
                change, tempo = math.log(length / asked), math.log(length / seconds)
                cost = way.cost + asked * change * change
                if way.places:
                    reach = _SOLVED_STEPS[0] * 0.5 * (way.beats + length)
                    cost += _COUPLING * (change - way.change) ** 2
                    cost += _UNREACHABLE_COST * max(0.0, abs(tempo - way.tempo) - reach)
                if is_end:
                    cost += _CROWDED_COST * (bool(way.places) and place - closing_beats < start)
                else:
                    cost += _weigh_place(place, beats_per_bar)
                known = found.get((start, place))
                if known is None or cost < known.cost:
                    found[start, place] = _Way(cost, (*way.places, place), length, change, tempo)
        ways = heapq.nsmallest(_BEAM, found.values(), key=lambda way: way.cost)
    return [way.places for way in ways[:_SOLVED]]


def _list_places(start: float, asked: float, beats_per_bar: int, closing_beats: float | None) -> list[float]:
    """List the places where a span may end that begins at `start` and is `asked` to have so many beats."""
    low, high = start + asked * math.exp(-_LARGEST_CHANGE), start + asked * math.exp(_LARGEST_CHANGE)
    if closing_beats is not None:
        bars = range(
            math.ceil((low - closing_beats) / beats_per_bar), math.floor((high - closing_beats) / beats_per_bar) + 1
        )
        nearest = round((start + asked - closing_beats) / beats_per_bar)
        least = math.floor((start - closing_beats) / beats_per_bar) + 1
        return [bar * beats_per_bar + closing_beats for bar in sorted({*bars, max(1, least, nearest)}) if bar >= 1]
    halves = range(max(1, math.ceil(2.0 * low), math.floor(2.0 * start) + 1), math.floor(2.0 * high) + 1)
    middle = 2.0 * (start + asked)
    near = heapq.nsmallest(24, halves, key=lambda half: abs(half - middle)) or [math.floor(2.0 * start) + 1]
    lines = [half for half in halves if half % (2 * beats_per_bar) == 0]
    return [half / 2.0 for half in sorted({*near, *lines})]


def _weigh_place(place: float, beats_per_bar: int) -> float:
    """Return what it costs that a moment falls on a place of the bar."""
    position = place % beats_per_bar
    if position == 0.0:
        return 0.0
    if position != int(position):
        return _HALF_COST
    return _MIDDLE_COST if beats_per_bar % 2 == 0 and position == beats_per_bar / 2 else _BEAT_COST


def _list_asked(beats: _CumulativeBeats, spans: Sequence[Span], count: int, share: Course) -> Floats:
    """List the length that is asked of each beat, in seconds.

    Inside a span the beats are spread over what was asked of it, so that what is felt at a second is asked of the beat
    that falls there.
    """
    asked_at = [0.0]
    second = 0.0
    for span in spans:
        second += span.seconds
        asked_at.append(beats.at(second))
    middles = np.arange(count) + 0.5
    passed = np.interp(middles, [0.0, *(span.end_beat for span in spans)], asked_at)
    shares = np.array([share(float(beat)) for beat in range(count)])
    return np.asarray(60.0 / np.clip(beats.list_bpms(passed) * shares, _SLOWEST_BPM / 2.0, _FASTEST_BPM))


def _solve(asked: Floats, spans: Sequence[Span], largest_step: float = _SOLVED_STEPS[0]) -> Floats:
    """Return the seconds of each beat.

    The unknowns are shares of the asked lengths. Rows of the constraints: the spans (equal), then each beat against the
    next, both ways (at most).
    """
    count = len(asked)
    rows, goals = _build_span_rows(asked, spans)
    shorter, longer = np.ones(count - 1), asked[1:] / asked[:-1] / (1.0 + largest_step)
    longer_back = asked[:-1] / asked[1:] / (1.0 + largest_step)

    def apply(x: Floats) -> tuple[Floats, Floats, Floats]:
        return rows @ x, longer * x[1:] - shorter * x[:-1], longer_back * x[:-1] - shorter * x[1:]

    def apply_back(e: Floats, up: Floats, down: Floats) -> Floats:
        out = rows.T @ e
        out[1:] += longer * up - shorter * down
        out[:-1] += longer_back * down - shorter * up
        return np.asarray(out)

    # Each row of a step touches two beats that stand beside each other, so all but the spans' rows is tridiagonal.
    system = _EQUAL_PENALTY * rows.T @ rows
    diagonal, beside = np.full(count, 2.0 + _REGULAR), np.zeros(count - 1)
    for before, after, weight in (
        (-shorter, shorter, 2.0 * _SMOOTHNESS),
        (-shorter, longer, _PENALTY),
        (longer_back, -shorter, _PENALTY),
    ):
        diagonal[:-1] += weight * before * before
        diagonal[1:] += weight * after * after
        beside += weight * before * after
    at = np.arange(count)
    system[at, at] += diagonal
    system[at[:-1], at[1:]] += beside
    system[at[1:], at[:-1]] += beside
    inverse = np.linalg.inv(system)

    x, linear = np.ones(count), -2.0 * np.ones(count)
    penalties = (_EQUAL_PENALTY, _PENALTY, _PENALTY)
    z: list[Floats] = [goals, *(np.minimum(0.0, one) for one in apply(x)[1:])]
    y: list[Floats] = [np.zeros_like(one) for one in z]
    for _ in range(_ROUNDS):
        pulls = [penalty * one - other for penalty, one, other in zip(penalties, z, y, strict=True)]
        now = inverse @ (_REGULAR * x - linear + apply_back(*pulls))
        parts = apply(now)
        residual = 0.0
        for index, penalty in enumerate(penalties):
            relaxed = _RELAXATION * parts[index] + (1.0 - _RELAXATION) * z[index]
            moved = relaxed + y[index] / penalty
            kept = goals if index == 0 else np.minimum(0.0, moved)
            y[index] = y[index] + penalty * (relaxed - kept)
            z[index] = kept
            residual = max(residual, float(np.max(np.abs(parts[index] - kept), initial=0.0)))
        change = float(np.max(np.abs(now - x)))
        x = now
        if residual < _RESIDUAL and change < _RESIDUAL:
            break
    return _round_to_microseconds(_fit_spans(x * asked, spans))


def _build_span_rows(asked: Floats, spans: Sequence[Span]) -> tuple[Floats, Floats]:
    """Return a row for each span that sums its beats' seconds over its own, and the ones that they must be."""
    rows = np.zeros((len(spans), len(asked)))
    start = 0.0
    for row, span in zip(rows, spans, strict=True):
        row[:] = _cover(start, span.end_beat, len(asked)) * asked / span.seconds
        start = span.end_beat
    return rows, np.ones(len(spans))


def _cover(start: float, end: float, count: int) -> Floats:
    """Return the share of each beat that lies in [start, end)."""
    beats = np.arange(count)
    return np.asarray(np.clip(np.minimum(beats + 1.0, end) - np.maximum(beats, start), 0.0, 1.0))


def _round_to_microseconds(seconds: Floats) -> Floats:
    """Let every beat begin on a whole microsecond, as a MIDI file holds it: no crumb of the solver stays."""
    starts = np.round(np.cumsum(seconds) * 1e6) / 1e6
    return np.diff(starts, prepend=0.0)


def _fit_spans(seconds: Floats, spans: Sequence[Span]) -> Floats:
    """Scale the beats of each span by the crumb that the solver left, so that it takes its seconds exactly."""
    start = 0.0
    for span in spans:
        first, last = math.ceil(start), math.floor(span.end_beat)
        inside = slice(first, last) if last > first else slice(int(start), math.ceil(span.end_beat))
        covered = _cover(start, span.end_beat, len(seconds))
        missing = span.seconds - float(covered @ seconds)
        weight = float(covered[inside] @ seconds[inside])
        seconds[inside] *= 1.0 + missing / weight
        start = span.end_beat
    return seconds
