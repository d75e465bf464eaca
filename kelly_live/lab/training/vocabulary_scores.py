"""Scores of the vocabulary on held-out pieces, against hand-written tables and even chances."""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kelly_live.core.arrays import Floats
from kelly_live.core.errors import ConfigError
from kelly_live.core.values import MODES
from kelly_live.lab.corpora.pieces import Piece
from kelly_live.lab.training.vocabulary import ChordMoves, RhythmTable, Table
from kelly_live.lab.training.vocabulary_features import MAX_STEP, list_bar_rhythms, list_chord_moves, list_melodic_steps


@dataclass(frozen=True, slots=True)
class LikelihoodScore:
    """The mean negative log-likelihood (nats a decision, lower is better) of held-out pieces.

    Under four tables, NaN where there is none. `se` is the standard error of `hand_written - learned` over songs.
    """

    what: str
    learned: float
    hand_written: float
    corpus_wide: float
    uniform: float
    se: float
    decisions: int
    songs: int


def score_moves(
    learned_moves: ChordMoves,
    pieces: Sequence[Piece],
    written_moves: Mapping[str, Mapping[int, Mapping[int, float]]],
    *,
    by_quadrant: bool,
) -> LikelihoodScore:
    """Score chord moves of held-out pieces, by mode or, with `by_quadrant`, by quadrant and mode.

    Against hand-written weights, and against how often each chord is reached at all. A move that is not hand-written
    counts as 1 % of its row.
    """
    every: Counter[int] = Counter()
    losses: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    for mode in MODES:
        for chances in learned_moves.by_mode[mode].values():
            every.update(chances)
    for piece in pieces:
        if by_quadrant and piece.quadrant is None:
            continue
        table = (
            learned_moves.by_quadrant[piece.quadrant][piece.mode]
            if by_quadrant and piece.quadrant
            else learned_moves.by_mode[piece.mode]
        )
        for a, b in list_chord_moves(piece):
            row: Mapping[int, float] = written_moves.get(piece.mode, {}).get(a, {})
            total = sum(w for c, w in row.items() if c != a)
            by_hand = 0.94 * row.get(b, 0.0) / total + 0.01 if total else 1.0 / 6.0
            chord_share = every[b] / sum(n for c, n in every.items() if c != a)
            losses[piece.group].append((-math.log(table[a][b]), -math.log(by_hand), -math.log(chord_share)))
    name = "chord moves, by quadrant" if by_quadrant else "chord moves, by mode"
    return _summarise(name, losses, math.log(6.0))


def score_steps(steps: Table, pieces: Sequence[Piece]) -> LikelihoodScore:
    """Score melodic steps of held-out pieces given the step before, against steps without context."""
    alone: Counter[int] = Counter()
    for row in steps.values():
        alone.update(row)
    total = sum(alone.values())
    losses: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    for piece in pieces:
        line = list_melodic_steps(piece)
        for a, b in itertools.pairwise(line):
            losses[piece.group].append((-math.log(steps[a][b]), math.nan, -math.log(alone[b] / total)))
    return _summarise("melodic steps", losses, math.log(2 * MAX_STEP + 1))


def score_rhythms(
    name: str,
    cells: RhythmTable,
    pieces: Sequence[Piece],
    select_notes: Callable[[Piece], Floats],
    written_weights: Mapping[float, float],
) -> LikelihoodScore:
    """Score one-bar rhythms of held-out pieces, given the number of onsets.

    The table (99 %, the rest even over all bars with as many onsets), against places drawn by the hand-written weights
    `written_weights`, and against even chances.
    """
    losses: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    even_loss = []
    places = [index / 4.0 for index in range(16)]
    weights = np.array([written_weights.get(place, 1e-3) for place in places])
    for piece in pieces:
        if not piece.bars:
            continue
        for cell in list_bar_rhythms(select_notes(piece)):
            even = 1.0 / math.comb(16, len(cell))
            share = dict(cells.get(len(cell), [])).get(cell, 0.0)
            cell_weights = weights[[int(4 * place) for place in cell]]
            by_hand = float(np.prod(cell_weights)) / _sum_products(weights, len(cell))
            losses[piece.group].append(
                (-math.log(0.9 * share + 0.1 * even), -math.log(0.99 * by_hand + 0.01 * even), math.nan)
            )
            even_loss.append(-math.log(even))
    return _summarise(name, losses, float(np.mean(even_loss)) if even_loss else math.nan)


def _sum_products(weights: Floats, size: int) -> float:
    """Sum over all choices of `size` places of the product of their weights."""
    sums = np.zeros(size + 1)
    sums[0] = 1.0
    for weight in weights:
        sums[1:] += weight * sums[:-1].copy()
    return float(sums[size])


def _summarise(
    name: str, losses: Mapping[str, Sequence[tuple[float, float, float]]], uniform: float
) -> LikelihoodScore:
    if not losses:
        raise ConfigError(f"no held-out piece says anything about {name}")
    rows = np.array([row for song in losses.values() for row in song])
    gains = np.array([np.sum([b - a for a, b, _ in song]) for song in losses.values()])
    se = float(np.std(gains) * math.sqrt(len(gains)) / len(rows))
    learned_loss, written_loss, corpus_loss = (float(x) for x in rows.mean(axis=0))
    return LikelihoodScore(name, learned_loss, written_loss, corpus_loss, uniform, se, len(rows), len(losses))
