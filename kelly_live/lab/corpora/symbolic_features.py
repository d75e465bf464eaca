"""Features of labelled MIDI files, in the units of `MusicParameters`.

Sources of the methods, beside the choices that are ours:
- tempo: onset autocorrelation with a log-normal tempo prior that knows the note rate, then Ellis's (2007) beat
  tracking (both librosa, ISC); files whose notes follow their own tempo map (VGMIDI) keep that map instead;
- mode: Temperley's (2007) likelihood of a duration-weighted pitch-class profile under key profiles, here those of
  Albrecht & Shanahan (2013), bent to the seven diatonic modes by swapping the degrees in which a mode differs (plain
  correlation, as Krumhansl & Schmuckler's, hardly sees the one note that makes a mode);
- melody: the skyline (the highest sounding note at each onset).
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from kelly_live.core.arrays import Floats
from kelly_live.core.errors import ConfigError, MidiError
from kelly_live.core.key_profiles import MODE_PRIOR, key_distributions
from kelly_live.lab.corpora.manifest import QUADRANTS
from kelly_live.lab.rhythm_weights import rhythm_weights
from kelly_live.midi.file_reader import read_midi_file

if TYPE_CHECKING:
    import mido

FEATURES_VERSION = 10  # part of the cache's name: raise it when a number below changes meaning

CHORD_SECONDS = 0.035  # onsets closer than this are one chord (threshold for hearing their order, about 30-40 ms)
ON_BEAT_SECONDS = 0.020  # nearer than this to the beat is "on" (just noticeable, Friberg & Sundberg 1995: ~10-20 ms)
FRAME_RATE = 100  # frames a second of the onset envelope
# Centre of the tempo prior: log2 BPM is linear in the log2 rates (a second) of melody notes and of bass chords, which
# carry the beat. Notes between them do not make music faster (a slow ballad over broken chords).
# Regressed on the notated tempi of VGMIDI's train part (133 pieces; 8-fold r .53, .48 for the rate of all chords). The
# tracker then finds 111 of VGMIDI's 161 notated tempi (train .67, val .79). All chords give 113 (.69, .75), but
# estimate low-arousal piano a third faster (EMOPIA Q3 111 BPM instead of 90), at the rate of the broken chords.
TEMPO_PRIOR_INTERCEPT, TEMPO_PRIOR_MELODY, TEMPO_PRIOR_BASS, TEMPO_PRIOR_OCTAVES = 6.542, 0.224, 0.096, 0.6
BASS_TOP = 52.0  # MIDI note: below it is bass, to the tempo prior
MIN_RATE = 0.15  # a second: fewer notes are no rate
MIN_NOTES = 12  # fewer say nothing about a mode or a rhythm
WINDOW_BARS = 8
HOP_BARS = 4
INFORMATIVE_VELOCITIES = 6  # fewer distinct velocities: typed in, not played

INDEPENDENT_NOTES = 60.0  # how many notes' worth of evidence a piece gives: fewer than it has, as notes repeat; ours
BASS_WEIGHT = 0.6  # the lowest voice says more about the tonic than its duration alone; ours


@dataclass(frozen=True, slots=True)
class Score:
    """Pitched notes in order of onset.

    `onsets` and `offsets` in seconds, `beats` by the file's tempo map, each `[n]`.
    """

    onsets: Floats
    offsets: Floats
    beats: Floats
    pitches: Floats
    velocities: Floats
    end_beat: float

    def __len__(self) -> int:
        return len(self.onsets)

    def select_beats(self, first_beat: float, last_beat: float) -> Score:
        """Select the notes that begin in [first_beat, last_beat)."""
        keep = (self.beats >= first_beat - 1e-6) & (self.beats < last_beat - 1e-6)
        return Score(
            self.onsets[keep],
            self.offsets[keep],
            self.beats[keep],
            self.pitches[keep],
            self.velocities[keep],
            last_beat,
        )


@dataclass(frozen=True, slots=True)
class Features:
    """The features of one piece or window in musical units.

    None where the file lacks one (constant velocity, quantised timing). `tempo` is in BPM; `modes` and `rhythms` are
    weights over MODES and RHYTHMS; `low`, `centre` and `high` are the 10, 50 and 90 % quantiles of the melody's pitch
    (MIDI notes); `floor`, `level` and `ceiling` those of velocity over 127; `variation` is the deviation of single
    notes inside that band, 0-1; `timing` are shares [behind, on, ahead]; `onsets_per_beat` counts melody onsets.
    """

    tempo: float
    modes: tuple[float, ...]
    low: float
    centre: float
    high: float
    floor: float | None
    level: float | None
    ceiling: float | None
    variation: float | None
    timing: tuple[float, ...] | None
    onsets_per_beat: float
    rhythms: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class LabelledFeatures:
    """Features of a labelled stretch of music.

    EMOPIA gives a `quadrant` (valence and arousal are its signs), VGMIDI the listeners' mean ratings.
    """

    dataset: str
    piece: str
    group: str
    split: str
    quadrant: str | None
    valence: float
    arousal: float
    features: Features


@dataclass(frozen=True, slots=True)
class FeatureCorpus:
    """The features of a corpus; `skipped_counts` counts the files or windows left out, by reason."""

    rows: tuple[LabelledFeatures, ...]
    skipped_counts: dict[str, int]

    def part(self, split: str) -> tuple[LabelledFeatures, ...]:
        """Select the rows of a split."""
        return tuple(row for row in self.rows if row.split == split)


# ---------------------------------------------------------------- reading


def read_score(path: Path) -> Score:
    """Read a MIDI file, without percussion (channel 10).

    Raises:
        ConfigError: The file cannot be read as MIDI.
    """
    midi = _read_midi(path)
    return _collect_notes(midi.tracks, midi.ticks_per_beat)


def read_score_with_tune(path: Path, track: int) -> tuple[Score, Score]:
    """Read a MIDI file whose first track holds the tempo: all of it, and one track alone. Raises ConfigError."""
    midi = _read_midi(path)
    tune = [midi.tracks[0], *midi.tracks[track : track + 1]]
    return _collect_notes(midi.tracks, midi.ticks_per_beat), _collect_notes(tune, midi.ticks_per_beat)


def _read_midi(path: Path) -> mido.MidiFile:
    try:
        midi = read_midi_file(path)
    except MidiError as error:
        raise ConfigError(f"{error}, or leave it out") from error
    if midi.ticks_per_beat <= 0:
        raise ConfigError(f"{path} counts time in SMPTE frames, not beats; export it with ticks per beat")
    return midi


def _collect_notes(tracks: Sequence[mido.MidiTrack], ticks_per_beat: int) -> Score:
    import mido

    notes: list[tuple[float, float, float, int, int]] = []
    notes_on: dict[tuple[int, int], list[tuple[float, float, int]]] = {}
    seconds = beats = 0.0
    tempo = 500_000
    for message in mido.merge_tracks(tracks):
        beats += message.time / ticks_per_beat
        seconds += message.time / ticks_per_beat * tempo / 1e6
        if message.type == "set_tempo" and message.tempo > 0:
            tempo = message.tempo
        elif message.type == "note_on" and message.velocity > 0 and message.channel != 9:
            notes_on.setdefault((message.channel, message.note), []).append((seconds, beats, message.velocity))
        elif message.type in ("note_on", "note_off") and notes_on.get((message.channel, message.note)):
            onset, beat, velocity = notes_on[message.channel, message.note].pop(0)
            notes.append((onset, max(seconds, onset + 0.01), beat, message.note, velocity))
    for (_, pitch), open_notes in notes_on.items():  # never ended: they sound to the end of the file
        notes += [(onset, max(seconds, onset + 0.01), beat, pitch, velocity) for onset, beat, velocity in open_notes]
    onsets, offsets, places, pitches, velocities = np.array(sorted(notes), dtype=np.float64).reshape(-1, 5).T
    return Score(onsets, offsets, places, pitches, velocities, end_beat=beats)


def find_skyline(score: Score) -> npt.NDArray[np.int64]:
    """Find the indices of the melody: the top note of each chord, unless a higher one still sounds."""
    melody: list[int] = []
    start = 0
    while start < len(score):
        stop = start
        while stop < len(score) and score.onsets[stop] - score.onsets[start] <= CHORD_SECONDS:
            stop += 1
        top = start + int(np.argmax(score.pitches[start:stop]))
        is_covered = (
            bool(melody)
            and score.offsets[melody[-1]] > score.onsets[top] + CHORD_SECONDS
            and score.pitches[melody[-1]] > score.pitches[top]
        )
        if not is_covered:
            melody.append(top)
        start = stop
    return np.array(melody, dtype=np.int64)


# ---------------------------------------------------------------- tempo and beats


def track_beats(score: Score) -> tuple[float, Floats]:
    """Estimate tempo (BPM) and beat times (s) of performed notes, from their onsets and velocities alone."""
    import librosa

    first, last = float(score.onsets[0]), float(score.onsets[-1])
    frames = int((last - first) * FRAME_RATE) + FRAME_RATE
    envelope = np.zeros(frames)
    np.add.at(envelope, np.rint((score.onsets - first) * FRAME_RATE).astype(int), score.velocities / 127.0)
    # Low notes carry the beat in piano music more than the top voice does.
    low = score.pitches < np.median(score.pitches)
    np.add.at(envelope, np.rint((score.onsets[low] - first) * FRAME_RATE).astype(int), 0.3)
    kernel = np.exp(-0.5 * (np.arange(-6, 7) / 2.0) ** 2)
    envelope = np.convolve(np.sqrt(envelope), kernel, mode="same")
    span = max(last - first, 1.0)
    bass = score.onsets[score.pitches < BASS_TOP]
    steps = 1 + np.count_nonzero(np.diff(bass) > CHORD_SECONDS) if len(bass) else 0
    melody_rate, bass_rate = max(len(find_skyline(score)) / span, MIN_RATE), max(steps / span, MIN_RATE)
    expected_bpm = 2.0 ** (
        TEMPO_PRIOR_INTERCEPT + TEMPO_PRIOR_MELODY * math.log2(melody_rate) + TEMPO_PRIOR_BASS * math.log2(bass_rate)
    )
    guess = float(
        librosa.feature.tempo(
            onset_envelope=envelope,
            sr=FRAME_RATE,
            hop_length=1,
            start_bpm=expected_bpm,
            std_bpm=TEMPO_PRIOR_OCTAVES,
            ac_size=8.0,
            max_tempo=240.0,
        )[0]
    )
    _, beat_frames = librosa.beat.beat_track(
        onset_envelope=envelope, sr=FRAME_RATE, hop_length=1, bpm=guess, tightness=200.0, trim=False
    )
    beats = np.asarray(beat_frames, dtype=np.float64) / FRAME_RATE + first
    if len(beats) < 4:
        return guess, np.arange(first, last + 60.0 / guess, 60.0 / guess)
    return 60.0 / float(np.median(np.diff(beats))), beats


def convert_to_beats(seconds: Floats, beat_seconds: Floats) -> Floats:
    """Convert seconds to beats on a tracked grid; beyond its ends the nearest beat's length continues."""
    index = np.clip(np.searchsorted(beat_seconds, seconds, side="right") - 1, 0, len(beat_seconds) - 2)
    earlier, later = beat_seconds[index], beat_seconds[index + 1]
    return np.asarray(index + (seconds - earlier) / np.maximum(later - earlier, 1e-3), dtype=np.float64)


# ---------------------------------------------------------------- mode


def estimate_mode_weights(score: Score) -> tuple[float, ...]:
    """Estimate weights over MODES, summed over the 12 tonics: how well each explains the pitch classes.

    MODE_PRIOR is the prior of the modes.
    """
    # A pedalled or sequenced drone must not outvote the music: durations count up to two seconds.
    durations = np.clip(score.offsets - score.onsets, 0.05, 2.0)
    profile = np.zeros(12)
    np.add.at(profile, score.pitches.astype(int) % 12, durations)
    bass = np.zeros(12)
    group = np.cumsum(np.diff(score.onsets, prepend=score.onsets[0]) > CHORD_SECONDS)
    for chord in range(int(group[-1]) + 1):
        members = np.flatnonzero(group == chord)
        lowest = members[np.argmin(score.pitches[members])]
        if score.pitches[lowest] <= np.percentile(score.pitches, 40):
            bass[int(score.pitches[lowest]) % 12] += durations[lowest]
    last_notes = np.flatnonzero(group == group[-1])
    bass[int(score.pitches[last_notes].min()) % 12] += 0.08 * bass.sum()  # a phrase tends to end on the tonic
    combined_profile = profile / profile.sum() + (BASS_WEIGHT * bass / bass.sum() if bass.sum() > 0 else 0.0)
    likelihood = (np.log(key_distributions()) @ (combined_profile / combined_profile.sum())).reshape(7, 12)
    logits = INDEPENDENT_NOTES * likelihood + np.log(MODE_PRIOR)[:, None]
    weights = np.exp(logits - logits.max()).sum(axis=1)
    return _normalise(weights)


# ---------------------------------------------------------------- rhythm, timing, dynamics


def compute_timing_shares(melody_beats: Floats, seconds_per_beat: float) -> tuple[float, ...] | None:
    """Compute the shares [behind, on, ahead] of melody onsets against quarters of a beat.

    None if they are quantised. The remaining deviation includes the transcriber's own error (EMOPIA: about 10 ms),
    which blurs weak deviations towards "on".
    """
    deviation = (melody_beats * 4.0 - np.rint(melody_beats * 4.0)) / 4.0 * seconds_per_beat
    is_near = np.abs(deviation) < 0.45 * seconds_per_beat / 4.0
    deviation = deviation[is_near]
    if len(deviation) < MIN_NOTES or np.percentile(np.abs(deviation), 90) < 0.004:
        return None
    behind = float(np.mean(deviation > ON_BEAT_SECONDS))
    ahead = float(np.mean(deviation < -ON_BEAT_SECONDS))
    return behind, 1.0 - behind - ahead, ahead


def _measure_dynamics(score: Score) -> tuple[float, float, float, float]:
    """Measure 10, 50 and 90 % velocity over 127, and the deviation of notes from their 2 s surroundings.

    The deviation is a share of the band from 10 to 90 %.
    """
    loud = score.velocities / 127.0
    floor, level, ceiling = (float(q) for q in np.percentile(loud, [10, 50, 90]))
    local = np.array([loud[np.abs(score.onsets - onset) <= 1.0].mean() for onset in score.onsets])
    stray = float(np.std(loud - local)) / max(ceiling - floor, 0.02)
    return floor, level, ceiling, min(stray, 1.0)


def _normalise(weights: Floats) -> tuple[float, ...]:
    return tuple(float(weight) for weight in weights / weights.sum())


# ---------------------------------------------------------------- whole pieces


def extract_features(
    score: Score,
    *,
    is_notated: bool,
    played_dynamics: bool = True,
    tune: Score | None = None,
    struck: Score | None = None,
) -> Features:
    """Extract all features of a piece or window.

    With `is_notated` the file's own tempo map gives the beat, else the beat is tracked. `tune`: the melody, where it is
    known (only with `is_notated`); else it is the skyline. `struck`: the notes whose loudness counts, by default all.

    Raises:
        ConfigError: There are fewer than MIN_NOTES notes, or too few melody notes.
    """
    if len(score) < MIN_NOTES or score.onsets[-1] - score.onsets[0] < 2.0:
        raise ConfigError(f"only {len(score)} notes to measure; {MIN_NOTES} over two seconds are needed")
    sung = score if tune is None else tune
    melody = find_skyline(sung) if len(sung) else np.empty(0, np.int64)
    if len(melody) < MIN_NOTES // 2:
        raise ConfigError(f"only {len(melody)} melody notes to measure; {MIN_NOTES // 2} are needed")
    struck = score if struck is None else struck
    if is_notated:
        span_beats, span_seconds = np.ptp(score.beats), np.ptp(score.onsets)
        if span_beats <= 0 or span_seconds <= 0:
            raise ConfigError("all notes begin at once; a tempo needs time to pass")
        tempo, melody_beats = 60.0 * float(span_beats / span_seconds), sung.beats[melody]
    else:
        tempo, beat_seconds = track_beats(score)
        melody_beats = convert_to_beats(score.onsets[melody], beat_seconds)
    low, centre, high = (float(q) for q in np.percentile(sung.pitches[melody], [10, 50, 90]))
    played_dynamics = played_dynamics and len(np.unique(struck.velocities)) >= INFORMATIVE_VELOCITIES
    floor, level, ceiling, variation = _measure_dynamics(struck) if played_dynamics else (None, None, None, None)
    return Features(
        tempo=tempo,
        modes=estimate_mode_weights(score),
        low=low,
        centre=centre,
        high=high,
        floor=floor,
        level=level,
        ceiling=ceiling,
        variation=variation,
        timing=compute_timing_shares(melody_beats, 60.0 / tempo),
        onsets_per_beat=len(melody) / max(float(np.ptp(melody_beats)) + 1.0, 1.0),
        rhythms=rhythm_weights(melody_beats),
    )


def extract_row(root: Path, row: dict[str, Any], skip_counts: Counter[str]) -> Iterator[LabelledFeatures]:
    """Extract the features of a manifest line: a whole EMOPIA clip, or VGMIDI windows of 8 bars every 4.

    What is left out is counted in `skip_counts`.
    """
    try:
        score = read_score(root / row["midi_path"])
    except ConfigError:
        skip_counts["unreadable file"] += 1
        return
    piece = str(row["midi_path"])
    if row["dataset"] == "emopia":
        valence, arousal = QUADRANTS[row["quadrant"]]
        try:
            features = extract_features(score, is_notated=False)
        except ConfigError:
            skip_counts["too few notes in the file"] += 1
            return
        yield LabelledFeatures("emopia", piece, row["song"], row["split"], row["quadrant"], valence, arousal, features)
        return
    # Over half of VGMIDI has one constant velocity and a quantised grid; the rest has levels and beats that an arranger
    # typed. Neither is a player's expression: no dynamics, no timing.
    # There is a rating for each bar of the file; the manifest lacks their lengths, so equal bars are assumed.
    bar_count = len(row["valence"])
    bar_beats = score.end_beat / bar_count
    for first in range(0, max(bar_count - WINDOW_BARS // 2, 1), HOP_BARS):
        last = min(first + WINDOW_BARS, bar_count)
        try:
            window = score.select_beats(first * bar_beats, last * bar_beats)
            features = replace(extract_features(window, is_notated=True, played_dynamics=False), timing=None)
        except ConfigError:
            skip_counts["too few notes in the window"] += 1
            continue
        valence = float(np.mean(row["valence"][first:last]))
        arousal = float(np.mean(row["arousal"][first:last]))
        yield LabelledFeatures("vgmidi", piece, row["series"], row["split"], None, valence, arousal, features)


def extract_corpus(data_dir: Path, cache_dir: Path | None = None) -> FeatureCorpus:
    """Extract the features of every line of `data_dir`/manifest.jsonl.

    With `cache_dir` the result is cached there.

    Raises:
        ConfigError: The manifest is missing, or a line is damaged; the message gives its number.
    """
    manifest = data_dir / "manifest.jsonl"
    if not manifest.is_file():
        raise ConfigError(f"{manifest} is missing; name the folder of labelled MIDI that holds manifest.jsonl")
    cache = cache_dir / f"measured-v{FEATURES_VERSION}-{manifest.stat().st_size}.jsonl" if cache_dir else None
    if cache and cache.is_file():
        return read_cached_corpus(cache)
    skip_counts: Counter[str] = Counter()
    rows: list[LabelledFeatures] = []
    for number, line in enumerate(manifest.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            row = json.loads(line)
            rows.extend(extract_row(data_dir, row, skip_counts))
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise ConfigError(f"{manifest} line {number} is damaged ({error!r}); repair or remove it") from error
    corpus = FeatureCorpus(tuple(rows), dict(skip_counts))
    if cache:
        write_cached_corpus(cache, corpus)
    return corpus


def write_cached_corpus(path: Path, corpus: FeatureCorpus) -> None:
    """Write features to a file of a cache."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"skipped": corpus.skipped_counts}), *(json.dumps(asdict(row)) for row in corpus.rows)]
    beside = path.with_suffix(".part")
    beside.write_text("\n".join(lines) + "\n", encoding="utf-8")
    beside.replace(path)


def read_cached_corpus(path: Path) -> FeatureCorpus:
    """Read features that `write_cached_corpus` wrote."""
    head, *lines = path.read_text(encoding="utf-8").splitlines()
    return FeatureCorpus(tuple(_parse_row(json.loads(line)) for line in lines), json.loads(head)["skipped"])


def _parse_row(row: dict[str, Any]) -> LabelledFeatures:
    plain: dict[str, Any] = row.pop("features")
    frozen: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in plain.items()}
    features = Features(**frozen)
    return LabelledFeatures(features=features, **row)
