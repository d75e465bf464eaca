"""The vocabulary that pieces share, learned as tables that contain no single piece.

Every count of fewer than MIN_SONGS different songs is dropped before anything is written, and nothing that is counted
is longer than a bar. The rest is smoothed towards the next wider table (Dirichlet, PRIOR_OBSERVATIONS): a mode's chord
moves towards those of all major-like or minor-like modes, those towards even shares. A quadrant's moves are smoothed
strongly towards those of all labelled pieces: chord moves hardly depend on the emotion once the mode is known.
"""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kelly_live.core.arrays import Floats
from kelly_live.core.atomic_write import write_atomically
from kelly_live.core.errors import ConfigError
from kelly_live.core.values import MAJOR_MODES, MODES
from kelly_live.lab.corpora.manifest import QUADRANTS
from kelly_live.lab.corpora.pieces import Piece
from kelly_live.lab.training.vocabulary_features import (
    MAX_STEP,
    list_attacks,
    list_bar_rhythms,
    list_chord_moves,
    list_melodic_steps,
    measure_performance,
)

VERSION = 1
MIN_SONGS = 5
PRIOR_OBSERVATIONS = 30.0  # weight of the wider table
# The best of five pairs on held-out pieces: 1.632 nats a move; 1.648 with 100 instead of 300, 1.717 with
# PRIOR_OBSERVATIONS alone.
QUADRANT_OBSERVATIONS, LABELLED_OBSERVATIONS = 300.0, 10.0
_MAX_RHYTHMS = 120  # of one number of onsets
_CHORD_BEATS = (1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 16.0)
Table = dict[int, dict[int, float]]
Key = tuple[Any, ...]


class Tally:
    """Counts of keys, with the songs in which each occurs."""

    def __init__(self) -> None:
        self.counts: Counter[Key] = Counter()
        self._songs: dict[Key, set[str]] = defaultdict(set)

    def add(self, thing: Key, song: str) -> None:
        """Count a key in a song."""
        self.counts[thing] += 1
        self._songs[thing].add(song)

    def select_shared(self) -> Counter[Key]:
        """Select the keys that at least MIN_SONGS songs share."""
        return Counter({k: n for k, n in self.counts.items() if len(self._songs[k]) >= MIN_SONGS})


def _smooth(
    counts: Counter[Key],
    rows: Sequence[int],
    wider: Mapping[int, Mapping[int, float]],
    pull: float = PRIOR_OBSERVATIONS,
) -> Table:
    """Compute probabilities row by row, smoothed towards `wider`."""
    table: Table = {}
    for a in rows:
        total = sum(n for (x, _), n in counts.items() if x == a)
        table[a] = {b: (counts[a, b] + pull * p) / (total + pull) for b, p in wider[a].items()}
    return table


@dataclass(frozen=True, slots=True)
class ChordMoves:
    """Chord moves by mode, and by quadrant and mode."""

    by_mode: dict[str, Table]
    by_quadrant: dict[str, dict[str, Table]]


def learn_moves(pieces: Sequence[Piece]) -> ChordMoves:
    """Learn moves between degrees 0-6; a chord never follows itself."""
    degrees = range(7)
    even: Table = {a: {b: 1.0 / 6.0 for b in degrees if b != a} for a in degrees}
    tallies: dict[tuple[str | None, str], Tally] = defaultdict(Tally)
    for piece in pieces:
        family = "major" if piece.mode in MAJOR_MODES else "minor"
        for move in list_chord_moves(piece):
            tallies[None, family].add(move, piece.group)
            tallies[None, piece.mode].add(move, piece.group)
            if piece.quadrant is not None:
                tallies[piece.quadrant, family].add(move, piece.group)
                tallies["labelled", family].add(move, piece.group)

    def count_shared(quadrant: str | None, name: str) -> Counter[Key]:
        return tallies[quadrant, name].select_shared()

    families = {name: _smooth(count_shared(None, name), degrees, even) for name in ("major", "minor")}
    by_mode = {
        m: _smooth(count_shared(None, m), degrees, families["major" if m in MAJOR_MODES else "minor"]) for m in MODES
    }
    by_quadrant: dict[str, dict[str, Table]] = {q: {} for q in QUADRANTS}
    for mode in MODES:
        family = "major" if mode in MAJOR_MODES else "minor"
        family_table = _smooth(count_shared("labelled", family), degrees, by_mode[mode], LABELLED_OBSERVATIONS)
        for quadrant in QUADRANTS:
            by_quadrant[quadrant][mode] = _smooth(
                count_shared(quadrant, family), degrees, family_table, QUADRANT_OBSERVATIONS
            )
    return ChordMoves(by_mode, by_quadrant)


def learn_steps(pieces: Sequence[Piece]) -> Table:
    """Learn the next melodic step after each, smoothed towards all steps."""
    tally = Tally()
    for piece in pieces:
        line = list_melodic_steps(piece)
        for pair in itertools.pairwise(line):
            tally.add(pair, piece.group)
    counts = tally.select_shared()
    steps = range(-MAX_STEP, MAX_STEP + 1)
    every = Counter(b for (_, b), n in counts.items() for _ in range(n))
    total = sum(every.values()) + len(steps)
    alone = {b: (every[b] + 1.0) / total for b in steps}
    return _smooth(counts, steps, dict.fromkeys(steps, alone))


def learn_nonchord_tones(pieces: Sequence[Piece]) -> dict[str, Any]:
    """Learn the share of melody notes on strong beats outside the chord, and the step that follows them.

    Steps are in scale degrees. Only chords that a corpus states are used.
    """
    note_count = outside_count = 0
    steps: Counter[int] = Counter()
    for piece in pieces:
        if not piece.bars or len(piece.melody) < 2:
            continue
        line = list_melodic_steps(piece)
        starts = np.array([chord.start for chord in piece.chords])
        for index, row in enumerate(piece.melody[:-1]):
            beat = round(4.0 * row[0]) / 4.0
            place = int(np.searchsorted(starts, beat, side="right")) - 1
            if beat % 2.0 or place < 0 or beat >= piece.chords[place].end:
                continue
            chord = piece.chords[place]
            note_count += 1
            if (int(row[2]) - chord.root) % 12 not in (0, 4 if chord.major else 3, 7):
                outside_count += 1
                steps[line[index]] += 1
    shares = _normalise(steps, -MAX_STEP, MAX_STEP)
    return {
        "share": outside_count / max(note_count, 1),
        "steps": {step: share for step, share in shares.items() if share > 0.01},
    }


RhythmTable = dict[int, list[tuple[tuple[float, ...], float]]]


def learn_rhythms(pieces: Sequence[Piece], select_notes: Callable[[Piece], Floats]) -> RhythmTable:
    """Learn the commonest rhythms of a bar by number of onsets, with their shares."""
    tally = Tally()
    for piece in pieces:
        if piece.bars:
            for cell in list_bar_rhythms(select_notes(piece)):
                tally.add(cell, piece.group)
    by_size: dict[int, list[tuple[tuple[float, ...], int]]] = defaultdict(list)
    for cell, count in tally.select_shared().most_common():
        if len(by_size[len(cell)]) < _MAX_RHYTHMS:
            by_size[len(cell)].append((cell, count))
    rhythms: RhythmTable = {}
    for size, cells in sorted(by_size.items()):
        total = sum(count for _, count in cells)
        rhythms[size] = [(cell, count / total) for cell, count in cells]
    return rhythms


def _normalise(counts: Counter[int], low: int, high: int) -> dict[int, float]:
    inside = {value: counts[value] for value in range(low, high + 1)}
    total = max(sum(inside.values()), 1)
    return {value: count / total for value, count in inside.items()}


def learn_tables(pieces: Sequence[Piece], timing: Mapping[str, float] | None = None) -> dict[str, Any]:
    """Learn all tables, ready for JSON as `music/vocabulary.py` reads it.

    `timing`: that of performers, where the pieces are quantised; touch is then of POP909's played loudness.

    Raises:
        ConfigError: Fewer than MIN_SONGS pieces were performed.
    """
    moves = learn_moves(pieces)
    chord_beats: dict[str, Counter[float]] = defaultdict(Counter)
    voices: Counter[int] = Counter()
    spans: Counter[int] = Counter()
    for piece in pieces:
        for chord in piece.chords:
            nearest = min(_CHORD_BEATS, key=lambda beats: abs(math.log2(max(chord.end - chord.start, 0.25) / beats)))
            chord_beats["all"][nearest] += 1
            if piece.quadrant is not None:
                chord_beats[piece.quadrant][nearest] += 1
        for attack in list_attacks(piece):
            voices[min(len(attack), 8)] += 1
            spans[min(int(np.ptp(attack)), 48)] += 1
    performances = [
        performance
        for piece in pieces
        if (performance := measure_performance(piece, quantised=timing is not None)) is not None
    ]
    if len(performances) < MIN_SONGS:
        raise ConfigError(
            f"{len(performances)} performed pieces; touch and timing need {MIN_SONGS}, as EMOPIA has them"
        )
    strokes = [stroke for performance in performances for stroke in performance.accents]
    return {
        "version": VERSION,
        "least_pieces": MIN_SONGS,
        "moves": moves.by_mode,
        "felt": moves.by_quadrant,
        "chord_beats": {
            name: {str(beats): counts[beats] / sum(counts.values()) for beats in _CHORD_BEATS}
            for name, counts in sorted(chord_beats.items())
        },
        "cells": {
            "melody": learn_rhythms(pieces, lambda piece: piece.melody),
            "accompaniment": learn_rhythms(pieces, lambda piece: piece.accompaniment),
        },
        "steps": learn_steps(pieces),
        "leaning": learn_nonchord_tones(pieces),
        "voices": _normalise(voices, 2, 8),
        "spans": _normalise(spans, 2, 48),
        "touch": {
            "metre": [float(np.mean([0.0, *(loud for place, loud in strokes if place == p)])) for p in range(4)],
            "melody": float(np.median([performance.melody_excess for performance in performances])),
            "spread_velocities": float(np.median([performance.velocity_spread for performance in performances])),
            "lag1": float(np.median([performance.velocity_lag1 for performance in performances])),
        },
        "timing": dict(timing)
        if timing is not None
        else {
            "sd_seconds": float(np.median([performance.timing_deviation for performance in performances])),
            "lag1": float(np.median([performance.timing_lag1 for performance in performances])),
            "roll_seconds": float(
                np.median([roll for performance in performances for roll in performance.roll_seconds] or [0.0])
            ),
            "lead_seconds": float(
                np.median([lead for performance in performances for lead in performance.lead_seconds] or [0.0])
            ),
        },
    }


def _round(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {str(key): _round(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_round(item) for item in value]
    return value


def write_tables(tables: Mapping[str, Any], path: Path) -> None:
    """Write the tables as compact JSON with four digits.

    Raises:
        OutputError: The file cannot be written.
    """
    text = json.dumps(_round(dict(tables)), separators=(",", ":"))
    write_atomically(path, (text + "\n").encode())
