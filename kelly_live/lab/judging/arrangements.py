"""Arrangements of people (POP909) and of the band, and what tells the band's feelings and traditions apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kelly_live.core.arrays import Floats
from kelly_live.core.pitch_names import parse_pitch_class
from kelly_live.core.values import EMOTIONS, NoteEvent
from kelly_live.engine.functions import compose
from kelly_live.lab.corpora.pieces import read_pop909
from kelly_live.lab.judging.arrangement_statistics import (
    BAR_BEATS,
    BARS,
    STATISTICS,
    Arrangement,
    QuantileRow,
    compute_arrangement_statistics,
    detect_half_bar_chords,
    summarise_arrangements,
)

if TYPE_CHECKING:
    from kelly_live.engine.performance import Performance

# Those with a groove of their own.
TRADITIONS = (
    "jazz-swing", "klezmer", "cuban-son", "mandopop", "swedish-polska", "irish-traditional", "turkish-makam",
    "arab-maqam", "hindustani", "carnatic", "jingju", "korean-jeongak", "japanese-minyo", "javanese-gamelan",
)  # fmt: skip
FEELING_BARS = 33
SON_CLAVE = frozenset({0, 3, 6, 10, 12})  # sixteenths of a bar of 4/4
CLAVE_KEY = 75
_CELLS = 16
_ACCOMPANIMENT = ("chords", "pad", "arpeggio", "bass")
_DRUM_KEYS = (35, 36, 37, 38, 42, 44, 45, 46, 49, 51, 70)

Composer = Callable[[str, int, str | None], Sequence[NoteEvent]]  # emotion, seed and tradition to the notes


def arrange_performance(performance: Performance) -> Arrangement:
    """Arrange what the band played, by the names of its parts."""
    return Arrangement(
        _make_rows(note for note in performance.notes if note.part == "melody"),
        _make_rows(note for note in performance.notes if note.part in _ACCOMPANIMENT),
        parse_pitch_class(performance.tonic),
        _make_rows(note for note in performance.notes if note.part == "percussion"),
        60.0 / performance.readings[0].parameters.tempo.suggested,
    )


def _make_rows(notes: Iterable[NoteEvent]) -> Floats:
    rows = sorted((note.onset_beats, note.duration_beats, float(note.pitch), float(note.velocity)) for note in notes)
    return np.array(rows, dtype=np.float64).reshape(-1, 4)


def measure_people(corpora: Path) -> list[dict[str, float]]:
    """Compute the statistics of each song of POP909 that goes on for about BARS bars after its melody enters.

    Raises:
        ConfigError: The archive is missing.
    """
    rows = []
    for piece in read_pop909(corpora):
        if piece.melody[-1, 0] - piece.melody[0, 0] >= (BARS - 2) * BAR_BEATS:
            arrangement = Arrangement(piece.melody[:, :4], piece.accompaniment[:, :4], piece.tonic)
            rows.append(compute_arrangement_statistics(arrangement))
    return rows


def measure_band(seeds: int, first_seed: int = 1) -> list[dict[str, float]]:
    """Compute the statistics of the band's pieces: each of EMOTIONS, `seeds` seeds from the first one on, BARS bars."""
    return [
        compute_arrangement_statistics(arrange_performance(compose(emotion, bars=BARS + 1, seed=seed)))
        for emotion in EMOTIONS
        for seed in range(first_seed, first_seed + seeds)
    ]


# ---------------------------------------------------------------- feelings and traditions


def describe_manner(notes: Sequence[NoteEvent]) -> Floats:
    """Describe how notes are played, without how fast, loud, high and many they are.

    Shares of melodic intervals, of places in the bar by part, of pitch classes above the last bass note and of drum
    keys; articulation of melody, chords and bass; the share of sixteenths in which no accompaniment begins.
    """
    parts = {name: [note for note in notes if note.part == name] for name in ("melody", "chords", "bass", "percussion")}
    tune = sorted(parts["melody"], key=lambda note: note.onset_beats)
    intervals = np.abs(np.diff([note.pitch for note in tune]))
    found = [_share(np.histogram(intervals, (0, 1, 3, 5, 8, 128))[0])]
    found += [_share(np.bincount(_list_places(part), minlength=_CELLS)) for part in parts.values()]
    gaps = np.maximum(np.diff([note.onset_beats for note in tune]), 0.1)
    articulation = np.mean([note.duration_beats for note in tune][:-1] / gaps) if len(tune) > 1 else 0.0
    lengths = [np.mean([min(note.duration_beats, 4.0) for note in parts[n]] or [0.0]) for n in ("chords", "bass")]
    root = parts["bass"][-1].pitch if parts["bass"] else 0
    classes = [(note.pitch - root) % 12 for name in ("melody", "chords", "bass") for note in parts[name]]
    keys = [sum(note.pitch == key for note in parts["percussion"]) for key in _DRUM_KEYS]
    last = max((note.onset_beats for note in notes), default=1.0)
    begun = {round(4.0 * note.onset_beats) for name in ("chords", "bass") for note in parts[name]}
    found += [_share(np.bincount(classes, minlength=12)), np.array(keys) / max(1, len(parts["percussion"]))]
    return np.concatenate([*found, [articulation, *lengths, 1.0 - len(begun) / (4.0 * last)]]).astype(np.float64)


def _list_places(notes: Sequence[NoteEvent]) -> list[int]:
    return [round(4.0 * note.onset_beats) % _CELLS for note in notes]


def _share(counts: np.ndarray) -> Floats:
    return np.asarray(counts / max(1, counts.sum()), dtype=np.float64)


def score_feelings(described: Mapping[tuple[str, int], Floats]) -> float:
    """Score how often the nearest centroid is the feeling's own, with its seed left out of the centroids.

    `described` maps (feeling, seed) to its description.
    """
    keys = list(described)
    rows = np.array([described[key] for key in keys])
    feelings, seeds = np.array([key[0] for key in keys]), np.array([key[1] for key in keys])
    right = []
    for seed in sorted(set(seeds.tolist())):
        rest = seeds != seed
        scaled = (rows - rows[rest].mean(axis=0)) / (rows[rest].std(axis=0) + 1e-6)
        names = sorted(set(feelings[rest].tolist()))
        centroids = np.array([scaled[rest & (feelings == name)].mean(axis=0) for name in names])
        for index in np.flatnonzero(~rest):
            nearest = int(np.argmin(((scaled[index] - centroids) ** 2).sum(axis=1)))
            right.append(names[nearest] == feelings[index])
    return float(np.mean(right))


def measure_sharing(one: Sequence[NoteEvent], other: Sequence[NoteEvent]) -> float:
    """Measure the share of the bass's and drums' notes that two pieces have in the same sixteenth (Jaccard).

    Bass notes count by pitch class, drums by key.
    """

    def collect(notes: Sequence[NoteEvent]) -> set[tuple[str, int, int]]:
        return {
            (note.part, round(4.0 * note.onset_beats), note.pitch if note.part == "percussion" else note.pitch % 12)
            for note in notes
            if note.part in ("bass", "percussion")
        }

    a, b = collect(one), collect(other)
    return len(a & b) / max(1, len(a | b))


def measure_alikeness(one: Sequence[NoteEvent], other: Sequence[NoteEvent], bars: int) -> tuple[float, float]:
    """Measure the shares of half bars with the same triad, and of bars with the same rhythm, in two pieces."""

    def find_chords(notes: Sequence[NoteEvent]) -> list[int | None]:
        return detect_half_bar_chords(_make_rows(note for note in notes if note.part in _ACCOMPANIMENT), bars)

    def find_rhythms(notes: Sequence[NoteEvent]) -> list[frozenset[int]]:
        places: list[set[int]] = [set() for _ in range(bars)]
        for note in notes:
            bar, place = divmod(round(4.0 * note.onset_beats), _CELLS)
            if note.part != "percussion" and bar < bars:
                places[bar].add(place)
        return [frozenset(bar) for bar in places]

    return (
        float(np.mean([a == b for a, b in zip(find_chords(one), find_chords(other), strict=True)])),
        float(np.mean([a == b for a, b in zip(find_rhythms(one), find_rhythms(other), strict=True)])),
    )


def measure_clave(notes: Sequence[NoteEvent]) -> float:
    """Measure the share of the clave's bars that are one son clave or a reduction of it: no stroke elsewhere."""
    bars: dict[int, set[int]] = {}
    for note in notes:
        if note.part == "percussion" and note.pitch == CLAVE_KEY:
            bar, place = divmod(round(4.0 * note.onset_beats), _CELLS)
            bars.setdefault(bar, set()).add(place)
    return float(np.mean([places <= SON_CLAVE for places in bars.values()])) if bars else 0.0


def compose_notes(emotion: str, seed: int, culture: str | None = None) -> Sequence[NoteEvent]:
    """Compose FEELING_BARS bars of an emotion, in a tradition or plain."""
    return compose(emotion, bars=FEELING_BARS, seed=seed, culture=culture).notes


def measure_differences(seeds: int, compose_piece: Composer = compose_notes, first_seed: int = 1) -> dict[str, float]:
    """Measure how feelings and traditions differ, over `seeds` seeds; the keys say what each number is."""
    of_feelings = range(first_seed, first_seed + seeds)
    of_traditions = of_feelings[:3]
    pieces = {(emotion, seed): compose_piece(emotion, seed, None) for emotion in EMOTIONS for seed in of_feelings}
    alike = [
        measure_alikeness(pieces["excited", seed], pieces["surprised", seed], FEELING_BARS - 1) for seed in of_feelings
    ]
    traditions = {(name, seed): compose_piece("happy", seed, name) for name in TRADITIONS for seed in of_traditions}
    sharing = [
        measure_sharing(traditions[one, seed], traditions[other, seed])
        for one, other in combinations(TRADITIONS, 2)
        for seed in of_traditions
    ]
    return {
        "feelings told apart by how they play": score_feelings(
            {key: describe_manner(notes) for key, notes in pieces.items()}
        ),
        "half-bar chords that excited and surprised share": float(np.mean([chords for chords, _ in alike])),
        "bar rhythms that excited and surprised share": float(np.mean([rhythms for _, rhythms in alike])),
        "bass and drums that two traditions share, mean": float(np.mean(sharing)),
        "bass and drums that two traditions share, most": float(np.max(sharing)),
        "bars of son on one clave": float(
            np.mean([measure_clave(traditions["cuban-son", seed]) for seed in of_traditions])
        ),
    }


def format_arrangements(people: Sequence[Mapping[str, float]], band: Sequence[Mapping[str, float]]) -> str:
    """Format a Markdown table: 10, 50 and 90 % of people's pieces and of the band's."""

    def by_name(rows: Sequence[Mapping[str, float]]) -> dict[str, QuantileRow]:
        return {row.statistic: row for row in summarise_arrangements(rows)}

    def quantiles(row: QuantileRow | None) -> str:
        return "" if row is None else f"{row.low:.2f} / {row.middle:.2f} / {row.high:.2f}"

    human, ours = by_name(people), by_name(band)
    lines = [f"| statistic | people (n {len(people)}): 10 / 50 / 90 % | the band (n {len(band)}) |", "|---|---|---|"]
    lines += [f"| {name} | {quantiles(human.get(name))} | {quantiles(ours.get(name))} |" for name in STATISTICS]
    return "\n".join(lines)
