"""POP909's melodies as notes for the melody transformer: places, scale steps, chords, and what each phrase is like.

Melodies are written in steps of their key's scale, so that one model serves all modes. A phrase is four bars; where
phrases begin is voted for by the silences of each section of the melody. A phrase has a reference, the earlier phrase
that it repeats most of, from which the model learns to vary.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from kelly_live.core.arrays import Floats
from kelly_live.core.atomic_write import create_folder
from kelly_live.lab.corpora.pieces import Piece, read_pop909
from kelly_live.lab.training.melody_index import tokenize_melody
from kelly_live.music.melody_net import (
    BAR,
    CONDITIONS,
    MAX_GAP,
    MIDDLE,
    MIN_RUN_NOTES,
    NO_CHORD,
    PHRASE,
    RESTS,
    STEPS,
    hash_run,
)

GRID = 4  # places a beat
_SECTION_GAP = 32  # places of silence between sections
_LIKENESS = (0.35, 0.6, 0.85)  # with the reference: from here on related, varied, repeated
_REFERENCES = 16  # phrases back
FILTER_BITS = 1 << 21
# The degree that each pitch class above the tonic is heard as.
DEGREES = {"ionian": (0, 0, 1, 2, 2, 3, 3, 4, 5, 5, 6, 6), "aeolian": (0, 1, 1, 2, 2, 3, 3, 4, 5, 5, 6, 6)}


@dataclass(frozen=True, slots=True)
class Song:
    """A melody of `n` notes as integers, a row a note.

    `places` in sixteenths, a phrase's start a multiple of PHRASE; `steps` 0 to STEPS - 1; `rests` indices of RESTS;
    `chords` `[n, 4]`: the root's degree at the onset and 2 and 8 places later (NO_CHORD: none), and 1 where the first
    is major. By phrase: `conditions` `[p, 8]`, `references` the phrase that it varies and `likeness` 0 (none) to 3.
    `line` is the melody as performed: semitones and sixteenths from note to note.
    """

    name: str
    held_out: bool
    places: np.ndarray
    steps: np.ndarray
    rests: np.ndarray
    chords: np.ndarray
    conditions: np.ndarray
    references: np.ndarray
    likeness: np.ndarray
    line: np.ndarray


def read_songs(corpora: Path) -> list[Song]:
    """Read the songs whose melody has at least two phrases.

    Raises:
        ConfigError: The archive is missing.
    """
    songs = (encode_piece(piece) for piece in read_pop909(corpora))
    return [song for song in songs if song is not None and len(song.conditions) > 1]


def encode_piece(piece: Piece) -> Song | None:
    """Encode a piece's melody; None where it has fewer than 16 notes."""
    rows = _select_top_notes(piece.melody)
    if len(rows) < 16:
        return None
    onsets = rows[:, 0].astype(int)
    moves = _align_sections(onsets)
    degrees = DEGREES[piece.mode]
    above = rows[:, 2].astype(int) - piece.tonic
    heights = 7 * (above // 12) + np.array(degrees)[above % 12]
    steps = np.clip(heights - 7 * round(float(np.median(heights)) / 7.0) + MIDDLE, 0, STEPS - 1)
    places = onsets + moves
    gaps = np.diff(places, append=places[-1] + MAX_GAP)
    silence = np.maximum(0, gaps - np.maximum(1, np.rint(rows[:, 1]).astype(int)))
    rests = np.searchsorted(RESTS, silence, side="right") - 1
    chords = np.stack([_find_roots(piece, onsets + ahead, degrees) for ahead in (0, 2, 8)], 1)
    major = _find_majors(piece, onsets)
    conditions, references, likeness = describe_phrases(places, steps, is_major=piece.mode == "ionian")
    return Song(
        piece.name, piece.held_out, places, steps, rests, np.column_stack((chords, major)),
        conditions, references, likeness, np.array(tokenize_melody(piece.melody)),
    )  # fmt: skip


def _select_top_notes(melody: Floats) -> Floats:
    """Select one note a place, the highest: rows of place, length in places, pitch."""
    places = np.rint(melody[:, 0] * GRID)
    order = np.lexsort((-melody[:, 2], places))
    rows = np.column_stack((places, melody[:, 1] * GRID, melody[:, 2]))[order]
    return np.asarray(rows[np.concatenate(([True], np.diff(rows[:, 0]) > 0))])


def _align_sections(onsets: np.ndarray) -> np.ndarray:
    """Compute how far each note moves so that its section's phrases begin at multiples of PHRASE, one after another."""
    starts = np.concatenate(([0], np.flatnonzero(np.diff(onsets) >= _SECTION_GAP) + 1, [len(onsets)]))
    moves = np.zeros(len(onsets), int)
    free = 0
    for first, last in pairwise(starts):
        section = onsets[first:last]
        votes = np.zeros(4)
        votes[round(section[0] / BAR) % 4] += 6.0
        for gap, onset in zip(np.diff(section), section[1:], strict=True):
            if gap >= 6:
                votes[round(onset / BAR) % 4] += min(gap, 16)
        phase = BAR * int(np.argmax(votes))
        # An upbeat belongs to the end of the phrase before it.
        begin = (section[0] - phase) // PHRASE * PHRASE + phase
        moves[first:last] = free - begin
        free = (section[-1] - begin) // PHRASE * PHRASE + PHRASE + free
    return moves


def _find_roots(piece: Piece, places: np.ndarray, degrees: Sequence[int]) -> np.ndarray:
    starts = np.array([chord.start for chord in piece.chords]) * GRID
    index = np.searchsorted(starts, places, side="right") - 1
    roots = np.array([degrees[(chord.root - piece.tonic) % 12] for chord in piece.chords] + [NO_CHORD])
    return np.asarray(roots[np.where(index >= 0, index, len(roots) - 1)])


def _find_majors(piece: Piece, places: np.ndarray) -> np.ndarray:
    starts = np.array([chord.start for chord in piece.chords]) * GRID
    index = np.searchsorted(starts, places, side="right") - 1
    majors = np.array([int(chord.major) for chord in piece.chords] + [0])
    return np.asarray(majors[np.where(index >= 0, index, len(majors) - 1)])


def describe_phrases(
    places: np.ndarray, steps: np.ndarray, *, is_major: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Describe each phrase: its conditions, its reference and how like it is."""
    count = int(places[-1] // PHRASE) + 1
    conditions = np.zeros((count, len(CONDITIONS)), np.float32)
    references, likeness = np.zeros(count, int), np.zeros(count, int)
    cells: list[dict[int, int]] = []
    for phrase in range(count):
        inside = places // PHRASE == phrase
        own, line = places[inside] % PHRASE, steps[inside]
        cells.append(dict(zip(own.tolist(), line.tolist(), strict=True)))
        conditions[phrase, 6:] = is_major, 1.0
        if not len(own):
            continue
        conditions[phrase, :6] = describe_line(own, line)
        best = 0.0
        for earlier in range(max(0, phrase - _REFERENCES), phrase):
            alike = _measure_likeness(cells[phrase], cells[earlier])
            if alike >= best:
                best, references[phrase] = alike, earlier
        likeness[phrase] = int(np.searchsorted(_LIKENESS, best, side="right"))
    return conditions, references, likeness


def describe_line(places: np.ndarray, steps: np.ndarray) -> tuple[float, ...]:
    """Describe a phrase's notes by the first six of CONDITIONS, each about 0 to 1."""
    leaps = float(np.abs(np.diff(steps)).mean()) if len(steps) > 1 else 1.0
    return (
        len(places) / 32.0,
        float(np.mean(places % GRID > 0)),
        leaps / 3.0,
        (float(steps.mean()) - MIDDLE) / 7.0,
        float(np.ptp(steps)) / 10.0,
        float(steps[-1] % 7 == 0),
    )


def _measure_likeness(one: dict[int, int], other: dict[int, int]) -> float:
    if not other:
        return 0.0
    rhythm = len(one.keys() & other.keys())
    both = len(one.items() & other.items())
    return (rhythm + both) / (len(one) + len(other))


def build_run_filter(songs: Iterable[Song]) -> np.ndarray:
    """Build the Bloom filter of the songs' shortest runs of over a bar, as bytes."""
    bits = np.zeros(FILTER_BITS, np.uint8)
    for song in songs:
        line = [(int(interval), int(gap)) for interval, gap in song.line]
        for first in range(len(line)):
            places, last = 0, first
            while last < len(line) and (places <= BAR or last - first < MIN_RUN_NOTES - 1):
                places += line[last][1]
                last += 1
            if places > BAR and last - first >= MIN_RUN_NOTES - 1:
                bits[hash_run(line[first:last], FILTER_BITS)] = 1
    return np.packbits(bits, bitorder="little")


# ---------------------------------------------------------------- cache


def load_songs(corpora: Path, cache: Path) -> list[Song]:
    """Load the songs from `cache`, or read them and keep them there.

    Raises:
        ConfigError: The archive is missing.
    """
    path = cache / "melody-songs-v2.npz"
    names = ("places", "steps", "rests", "chords", "conditions", "references", "likeness", "line")
    if path.is_file():
        with np.load(path) as data:
            index = [str(name) for name in data["names"]]
            return [
                Song(name, bool(held), *(data[f"{number}/{part}"] for part in names))
                for number, (name, held) in enumerate(zip(index, data["held_out"], strict=True))
            ]
    songs = read_songs(corpora)
    arrays = {f"{number}/{part}": getattr(song, part) for number, song in enumerate(songs) for part in names}
    create_folder(cache)
    np.savez_compressed(
        path, names=np.array([song.name for song in songs]), held_out=np.array([s.held_out for s in songs]), **arrays
    )
    return songs
