"""The vocabulary that people share, learned as tables that hold nobody's piece: what is counted, smoothed, and judged.

Every count that fewer than LEAST_PIECES different songs make is dropped before anything is written, and nothing that is
counted is longer than a bar. What is left is smoothed towards the next wider table (Dirichlet, PULL observations): a
mode's chord moves towards all major-like or minor-like modes', those towards even. A quadrant's are pulled hard towards
those of all labelled pieces: how people move their chords hardly depends on the feeling, once the mode is known.
"""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kelly_live.core.atomic_write import write_atomically
from kelly_live.core.errors import ConfigError
from kelly_live.core.values import MAJOR_MODES, MODES
from kelly_live.lab.corpora.manifest import QUADRANTS
from kelly_live.lab.corpora.pieces import Chord, Piece
from kelly_live.lab.corpora.symbolic_features import CHORD_SECONDS, Floats

VERSION = 1
LEAST_PIECES = 5
PULL = 30.0  # observations' worth of the wider table
# The best of five pairs on held-out pieces (1.632 nats a move; 1.648 with 100 instead of 300, 1.717 with PULL alone).
FELT_PULL, LABELLED_PULL = 300.0, 10.0
WIDEST_STEP = 7
_DEGREES = {
    mode: tuple(sorted((s - start) % 12 for s in (0, 2, 4, 5, 7, 9, 11)))
    for mode, start in zip(MODES, (0, 2, 4, 5, 7, 9, 11), strict=True)
}
_MOST_CELLS = 120  # of one number of onsets
_CHORD_BEATS = (1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 16.0)
_NEAR_GRID = 0.2  # sixteenths: what lies further off is not on the grid
FEWEST_SHARED_NOTES = 6

Table = dict[int, dict[int, float]]
Key = tuple[Any, ...]


class Tally:
    """Counts of things, and in how many different songs each was met."""

    def __init__(self) -> None:
        self.counts: Counter[Key] = Counter()
        self._songs: dict[Key, set[str]] = defaultdict(set)

    def add(self, thing: Key, song: str) -> None:
        self.counts[thing] += 1
        self._songs[thing].add(song)

    def kept(self) -> Counter[Key]:
        """What at least LEAST_PIECES songs share."""
        return Counter({k: n for k, n in self.counts.items() if len(self._songs[k]) >= LEAST_PIECES})


# ---------------------------------------------------------------- what a piece says


def degree_of(pitch_class: int, tonic: int, mode: str) -> int | None:
    """The mode's degree 0-6 of a pitch class; None outside the mode, but the leading tone of minor is its degree 6."""
    above = (pitch_class - tonic) % 12
    if above in _DEGREES[mode]:
        return _DEGREES[mode].index(above)
    return None


def chord_degrees(piece: Piece) -> list[tuple[int, Chord]]:
    """The chords whose roots lie in the mode, in order; a chord outside breaks the chain (degree -1)."""
    found = []
    for chord in piece.chords:
        degree = degree_of(chord.root, piece.tonic, piece.mode)
        found.append((-1 if degree is None else degree, chord))
    return found


def chord_moves(piece: Piece) -> list[tuple[int, int]]:
    """From degree to another degree, where one chord of the mode follows another."""
    degrees = [degree for degree, _ in chord_degrees(piece)]
    return [(a, b) for a, b in itertools.pairwise(degrees) if a >= 0 and b >= 0 and a != b]


def melodic_steps(piece: Piece) -> list[int]:
    """From melody note to melody note in scale degrees, within WIDEST_STEP; a note outside the mode counts as the
    degree below it.
    """
    line = []
    for pitch in piece.melody[:, 2].astype(int):
        octave, above = divmod(pitch - piece.tonic, 12)
        degree = max(i for i, s in enumerate(_DEGREES[piece.mode]) if s <= above)
        line.append(7 * octave + degree)
    return [int(max(-WIDEST_STEP, min(WIDEST_STEP, b - a))) for a, b in itertools.pairwise(line)]


def bar_cells(notes: Floats) -> list[tuple[float, ...]]:
    """Where notes begin in each bar of four (beats, sixteenths), for the bars that lie on the grid; empty bars left
    out.
    """
    sixteenths = notes[:, 0] * 4.0
    nearest = np.rint(sixteenths).astype(int)
    bars: dict[int, set[int]] = defaultdict(set)
    off: set[int] = set()
    for place, exact in zip(nearest, sixteenths, strict=True):
        bars[place // 16].add(int(place % 16))
        if abs(exact - place) > _NEAR_GRID:
            off.add(place // 16)
    return [tuple(place / 4.0 for place in sorted(places)) for bar, places in bars.items() if bar not in off]


@dataclass(frozen=True, slots=True)
class Hand:
    """What a performance says of touch and timing, by note or attack; see music/vocabulary.py for the units."""

    metre: list[tuple[int, float]]
    over: float
    spread: float
    lag: float
    deviation: float
    drift: float
    rolls: list[float]
    leads: list[float]


def hand_of(piece: Piece) -> Hand | None:
    """None where the piece was not performed or hardly holds its grid."""
    if not piece.performed or len(piece.melody) < 30 or len(piece.accompaniment) < 30:
        return None
    everything = np.concatenate((piece.melody, piece.accompaniment))
    sung = np.concatenate((np.ones(len(piece.melody), bool), np.zeros(len(piece.accompaniment), bool)))
    order = np.lexsort((everything[:, 2], everything[:, 4]))
    everything, sung = everything[order], sung[order]
    spread = float(np.std(everything[:, 3]))
    if spread < 2.0:
        return None
    loud = (everything[:, 3] - everything[:, 3].mean()) / spread
    places = everything[:, 0] * 4.0
    nearest = np.rint(places)
    metre = [(int(place % 4), float(value)) for place, value in zip(nearest, loud, strict=True)]
    own = loud[sung]
    local = np.convolve(np.pad(own, 4, mode="edge"), np.ones(9) / 9.0, mode="valid")
    residue = own - local

    starts = np.flatnonzero(np.diff(everything[:, 4], prepend=-1.0) > CHORD_SECONDS)
    onsets = everything[starts]
    beat_seconds = float(np.median(np.diff(onsets[:, 4])) / max(float(np.median(np.diff(onsets[:, 0]))), 1e-3))
    off = (onsets[:, 0] * 4.0 - np.rint(onsets[:, 0] * 4.0)) / 4.0 * beat_seconds
    near = np.abs(off) < 0.06  # further off it is another value, not a feel
    kept = off[near] - np.median(off[near]) if near.any() else np.empty(0)
    if len(kept) < 20:
        return None
    rolls, leads = [], []
    for first, last in zip(starts, [*starts[1:], len(everything)], strict=True):
        if last - first < 2:
            continue
        rolls.append(float(np.ptp(everything[first:last, 4])))
        if sung[first:last].any() and not sung[first:last].all():
            leads.append(
                float(
                    everything[first:last, 4][~sung[first:last]].mean()
                    - everything[first:last, 4][sung[first:last]].mean()
                )
            )
    return Hand(
        metre,
        float(own.mean() - loud[~sung].mean()),
        spread,
        _lag1(residue),
        float(np.std(kept)),
        _lag1(kept),
        rolls,
        leads,
    )


def _lag1(values: Floats) -> float:
    if len(values) < 3 or np.std(values) == 0.0:
        return 0.0
    return float(np.corrcoef(values[:-1], values[1:])[0, 1])


def struck_chords(piece: Piece) -> list[Floats]:
    """The pitches of each attack of two or more accompaniment notes."""
    starts = np.flatnonzero(np.diff(piece.accompaniment[:, 0], prepend=-9.0) > 0.08)
    attacks = np.split(piece.accompaniment[:, 2], starts[1:]) if len(starts) else []
    return [np.unique(attack) for attack in attacks if len(np.unique(attack)) >= 2]


# ---------------------------------------------------------------- tables


def _smoothed(
    counts: Counter[Key], rows: Sequence[int], wider: Mapping[int, Mapping[int, float]], pull: float = PULL
) -> Table:
    """Chances row by row, pulled towards `wider`."""
    table: Table = {}
    for a in rows:
        total = sum(n for (x, _), n in counts.items() if x == a)
        table[a] = {b: (counts[a, b] + pull * p) / (total + pull) for b, p in wider[a].items()}
    return table


@dataclass(frozen=True, slots=True)
class Moves:
    """Chord moves by mode, and by quadrant and mode."""

    by_mode: dict[str, Table]
    felt: dict[str, dict[str, Table]]


def learn_moves(pieces: Sequence[Piece]) -> Moves:
    """Degrees 0-6; a chord is never followed by itself."""
    degrees = range(7)
    even: Table = {a: {b: 1.0 / 6.0 for b in degrees if b != a} for a in degrees}
    tallies: dict[tuple[str | None, str], Tally] = defaultdict(Tally)
    for piece in pieces:
        family = "major" if piece.mode in MAJOR_MODES else "minor"
        for move in chord_moves(piece):
            tallies[None, family].add(move, piece.group)
            tallies[None, piece.mode].add(move, piece.group)
            if piece.quadrant is not None:
                tallies[piece.quadrant, family].add(move, piece.group)
                tallies["labelled", family].add(move, piece.group)

    def kept(quadrant: str | None, name: str) -> Counter[Key]:
        return tallies[quadrant, name].kept()

    families = {name: _smoothed(kept(None, name), degrees, even) for name in ("major", "minor")}
    by_mode = {m: _smoothed(kept(None, m), degrees, families["major" if m in MAJOR_MODES else "minor"]) for m in MODES}
    felt: dict[str, dict[str, Table]] = {q: {} for q in QUADRANTS}
    for mode in MODES:
        family = "major" if mode in MAJOR_MODES else "minor"
        labelled = _smoothed(kept("labelled", family), degrees, by_mode[mode], LABELLED_PULL)
        for quadrant in QUADRANTS:
            felt[quadrant][mode] = _smoothed(kept(quadrant, family), degrees, labelled, FELT_PULL)
    return Moves(by_mode, felt)


def learn_steps(pieces: Sequence[Piece]) -> Table:
    """The next step after each, pulled towards all steps."""
    tally = Tally()
    for piece in pieces:
        line = melodic_steps(piece)
        for pair in itertools.pairwise(line):
            tally.add(pair, piece.group)
    counts = tally.kept()
    steps = range(-WIDEST_STEP, WIDEST_STEP + 1)
    every = Counter(b for (_, b), n in counts.items() for _ in range(n))
    total = sum(every.values()) + len(steps)
    alone = {b: (every[b] + 1.0) / total for b in steps}
    return _smoothed(counts, steps, dict.fromkeys(steps, alone))


def learn_leaning(pieces: Sequence[Piece]) -> dict[str, Any]:
    """Of the melody's notes on the bar's strong beats, the share that its (given) chord does not hold, and the step in
    scale degrees that such a note takes next.
    """
    asked = outside = 0
    steps: Counter[int] = Counter()
    for piece in pieces:
        if not piece.bars or len(piece.melody) < 2:
            continue
        line = melodic_steps(piece)
        starts = np.array([chord.start for chord in piece.chords])
        for index, row in enumerate(piece.melody[:-1]):
            beat = round(4.0 * row[0]) / 4.0
            place = int(np.searchsorted(starts, beat, side="right")) - 1
            if beat % 2.0 or place < 0 or beat >= piece.chords[place].end:
                continue
            chord = piece.chords[place]
            asked += 1
            if (int(row[2]) - chord.root) % 12 not in (0, 4 if chord.major else 3, 7):
                outside += 1
                steps[line[index]] += 1
    shares = _share(steps, -WIDEST_STEP, WIDEST_STEP)
    return {"share": outside / max(asked, 1), "steps": {step: share for step, share in shares.items() if share > 0.01}}


Cells = dict[int, list[tuple[tuple[float, ...], float]]]


def learn_cells(pieces: Sequence[Piece], hand: Callable[[Piece], Floats]) -> Cells:
    """By number of onsets: the commonest bars and their share among those kept."""
    tally = Tally()
    for piece in pieces:
        if piece.bars:
            for cell in bar_cells(hand(piece)):
                tally.add(cell, piece.group)
    by_size: dict[int, list[tuple[tuple[float, ...], int]]] = defaultdict(list)
    for cell, count in tally.kept().most_common():
        if len(by_size[len(cell)]) < _MOST_CELLS:
            by_size[len(cell)].append((cell, count))
    found: Cells = {}
    for size, cells in sorted(by_size.items()):
        total = sum(count for _, count in cells)
        found[size] = [(cell, count / total) for cell, count in cells]
    return found


def _share(counts: Counter[int], low: int, high: int) -> dict[int, float]:
    inside = {value: counts[value] for value in range(low, high + 1)}
    total = max(sum(inside.values()), 1)
    return {value: count / total for value, count in inside.items()}


def learn(pieces: Sequence[Piece]) -> dict[str, Any]:
    """All tables, ready for JSON: music/vocabulary.py reads them. Raises ConfigError without a performed piece."""
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
        for attack in struck_chords(piece):
            voices[min(len(attack), 8)] += 1
            spans[min(int(np.ptp(attack)), 48)] += 1
    hands = [hand for hand in map(hand_of, pieces) if hand is not None]
    if len(hands) < LEAST_PIECES:
        raise ConfigError(f"{len(hands)} performed pieces; touch and timing need {LEAST_PIECES}, as EMOPIA has them")
    strokes = [stroke for hand in hands for stroke in hand.metre]
    return {
        "version": VERSION,
        "least_pieces": LEAST_PIECES,
        "moves": moves.by_mode,
        "felt": moves.felt,
        "chord_beats": {
            name: {str(beats): counts[beats] / sum(counts.values()) for beats in _CHORD_BEATS}
            for name, counts in sorted(chord_beats.items())
        },
        "cells": {
            "melody": learn_cells(pieces, lambda piece: piece.melody),
            "accompaniment": learn_cells(pieces, lambda piece: piece.accompaniment),
        },
        "steps": learn_steps(pieces),
        "leaning": learn_leaning(pieces),
        "voices": _share(voices, 2, 8),
        "spans": _share(spans, 2, 48),
        "touch": {
            "metre": [float(np.mean([0.0, *(loud for place, loud in strokes if place == p)])) for p in range(4)],
            "melody": float(np.median([hand.over for hand in hands])),
            "spread_velocities": float(np.median([hand.spread for hand in hands])),
            "lag1": float(np.median([hand.lag for hand in hands])),
        },
        "timing": {
            "sd_seconds": float(np.median([hand.deviation for hand in hands])),
            "lag1": float(np.median([hand.drift for hand in hands])),
            "roll_seconds": float(np.median([roll for hand in hands for roll in hand.rolls] or [0.0])),
            "lead_seconds": float(np.median([lead for hand in hands for lead in hand.leads] or [0.0])),
        },
    }


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {str(key): _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return value


def write(tables: Mapping[str, Any], path: Path) -> None:
    """As compact JSON, four digits. Raises OutputError."""
    text = json.dumps(_rounded(dict(tables)), separators=(",", ":"))
    write_atomically(path, (text + "\n").encode())


# ---------------------------------------------------------------- held out


@dataclass(frozen=True, slots=True)
class Fit:
    """Mean negative log-likelihood (nats a decision, lower is better) of held-out pieces under four tables; `se` is the
    standard error of `hand_written - learned` over songs. NaN: there is no such table.
    """

    what: str
    learned: float
    hand_written: float
    corpus_wide: float
    uniform: float
    se: float
    decisions: int
    songs: int


def judge_moves(
    learned: Moves, pieces: Sequence[Piece], written: Mapping[str, Mapping[int, Mapping[int, float]]], *, felt: bool
) -> Fit:
    """Chord moves of `pieces` (held out): by mode or, `felt`, by quadrant and mode; against hand-written weights and
    against how often each chord is reached at all. A move that was not written counts as 1 % of its row.
    """
    every: Counter[int] = Counter()
    losses: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    for mode in MODES:
        for chances in learned.by_mode[mode].values():
            every.update(chances)
    for piece in pieces:
        if felt and piece.quadrant is None:
            continue
        table = learned.felt[piece.quadrant][piece.mode] if felt and piece.quadrant else learned.by_mode[piece.mode]
        for a, b in chord_moves(piece):
            row: Mapping[int, float] = written.get(piece.mode, {}).get(a, {})
            total = sum(w for c, w in row.items() if c != a)
            by_hand = 0.94 * row.get(b, 0.0) / total + 0.01 if total else 1.0 / 6.0
            reached = every[b] / sum(n for c, n in every.items() if c != a)
            losses[piece.group].append((-math.log(table[a][b]), -math.log(by_hand), -math.log(reached)))
    name = "chord moves, by quadrant" if felt else "chord moves, by mode"
    return _fit(name, losses, math.log(6.0))


def judge_steps(steps: Table, pieces: Sequence[Piece]) -> Fit:
    """Melodic steps of `pieces` (held out) after the step before, against steps whatever came before."""
    alone: Counter[int] = Counter()
    for row in steps.values():
        alone.update(row)
    total = sum(alone.values())
    losses: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    for piece in pieces:
        line = melodic_steps(piece)
        for a, b in itertools.pairwise(line):
            losses[piece.group].append((-math.log(steps[a][b]), math.nan, -math.log(alone[b] / total)))
    return _fit("melodic steps", losses, math.log(2 * WIDEST_STEP + 1))


def judge_cells(
    name: str, cells: Cells, pieces: Sequence[Piece], hand: Callable[[Piece], Floats], ranked: Mapping[float, float]
) -> Fit:
    """One-bar rhythms of `pieces` (held out), given how many onsets: the table (99 %, the rest even over all bars of so
    many) against places drawn by `ranked` weights, hand-written, and against even chances.
    """
    losses: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    even_loss = []
    places = [index / 4.0 for index in range(16)]
    weights = np.array([ranked.get(place, 1e-3) for place in places])
    for piece in pieces:
        if not piece.bars:
            continue
        for cell in bar_cells(hand(piece)):
            even = 1.0 / math.comb(16, len(cell))
            share = dict(cells.get(len(cell), [])).get(cell, 0.0)
            chosen = weights[[int(4 * place) for place in cell]]
            by_hand = float(np.prod(chosen)) / _elementary(weights, len(cell))
            losses[piece.group].append(
                (-math.log(0.9 * share + 0.1 * even), -math.log(0.99 * by_hand + 0.01 * even), math.nan)
            )
            even_loss.append(-math.log(even))
    return _fit(name, losses, float(np.mean(even_loss)) if even_loss else math.nan)


def _elementary(weights: Floats, size: int) -> float:
    """Sum over all choices of `size` places of the product of their weights."""
    sums = np.zeros(size + 1)
    sums[0] = 1.0
    for weight in weights:
        sums[1:] += weight * sums[:-1].copy()
    return float(sums[size])


def _fit(what: str, losses: Mapping[str, Sequence[tuple[float, float, float]]], uniform: float) -> Fit:
    if not losses:
        raise ConfigError(f"no held-out piece says anything about {what}")
    rows = np.array([row for song in losses.values() for row in song])
    gains = np.array([np.sum([b - a for a, b, _ in song]) for song in losses.values()])
    se = float(np.std(gains) * math.sqrt(len(gains)) / len(rows))
    learned, hand, corpus = (float(x) for x in rows.mean(axis=0))
    return Fit(what, learned, hand, corpus, uniform, se, len(rows), len(losses))


# ---------------------------------------------------------------- quoting


class Memory:
    """Melodies, to ask whether another one quotes them: runs of (interval, time between onsets) in any key."""

    GRAM = 4

    def __init__(self, melodies: Iterable[tuple[str, Floats]]) -> None:
        self._lines: list[list[tuple[int, int]]] = []
        self._owners: list[str] = []
        self._index: dict[tuple[tuple[int, int], ...], list[tuple[int, int]]] = defaultdict(list)
        for owner, notes in melodies:
            line = tokens(notes)
            for start in range(len(line) - self.GRAM + 1):
                self._index[tuple(line[start : start + self.GRAM])].append((len(self._lines), start))
            self._lines.append(line)
            self._owners.append(owner)

    def longest_quote_beats(self, notes: Floats, owner: str = "") -> float:
        """The longest run, in beats from its first to its last onset, that some remembered melody of another owner has
        note for note; runs of one repeated interval and one value (a scale, a repeated note) are nobody's.
        """
        line = tokens(notes)
        best = 0
        for start in range(len(line) - self.GRAM + 1):
            seen = self._index.get(tuple(line[start : start + self.GRAM]), ())
            for number, place in seen:
                if self._owners[number] == owner:
                    continue
                other = self._lines[number]
                size = self.GRAM
                while (
                    start + size < len(line) and place + size < len(other) and line[start + size] == other[place + size]
                ):
                    size += 1
                run = line[start : start + size]
                if len(run) + 1 >= FEWEST_SHARED_NOTES and len(set(run)) > 2:
                    best = max(best, sum(gap for _, gap in run))
        return best / 4.0


def tokens(notes: Floats) -> list[tuple[int, int]]:
    """(semitones, sixteenths) from note to note of rows of onset (beats), length, pitch, ..."""
    places = np.rint(notes[:, 0] * 4.0).astype(int)
    pitches = notes[:, 2].astype(int)
    return [(int(p), int(g)) for p, g in zip(np.diff(pitches), np.diff(places), strict=True)]
