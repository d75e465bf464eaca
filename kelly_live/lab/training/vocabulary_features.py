"""Features of a piece for the vocabulary: chord moves, melodic steps, bar rhythms, touch and timing."""

from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from kelly_live.core.arrays import Floats
from kelly_live.core.values import MODES
from kelly_live.lab.corpora.pieces import Chord, Piece
from kelly_live.lab.corpora.symbolic_features import CHORD_SECONDS

MAX_STEP = 7
_DEGREES = {
    mode: tuple(sorted((s - start) % 12 for s in (0, 2, 4, 5, 7, 9, 11)))
    for mode, start in zip(MODES, (0, 2, 4, 5, 7, 9, 11), strict=True)
}
_NEAR_GRID = 0.2  # sixteenths: what lies further off is not on the grid


def find_degree(pitch_class: int, tonic: int, mode: str) -> int | None:
    """Find the degree 0-6 of a pitch class in the mode, or None outside it."""
    above = (pitch_class - tonic) % 12
    if above in _DEGREES[mode]:
        return _DEGREES[mode].index(above)
    return None


def list_chord_degrees(piece: Piece) -> list[tuple[int, Chord]]:
    """List the chords in order with their degrees; a chord outside the mode has degree -1."""
    chords = []
    for chord in piece.chords:
        degree = find_degree(chord.root, piece.tonic, piece.mode)
        chords.append((-1 if degree is None else degree, chord))
    return chords


def list_chord_moves(piece: Piece) -> list[tuple[int, int]]:
    """List the moves from degree to degree where one chord of the mode follows another."""
    degrees = [degree for degree, _ in list_chord_degrees(piece)]
    return [(a, b) for a, b in itertools.pairwise(degrees) if a >= 0 and b >= 0 and a != b]


def list_melodic_steps(piece: Piece) -> list[int]:
    """List the steps between melody notes in scale degrees, within MAX_STEP.

    A note outside the mode counts as the degree below it.
    """
    line = []
    for pitch in piece.melody[:, 2].astype(int):
        octave, above = divmod(pitch - piece.tonic, 12)
        degree = max(i for i, s in enumerate(_DEGREES[piece.mode]) if s <= above)
        line.append(7 * octave + degree)
    return [int(max(-MAX_STEP, min(MAX_STEP, b - a))) for a, b in itertools.pairwise(line)]


def list_bar_rhythms(notes: Floats) -> list[tuple[float, ...]]:
    """List the onsets in each bar of four (beats, in sixteenths), for bars on the grid.

    Empty bars are left out.
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
class PerformanceFeatures:
    """Touch and timing of a performance, by note or attack; `music/vocabulary.py` gives the units."""

    accents: list[tuple[int, float]]
    melody_excess: float
    velocity_spread: float
    velocity_lag1: float
    timing_deviation: float
    timing_lag1: float
    roll_seconds: list[float]
    lead_seconds: list[float]


def measure_performance(piece: Piece, *, quantised: bool = False) -> PerformanceFeatures | None:
    """Measure touch and timing, or None where the piece was not performed or hardly keeps its grid.

    With `quantised`, of POP909's pieces, whose loudness was played and whose onsets were not kept: touch alone.
    """
    if (
        not (piece.source == "pop909" if quantised else piece.is_performed)
        or len(piece.melody) < 30
        or len(piece.accompaniment) < 30
    ):
        return None
    everything = np.concatenate((piece.melody, piece.accompaniment))
    is_melody = np.concatenate((np.ones(len(piece.melody), bool), np.zeros(len(piece.accompaniment), bool)))
    order = np.lexsort((everything[:, 2], everything[:, 4]))
    everything, is_melody = everything[order], is_melody[order]
    velocity_spread = float(np.std(everything[:, 3]))
    if velocity_spread < 2.0:
        return None
    loud = (everything[:, 3] - everything[:, 3].mean()) / velocity_spread
    places = everything[:, 0] * 4.0
    nearest = np.rint(places)
    accents = [(int(place % 4), float(value)) for place, value in zip(nearest, loud, strict=True)]
    melody_velocities = loud[is_melody]
    local = np.convolve(np.pad(melody_velocities, 4, mode="edge"), np.ones(9) / 9.0, mode="valid")
    residue = melody_velocities - local

    melody_excess = float(melody_velocities.mean() - loud[~is_melody].mean())
    if quantised:
        lag1 = _correlate_neighbours(residue)
        return PerformanceFeatures(accents, melody_excess, velocity_spread, lag1, 0.0, 0.0, [], [])
    starts = np.flatnonzero(np.diff(everything[:, 4], prepend=-1.0) > CHORD_SECONDS)
    onsets = everything[starts]
    beat_seconds = float(np.median(np.diff(onsets[:, 4])) / max(float(np.median(np.diff(onsets[:, 0]))), 1e-3))
    off = (onsets[:, 0] * 4.0 - np.rint(onsets[:, 0] * 4.0)) / 4.0 * beat_seconds
    is_deviation = np.abs(off) < 0.06  # further off it is another note value, not a timing deviation
    deviations = off[is_deviation] - np.median(off[is_deviation]) if is_deviation.any() else np.empty(0)
    if len(deviations) < 20:
        return None
    roll_seconds, lead_seconds = [], []
    for first, last in zip(starts, [*starts[1:], len(everything)], strict=True):
        if last - first < 2:
            continue
        roll_seconds.append(float(np.ptp(everything[first:last, 4])))
        if is_melody[first:last].any() and not is_melody[first:last].all():
            lead_seconds.append(
                float(
                    everything[first:last, 4][~is_melody[first:last]].mean()
                    - everything[first:last, 4][is_melody[first:last]].mean()
                )
            )
    return PerformanceFeatures(
        accents,
        melody_excess,
        velocity_spread,
        _correlate_neighbours(residue),
        float(np.std(deviations)),
        _correlate_neighbours(deviations),
        roll_seconds,
        lead_seconds,
    )


def _correlate_neighbours(values: Floats) -> float:
    if len(values) < 3 or np.std(values) == 0.0:
        return 0.0
    return float(np.corrcoef(values[:-1], values[1:])[0, 1])


def list_attacks(piece: Piece) -> list[Floats]:
    """List the pitches of each attack of two or more accompaniment notes."""
    starts = np.flatnonzero(np.diff(piece.accompaniment[:, 0], prepend=-9.0) > 0.08)
    attacks = np.split(piece.accompaniment[:, 2], starts[1:]) if len(starts) else []
    return [np.unique(attack) for attack in attacks if len(np.unique(attack)) >= 2]
