"""Tables of what people play: chord moves, rhythm cells, melodic steps, touch and timing.

`load_vocabulary()` reads those of the models in use once; it returns None where there are none, and a player keeps its
own habits. `pick(rng_for(...), tables.moves("aeolian")[degree])` draws the next chord's degree 0-6 (the same shape as
`Grammar.moves`; a quadrant "Q1" to "Q4" narrows it to an emotion). `tables.cells("melody", onsets)` lists one-bar
rhythms in 4/4 as `(places in beats, share)`, the most frequent first. `tables.steps(previous)` has the next melodic
step in scale degrees. `tables.leaning` is how often a strong beat has a tone outside the chord, and
`tables.resolutions` where such a tone goes. `tables.touch` and `tables.timing` are plain numbers.

Nothing in the tables is longer than a bar or occurs in fewer than LEAST_PIECES pieces, so that no piece can be
recognized from them. `kelly-live lab train vocabulary` makes them; vocabulary.md beside them has the measurements.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from kelly_live.core.model_tables import check_number, check_share, read_model_table
from kelly_live.core.resources import find_model_file, name_models
from kelly_live.core.values import MODES

FILE = "vocabulary.json"
VERSION = 1
MAX_BYTES = 4 << 20  # the shipped one has 67 kB
_LARGEST = 10_000.0  # of any number in it
LEAST_PIECES = 5
WIDEST_STEP = 7  # scale degrees; wider ones count as this
QUADRANTS = ("Q1", "Q2", "Q3", "Q4")

Moves = Mapping[int, Mapping[int, float]]


@dataclass(frozen=True, slots=True)
class Touch:
    """Velocities, in standard deviations of a piece.

    `metre` is by sixteenth of a beat (0 the beat, 1-3 after it), `melody` how far it lies above its accompaniment.
    `spread_velocities` is the standard deviation itself (of 127), and `lag1` the correlation of a melody note's
    residual with the next one's.
    """

    metre: tuple[float, float, float, float]
    melody: float
    spread_velocities: float
    lag1: float


@dataclass(frozen=True, slots=True)
class Timing:
    """Deviations from the nearest sixteenth of the tracked beat, in seconds.

    `sd_seconds` is their standard deviation and `lag1` their correlation from attack to attack. `roll_seconds` is the
    median spread of a chord's attacks, `lead_seconds` how early the melody is in it (positive is early).
    """

    sd_seconds: float
    lag1: float
    roll_seconds: float
    lead_seconds: float


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The tables; the module's docstring says how to use them."""

    _moves: Mapping[str, Moves]
    _quadrant_moves: Mapping[str, Mapping[str, Moves]]
    chord_beats: Mapping[str, Mapping[float, float]]  # by quadrant and "all": how long a chord stays, beats -> share
    _cells: Mapping[str, Mapping[int, tuple[tuple[tuple[float, ...], float], ...]]]
    _steps: Mapping[int, Mapping[int, float]]
    leaning: float  # share of the melody's notes on strong beats that are not in the chord
    resolutions: Mapping[int, float]  # the step in scale degrees that such a note takes next -> share
    voices: Mapping[int, float]  # keys of a struck accompaniment chord -> share
    spans: Mapping[int, float]  # its lowest to highest, semitones -> share
    touch: Touch
    timing: Timing

    def moves(self, mode: str, quadrant: str | None = None) -> Moves:
        """Return degree 0-6 -> next degree -> chance, in one of MODES; `quadrant` narrows it to an emotion."""
        return self._quadrant_moves[quadrant][mode] if quadrant is not None else self._moves[mode]

    def cells(self, part: str, onsets: int) -> tuple[tuple[tuple[float, ...], float], ...]:
        """Return the one-bar rhythms in 4/4 of the "melody" or "accompaniment" with a number of onsets.

        Each is (places in beats, share of such bars), the most frequent first.
        """
        return self._cells[part].get(onsets, ())

    def steps(self, previous: int) -> Mapping[int, float]:
        """Return melodic step in scale degrees (0 repeats, within WIDEST_STEP) -> chance, after `previous`."""
        return self._steps[min(WIDEST_STEP, max(-WIDEST_STEP, previous))]


def load_vocabulary() -> Vocabulary | None:
    """Return the vocabulary of the models in use or None, read at the first call; raises ConfigError if damaged."""
    return _load_vocabulary(name_models())


def forget_vocabulary() -> None:
    """Read the vocabulary again at the next call, as its file has changed."""
    _load_vocabulary.cache_clear()


@lru_cache(maxsize=4)
def _load_vocabulary(models: str) -> Vocabulary | None:
    path = find_model_file(FILE)
    return read_vocabulary(path) if path.is_file() else None


def read_vocabulary(path: Path) -> Vocabulary:
    """Read a vocabulary; raises ConfigError if the file is damaged or of another version."""
    return read_model_table(
        path, _build_vocabulary, version=VERSION, max_bytes=MAX_BYTES, command="kelly-live lab train vocabulary"
    )


def _build_vocabulary(content: Mapping[str, Any]) -> Vocabulary:
    return Vocabulary(
        {mode: _read_table(content["moves"][mode]) for mode in MODES},
        {q: {mode: _read_table(content["felt"][q][mode]) for mode in MODES} for q in QUADRANTS},
        {
            name: {_read_number(float(beats)): _read_share(share) for beats, share in row.items()}
            for name, row in content["chord_beats"].items()
        },
        {part: _read_cells(content["cells"][part]) for part in ("melody", "accompaniment")},
        _read_table(content["steps"]),
        _read_share(content["leaning"]["share"]),
        _read_shares(content["leaning"]["steps"]),
        _read_shares(content["voices"]),
        _read_shares(content["spans"]),
        _read_touch(content["touch"]),
        Timing(**{name: _read_number(value) for name, value in content["timing"].items()}),
    )


_read_number = partial(check_number, largest=_LARGEST)
_read_share = partial(check_share, largest=_LARGEST)


def _read_touch(content: Mapping[str, Any]) -> Touch:
    first, second, third, fourth = map(_read_number, content["metre"])
    others = {name: _read_number(value) for name, value in content.items() if name != "metre"}
    return Touch((first, second, third, fourth), **others)


def _read_shares(row: Mapping[str, float]) -> dict[int, float]:
    return {int(_read_number(int(key))): _read_share(share) for key, share in row.items()}


def _read_table(rows: Mapping[str, Mapping[str, float]]) -> dict[int, dict[int, float]]:
    return {int(key): _read_shares(row) for key, row in rows.items()}


def _read_cells(rows: Mapping[str, list[Any]]) -> dict[int, tuple[tuple[tuple[float, ...], float], ...]]:
    return {
        int(count): tuple((tuple(map(_read_number, places)), _read_share(share)) for places, share in cells)
        for count, cells in rows.items()
    }
