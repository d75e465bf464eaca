"""Where notes may fall in a bar.

Each of RHYTHMS ranks the places of a bar, and density decides how many of them sound. Ranks decide which places sound,
and not chance, so that a higher density adds notes and leaves the others in place.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from functools import lru_cache

from kelly_live.music.vocabulary import load_vocabulary

# Offset within a beat (beats) -> how readily a note falls there. Thirds only in "triplet", so that it cannot be
# mistaken; "dotted" leans on the last sixteenth; "syncopated" is ranked in `weigh_places` by the beat as well.
_OFFSETS: dict[str, dict[float, float]] = {
    "straight": {0.0: 1.0, 0.5: 0.62, 0.25: 0.28, 0.75: 0.32},
    "dotted": {0.0: 1.0, 0.75: 0.87, 0.5: 0.2, 0.25: 0.24},
    "syncopated": {0.0: 0.5, 0.5: 0.97, 0.25: 0.3, 0.75: 0.42},
    "triplet": {0.0: 1.0, 2 / 3: 0.87, 1 / 3: 0.45},
    "sustained": {0.0: 1.0, 0.5: 0.3},
}
# How many notes of the density a pattern plays: sustained music moves at three quarters of the pace.
PACE = {"straight": 1.0, "dotted": 1.0, "syncopated": 1.0, "triplet": 1.0, "sustained": 0.75}
# These keep their own ranking: no bar of the vocabulary has thirds, and none of its melodies' with more than two notes
# goes on beats and last sixteenths alone (eighths between them sound straight).
_OWN_RANKING = ("triplet", "dotted")
_SUITED = 3.0  # how much a rhythm's own places count in choosing a cell


def find_middle_beat(beats_per_bar: int) -> int | None:
    """Return the second strong beat of a bar, if it has one: beat 2 of 4, 3 of 6; none in 3 (or 2)."""
    return beats_per_bar // 2 if beats_per_bar >= 4 and beats_per_bar % 2 == 0 else None


def list_strong_beats(beats_per_bar: int) -> tuple[int, ...]:
    """List the strong beats of a bar."""
    middle = find_middle_beat(beats_per_bar)
    return (0,) if middle is None else (0, middle)


def weigh_position(position: float, beats_per_bar: int) -> float:
    """Return the metrical weight 0-1 of a place in the bar (beats from its start)."""
    beat, offset = int(position), position % 1.0
    if offset:
        return 0.5 if offset == 0.5 else 0.38
    if beat == 0:
        return 1.0
    return 0.85 if beat == find_middle_beat(beats_per_bar) else 0.68


def weigh_places(rhythm: str, beats_per_bar: int) -> dict[float, float]:
    """Weigh every place of a bar (beats from its start, rising) in a rhythm, 0-1."""
    weights: dict[float, float] = {}
    for beat in range(beats_per_bar):
        strength = {1.0: 1.0, 0.85: 0.93}.get(weigh_position(beat, beats_per_bar), 0.7)
        for offset, weight in sorted(_OFFSETS[rhythm].items()):
            if rhythm == "syncopated":
                # The first beat anchors; after that the off-beats lead and the beats give way.
                value = 1.0 if beat == 0 and not offset else weight * (0.75 if beat == 0 else 1.0)
            else:
                value = strength * weight
            weights[beat + offset] = value
    return weights


def rank_places(rhythm: str, beats_per_bar: int, rng: random.Random, freedom: float) -> tuple[float, ...]:
    """Rank the places of a bar, the likeliest first; `freedom` (0-0.5) is how far chance moves a weight."""
    weights = weigh_places(rhythm, beats_per_bar)
    # The first beat is always first: it is where a listener finds the bar.
    scores = {place: weight + (freedom * rng.uniform(-1.0, 1.0) if place else 1.0) for place, weight in weights.items()}
    return tuple(sorted(scores, key=lambda place: (-scores[place], place)))


Cell = tuple[frozenset[float], float]  # the places of a bar, and how readily it is chosen


@lru_cache(maxsize=16)
def list_rhythm_cells(rhythm: str, part: str) -> tuple[Cell, ...]:
    """List the vocabulary's one-bar rhythms of 4/4 for a part, fewest onsets first.

    `part` is "melody" or "accompaniment".     Each is weighed by how common it is among those with as many onsets, and
    by how well it suits one of RHYTHMS. The list is empty without a vocabulary, and for a rhythm that keeps its own
    ranking.
    """
    tables = load_vocabulary()
    if tables is None or rhythm in _OWN_RANKING:
        return ()
    weights = weigh_places(rhythm, 4)
    return tuple(
        (frozenset(places), share * (sum(weights[place] for place in places) / onsets) ** _SUITED)
        for onsets in range(1, 17)
        for places, share in tables.cells(part, onsets)
        if weights.keys() >= set(places)
    )


@lru_cache(maxsize=64)
def _select_cells(
    places: frozenset[float], rhythm: str, part: str, *, from_first: bool
) -> Mapping[int, tuple[Cell, ...]]:
    """Select the cells that lie in `places`, by their number of onsets."""
    cells: dict[int, tuple[Cell, ...]] = {}
    for cell in list_rhythm_cells(rhythm, part):
        if cell[0] <= places and (0.0 in cell[0] or not from_first):
            cells[len(cell[0])] = (*cells.get(len(cell[0]), ()), cell)
    return cells


def rank_by_rhythm_cells(
    ranks: tuple[float, ...], rhythm: str, part: str, onsets: int, rng: random.Random, *, from_first: bool = False
) -> tuple[float, ...]:
    """Reorder the ranks of a bar of 4/4 as the vocabulary's bars grow; unchanged where it has none.

    A bar with `onsets` notes is drawn, then others with a note fewer or more that lie inside it or contain it. At any
    density the result is (nearly) a bar that people play, and more density only adds to it. All cells stay inside
    `ranks`; with `from_first` they also begin on the first beat.
    """
    cells = _select_cells(frozenset(ranks), rhythm, part, from_first=from_first)

    def draw_cell(choices: Sequence[Cell]) -> list[frozenset[float]]:
        return rng.choices([places for places, _ in choices], [weight for _, weight in choices]) if choices else []

    chain = draw_cell(cells.get(onsets, ()))
    if not chain:
        return ranks
    for count in range(onsets - 1, 0, -1):
        chain = [*draw_cell([cell for cell in cells.get(count, ()) if cell[0] < chain[0]]), *chain]
    for count in range(onsets + 1, len(ranks)):
        chain += draw_cell([cell for cell in cells.get(count, ()) if cell[0] > chain[-1]])
    first_in = {place: next((n for n, cell in enumerate(chain) if place in cell), len(chain)) for place in ranks}
    return tuple(sorted(ranks, key=lambda place: first_in[place]))  # stable: among those that come at once, as ranked


def count_notes(count: float, bar_in_phrase: int) -> int:
    """Round a number of notes for one bar, so that over a phrase the rounding evens out."""
    return int(count + (0.5, 0.25, 0.75, 0.5)[bar_in_phrase % 4])
