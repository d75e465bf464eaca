"""Weimar Jazz Database: transcribed solos with every onset timed against annotated beats."""

from __future__ import annotations

import csv
import gzip
import io
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kelly_live.core.pitch_names import NATURALS, parse_pitch_class
from kelly_live.lab.cultures.corpora.archive import read_file
from kelly_live.lab.cultures.corpora.kern import place_tonic
from kelly_live.lab.cultures.tune import Tune

_LONGEST = 2.0  # beats: a solo's note ends at the next, or after this much rest
_PAIRS = (["21", "22"], ["31", "33"])  # division and place: even eighths as notated, or first and third of a triplet
_RATIOS = (0.4, 4.0)  # outside of it two notes in a beat are no pair of eighths


@dataclass(frozen=True, slots=True)
class Solos:
    """What the solos say.

    Attributes:
        tunes: The solos as tunes.
        swing: Of each pair of eighths in swing feel, tempo and ratio of long to short.
        offsets: Of each note on a beat, onset minus beat in seconds.
        chord_beats: The number of beats that carry a chord symbol.
        beats: The number of beats.
    """

    tunes: list[Tune]
    swing: np.ndarray
    offsets: np.ndarray
    chord_beats: int
    beats: int


def read_weimar(corpora: Path) -> Solos:
    """Read all 456 solos."""
    meta = {row["melid"]: row for row in _read_table(corpora, "wjd_meta")}
    beats: dict[str, dict[tuple[str, str], tuple[float, float]]] = defaultdict(dict)
    chord_beats = count = 0
    for row in _read_table(corpora, "wjd_annotated_beat_tracks"):
        beats[row["melid"]][row["bar"], row["beat"]] = (float(row["onset"]), float(row["duration"] or 0.0))
        count += 1
        chord_beats += row["chord"] not in ("", "NC")
    notes: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in _read_table(corpora, "wjd_transforms"):
        notes[row["melid"]].append(row)
    tunes, swing, offsets = [], [], []
    for melid, rows in notes.items():
        info = meta[melid]
        tempo = float(info["avgtempo"])
        tune = _create_tune(rows, info, tempo)
        if tune is not None:
            tunes.append(tune)
        offsets += [
            float(row["onset"]) - beats[melid][row["bar"], row["beat"]][0]
            for row in rows
            if row["tatum"] == "1" and (row["bar"], row["beat"]) in beats[melid]
        ]
        if info["rhythmfeel"] == "SWING":
            swing += [(tempo, ratio) for ratio in _compute_swing_ratios(rows, beats[melid])]
    return Solos(tunes, np.array(swing), np.array(offsets), chord_beats, count)


def _create_tune(rows: list[dict[str, str]], info: dict[str, str], tempo: float) -> Tune | None:
    """Put a solo on its notated grid; None where it has no key (free playing)."""
    letter, _, kind = info["key"].partition("-")
    if not letter or letter[0] not in NATURALS or info["signature"] not in ("4/4", "3/4"):
        return None
    per_bar = int(info["signature"][0])
    onsets = np.array(
        [
            int(row["bar"]) * per_bar + int(row["beat"]) - 1 + (int(row["tatum"]) - 1) / int(row["division"])
            for row in rows
        ]
    )
    gaps = np.append(np.diff(onsets), 1.0)
    keep = gaps > 0.0
    pitches = [int(float(row["pitch_raw"])) for row in rows]
    tonic = place_tonic(parse_pitch_class(letter), pitches)
    mode = "blues" if info["tonality_type"] == "BLUES" else {"maj": "major", "min": "minor"}.get(kind)
    return Tune(
        cents=100.0 * (np.array(pitches, dtype=np.float64) - tonic)[keep],
        onsets=onsets[keep].astype(np.float64),
        durations=np.minimum(gaps[keep], _LONGEST),
        tonic=float(tonic),
        metre=info["signature"],
        tempo=tempo,
        mode=mode,
        group=info["style"],
    )


def _compute_swing_ratios(
    rows: list[dict[str, str]], beats: dict[tuple[str, str], tuple[float, float]]
) -> Iterator[float]:
    """Yield the ratio of long to short of each beat that holds exactly a pair of eighths."""
    by_beat: dict[tuple[str, str], list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        by_beat[row["bar"], row["beat"]].append(row)
    for place, pair in by_beat.items():
        if place not in beats or [row["division"] + row["tatum"] for row in pair] not in _PAIRS:
            continue
        start, length = beats[place]
        first, second = float(pair[0]["onset"]), float(pair[1]["onset"])
        rest = start + length - second
        if rest > 0.0 and second > first and _RATIOS[0] <= (second - first) / rest <= _RATIOS[1]:
            yield (second - first) / rest


def _read_table(corpora: Path, name: str) -> Iterator[dict[str, str]]:
    data = gzip.decompress(read_file(corpora, "jazz-weimar", f"{name}.csv.gz"))
    quote = csv.DictReader(io.StringIO(data.decode("utf-8"), newline=""))
    for row in quote:
        yield {key: (value or "").strip("'") for key, value in row.items() if key is not None}
