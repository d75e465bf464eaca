"""Evaluation of beat and key tracking on annotated recordings, and fitting of the tracker's model.

A recording has annotated beats and keys; one without them (speech, noise) should be ignored. A tempo is right within
4 %, with half and double counted separately. A beat that was predicted one beat ahead is right within 70 ms of an
annotated one. A key is right, or a fifth, the relative or the parallel.
"""

from __future__ import annotations

import io
import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from kelly_live.core.arrays import Floats
from kelly_live.core.errors import ConfigError, KellyError
from kelly_live.core.pitch_names import NATURALS, parse_pitch_class
from kelly_live.engine.tracking import EXCERPT_SECONDS, MOMENTS_PER_SECOND, TrackingMoment, load_excerpt, track_sound
from kelly_live.lab.intervals import compute_wilson_interval
from kelly_live.sync.audio_tracker import ATTACK_DELAY_SECONDS
from kelly_live.sync.beat import PHASE_BINS, STRENGTH_LEVELS, quantize_strengths
from kelly_live.sync.onsets import FRAMES_PER_SECOND, SAMPLE_RATE, OnsetStrength
from kelly_live.sync.tracker_model import TrackerModel

TEMPO_TOLERANCE = 0.04
BEAT_TOLERANCE_SECONDS = 0.07
CONFIDENT = 0.5  # from this confidence on the band joins
_STAYS_SECONDS = 5.0  # right for at least this long without a break, else it may be chance
_WARM_SECONDS = 10.0  # shares over time are counted from here on


@dataclass(frozen=True, slots=True)
class AnnotatedRecording:
    """A recording with its annotations.

    `beats` in seconds (empty: none), `keys` as (start, end, tonic, is major).
    """

    path: Path
    set_name: str
    beats: tuple[float, ...] = ()
    keys: tuple[tuple[float, float, int, bool], ...] = ()

    def find_key(self, seconds: float) -> tuple[int, bool] | None:
        """Find the annotated key at a time, or None."""
        for start, end, tonic, major in self.keys:
            if start <= seconds <= end:
                return tonic, major
        return None

    def find_period(self, seconds: float) -> float | None:
        """Compute the median of the eight beat periods around a time, or None outside the beats."""
        if len(self.beats) < 8 or not self.beats[0] <= seconds <= self.beats[-1]:
            return None
        i = int(np.searchsorted(self.beats, seconds))
        return float(np.median(np.diff(self.beats[max(0, i - 4) : i + 5])))


def parse_key(name: str) -> tuple[int, bool]:
    """Parse a key such as `Gb:maj` or `A minor` to its pitch class and whether it is major.

    Raises:
        ConfigError: The text is not a key.
    """
    letter, _, kind = name.replace(":", " ").strip().partition(" ")
    if not letter or letter[0] not in NATURALS or kind[:3] not in ("maj", "min"):
        raise ConfigError(f"{name!r} is no key; write a tonic and maj or min, as in Gb:maj")
    return parse_pitch_class(letter), kind.startswith("maj")


def read_recordings(manifest: Path) -> list[AnnotatedRecording]:
    """Read a JSON object a line: `path` (relative to the manifest), `set`, `beats` or `bpm`, and `key`.

    `beats` are in seconds; `bpm` is a steady tempo with a beat at 0. Beats and key may be missing.

    Raises:
        KellyError: The manifest cannot be read.
    """
    pieces = []
    try:
        for line in manifest.read_text().splitlines():
            row = json.loads(line)
            beats = row.get("beats", ())
            if "bpm" in row:
                beats = np.arange(0.0, row["seconds"], 60.0 / row["bpm"])
            key = row.get("key")
            keys = ((0.0, math.inf, *parse_key(key)),) if key else ()
            pieces.append(AnnotatedRecording(manifest.parent / row["path"], row["set"], tuple(map(float, beats)), keys))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise KellyError(
            f"cannot read {manifest} ({error}); a line is a JSON object with path, set, and beats and key where known"
        ) from error
    return pieces


def read_pop909(
    corpora: Path,
    cache: Path,
    every: int = 15,
    soundfonts: tuple[Path, Path] | None = None,
    is_wanted: Callable[[int], bool] = lambda number: True,
) -> list[AnnotatedRecording]:
    """Render a minute of each `every`-th song of POP909, with its exact beats and the recording's keys.

    Two soundfonts alternate; by default one of them is not used in training. `is_wanted`: which of these songs are
    rendered, by their number.

    Raises:
        KellyError: The archive is missing, or a song cannot be rendered.
    """
    from kelly_live.lab.corpora.pop909 import extract_pop909, list_songs, read_beats
    from kelly_live.lab.corpora.rendering import HELD_OUT_SOUNDFONT, SOUNDFONTS, render_midi

    folder = extract_pop909(corpora, cache)
    songs = list_songs(folder)
    alternating = soundfonts or (HELD_OUT_SOUNDFONT, SOUNDFONTS[0])
    pieces = []
    for i, song in enumerate(songs[::every]):
        if not is_wanted(i):
            continue
        soundfont = alternating[i % 2]
        sound = render_midi(song / f"{song.name}.mid", cache / "follow", soundfont, seconds=EXCERPT_SECONDS)
        beats = read_beats(song)
        pieces.append(AnnotatedRecording(sound, f"POP909, rendered ({soundfont.stem})", beats, read_keys(song)))
    return pieces


def read_keys(song: Path) -> tuple[tuple[float, float, int, bool], ...]:
    """Read the keys of a song of POP909: begin and end (s), tonic, and whether it is major. Raises ConfigError."""
    rows = [line.split() for line in (song / "key_audio.txt").read_text().splitlines() if line.strip()]
    return tuple((float(begin), float(end), *parse_key(name)) for begin, end, name in rows)


def classify_tempo(bpm: float, true_bpm: float) -> str:
    """Classify a tempo: right, half, double or other."""
    for name, ratio in (("right", 1.0), ("half", 0.5), ("double", 2.0)):
        if abs(bpm / (ratio * true_bpm) - 1.0) <= TEMPO_TOLERANCE:
            return name
    return "other"


def classify_key(estimated_key: tuple[int, bool], true: tuple[int, bool]) -> str:
    """Classify a key: right, fifth (up or down), relative, parallel or other."""
    up = (estimated_key[0] - true[0]) % 12
    if estimated_key[1] == true[1]:
        return "right" if up == 0 else "fifth" if up in (5, 7) else "other"
    if up == (9 if true[1] else 3):
        return "relative"
    return "parallel" if up == 0 else "other"


def find_stable_start(rights: Sequence[bool], seconds: Sequence[float]) -> float | None:
    """Find when estimates first became right and stayed so."""
    need = round(_STAYS_SECONDS * MOMENTS_PER_SECOND)
    run = 0
    for i, right in enumerate(rights):
        run = run + 1 if right else 0
        if run >= need:
            return seconds[i - need + 1]
    return None


@dataclass(frozen=True, slots=True)
class TrackingResult:
    """The result of one recording.

    Tempo and key are the most frequent classes over its last half. Shares and errors count moments with confidence,
    from _WARM_SECONDS on. `beat_errors` are in seconds, of predicted beats. `band_errors` are of the beats of a band
    that joined: to the nearest annotated beat, and to the nearest beat or middle of two, as a band may play at twice
    the tempo.
    """

    set_name: str
    tempo: str | None
    tempo_seconds: float | None
    beat_errors: tuple[float, ...]
    offbeats: int
    band_errors: tuple[tuple[float, float], ...]
    beat_confidence_share: float
    key: str | None
    key_seconds: float | None
    key_confidence_share: float


def evaluate_tracking(
    piece: AnnotatedRecording, moments: Sequence[TrackingMoment], band_beats: Sequence[float] = ()
) -> TrackingResult:
    """Evaluate the estimates of one recording; `band_beats` are the beats of a band while it was joined."""
    late = [m for m in moments if m.seconds >= _WARM_SECONDS]
    tempo = key = tempo_seconds = key_seconds = None
    errors: list[float] = []
    offbeats = 0
    half = 0.5 * moments[-1].seconds if moments else 0.0
    tempo_moments = [(m, 60.0 / period) for m in moments if (period := piece.find_period(m.seconds)) is not None]
    if tempo_moments:
        classes = Counter(classify_tempo(m.bpm, true) for m, true in tempo_moments if m.seconds >= half)
        tempo = classes.most_common(1)[0][0] if classes else None
        rights = [
            m.tempo_confidence >= CONFIDENT and classify_tempo(m.bpm, true) != "other" for m, true in tempo_moments
        ]
        tempo_seconds = find_stable_start(rights, [m.seconds for m, _ in tempo_moments])
        beats = np.array(piece.beats)
        middles = 0.5 * (beats[1:] + beats[:-1])
        for m, _ in tempo_moments:
            if m.seconds >= _WARM_SECONDS and m.tempo_confidence >= CONFIDENT and beats[0] <= m.next_beat <= beats[-1]:
                errors.append(float(np.min(np.abs(beats - m.next_beat))))
                offbeats += float(np.min(np.abs(middles - m.next_beat))) <= BEAT_TOLERANCE_SECONDS
    key_moments = [
        (m, true) for m in moments if m.tonic is not None and (true := piece.find_key(m.seconds)) is not None
    ]
    if key_moments:
        relations = [classify_key((m.tonic or 0, m.major), true) for m, true in key_moments]
        key = Counter(r for (m, _), r in zip(key_moments, relations, strict=True) if m.seconds >= half).most_common(1)[
            0
        ][0]
        key_seconds = find_stable_start([r == "right" for r in relations], [m.seconds for m, _ in key_moments])
    return TrackingResult(
        piece.set_name,
        tempo,
        tempo_seconds,
        tuple(errors),
        offbeats,
        _measure_band_errors(piece, band_beats),
        float(np.mean([m.tempo_confidence >= CONFIDENT for m in late])) if late else 0.0,
        key,
        key_seconds,
        float(np.mean([m.key_confidence >= CONFIDENT for m in late])) if late else 0.0,
    )


def _measure_band_errors(piece: AnnotatedRecording, band_beats: Sequence[float]) -> tuple[tuple[float, float], ...]:
    beats = np.array(piece.beats)
    if len(beats) < 2:
        return ()
    places = np.concatenate([beats, 0.5 * (beats[1:] + beats[:-1])])
    inner_beats = [beat for beat in band_beats if max(_WARM_SECONDS, beats[0]) <= beat <= beats[-1]]
    return tuple((float(np.min(np.abs(beats - beat))), float(np.min(np.abs(places - beat)))) for beat in inner_beats)


def format_results(verdicts: Sequence[TrackingResult]) -> str:
    """Format a block for each set, and one for sets that share a name up to a comma.

    Shares with their 95 % interval, medians (and the 90 % quantile) of the seconds.
    """
    lines = []
    names = list(dict.fromkeys(v.set_name for v in verdicts))
    families = Counter(name.split(",")[0] for name in names)
    for name in [*names, *(f"{family}," for family, sets in families.items() if sets > 1)]:
        group = [v for v in verdicts if v.set_name == name or (name.endswith(",") and v.set_name.startswith(name))]
        lines.append(f"{name.removesuffix(',') + ', all' if name.endswith(',') else name} (n {len(group)})")
        tempi = [v.tempo for v in group if v.tempo is not None]
        if tempi:
            lines.append(f"  tempo   {_format_shares(tempi, ('right', 'double', 'half', 'other'))}")
            lines.append(
                f"          {format_times([v.tempo_seconds for v in group if v.tempo is not None])} (octaves allowed)"
            )
            errors = [e for v in group for e in v.beat_errors]
            if errors:
                hits = sum(e <= BEAT_TOLERANCE_SECONDS for e in errors)
                off = sum(v.offbeats for v in group) / len(errors)
                lines.append(
                    f"  beats   with confidence, predicted a beat ahead: {hits / len(errors):.2f} within 70 ms, "
                    f"{off:.2f} half a beat off, median {1e3 * np.median(errors):.0f} ms"
                )
            band = np.array([e for v in group for e in v.band_errors])
            if len(band):
                on, half = (band <= BEAT_TOLERANCE_SECONDS).mean(axis=0)
                lines.append(
                    f"  band    {on:.2f} of its beats within 70 ms of the annotated, {half:.2f} or half beats, "
                    f"median {1e3 * np.median(band[:, 1]):.0f} ms"
                )
        keys = [v.key for v in group if v.key is not None]
        if keys:
            lines.append(f"  key     {_format_shares(keys, ('right', 'fifth', 'relative', 'parallel', 'other'))}")
            lines.append(f"          {format_times([v.key_seconds for v in group if v.key is not None])}")
        lines.append(
            f"  with confidence: beat {np.mean([v.beat_confidence_share for v in group]):.2f} of the time, "
            f"key {np.mean([v.key_confidence_share for v in group]):.2f}"
        )
    return "\n".join(lines)


def _format_shares(answers: Sequence[str], names: Iterable[str]) -> str:
    n = len(answers)
    counts = Counter(answers)
    low, high = compute_wilson_interval(counts["right"], n)
    parts = [f"right {counts['right'] / n:.2f} [{low:.2f}, {high:.2f}]"]
    parts += [f"{name} {counts[name] / n:.2f}" for name in names if name != "right"]
    return ", ".join(parts)


def format_times(seconds: Sequence[float | None]) -> str:
    """Format the median and the 90 % quantile of the seconds that are known, and how many are."""
    measured_seconds = [s for s in seconds if s is not None]
    if not measured_seconds:
        return "never right for 5 s"
    return (
        f"right from {np.median(measured_seconds):.1f} s on "
        f"(median; 90 %: {np.quantile(measured_seconds, 0.9):.1f} s), ever in {len(measured_seconds)} of {len(seconds)}"
    )


def generate_noises(seconds: float = 30.0) -> list[Floats]:
    """Generate sounds without beat and key: white and pink noise, loud and soft."""
    rng = np.random.default_rng(1)
    count = round(seconds * SAMPLE_RATE)
    noises = []
    for level in (0.1, 0.01):
        white = rng.standard_normal(count)
        spectrum = np.fft.rfft(white)
        pink = np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(len(spectrum)), 1.0)), count)
        noises += [level * white, level * pink / pink.std()]
    return noises


def fit_model(pieces: Sequence[AnnotatedRecording], progress: Callable[[str], None]) -> TrackerModel:
    """Fit the onset strengths of each place of a beat, then the confidence of beat and key.

    The weights of the confidence come from a second pass over the same recordings (five numbers each, from thousands of
    moments).
    """
    counts = np.full((PHASE_BINS, STRENGTH_LEVELS, STRENGTH_LEVELS), 3.0)
    sounds = [(piece, load_excerpt(piece.path)) for piece in pieces]
    for piece, sound in sounds:
        if len(piece.beats) < 8:
            continue
        strengths = quantize_strengths(OnsetStrength().push(sound))
        seconds = (np.arange(len(strengths)) + 1) / FRAMES_PER_SECOND - ATTACK_DELAY_SECONDS
        beats = np.interp(seconds, piece.beats, np.arange(len(piece.beats)), left=np.nan, right=np.nan)
        has_beat = ~np.isnan(beats)
        np.add.at(
            counts, (np.round(beats[has_beat] * PHASE_BINS).astype(int) % PHASE_BINS, *strengths[has_beat].T), 1.0
        )
    likely = counts / counts.sum(axis=(1, 2), keepdims=True)
    onsets = np.round(np.log(likely) - np.log(likely.mean(axis=0)), 3)
    progress("the onsets of a beat are learned")

    blank = TrackerModel(onsets, beat=(0.0,) * 4, key=(0.0,) * 6, note_onsets=onsets, note_beat=(0.0,) * 4)
    tempo_rows: list[tuple[tuple[float, ...], bool]] = []
    key_rows: list[tuple[tuple[float, ...], bool]] = []
    noise_sounds = [(AnnotatedRecording(Path(), "noise"), sound) for sound in generate_noises()]
    for piece, sound in sounds + noise_sounds:
        beats = np.array(piece.beats)
        for moment in track_sound(sound, blank):
            period = piece.find_period(moment.seconds)
            if period is not None or not piece.beats:
                right = period is not None and classify_tempo(moment.bpm, 60.0 / period) != "other"
                if right and period is not None:
                    places = np.concatenate([beats, 0.5 * (beats[1:] + beats[:-1])])
                    right = bool(np.min(np.abs(places - moment.next_beat)) <= BEAT_TOLERANCE_SECONDS)
                tempo_rows.append((moment.tempo_features, right))
            true = piece.find_key(moment.seconds)
            if moment.tonic is not None and (true is not None or not piece.keys):
                estimated_key = (moment.tonic, moment.major)
                key_rows.append(
                    (moment.key_features, true is not None and classify_key(estimated_key, true) == "right")
                )
    progress(f"{len(tempo_rows)} moments of tempo, {len(key_rows)} of key")
    return replace(blank, beat=fit_logistic(tempo_rows), key=fit_logistic(key_rows))


def fit_logistic(rows: Sequence[tuple[tuple[float, ...], bool]]) -> tuple[float, ...]:
    """Fit weights by iteratively reweighted least squares, with a small ridge."""
    x = np.array([features for features, _ in rows])
    y = np.array([float(right) for _, right in rows])
    weights = np.zeros(x.shape[1])
    for _ in range(30):
        p = 1.0 / (1.0 + np.exp(-np.clip(x @ weights, -30.0, 30.0)))
        slope = x.T @ (x * (p * (1.0 - p))[:, None]) + 1e-3 * len(x) * np.diag([0.0] + [0.1] * (x.shape[1] - 1))
        ridge = 1e-4 * len(x) * np.concatenate([[0.0], weights[1:]])
        weights = weights + np.linalg.solve(slope + 1e-9 * np.eye(len(weights)), x.T @ (y - p) - ridge)
    return tuple(round(float(weight), 3) for weight in weights)


def format_model(model: TrackerModel, how: str) -> str:
    """Format the model as JSON, as a set's `tracker.json` stores it."""
    out = io.StringIO()
    fields = {"beat": model.beat, "key": model.key, "note_beat": model.note_beat}
    arrays = {"onsets": model.onsets.tolist(), "note_onsets": model.note_onsets.tolist()}
    json.dump({"how": how, **fields, **arrays}, out)
    return out.getvalue() + "\n"
