"""Music that may be used for anything: songs of OpenScore Lieder (CC0) and POP909 (MIT), measured as labelled music is.

OpenScore's moods are weak: nobody listened, words in the score are all there is. Arousal is the mean of the values that
the pack gives the words of the heading, halved, so that `allegro` is where a labelled quadrant's centre is. Valence is
taken from the heading's words too, but not from dolce and its like, which say how to sing. A tempo, and what depends on
it, counts only where the score prints a metronome mark: elsewhere it follows from the same word as the label. Dynamics
are the composer's marks; no timing and no single note's loudness is a player's. A register's ends are those of the tune
of the whole song, as the band's tune never leaves them; a window of 8 bars has three quarters of that range.

POP909 has no moods. It gives the base: how pop is played, whatever it feels like. The loudness of its accompaniment was
played; its onsets are quantised, so that timing is that of drummers (DRUMMERS_TIMING).
"""

from __future__ import annotations

import json
import math
import tarfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from kelly_live.core.arrays import Floats
from kelly_live.core.errors import ConfigError
from kelly_live.lab.corpora.pieces import Piece, analyze_piece, read_pop909
from kelly_live.lab.corpora.symbolic_features import (
    FEATURES_VERSION,
    FeatureCorpus,
    Features,
    LabelledFeatures,
    Score,
    extract_features,
    find_skyline,
    read_cached_corpus,
    read_score,
    read_score_with_tune,
    write_cached_corpus,
)

OPENSCORE, POP909 = "openscore", "pop909"
WINDOWS_VERSION = 2  # part of the cache's name: raise it when a number of a window changes meaning
WINDOW_BARS = 8
OPENSCORE_WINDOWS = (0, 8, 16)  # first bars: the heading's words speak of the beginning
POP909_WINDOWS = (8, 24, 40)
CENTRE = 0.5  # the place of a word of value 1
CLEAR_VALENCE = 0.3  # a mean of words below it says nothing
# They say how to sing or play: of the 450 songs with positive words 258 have only these.
MANNER_WORDS = ("dolc", "dol", "doux", "douce", "legg", "leger", "leicht", "light", "zart")
# Shares of strokes over 20 ms behind, on and over 20 ms ahead of the beat, at the 12 ms by which the drummers of the
# Groove MIDI Dataset (CC BY 4.0; models/open/drumming.md) lie off the grid.
DRUMMERS_TIMING = (0.05, 0.9, 0.05)
HELD_OUT_COMPOSERS = 8  # every eighth composer, in alphabetical order, is held out


@dataclass(frozen=True, slots=True)
class OpenSong:
    """A song of OpenScore Lieder with its weak labels, each NaN where no word tells."""

    name: str
    composer: str
    path: Path
    voice: int  # the track of the voice, 0 if no first track is one
    bar_beats: float
    valence: float
    arousal: float
    has_printed_tempo: bool
    has_marks: bool  # of loudness, at the beginning: without them all is played at one that nobody chose
    held_out: bool


def read_open_songs(open_data: Path, cache: Path) -> list[OpenSong]:
    """Read the songs, with their MIDI files extracted into the cache. Raises ConfigError."""
    folder = open_data / "openscore"
    manifest, archive = folder / "manifest.jsonl", folder / "midi.tar.xz"
    if not manifest.is_file() or not archive.is_file():
        raise ConfigError(f"{folder} lacks manifest.jsonl or midi.tar.xz; --open-data names the folder of open data")
    files = cache / "openscore"
    if not files.is_dir():
        with tarfile.open(archive) as tar:
            tar.extractall(files, filter="data")
    rows = [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines() if line.strip()]
    composers = sorted({str(row["composer"]) for row in rows})
    held_out = set(composers[::HELD_OUT_COMPOSERS])
    return [
        OpenSong(
            name=row["id"],
            composer=row["composer"],
            path=files / row["midi_path"],
            voice=0 if str(row["parts"][0]).startswith("Piano") else 1,
            bar_beats=_count_bar_beats(row["time_signature"]),
            valence=compute_weak_valence(row),
            arousal=compute_weak_arousal(row),
            has_printed_tempo=row["metronome_agrees"] is True,
            has_marks=any(measure <= 2 and mark not in "<>" for measure, mark in row["dynamics"]),
            held_out=row["composer"] in held_out,
        )
        for row in rows
        if row["time_signature"] and not row["silent_parts"] and row["tracks"] > 1
    ]


def compute_weak_arousal(row: dict[str, Any]) -> float:
    """Compute a song's arousal, about -.5 to .5, from the words of its heading; NaN without one."""
    values = _list_word_values(row, "arousal")
    return math.nan if not values else CENTRE * float(np.clip(np.mean(values), -1.0, 1.0))


def compute_weak_valence(row: dict[str, Any]) -> float:
    """Compute a song's valence, -.5 or .5, from the words of its heading; NaN where they do not tell."""
    values = _list_word_values(row, "valence")
    mean = float(np.mean(values)) if values else 0.0
    return CENTRE * math.copysign(1.0, mean) if abs(mean) >= CLEAR_VALENCE else math.nan


def _list_word_values(row: dict[str, Any], axis: str) -> list[float]:
    if row[f"weak_{axis}_from"] != "heading":
        return []
    return [
        float(value)
        for measure, of, word, value in row["weak_words"]
        if of == axis and measure <= 2 and not (axis == "valence" and str(word).startswith(MANNER_WORDS))
    ]


def _count_bar_beats(signature: str | None) -> float:
    """Count a bar's quarter notes."""
    if not signature:
        return 4.0
    count, _, unit = signature.partition("/")
    return 4.0 * float(count) / float(unit)


def extract_open_corpus(open_data: Path, corpora: Path, cache: Path) -> FeatureCorpus:
    """Extract the features of both corpora, in windows of WINDOW_BARS; kept in the cache. Raises ConfigError."""
    kept = cache / f"open-v{FEATURES_VERSION}.{WINDOWS_VERSION}.jsonl"
    if kept.is_file():
        return read_cached_corpus(kept)
    skips: Counter[str] = Counter()
    rows = [row for song in read_open_songs(open_data, cache) for row in _extract_song(song, skips)]
    rows += [row for piece in read_pop909(corpora) for row in _extract_pop(piece, skips)]
    corpus = FeatureCorpus(tuple(rows), dict(skips))
    write_cached_corpus(kept, corpus)
    return corpus


def _extract_song(song: OpenSong, skips: Counter[str]) -> Iterator[LabelledFeatures]:
    if math.isnan(song.valence) and math.isnan(song.arousal):
        skips["no word tells of a mood"] += 1
        return
    if song.voice == 0:
        skips["no part is the voice's"] += 1
        return
    try:
        score, voice = read_score_with_tune(song.path, song.voice)
    except ConfigError:
        skips["unreadable file"] += 1
        return
    for window, first, last in _cut(score, OPENSCORE_WINDOWS, song.bar_beats):
        try:
            features = extract_features(window, is_notated=True, tune=voice.select_beats(first, last))
        except ConfigError:
            skips["too few notes in the window"] += 1
            continue
        level = features.level
        if level is None and song.has_marks:  # one or a few marks: a level, but no band around it
            level = float(np.median(window.velocities)) / 127.0
        features = replace(
            _widen_to_song(features, voice),
            level=level,
            tempo=features.tempo if song.has_printed_tempo else math.nan,
            variation=None,
            timing=None,
        )
        yield LabelledFeatures(
            OPENSCORE, song.name, song.composer, "val" if song.held_out else "train", None,
            song.valence, song.arousal, features,
        )  # fmt: skip


def _extract_pop(piece: Piece, skips: Counter[str]) -> Iterator[LabelledFeatures]:
    tune, accompaniment = _join([piece.melody], piece), _join([piece.accompaniment], piece)
    for window, first, last in _cut(_join([piece.melody, piece.accompaniment], piece), POP909_WINDOWS, 4.0):
        try:
            features = extract_features(
                window,
                is_notated=True,
                tune=tune.select_beats(first, last),
                struck=accompaniment.select_beats(first, last),  # the tune's loudness was typed in
            )
        except ConfigError:
            skips["too few notes in the window"] += 1
            continue
        features = replace(_widen_to_song(features, tune), timing=DRUMMERS_TIMING)
        split = "val" if piece.held_out else "train"
        yield LabelledFeatures(POP909, piece.name, piece.group, split, None, math.nan, math.nan, features)


def _widen_to_song(features: Features, tune: Score) -> Features:
    """Set the register's ends to the lowest and highest note of the whole song's tune."""
    pitches = tune.pitches[find_skyline(tune)]
    return replace(features, low=float(pitches.min()), high=float(pitches.max()))


def _join(parts: Sequence[Floats], piece: Piece) -> Score:
    """Join parts of a piece to one score, on its annotated beats."""
    rows = np.concatenate(parts)
    rows = rows[np.lexsort((rows[:, 2], rows[:, 4]))]
    beats, seconds = rows[:, 0], rows[:, 4]
    pace = float(np.ptp(piece.melody[:, 4])) / max(float(np.ptp(piece.melody[:, 0])), 1e-6)
    return Score(seconds, seconds + rows[:, 1] * pace, beats, rows[:, 2], rows[:, 3], float(beats.max()) + 1.0)


def _cut(score: Score, firsts: tuple[int, ...], bar_beats: float) -> Iterator[tuple[Score, float, float]]:
    """Cut windows; yields each with the beats where it begins and ends."""
    for first in firsts:
        if (first + WINDOW_BARS // 2) * bar_beats <= score.end_beat:
            ends = first * bar_beats, (first + WINDOW_BARS) * bar_beats
            window = score.select_beats(*ends)
            if len(window):
                yield window, *ends


def read_open_pieces(open_data: Path, cache: Path) -> Iterator[Piece]:
    """Read OpenScore's songs as the vocabulary is learned from them: notated beats, estimated key and chords."""
    for song in read_open_songs(open_data, cache):
        try:
            score = read_score(song.path)
        except ConfigError:
            continue
        if len(score) < 24 or score.onsets[-1] - score.onsets[0] < 5.0:
            continue
        quadrant = None
        if not math.isnan(song.valence) and abs(song.arousal) > 0.1:
            quadrant = (
                ("Q1" if song.valence > 0 else "Q2") if song.arousal > 0 else ("Q4" if song.valence > 0 else "Q3")
            )
        yield analyze_piece(
            score, f"openscore:{song.name}", f"openscore:{song.name}", OPENSCORE,
            held_out=song.held_out, quadrant=quadrant, grid=None,
        )  # fmt: skip
