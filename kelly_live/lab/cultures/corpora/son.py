"""Onset times of nine instruments in five performances of Cuban son and salsa.

They are given by sixteenth of the clave cycle.
"""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kelly_live.lab.cultures.corpora.archive import read_file
from kelly_live.lab.cultures.tune import Tune

INSTRUMENTS = ("Clave", "Bass", "Guitar", "Tres", "Bongo", "Bell", "Cajon", "Conga", "Trumpet")
PLACES = 16
_TOGETHER = 2  # others at the same subdivision, so that "early" is against a group and not against one player


@dataclass(frozen=True, slots=True)
class SonRecordings:
    """What the performances say.

    Attributes:
        performances: The number of performances.
        tempi: Quarters a minute of each cycle.
        played: By instrument, the number of cycles that it plays in.
        onsets: By instrument, the number of onsets at each of PLACES.
        offsets: By instrument, onset minus the mean of the others (ms).
        tres: The tres, as tunes without pitch.
    """

    performances: int
    tempi: list[float]
    played: dict[str, int]
    onsets: dict[str, np.ndarray]
    offsets: dict[str, list[float]]
    tres: list[Tune]


def read_son(corpora: Path) -> SonRecordings:
    """Read all five performances."""
    text = read_file(corpora, "cuban-son-onsets-iemp", "CSS_IEMP.csv").decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    starts: dict[tuple[str, float], float] = {}
    cycles: dict[tuple[str, float], list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        if row["Cycle"] in ("", "NA"):
            continue
        key = (row["Piece"], float(row["Cycle"]))
        cycles[key].append(row)
        if row["SD"] == "1":
            starts[key] = float(row["Isochronous.SD.Time"])
    tempi = [
        60.0 / ((starts[piece, number + 1.0] - start) / 4.0)
        for (piece, number), start in starts.items()
        if (piece, number + 1.0) in starts
    ]
    cycle_counts: Counter[str] = Counter()
    onsets = {name: np.zeros(PLACES) for name in INSTRUMENTS}
    offsets: dict[str, list[float]] = {name: [] for name in INSTRUMENTS}
    tres: dict[str, list[float]] = defaultdict(list)
    for (piece, number), members in cycles.items():
        for name in INSTRUMENTS:
            sounding_rows = [row for row in members if row.get(name) not in (None, "", "NA")]
            cycle_counts[name] += bool(sounding_rows)
            for row in sounding_rows:
                place = int(row["SD"]) - 1
                onsets[name][place] += 1.0
                others = [
                    float(row[one]) for one in INSTRUMENTS if one != name and row.get(one) not in (None, "", "NA")
                ]
                if len(others) >= _TOGETHER:
                    offsets[name].append(1000.0 * (float(row[name]) - float(np.mean(others))))
                if name == "Tres":
                    tres[piece].append(4.0 * number + place / 4.0)
    tunes = [_create_tune(np.array(sorted(set(places)))) for places in tres.values() if len(places) >= 12]
    return SonRecordings(len({piece for piece, _ in cycles}), tempi, dict(cycle_counts), onsets, offsets, tunes)


def _create_tune(onsets: np.ndarray) -> Tune:
    lengths = np.minimum(np.append(np.diff(onsets), 1.0), 4.0)
    return Tune(cents=np.zeros(len(onsets)), onsets=onsets, durations=lengths, metre="4/4")
