"""What the habits of a style's melodies mean for the next note: heights, typical cells, cadences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np

from kelly_live.core.arrays import Floats
from kelly_live.core.melodic_habits import LONGEST_CELL, CellTable, MelodicHabits
from kelly_live.core.values import Register
from kelly_live.music.forms import PhraseRole
from kelly_live.music.theory import Key

_TURN_ROUNDS = 12


def compute_height(habits: MelodicHabits, key: Key, register: Register, share: float) -> float:
    """Compute the height in cents that melodies have at a share (0-1) of a section; the register's centre by default.

    The contour lies half-way between the register that the emotion asks for and its own distance from the tonic.
    """
    centre = 100.0 * register.centre
    if not habits.contour:
        return centre
    places = (np.arange(len(habits.contour)) + 0.5) / len(habits.contour)
    height, mean = float(np.interp(share, places, habits.contour)), float(np.mean(habits.contour))
    lowest = round(key.step_near(0.0) / key.size)
    tonics = [key.cents(key.size * octave) for octave in range(lowest, lowest + 12)]
    anchor = min(tonics, key=lambda tonic: abs(tonic + mean - centre))
    return height + 0.5 * (anchor + centre - mean)


def find_section_share(role: PhraseRole, fraction: float) -> float:
    """Return where a share of a phrase lies in a section of four: first its question and answer, then the others'."""
    is_second = role.is_contrast or role.variation > 1
    return 0.25 * (2.0 * is_second + role.closed + fraction)


def weigh_by_cells(habits: MelodicHabits, size: int, steps: Sequence[int], line: Sequence[int]) -> Floats | None:
    """Return how much more often each of `steps` (rising by 1) follows three or more notes than two of them, or None.

    `line` holds scale steps, the last one the note before. What two notes before say is in the moves (`fit_turns`).
    """
    weights: Floats | None = None
    following = _index_cells(habits.cells, size)
    for length in range(3, min(LONGEST_CELL - 1, len(line)) + 1):
        octave = line[-length] // size * size
        for step, lift in following.get(tuple(step - octave for step in line[-length:]), ()):
            place = step + octave - steps[0]
            if 0 <= place < len(steps):
                weights = np.ones(len(steps)) if weights is None else weights
                weights[place] *= lift
    return weights


def fit_turns(habits: MelodicHabits, size: int, steps: Sequence[int], chances: Floats, shares: Floats) -> Floats:
    """Fit how much more often a step (last axis) follows two others than the one before alone, `[n, n, n]`.

    `chances` `[n, n]` are those of a move, `shares` `[n]` those of each step. The cells' first three notes are as
    typical as measured, and each move stays as common as it is (iterative proportional fitting, as for the moves).
    """
    pairs = shares[:, None] * chances
    before, after = pairs[:, :, None], chances[None]  # of the three notes: the first two, and the last after the second
    turns = np.ones((len(steps),) * 3)
    for place, step in enumerate(steps):
        octave = step // size * size
        for cell, lift in habits.cells:
            row = [note - cell[0] // size * size + octave - steps[0] for note in cell]
            if len(cell) == 3 and row[0] == place and all(0 <= note < len(steps) for note in row):
                turns[tuple(row)] = lift
    joint = before * after * turns
    for _ in range(_TURN_ROUNDS):
        joint *= (pairs / np.maximum(joint.sum(axis=2), 1e-30))[:, :, None]
        joint *= (pairs / np.maximum(joint.sum(axis=0), 1e-30))[None]
    return np.asarray(joint / np.maximum(before * after, 1e-30), dtype=np.float64)


@lru_cache(maxsize=64)
def _index_cells(cells: CellTable, size: int) -> Mapping[tuple[int, ...], list[tuple[int, float]]]:
    """Return what follows the first notes of the cells, the very first of them within the tonic's octave."""
    following: dict[tuple[int, ...], list[tuple[int, float]]] = {}
    for steps, lift in cells:
        octave = steps[0] // size * size
        *context, last = (step - octave for step in steps)
        following.setdefault(tuple(context), []).append((last, lift))
    return following


def list_cadences(habits: MelodicHabits, size: int, rest: int) -> CellTable:
    """List the cadences onto a step, in its octave, with their shares."""
    return tuple(
        (tuple(step - steps[-1] + rest for step in steps), share)
        for steps, share in habits.cadences
        if (steps[-1] - rest) % size == 0
    )
