"""Pieces as the vocabulary is learned from them: melody and accompaniment in beats, a key and chords.

POP909 comes with its melody, beats, key and chords (MIT licence). For EMOPIA and VGMIDI they are estimated: the melody
is the skyline, beats are tracked (EMOPIA) or notated (VGMIDI), key and mode are the likeliest of 84 under the key
profiles, and a chord is the triad that fits the notes of two beats best.
"""

from __future__ import annotations

import io
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kelly_live.core.arrays import Floats
from kelly_live.core.atomic_write import create_folder
from kelly_live.core.errors import ConfigError
from kelly_live.core.key_profiles import MODE_PRIOR, key_distributions
from kelly_live.core.pitch_names import NATURALS, parse_pitch_class
from kelly_live.core.values import MODES
from kelly_live.lab.corpora.symbolic_features import (
    BASS_WEIGHT,
    CHORD_SECONDS,
    INDEPENDENT_NOTES,
    MIN_NOTES,
    Score,
    convert_to_beats,
    find_skyline,
    read_score,
    track_beats,
)
from kelly_live.lab.cultures.corpora.archive import read_files

_WINDOW_BEATS = 2.0  # of an estimated chord
HELD_OUT = 10  # every tenth song of POP909 is held out: it has no split of its own


@dataclass(frozen=True, slots=True)
class Chord:
    """A triad over the beats [start, end): the root's pitch class, and whether the third is major."""

    start: float
    end: float
    root: int
    major: bool


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece with its key and chords.

    `melody` and `accompaniment` are sorted rows of onset (beats), length (beats), pitch, velocity and onset (s). Where
    `bars` is true, beats count from a bar line of bars of four. `quadrant` is None where there is no label. Where
    `is_performed` is true, velocities and timing are a player's.
    """

    name: str
    group: str
    source: str
    held_out: bool
    quadrant: str | None
    tonic: int
    mode: str
    melody: Floats
    accompaniment: Floats
    chords: tuple[Chord, ...]
    bars: bool
    is_performed: bool


# ---------------------------------------------------------------- POP909


def read_pop909(corpora: Path) -> Iterator[Piece]:
    """Read POP909's songs in 4/4, each within its longest stretch of one key.

    Raises:
        ConfigError: The archive is missing.
    """
    songs: dict[str, dict[str, bytes]] = defaultdict(dict)
    for path, data in read_files(corpora, "pop909-index", lambda inside: inside.count("/") == 2):
        _, song, name = path.split("/", 2)
        songs[song][name.removeprefix(song)] = data
    for number, (song, files) in enumerate(sorted(songs.items())):
        if {".mid", "beat_midi.txt", "key_audio.txt", "chord_midi.txt", "beat_audio.txt"} <= set(files):
            piece = _read_song(song, files, held_out=number % HELD_OUT == 0)
            if piece is not None:
                yield piece


def _read_song(song: str, files: dict[str, bytes], *, held_out: bool) -> Piece | None:
    import mido

    def lines(name: str, width: int) -> list[list[str]]:
        rows = [line.split() for line in files[name].decode().splitlines()]
        return [row for row in rows if len(row) == width]

    grid = lines("beat_midi.txt", 3)
    beat_numbers = [float(row[1]) for row in lines("beat_audio.txt", 2)]
    keys = lines("key_audio.txt", 3)
    if len(grid) < 16 or not keys or max(beat_numbers, default=0.0) != 4.0:
        return None
    beat_seconds = np.array([float(row[0]) for row in grid])
    downbeats = [i for i, row in enumerate(grid) if float(row[2]) == 1.0]
    if not downbeats:
        return None
    first = downbeats[0] % 4
    start, end, key = max(keys, key=lambda row: float(row[1]) - float(row[0]))
    letter, _, kind = key.partition(":")
    tonic = parse_pitch_class(letter)
    mode = {"maj": "ionian", "min": "aeolian"}.get(kind)
    if mode is None:
        return None
    tracks = _read_tracks(mido.MidiFile(file=io.BytesIO(files[".mid"]), clip=True))
    low, high = float(start), float(end)

    def place_notes(notes: Floats) -> Floats:
        notes = notes[(notes[:, 0] >= low) & (notes[:, 0] < high)]
        if not len(notes):
            return np.empty((0, 5))
        places = convert_to_beats(notes[:, 0], beat_seconds) - first
        ends = convert_to_beats(notes[:, 1], beat_seconds) - first
        rows = np.column_stack((places, np.maximum(ends - places, 0.05), notes[:, 2], notes[:, 3], notes[:, 0]))
        return np.asarray(rows[np.lexsort((rows[:, 2], rows[:, 0]))], dtype=np.float64)

    melody = place_notes(tracks.get("MELODY", np.empty((0, 4))))
    accompaniment = place_notes(
        np.concatenate([np.empty((0, 4)), *(n for name, n in tracks.items() if name == "PIANO")])
    )
    if len(melody) < MIN_NOTES or len(accompaniment) < MIN_NOTES:
        return None
    chords = []
    for begin, finish, label in lines("chord_midi.txt", 3):
        if label[0] in NATURALS and low <= float(begin) < high:
            name, _, quality = label.partition(":")
            root = parse_pitch_class(name)
            span = convert_to_beats(np.array([float(begin), float(finish)]), beat_seconds) - first
            major = not quality.startswith(("min", "dim", "hdim"))
            chords.append(Chord(float(np.rint(span[0])), float(np.rint(span[1])), root, major))
    group = f"pop909:{song}"
    return Piece(
        group,
        group,
        "pop909",
        held_out,
        None,
        tonic,
        mode,
        melody,
        accompaniment,
        tuple(chords),
        bars=True,
        is_performed=False,
    )


def _read_tracks(midi: object) -> dict[str, Floats]:
    """Read onset and end (s), pitch and velocity of each named track, by the file's tempo map."""
    import mido

    assert isinstance(midi, mido.MidiFile)
    ticks, micros = [0], [500_000]
    now = 0
    for message in mido.merge_tracks(midi.tracks):
        now += message.time
        if message.type == "set_tempo":
            ticks.append(now)
            micros.append(message.tempo)
    seconds = np.concatenate(([0.0], np.cumsum(np.diff(ticks) * np.array(micros[:-1]) / midi.ticks_per_beat / 1e6)))

    def at(tick: int) -> float:
        index = int(np.searchsorted(ticks, tick, side="right")) - 1
        return float(seconds[index] + (tick - ticks[index]) * micros[index] / midi.ticks_per_beat / 1e6)

    notes_by_track: dict[str, Floats] = {}
    for track in midi.tracks:
        notes: list[tuple[float, float, int, int]] = []
        open_notes: dict[int, tuple[float, int]] = {}
        now = 0
        for message in track:
            now += message.time
            if message.type == "note_on" and message.velocity > 0:
                open_notes[message.note] = (at(now), message.velocity)
            elif message.type in ("note_on", "note_off") and message.note in open_notes:
                onset, velocity = open_notes.pop(message.note)
                notes.append((onset, at(now), message.note, velocity))
        if notes:
            notes_by_track[track.name] = np.array(sorted(notes), dtype=np.float64)
    return notes_by_track


# ---------------------------------------------------------------- EMOPIA and VGMIDI


def read_labelled(symbolic: Path, cache: Path | None = None) -> Iterator[Piece]:
    """Read a clip of each song and quadrant of EMOPIA, and every piece of VGMIDI.

    Tracked beats are kept in `cache`.

    Raises:
        ConfigError: The manifest is missing.
    """
    manifest = symbolic / "manifest.jsonl"
    if not manifest.is_file():
        raise ConfigError(f"{manifest} is missing; name the folder of labelled MIDI that holds manifest.jsonl")
    if cache:
        create_folder(cache)
    read_songs: set[tuple[str, str]] = set()
    for line in manifest.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        is_performed = row["dataset"] == "emopia"
        if is_performed and (row["song"], row["quadrant"]) in read_songs:
            continue
        try:
            score = read_score(symbolic / row["midi_path"])
        except ConfigError:
            continue
        if len(score) < 2 * MIN_NOTES or score.onsets[-1] - score.onsets[0] < 5.0:
            continue
        if is_performed:
            read_songs.add((row["song"], row["quadrant"]))
        quadrant = row["quadrant"] if is_performed else _quadrant(np.mean(row["valence"]), np.mean(row["arousal"]))
        grid = (
            _load_beats(score, cache / f"{Path(row['midi_path']).stem}.npy" if cache else None)
            if is_performed
            else None
        )
        name = f"{row['dataset']}:{row['midi_path']}"
        yield analyze_piece(
            score, name, f"{row['dataset']}:{row.get('song') or row.get('series')}", row["dataset"],
            held_out=row["split"] == "val", quadrant=quadrant, grid=grid,
        )  # fmt: skip


def _load_beats(score: Score, cached_file: Path | None) -> Floats:
    if cached_file and cached_file.is_file():
        grid: Floats = np.load(cached_file)
        return grid
    _, grid = track_beats(score)
    if cached_file:
        np.save(cached_file, grid)
    return grid


def _quadrant(valence: float, arousal: float) -> str:
    if valence >= 0.0:
        return "Q1" if arousal >= 0.0 else "Q4"
    return "Q2" if arousal >= 0.0 else "Q3"


def analyze_piece(
    score: Score, name: str, group: str, source: str, *, held_out: bool, quadrant: str | None, grid: Floats | None
) -> Piece:
    """Estimate a piece's melody, key and chords from its notes.

    `grid` are the tracked beats (seconds), or None where the score's own beats are notated.
    """
    places = score.beats if grid is None else convert_to_beats(score.onsets, grid)
    scale = np.maximum(score.offsets - score.onsets, 0.01)
    if grid is None:
        pace = float(np.ptp(score.beats)) / max(float(np.ptp(score.onsets)), 1e-6)
        lengths = scale * pace
    else:
        lengths = convert_to_beats(score.offsets, grid) - places
    rows = np.column_stack((places, np.maximum(lengths, 0.02), score.pitches, score.velocities, score.onsets))
    melody = find_skyline(score)
    rest = np.ones(len(score), bool)
    rest[melody] = False
    tonic, mode = estimate_key(score)
    return Piece(
        name, group, source, held_out, quadrant, tonic, mode, rows[melody], rows[rest],
        tuple(detect_chords(rows)), bars=False, is_performed=grid is not None,
    )  # fmt: skip


def estimate_key(score: Score) -> tuple[int, str]:
    """Estimate the tonic and mode that explain the pitch classes and the bass best.

    Pitch classes and bass are weighted as in `symbolic_features.estimate_mode_weights`.
    """
    lengths = np.clip(score.offsets - score.onsets, 0.05, 2.0)
    profile = np.bincount(score.pitches.astype(int) % 12, weights=lengths, minlength=12)
    starts = np.flatnonzero(np.diff(score.onsets, prepend=-1.0) > CHORD_SECONDS)
    bass = np.zeros(12)
    for first, last in zip(starts, [*starts[1:], len(score)], strict=True):
        lowest = first + int(np.argmin(score.pitches[first:last]))
        if score.pitches[lowest] <= np.percentile(score.pitches, 40):
            bass[int(score.pitches[lowest]) % 12] += lengths[lowest]
    weighted_profile = profile / profile.sum() + (BASS_WEIGHT * bass / bass.sum() if bass.sum() > 0 else 0.0)
    likelihood = np.log(key_distributions()) @ (weighted_profile / weighted_profile.sum())
    logits = INDEPENDENT_NOTES * likelihood + np.repeat(np.log(MODE_PRIOR), 12)
    best = int(np.argmax(logits))
    return best % 12, MODES[best // 12]


TRIADS = np.zeros((24, 12))  # 0-11 major by root, 12-23 minor: the pitch classes of each
for _root in range(12):
    TRIADS[_root, [_root, (_root + 4) % 12, (_root + 7) % 12]] = 1.0
    TRIADS[12 + _root, [_root, (_root + 3) % 12, (_root + 7) % 12]] = 1.0
_ROOT_WEIGHT = 0.15  # the lowest note is likely to be the root
_LONGEST_BEATS = 2.0  # a note counts as no longer


def fit_triad(pitches: np.ndarray, durations: Floats) -> int:
    """Fit the triad (a row of TRIADS) that notes sound best, by their `durations` in beats."""
    pitches = pitches.astype(int)
    profile = np.bincount(pitches % 12, weights=np.minimum(durations, _LONGEST_BEATS), minlength=12)
    fit = TRIADS @ (profile / profile.sum())
    fit[int(pitches.min()) % 12 :: 12] += _ROOT_WEIGHT
    return int(np.argmax(fit))


def detect_chords(rows: Floats) -> Iterator[Chord]:
    """Detect the triad that fits each two beats best, and join equal neighbours.

    Two beats with fewer than three notes keep the previous chord.
    """
    start = float(np.floor(rows[:, 0].min()))
    open_chord: Chord | None = None
    ends = rows[:, 0] + rows[:, 1]
    while start < rows[:, 0].max():
        stop = start + _WINDOW_BEATS
        durations = np.minimum(ends, stop) - np.maximum(rows[:, 0], start - 0.1)
        audible = durations > 0.1
        if np.count_nonzero(audible) >= 3:
            best = fit_triad(rows[audible, 2], durations[audible])
            if open_chord is not None and (open_chord.root, open_chord.major) == (best % 12, best < 12):
                open_chord = Chord(open_chord.start, stop, open_chord.root, open_chord.major)
            else:
                if open_chord is not None:
                    yield open_chord
                open_chord = Chord(start, stop, best % 12, best < 12)
        start = stop
    if open_chord is not None:
        yield open_chord
