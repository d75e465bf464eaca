"""What people play, as tables to draw from: chord moves, harmonic rhythm, rhythm cells, melodic steps, touch, timing.

How to use it: `words = load_vocabulary()` (read once; None where `models/vocabulary.json` is absent, and a player keeps its
own habits). Draw with `pick(dice(...), words.moves("aeolian")[here])` for the next chord's degree 0-6 (the same shape
as `Grammar.moves`; give a quadrant "Q1".."Q4" where the feeling is known), `words.cells("melody", onsets)` for one-bar
rhythms in 4/4 as `(places in beats, share)`, most frequent first, all played in at least LEAST_PIECES different pieces;
`words.steps(previous)` for the next melodic step in scale degrees after the last one; `words.leaning` says how often a
strong beat leans on a tone outside the chord, `words.resolutions` where it goes from there; `words.touch` and
`words.timing` are plain numbers (see their classes). Nothing in it is longer than a bar or rarer than LEAST_PIECES
pieces, so that nobody's piece can be told from it: the sequences are yours to draw. Made by `kelly-live lab train
vocabulary` (lab/training/vocabulary.py), measured in models/vocabulary.md.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from kelly_live.core.errors import ConfigError
from kelly_live.core.resources import find_resources
from kelly_live.core.values import MODES

FILE = "vocabulary.json"
VERSION = 1
LEAST_PIECES = 5
WIDEST_STEP = 7  # scale degrees; wider ones count as this
QUADRANTS = ("Q1", "Q2", "Q3", "Q4")

Moves = Mapping[int, Mapping[int, float]]


@dataclass(frozen=True, slots=True)
class Touch:
    """Velocities in standard deviations of a piece: `metre` by sixteenth of a beat (0 the beat, 1-3 after it); `melody`
    above what accompanies it; `spread_velocities` the standard deviation itself (of 127); `lag1` how much of a melody
    note's stray goes on into the next one's (correlation of residuals).
    """

    metre: tuple[float, float, float, float]
    melody: float
    spread_velocities: float
    lag1: float


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds from the nearest sixteenth of the tracked beat: `sd_seconds`, `lag1` from attack to attack;
    `roll_seconds` the median spread of a chord's attacks, `lead_seconds` how early the melody is in it (+ early).
    """

    sd_seconds: float
    lag1: float
    roll_seconds: float
    lead_seconds: float


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The tables as they were learned; see the module's head."""

    _moves: Mapping[str, Moves]
    _felt: Mapping[str, Mapping[str, Moves]]
    chord_beats: Mapping[str, Mapping[float, float]]  # by quadrant and "all": how long a chord stays, beats -> share
    _cells: Mapping[str, Mapping[int, tuple[tuple[tuple[float, ...], float], ...]]]
    _steps: Mapping[int, Mapping[int, float]]
    leaning: float  # share of the melody's notes on strong beats that the chord does not hold
    resolutions: Mapping[int, float]  # the step in scale degrees that such a note takes next -> share
    voices: Mapping[int, float]  # keys of a struck accompaniment chord -> share
    spans: Mapping[int, float]  # its lowest to highest, semitones -> share
    touch: Touch
    timing: Timing

    def moves(self, mode: str, quadrant: str | None = None) -> Moves:
        """Degree 0-6 -> the chord after it -> chance, in one of MODES; leaning to a quadrant if it is given."""
        return self._felt[quadrant][mode] if quadrant is not None else self._moves[mode]

    def cells(self, hand: str, onsets: int) -> tuple[tuple[tuple[float, ...], float], ...]:
        """One-bar rhythms in 4/4 of the "melody" or the "accompaniment" with so many onsets: (places in beats, share of
        such bars), most frequent first; empty where people have none.
        """
        return self._cells[hand].get(onsets, ())

    def steps(self, previous: int) -> Mapping[int, float]:
        """Melodic step in scale degrees (0: repeated, within WIDEST_STEP) -> chance, after the step before it."""
        return self._steps[min(WIDEST_STEP, max(-WIDEST_STEP, previous))]


@lru_cache(maxsize=1)
def load_vocabulary() -> Vocabulary | None:
    """The shipped vocabulary, read at the first call; None where there is none. Raises ConfigError if it is damaged."""
    folder = find_resources("models")
    path = folder / FILE if folder.is_dir() else Path(__file__).resolve().parents[1] / "models" / FILE
    return read_vocabulary(path) if path.is_file() else None


def read_vocabulary(path: Path) -> Vocabulary:
    """Raises ConfigError if the file is damaged or of another version."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        if told["version"] != VERSION:
            raise ConfigError(f"{path} is of version {told['version']}; this kelly-live reads version {VERSION}")
        return Vocabulary(
            {mode: _table(told["moves"][mode]) for mode in MODES},
            {q: {mode: _table(told["felt"][q][mode]) for mode in MODES} for q in QUADRANTS},
            {name: {float(k): float(v) for k, v in row.items()} for name, row in told["chord_beats"].items()},
            {hand: _cells(told["cells"][hand]) for hand in ("melody", "accompaniment")},
            _table(told["steps"]),
            float(told["leaning"]["share"]),
            _shares(told["leaning"]["steps"]),
            _shares(told["voices"]),
            _shares(told["spans"]),
            Touch(tuple(told["touch"].pop("metre")), **told["touch"]),
            Timing(**told["timing"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{path} is damaged ({error!r}); reinstall, or run `kelly-live lab train vocabulary`"
        ) from error


def _shares(row: Mapping[str, float]) -> dict[int, float]:
    return {int(key): float(share) for key, share in row.items()}


def _table(rows: Mapping[str, Mapping[str, float]]) -> dict[int, dict[int, float]]:
    return {int(key): _shares(row) for key, row in rows.items()}


def _cells(rows: Mapping[str, list[Any]]) -> dict[int, tuple[tuple[tuple[float, ...], float], ...]]:
    return {
        int(count): tuple((tuple(float(place) for place in places), float(share)) for places, share in cells)
        for count, cells in rows.items()
    }
