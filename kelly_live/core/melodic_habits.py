"""What the melodies of a mode do beyond their steps: where they go, which turns they take, where they rest."""

from __future__ import annotations

from dataclasses import dataclass

from kelly_live.core.checks import require

LONGEST_CELL = 5
CellTable = tuple[tuple[tuple[int, ...], float], ...]  # scale steps above the tonic, and a number


@dataclass(frozen=True, slots=True)
class MelodicHabits:
    """The phrase-level statistics of a mode.

    `contour`: mean heights in cents above the tonic, at evenly spaced places of a section (a makam's seyir). `rests`:
    weights of the degrees on which phrases come to rest (vadi and samvadi). `cells`: three to five steps in a row, the
    first within the tonic's octave, and how many times more often the last follows the others than it follows the last
    but one alone. `cadences`: the last three steps before a rest, and their share. Empty: not known.
    """

    contour: tuple[float, ...] = ()
    rests: tuple[float, ...] = ()
    cells: CellTable = ()
    cadences: CellTable = ()

    def __hash__(self) -> int:
        return hash((self.contour, self.rests))  # they tell modes apart, and parameters are hashed at every step

    def __post_init__(self) -> None:
        require(all(-4800.0 <= cents <= 4800.0 for cents in self.contour), "a contour must lie within four octaves")
        for steps, _ in (*self.cells, *self.cadences):
            require(2 <= len(steps) <= LONGEST_CELL, f"a cell has {len(steps)} steps; it must have 2 to {LONGEST_CELL}")


NO_HABITS = MelodicHabits()
