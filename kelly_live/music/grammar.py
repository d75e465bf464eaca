"""The harmony of each mode as a table: which chord follows which, and how phrases end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kelly_live.core.values import MODES


@dataclass(frozen=True, slots=True)
class Grammar:
    """A mode's harmony over degrees 0-6.

    `moves[a][b]` weighs the move from a to b, `home` the chords that lead to the tonic at a full close, `half` those
    that a question ends on. `colour` are the chords that make the mode audible.
    """

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
    # `harmony` makes the dominant major. The relative major's own chords (2, 6) are rare, lest they sound like home.
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
