"""Phrase-level statistics of a mode's tunes: direction by position, degrees of rest, typical cells and cadences.

Aggregates alone, and no tune can be read from them: a cell is three or four notes, a cadence three, each from at least
MIN_TUNES tunes and LEAST_COUNT places.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from kelly_live.core.melodic_habits import CellTable
from kelly_live.cultures.preset import Known, Shares
from kelly_live.lab.cultures.statistics import MIN_NOTES, MIN_TUNES, create_measured
from kelly_live.lab.cultures.tune import Tune

CONTOUR_PLACES = 8
LEAST_COUNT = 20  # of a cell; fewer could be one tune's refrain
CELL_TUNES = 0.1  # of the tunes have a cell that is typical
MOST_CELLS, MOST_CADENCES = 24, 8
LEAST_LIFT = 1.25  # how much more often than its steps say a cell is found (or how much more rarely: its inverse)
REST_LENGTH = 2.0  # times the median note: a note this long is a rest ...
REST_SHARE = 0.2  # ... where no more of the notes are as long

Steps = tuple[int, ...]


def measure_habits(tunes: Sequence[Tune], scale: Sequence[float], reference: str) -> dict[str, Known[Any]]:
    """Measure the habits of tunes that have been moved to the degrees (cents) of a scale."""
    long_tunes = [tune for tune in tunes if len(tune) >= MIN_NOTES]
    if len(long_tunes) < MIN_TUNES:
        return {}
    size, lines = len(scale), [list_steps(tune, scale) for tune in long_tunes]
    habits: dict[str, Known[Any]] = {
        "contour": create_measured(_average_contours(long_tunes), len(long_tunes), "tunes", reference)
    }
    rests = [(line, place) for line, tune in zip(lines, long_tunes, strict=True) for place in find_rests(tune, line)]
    inner = [(line, place) for line, place in rests if place < len(line) - 1]
    if len(inner) >= LEAST_COUNT:
        counts = Counter(step % size for line, place in inner if (step := line[place]) is not None)
        total = sum(counts.values())
        shares = tuple(counts[degree] / total for degree in range(size))
        habits["rests"] = create_measured(shares, total, "long notes", reference)
    cells = _find_cells(lines, size)
    if cells:
        habits["cells"] = create_measured(_name_cells(cells), sum(map(len, lines)), "notes", reference)
    cadences = _find_cadences(lines, rests, size)
    if cadences:
        habits["cadences"] = create_measured(_name_cells(cadences), len(rests), "rests", reference)
    return habits


def _name_cells(cells: CellTable) -> Shares:
    return tuple((" ".join(map(str, steps)), number) for steps, number in cells)


def list_steps(tune: Tune, scale: Sequence[float]) -> list[int | None]:
    """List a tune's notes as scale steps above the tonic; None for a note that is no degree."""
    degrees, steps = np.array(scale), list[int | None]()
    for cents in tune.cents:
        if math.isnan(cents):
            steps.append(None)
            continue
        octave, inside = divmod(float(cents), 1200.0)
        distances = np.abs(np.append(degrees, 1200.0) - inside)
        nearest = int(distances.argmin())
        steps.append(round(octave) * len(scale) + nearest)  # the octave's own tonic is the next octave's step 0
    return steps


def find_rests(tune: Tune, line: Sequence[int | None]) -> list[int]:
    """Find the places of the notes on which a tune comes to rest: the last, and the few long ones."""
    last = len(line) - 1
    if tune.durations is None:
        return [last]
    lengths = np.asarray(tune.durations)
    is_long = lengths >= REST_LENGTH * float(np.median(lengths))
    if is_long.mean() > REST_SHARE:
        is_long = lengths >= max(float(np.quantile(lengths, 1.0 - REST_SHARE)), 1.01 * float(np.median(lengths)))
    if is_long.mean() > REST_SHARE:  # one length is both long and common
        return [last]
    return sorted({*np.flatnonzero(is_long).tolist(), last})


def _average_contours(tunes: Sequence[Tune]) -> tuple[float, ...]:
    """Average the tunes' heights at evenly spaced places, weighted by how long notes last."""
    contours = []
    for tune in tunes:
        heard = ~np.isnan(tune.cents)
        lengths = np.ones(len(tune)) if tune.durations is None else np.asarray(tune.durations, dtype=np.float64)
        middles = np.cumsum(lengths) - 0.5 * lengths
        places = np.minimum((middles / lengths.sum() * CONTOUR_PLACES).astype(int), CONTOUR_PLACES - 1)
        heights = [
            np.average(tune.cents[here], weights=np.maximum(lengths[here], 1e-6))
            if (here := heard & (places == place)).any()
            else np.nan
            for place in range(CONTOUR_PLACES)
        ]
        contours.append(heights)
    return tuple(float(round(cents)) for cents in np.nanmean(np.array(contours), axis=0))


def _list_cells(line: Sequence[int | None], length: int) -> Iterator[Steps]:
    for start in range(len(line) - length + 1):
        cell = line[start : start + length]
        if None not in cell:
            yield tuple(step for step in cell if step is not None)


def _lower_octave(cell: Steps, size: int, anchor: int) -> Steps:
    """Move a cell by octaves until its note `anchor` lies within the tonic's octave."""
    octaves = cell[anchor] // size * size
    return tuple(step - octaves for step in cell)


def _find_cells(lines: Sequence[Sequence[int | None]], size: int) -> CellTable:
    """Find the cells whose last note follows the others much more, or less, often than the last but one alone."""
    counts: dict[Steps, int] = Counter()
    tunes: dict[Steps, set[int]] = defaultdict(set)
    for number, line in enumerate(lines):
        for length in (2, 3, 4):
            for cell in _list_cells(line, length):
                low = _lower_octave(cell, size, 0)
                counts[low] += 1
                tunes[low].add(number)
    begun: dict[Steps, int] = Counter()  # how often a cell is followed by any note
    for cell, count in counts.items():
        begun[_lower_octave(cell[:-1], size, 0)] += count
    least_tunes = max(MIN_TUNES, CELL_TUNES * len(lines))
    weighed: list[tuple[float, Steps, float]] = []
    for cell, count in counts.items():
        if len(cell) < 3 or count < LEAST_COUNT or len(tunes[cell]) < least_tunes:
            continue
        pair = _lower_octave(cell[-2:], size, 0)
        expected = begun[cell[:-1]] * counts[pair] / begun[pair[:1]]
        if len(cell) == 4:  # beyond what the three notes before say
            triple = _lower_octave(cell[1:], size, 0)
            expected = begun[cell[:-1]] * counts[triple] / max(begun[triple[:-1]], 1)
        lift = count / expected
        if not 1.0 / LEAST_LIFT < lift < LEAST_LIFT:
            weighed.append((abs(count - expected) * abs(math.log(lift)), cell, lift))
    weighed.sort(reverse=True)
    return tuple((cell, round(lift, 2)) for _, cell, lift in weighed[:MOST_CELLS])


def _find_cadences(
    lines: Sequence[Sequence[int | None]], rests: Sequence[tuple[Sequence[int | None], int]], size: int
) -> CellTable:
    """Find the commonest last three notes before a rest, with their shares of those that are kept."""
    numbers = {id(line): number for number, line in enumerate(lines)}
    counts: Counter[Steps] = Counter()
    tunes: dict[Steps, set[int]] = defaultdict(set)
    for line, place in rests:
        cell = tuple(step for step in line[max(0, place - 2) : place + 1] if step is not None)
        if len(cell) == 3:
            low = _lower_octave(cell, size, 2)
            counts[low] += 1
            tunes[low].add(numbers[id(line)])
    kept = [(cell, count) for cell, count in counts.most_common() if len(tunes[cell]) >= MIN_TUNES][:MOST_CADENCES]
    total = sum(count for _, count in kept)
    return tuple((cell, round(count / total, 3)) for cell, count in kept)
