"""Comparison of music with human pieces: distributions over notes and single numbers.

The first EXCERPT_SECONDS of a piece are compared, with the same methods for all (skyline melody, tracked beats).
Overlapping area as in Yang & Lerch (2018, "On the evaluation of generative models in music"), here of normalised
histograms: 1 = the same distribution. A piece is compared with the pool of all human pieces except its own song, each
piece with the same weight. The human band contains the middle 80 % of human pieces.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from kelly_live.core.arrays import Floats
from kelly_live.core.atomic_write import create_folder, write_atomically
from kelly_live.core.errors import ConfigError
from kelly_live.lab.corpora.symbolic_features import (
    BASS_TOP,
    CHORD_SECONDS,
    INFORMATIVE_VELOCITIES,
    MIN_NOTES,
    Score,
    convert_to_beats,
    find_skyline,
    read_score,
    track_beats,
)

VERSION = 1  # part of the cache's name
EXCERPT_SECONDS = 40.0  # about EMOPIA's clips
FORM_BARS = 32
BAND = (10.0, 90.0)  # percentiles of the human pieces

MAX_INTERVAL = 24  # semitones; wider ones count as this
_INTERVALS: Floats = np.arange(-MAX_INTERVAL, MAX_INTERVAL + 2, dtype=np.float64) - 0.5
_GAPS: Floats = np.arange(math.log2(0.035), math.log2(8.0), 0.25)  # log2 seconds, a quarter of an octave each
_VELOCITIES: Floats = np.arange(0, 129, 8, dtype=np.float64) - 0.5
_VOICES: Floats = np.arange(0, 14, dtype=np.float64) - 0.5
_CELLS_PER_BEAT = 4
_MIN_STRONG = 8  # melody notes on strong beats, to speak of a share
_ON_BEAT = 0.17  # beats: nearer to it than this is on it

# name → description, of distributions (compared by overlap) and of numbers
DISTRIBUTIONS = {
    "interval": "melodic intervals, semitones",
    "inter-onset": "time from attack to attack, log s",
    "velocity": "velocities (EMOPIA alone: played)",
    "polyphony": "notes that sound at once, by time",
}
NUMBERS = {
    "pitch-class entropy": "bits, by notes",
    "chord tones on strong beats": "share of the melody's notes there",
    "self-similarity, 32 bars": "mean cosine of bar and bar (VGMIDI alone: long enough)",
    "best return, 32 bars": "each bar's nearest earlier one (VGMIDI alone)",
}


@dataclass(frozen=True, slots=True)
class PieceStatistics:
    """Statistics of a piece: histograms by name of DISTRIBUTIONS, numbers by name of NUMBERS.

    Those that cannot be computed are absent. `group` is the song or series, which is not compared with itself.
    """

    group: str
    histograms: dict[str, Floats]
    numbers: dict[str, float]


# ---------------------------------------------------------------- one piece


def select_excerpt(score: Score, seconds: float = EXCERPT_SECONDS) -> Score:
    """Select the notes that begin in the first `seconds` after the first onset."""
    if not len(score):
        return score
    keep = score.onsets < score.onsets[0] + seconds
    beats = score.beats[keep]
    return Score(
        score.onsets[keep], score.offsets[keep], beats, score.pitches[keep], score.velocities[keep], float(beats.max())
    )


def compute_statistics(score: Score, group: str, *, played_velocities: bool = True) -> PieceStatistics:
    """Compute the statistics of a piece's excerpt.

    Raises:
        ConfigError: There are fewer than MIN_NOTES notes, or too few melody notes.
    """
    part = select_excerpt(score)
    melody = find_skyline(part)
    if len(part) < MIN_NOTES or len(melody) < MIN_NOTES // 2 or np.ptp(part.onsets) < 2.0:
        raise ConfigError(f"{len(part)} notes say too little; {MIN_NOTES} over two seconds are needed")
    steps = np.clip(np.diff(part.pitches[melody]), -MAX_INTERVAL, MAX_INTERVAL)
    gaps = np.diff(part.onsets)
    attacks = np.log2(np.clip(gaps[gaps > CHORD_SECONDS], 2.0 ** _GAPS[0], 2.0 ** (_GAPS[-1] - 1e-9)))
    histograms = {
        "interval": _normalise_histogram(steps, _INTERVALS),
        "inter-onset": _normalise_histogram(attacks, _GAPS),
        "polyphony": _compute_polyphony(part),
    }
    if played_velocities and len(np.unique(part.velocities)) >= INFORMATIVE_VELOCITIES:
        histograms["velocity"] = _normalise_histogram(part.velocities, _VELOCITIES)
    classes = np.bincount(part.pitches.astype(int) % 12, minlength=12) / len(part)
    numbers = {"pitch-class entropy": float(-(classes[classes > 0] * np.log2(classes[classes > 0])).sum())}
    share = compute_chord_tone_share(part, melody)
    if share is not None:
        numbers["chord tones on strong beats"] = share
    return PieceStatistics(group, histograms, numbers)


def _normalise_histogram(values: Floats, edges: Floats) -> Floats:
    counts = np.histogram(values, edges)[0].astype(np.float64)
    return np.asarray(counts / max(float(counts.sum()), 1.0), dtype=np.float64)


def _compute_polyphony(score: Score) -> Floats:
    """Compute the share of time in which 0, 1, 2, … notes sound, from the first onset to the last."""
    first, last = score.onsets[0], score.onsets[-1]
    edges = np.concatenate((score.onsets, np.minimum(score.offsets, last)))
    turns = np.concatenate((np.ones(len(score)), -np.ones(len(score))))
    order = np.lexsort((turns, edges))
    voices = np.cumsum(turns[order])[:-1]
    spans = np.diff(edges[order])
    counts = np.histogram(np.minimum(voices, _VOICES[-1] - 0.5), _VOICES, weights=spans)[0]
    return np.asarray(counts / max(last - first, 1e-9), dtype=np.float64)


_CHORDS = ((0, 4, 7), (0, 3, 7), (0, 3, 6), (0, 4, 7, 10), (0, 4, 7, 11), (0, 3, 7, 10), (0, 3, 6, 10), (0, 5, 7))
_TEMPLATES = np.zeros((len(_CHORDS) * 12, 12))
for _index, _chord in enumerate(_CHORDS):
    for _root in range(12):
        _TEMPLATES[12 * _index + _root, [(_root + tone) % 12 for tone in _chord]] = 1.0
_SIZES = _TEMPLATES.sum(axis=1)


def compute_chord_tone_share(score: Score, melody: np.ndarray) -> float | None:
    """Compute the share of melody notes on strong beats that belong to the chord of the *other* notes.

    The chord is that of two beats. Every second tracked beat is strong, in the phase with more bass. None where there
    are too few.
    """
    _, grid = track_beats(score)
    if len(grid) < 4:
        return None
    places = convert_to_beats(score.onsets, grid)
    nearest = np.rint(places)
    low = (score.pitches < BASS_TOP) & (np.abs(places - nearest) < _ON_BEAT)
    odd = np.bincount((nearest[low] % 2).astype(int), weights=score.velocities[low], minlength=2)
    strong = int(odd[1] > odd[0])
    ends = convert_to_beats(score.offsets, grid)
    accompanies = np.ones(len(score), bool)
    accompanies[melody] = False
    right = note_count = 0
    for index in melody:
        beat = nearest[index]
        if beat % 2 != strong or abs(places[index] - beat) >= _ON_BEAT:
            continue
        durations = np.minimum(ends, beat + 2.0) - np.maximum(places, beat - _ON_BEAT)
        sounding_notes = accompanies & (durations > 0.05)
        classes = score.pitches[sounding_notes].astype(int) % 12
        if len(set(classes)) < 2:
            continue
        counts = np.bincount(classes, weights=np.minimum(durations[sounding_notes], 2.0), minlength=12)
        profile = counts / counts.sum()
        root = np.zeros(len(_TEMPLATES))
        root[int(score.pitches[sounding_notes].min()) % 12 :: 12] = 0.15  # prefer the lowest note as root
        fit = _TEMPLATES @ profile + root - 0.06 * _SIZES
        chord = _TEMPLATES[int(np.argmax(fit))]
        note_count += 1
        right += bool(chord[int(score.pitches[index]) % 12])
    return right / note_count if note_count >= _MIN_STRONG else None


def compute_form_statistics(score: Score, bar_beats: float) -> dict[str, float]:
    """Compute the self-similarity of the first FORM_BARS bars by the score's own beats.

    A bar is described by the pitch classes that begin in each of its quarters. Empty where the score is shorter.
    """
    if not len(score) or score.beats[-1] < FORM_BARS * bar_beats - bar_beats:
        return {}
    list_cells = np.floor((score.beats + 0.125) / (bar_beats / 4.0)).astype(int)
    inside = list_cells < 4 * FORM_BARS
    format_comparison = np.zeros((4 * FORM_BARS, 12))
    np.add.at(format_comparison, (list_cells[inside], score.pitches[inside].astype(int) % 12), 1.0)
    bars = format_comparison.reshape(FORM_BARS, 48)
    lengths = np.linalg.norm(bars, axis=1)
    bars = bars[lengths > 0] / lengths[lengths > 0, None]
    alike = bars @ bars.T
    returns = [alike[i, : i - 1].max() for i in range(4, len(bars))]
    if not returns:
        return {}
    return {
        "self-similarity, 32 bars": float(alike[np.triu_indices(len(bars), 1)].mean()),
        "best return, 32 bars": float(np.mean(returns)),
    }


# ---------------------------------------------------------------- loops


def list_cells(score: Score) -> list[frozenset[int]]:
    """List the pitches that begin in each quarter of a beat, by the score's own beats.

    Deviations of some milliseconds do not matter.
    """
    if not len(score):
        return []
    places = np.rint(score.beats * _CELLS_PER_BEAT).astype(int)
    cells: list[set[int]] = [set() for _ in range(int(places.max()) + 1)]
    for place, pitch in zip(places, score.pitches.astype(int), strict=True):
        cells[place].add(int(pitch))
    return [frozenset(one) for one in cells]


def find_longest_repeat(music: Sequence[frozenset[int]]) -> float:
    """Find the longest stretch, in beats, that returns with the same pitches in the same places.

    The two do not overlap. A stretch reaches from its first note to its last note's cell.
    """
    names = {cell: number for number, cell in enumerate(dict.fromkeys(music))}
    line = np.array([names[cell] for cell in music])
    sounds = np.array([bool(cell) for cell in music])
    best = 0
    for lag in range(1, len(line)):
        if lag <= best:
            continue
        same = np.flatnonzero(line[lag:] != line[:-lag])
        for start, stop in zip(np.r_[-1, same] + 1, np.r_[same, len(line) - lag], strict=True):
            if stop - start <= best:
                continue
            inside = np.flatnonzero(sounds[start : min(stop, start + lag)])
            if len(inside):
                best = max(best, int(inside[-1] - inside[0]) + 1)
    return best / _CELLS_PER_BEAT


def compute_shared_notes(one: Sequence[frozenset[int]], other: Sequence[frozenset[int]]) -> float:
    """Compute the share of the notes of two pieces that both have in the same place (Jaccard)."""
    a = {(place, pitch) for place, cell in enumerate(one) for pitch in cell}
    b = {(place, pitch) for place, cell in enumerate(other) for pitch in cell}
    return len(a & b) / max(len(a | b), 1)


# ---------------------------------------------------------------- people


def read_human_statistics(symbolic: Path, cache: Path | None = None) -> list[PieceStatistics]:
    """Compute the statistics of one clip of each song of EMOPIA and of every piece of VGMIDI.

    The result is cached in `cache`.

    Raises:
        ConfigError: The manifest is missing.
    """
    manifest = symbolic / "manifest.jsonl"
    if not manifest.is_file():
        raise ConfigError(f"{manifest} is missing; name the folder of labelled MIDI that holds manifest.jsonl")
    cached_file = cache / f"human-v{VERSION}-{manifest.stat().st_size}.jsonl" if cache else None
    if cached_file and cached_file.is_file():
        return [_parse_row(json.loads(line)) for line in cached_file.read_text(encoding="utf-8").splitlines()]
    portraits = []
    read_groups: set[str] = set()
    for line in manifest.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        is_performed = row["dataset"] == "emopia"
        group = f"emopia:{row['song']}" if is_performed else f"vgmidi:{row['midi_path']}"
        if group in read_groups:
            continue
        try:
            score = read_score(symbolic / row["midi_path"])
            portrait = compute_statistics(score, group, played_velocities=is_performed)
        except ConfigError:
            continue  # too short
        read_groups.add(group)
        if not is_performed:
            form = compute_form_statistics(score, _read_bar_beats(symbolic / row["midi_path"]))
            portrait = replace(portrait, numbers=portrait.numbers | form)
        portraits.append(portrait)
    if cached_file:
        create_folder(cached_file.parent)
        lines = [json.dumps(asdict(one), default=lambda array: array.tolist()) for one in portraits]
        write_atomically(cached_file, ("\n".join(lines) + "\n").encode())
    return portraits


def _parse_row(row: dict[str, Any]) -> PieceStatistics:
    histograms = {name: np.array(shares, dtype=np.float64) for name, shares in row["histograms"].items()}
    return PieceStatistics(row["group"], histograms, row["numbers"])


def _read_bar_beats(path: Path) -> float:
    """Read the quarter notes of a bar from the file's first time signature; 4 where it has none."""
    import mido

    for track in mido.MidiFile(path, clip=True).tracks:
        for message in track:
            if message.type == "time_signature":
                return 4.0 * float(message.numerator) / float(message.denominator)
    return 4.0


def find_human_repeats(symbolic: Path, seconds: float = 120.0) -> list[float]:
    """Find the longest literal repeat (beats) in the first `seconds` of each VGMIDI piece of that length."""
    repeats = []
    for line in (symbolic / "manifest.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["dataset"] != "vgmidi" or row["duration"] < seconds:
            continue
        repeats.append(
            find_longest_repeat(list_cells(select_excerpt(read_score(symbolic / row["midi_path"]), seconds)))
        )
    return repeats


# ---------------------------------------------------------------- against the band


@dataclass(frozen=True, slots=True)
class ComparisonLine:
    """A statistic of one kind of music against the human band.

    `value` is the median over `pieces`, `inside` the share of them inside the human band; `low`, `middle` and `high`
    are the human band and median.
    """

    statistic: str
    music: str
    low: float
    middle: float
    high: float
    value: float
    inside: float
    pieces: int

    @property
    def holds(self) -> bool:
        """Whether the median piece lies inside the band."""
        return self.low <= self.value <= self.high


def compute_overlap(one: Floats, other: Floats) -> float:
    """Compute the overlapping area of two normalised histograms, 0-1."""
    return float(np.minimum(one, other).sum())


class HumanReference:
    """The human pieces as a pool to compare a piece with."""

    def __init__(self, people: Sequence[PieceStatistics]) -> None:
        self._people = people
        self._sums: dict[str, Floats] = {}
        self._counts: dict[str, int] = {}
        self._of_group: dict[tuple[str, str], list[Floats]] = {}
        for portrait in people:
            for name, shares in portrait.histograms.items():
                self._sums[name] = self._sums.get(name, np.zeros_like(shares)) + shares
                self._counts[name] = self._counts.get(name, 0) + 1
                self._of_group.setdefault((portrait.group, name), []).append(shares)

    def values(self, portrait: PieceStatistics) -> dict[str, float]:
        """Compute the overlap of each distribution with the pool without the piece's group, and its numbers."""
        overlaps = {}
        for name, shares in portrait.histograms.items():
            group_shares = self._of_group.get((portrait.group, name), [])
            others = self._counts.get(name, 0) - len(group_shares)
            if others > 0:
                overlaps[name] = compute_overlap(shares, (self._sums[name] - sum(group_shares)) / others)
        return overlaps | portrait.numbers

    def compare(self, kinds: Mapping[str, Sequence[PieceStatistics]]) -> list[ComparisonLine]:
        """Compare every statistic of every kind of music with the human band."""
        human = _group_by_statistic(self.values(portrait) for portrait in self._people)
        lines = []
        for statistic in (*NUMBERS, *DISTRIBUTIONS):
            if statistic not in human:
                continue
            low, middle, high = (float(q) for q in np.percentile(human[statistic], [BAND[0], 50.0, BAND[1]]))
            for music, portraits in {"people": self._people, **kinds}.items():
                values = np.array(
                    _group_by_statistic(self.values(portrait) for portrait in portraits).get(statistic, [])
                )
                if len(values):
                    inside = float(np.mean((values >= low) & (values <= high)))
                    value = float(np.median(values))
                    lines.append(ComparisonLine(statistic, music, low, middle, high, value, inside, len(values)))
        return lines


def _group_by_statistic(rows: Iterable[Mapping[str, float]]) -> dict[str, list[float]]:
    values: dict[str, list[float]] = {}
    for row in rows:
        for name, value in row.items():
            values.setdefault(name, []).append(value)
    return values


def format_comparison(lines: Sequence[ComparisonLine]) -> str:
    """Format a Markdown table of the band and each kind's median.

    The share of a kind's pieces inside the band stands beside its median (people: .80).
    """
    kinds = [music for music in dict.fromkeys(line.music for line in lines) if music != "people"]
    head = ["statistic", "human 10–90 % (median)", *kinds]
    rows = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for statistic in dict.fromkeys(line.statistic for line in lines):
        lines_by_music = {line.music: line for line in lines if line.statistic == statistic}
        band = lines_by_music["people"]
        name = f"{statistic}, overlap" if statistic in DISTRIBUTIONS else statistic
        row = [f"{name} (n {band.pieces})", f"{band.low:.2f} – {band.high:.2f} ({band.middle:.2f})"]
        for kind in kinds:
            line = lines_by_music.get(kind)
            row.append("" if line is None else f"{line.value:.2f} {'in' if line.holds else 'OUT'} [{line.inside:.2f}]")
        rows.append("| " + " | ".join(row) + " |")
    return "\n".join(rows)


# ---------------------------------------------------------------- ours

# who plays ("solo", "band"), valence, arousal, seed, bars -> notes by seconds and by the conductor's own beats
Composer = Callable[[str, float, float, int, float], Score]


@dataclass(frozen=True, slots=True)
class Repetitions:
    """Repetition in pieces of two minutes: the longest literal repeat of each, in beats.

    `shared` are the shares of notes that two seeds have in common at the same place of the plane.
    """

    music: str
    beats: tuple[float, ...]
    shared: tuple[float, ...] = ()


def compute_generated_statistics(score: Score, name: str) -> PieceStatistics:
    """Compute the statistics of a generated piece, and of its form by bars of four beats."""
    portrait = compute_statistics(score, name)
    return replace(portrait, numbers=portrait.numbers | compute_form_statistics(score, 4.0))
