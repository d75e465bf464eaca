"""The loop closed: an emotion asked for, composed, rendered with a soundfont that nothing was trained on, and judged by
judges that never met our music, beside what the same judges say of people's own playing.
"""

from __future__ import annotations

import hashlib
import io
import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from kelly_live.core.atomic_write import write_atomically
from kelly_live.core.errors import ConfigError
from kelly_live.emotion.reader import load_emotion_net
from kelly_live.lab.corpora.clips import RENDER_SECONDS
from kelly_live.lab.corpora.manifest import QUADRANTS, Clip, read_scores
from kelly_live.lab.corpora.rendering import HELD_OUT_SOUNDFONT, SOUNDFONTS, render_midi
from kelly_live.lab.intervals import bootstrap, compute_wilson_interval, estimate_correlation
from kelly_live.lab.judging.judges import (
    HARMONY,
    JUDGED_SECONDS,
    VERSION,
    AudioFeatureExtractor,
    Floats,
    Judge,
    Judgements,
    extract_note_features,
    fit_judge,
)
from kelly_live.lab.training.scores import Score, format_scores
from kelly_live.lab.training.windows import read_audio

CENTRE = 0.5  # how far a quadrant's centre lies from neutral, on both axes
GRID = (-0.8, -0.4, 0.0, 0.4, 0.8)
GOALS = {"4 quadrants": 0.70, "valence r": 0.60, "arousal r": 0.85}

# Name, what it goes by, and which part of that. The piano's timbre is all that the audio judge knows, so beside it sits
# one with the same ears and no timbre.
JUDGES = (("audio", "audio", slice(None)), ("harmony", "audio", HARMONY), ("notes", "notes", slice(None)))

Composer = Callable[[float, float, int], Mapping[str, bytes]]  # valence, arousal, seed -> a MIDI file a reading
Log = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Confusion:
    """What was asked (rows) and what was heard (columns), Q1 to Q4, in pieces."""

    judge: str
    music: str
    counts: tuple[tuple[int, ...], ...]

    def table(self) -> str:
        names = list(QUADRANTS)
        lines = [f"| {self.music}, {self.judge} | " + " | ".join(names) + " |", "|---|" + "---|" * len(names)]
        for name, row in zip(names, self.counts, strict=True):
            lines.append(f"| {name} asked | " + " | ".join(map(str, row)) + " |")
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class ClosedLoopResult:
    """All that was judged: scores with intervals, confusions, and of each judge its strengths and validated share."""

    scores: tuple[Score, ...]
    confusions: tuple[Confusion, ...]
    judges: dict[str, dict[str, Any]]

    def format_tables(self) -> str:
        """As markdown."""
        judges = [
            f"{name} judge: {info['clips']} clips of {info['songs']} songs, .{1000 * info['validated']:03.0f} right on "
            "songs held back in cross-validation"
            for name, info in self.judges.items()
        ]
        return "\n\n".join(["\n".join(judges), format_scores(self.scores), *(c.table() for c in self.confusions)])

    def as_dict(self) -> dict[str, Any]:
        return {
            "goals": {**GOALS, "4 quadrants, at least": "the same judge's score on human clips"},
            "scores": [score.as_dict() for score in self.scores],
            "confusions": [asdict(confusion) for confusion in self.confusions],
            "judges": self.judges,
        }


# ---------------------------------------------------------------- hearing


@dataclass(frozen=True, slots=True)
class JudgeInput:
    """A MIDI file to be heard with a soundfont, or (None) read."""

    midi: Path
    soundfont: Path | None


class FeatureExtractor:
    """Where music is rendered and heard, once: what was heard of a file is kept in `cache` by its content."""

    def __init__(self, emotion_net: Path, cache: Path) -> None:
        torch.set_num_threads(1)
        self._audio = AudioFeatureExtractor(load_emotion_net(emotion_net).trunk)
        self._cache = cache

    def extract(self, job: JudgeInput) -> Floats | None:
        """The row of a job; None where there are too few notes to read. Raises KellyError."""
        content = hashlib.sha256(job.midi.read_bytes()).hexdigest()[:24]
        what = f"{job.soundfont.stem}-{self._audio.name}" if job.soundfont else f"notes-v{VERSION}"
        kept = self._cache / "judged" / what / f"{content}.npy"
        if kept.is_file():
            row: Floats = np.load(kept)
            return row
        if job.soundfont is None:
            try:
                row = extract_note_features(job.midi)
            except ConfigError:
                return None
        else:
            audio = render_midi(job.midi, self._cache, job.soundfont, seconds=RENDER_SECONDS)
            row = self._audio.extract(read_audio(audio, JUDGED_SECONDS))
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(kept, _serialise(row))
        return row


def _serialise(row: Floats) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, row)
    return buffer.getvalue()


_extractor: FeatureExtractor | None = None  # of a worker process


def _create_extractor(emotion_net: Path, cache: Path) -> None:
    global _extractor
    _extractor = FeatureExtractor(emotion_net, cache)


def _extract(job: JudgeInput) -> Floats | None:
    assert _extractor is not None  # the pool's initializer ran first
    return _extractor.extract(job)


def extract_features(
    jobs: Sequence[JudgeInput], emotion_net: Path, cache: Path, workers: int
) -> Iterator[Floats | None]:
    """The rows of the jobs, in order, by `workers` processes; by this one alone if it is 1."""
    if workers <= 1:
        extractor = FeatureExtractor(emotion_net, cache)
        yield from map(extractor.extract, jobs)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, _create_extractor, (emotion_net, cache)) as pool:
        yield from pool.map(_extract, jobs, chunksize=4)


# ---------------------------------------------------------------- judging


def by_song(right: np.ndarray, songs: Sequence[str]) -> tuple[float, float]:
    """The 95 % interval of a share of clips, songs drawn with replacement: clips of one song are not independent."""
    names = sorted(set(songs))
    place = np.array([names.index(song) for song in songs])
    hits, sizes = np.bincount(place, right, len(names)), np.bincount(place, minlength=len(names))

    def share(chosen: np.ndarray, axis: int = -1) -> np.ndarray:
        among: np.ndarray = hits[chosen].sum(axis) / sizes[chosen].sum(axis)
        return among

    return bootstrap(share, len(names))[1:]


def _score_shares(
    judge: str, music: str, verdicts: Judgements, asked: np.ndarray, songs: Sequence[str] | None = None
) -> tuple[list[Score], Confusion]:
    """Quadrants and halves that are heard as asked (0-3), and the confusion."""
    signs = np.array(list(QUADRANTS.values()))[asked]
    rights = {
        "4 quadrants": verdicts.quadrant == asked,
        "valence half": (verdicts.valence > 0.0) == (signs[:, 0] > 0.0),
        "arousal half": (verdicts.arousal > 0.0) == (signs[:, 1] > 0.0),
    }
    scores = []
    for name, right in rights.items():
        low, high = (
            by_song(right, songs) if songs is not None else compute_wilson_interval(int(right.sum()), len(right))
        )
        scores.append(Score(music, f"{name}, {judge}", float(right.mean()), low, high, len(right)))
    counts = np.zeros((4, 4), int)
    np.add.at(counts, (asked, verdicts.quadrant), 1)
    return scores, Confusion(judge, music, tuple(tuple(int(x) for x in row) for row in counts))


def _score_correlations(judge: str, music: str, verdicts: Judgements, targets: np.ndarray) -> list[Score]:
    """Of the grid's targets `[n, 2]` with what is heard, over pieces; intervals by Fisher's z."""
    scores = []
    for axis, (name, felt) in enumerate((("valence", verdicts.valence), ("arousal", verdicts.arousal))):
        estimate = estimate_correlation(targets[:, axis], felt)
        scores.append(Score(f"{music}, grid", f"{name} r, {judge}", *estimate, len(targets)))
    return scores


def read_emopia(symbolic: Path) -> dict[str, list[Clip]]:
    """EMOPIA's scores by split."""
    scores = [clip for clip in read_scores(symbolic / "manifest.jsonl") if clip.dataset == "emopia" and clip.quadrant]
    parts = {split: [clip for clip in scores if clip.split == split] for split in ("train", "val")}
    for split, clips in parts.items():
        if not clips:
            raise ConfigError(f"{symbolic} holds no {split} scores of EMOPIA; the judges need its labelled piano")
    return parts


def _list_quadrants(clips: Sequence[Clip]) -> np.ndarray:
    return np.array([list(QUADRANTS).index(clip.quadrant or "Q1") for clip in clips])


@dataclass(frozen=True, slots=True)
class ComposedPiece:
    """Where it was meant to be, and its MIDI files by reading."""

    valence: float
    arousal: float
    files: dict[str, Path]


def compose_pieces(
    places: Sequence[tuple[float, float]], seeds: int, compose: Composer, cache: Path
) -> list[ComposedPiece]:
    """`seeds` pieces a place, their MIDI files in the cache under the hash of what is in them."""
    folder = cache / "composed"
    folder.mkdir(parents=True, exist_ok=True)
    pieces = []
    for valence, arousal in places:
        for seed in range(1, seeds + 1):
            files = {}
            for arrangement, midi in compose(valence, arousal, seed).items():
                files[arrangement] = folder / f"{hashlib.sha256(midi).hexdigest()[:24]}.mid"
                write_atomically(files[arrangement], midi)
            pieces.append(ComposedPiece(valence, arousal, files))
    return pieces


def evaluate_closed_loop(
    symbolic: Path,
    cache: Path,
    emotion_net: Path,
    compose: Composer,
    *,
    pieces: int = 40,
    grid_pieces: int = 8,
    workers: int = 2,
    log: Log = print,
) -> ClosedLoopResult:
    """Fit the judges on EMOPIA's train part, let them judge its val part and our music, both with the soundfont that
    nothing was trained on. Raises KellyError.
    """
    parts = read_emopia(symbolic)
    centres = [(CENTRE * v, CENTRE * a) for v, a in QUADRANTS.values()]
    ours = compose_pieces(centres, pieces, compose, cache)
    spread = compose_pieces([(v, a) for v in GRID for a in GRID], grid_pieces, compose, cache)
    arrangements = list(ours[0].files)
    log(f"composed {len(ours) + len(spread)} pieces, to be read as {' and '.join(arrangements)}")

    def files(some: Sequence[ComposedPiece], arrangement: str) -> list[Path]:
        return [piece.files[arrangement] for piece in some]

    scores = {split: [clip.audio_path for clip in clips] for split, clips in parts.items()}
    train = scores["train"]
    jobs: dict[str, list[JudgeInput]] = {
        "notes/train": [JudgeInput(path, None) for path in train],
        # Each clip once, the soundfonts in turn: a second hearing of the same notes costs as much and teaches little.
        "audio/train": [JudgeInput(path, SOUNDFONTS[i % len(SOUNDFONTS)]) for i, path in enumerate(train)],
        "notes/human": [JudgeInput(path, None) for path in scores["val"]],
        "audio/human": [JudgeInput(path, HELD_OUT_SOUNDFONT) for path in scores["val"]],
        # Percussion aside, the readings differ in their instruments alone: read the notes once.
        "notes/ours": [JudgeInput(path, None) for path in files(ours, arrangements[0])],
        "notes/grid": [JudgeInput(path, None) for path in files(spread, arrangements[0])],
    }
    for arrangement in arrangements:
        jobs[f"audio/ours/{arrangement}"] = [JudgeInput(path, HELD_OUT_SOUNDFONT) for path in files(ours, arrangement)]
        jobs[f"audio/grid/{arrangement}"] = [
            JudgeInput(path, HELD_OUT_SOUNDFONT) for path in files(spread, arrangement)
        ]
    rows = extract_all(jobs, emotion_net, cache, workers, log)

    songs = {split: [clip.group for clip in clips] for split, clips in parts.items()}
    labels = [clip.quadrant or "Q1" for clip in parts["train"]]
    judges = {
        name: fit_judge_to_rows(rows[f"{feature_kind}/train"], labels, songs["train"], part)
        for name, feature_kind, part in JUDGES
    }
    found: list[Score] = []
    correlations: list[Score] = []
    confusions: list[Confusion] = []

    asked = np.repeat(np.arange(4), pieces)
    targets = np.array([(piece.valence, piece.arousal) for piece in spread])
    for name, feature_kind, part in JUDGES:
        judge, who = judges[name], f"{name} judge"
        kept, seen = select_rows(rows[f"{feature_kind}/human"], part)
        groups = [songs["val"][i] for i in kept]
        results = [_score_shares(who, "human", judge.predict(seen), _list_quadrants(parts["val"])[kept], groups)]
        for arrangement in arrangements if feature_kind == "audio" else ["notes"]:
            of = f"/{arrangement}" if feature_kind == "audio" else ""
            kept, seen = select_rows(rows[f"{feature_kind}/ours{of}"], part)
            results.append(_score_shares(who, f"ours, {arrangement}", judge.predict(seen), asked[kept]))
            kept, seen = select_rows(rows[f"{feature_kind}/grid{of}"], part)
            correlations.extend(_score_correlations(who, f"ours, {arrangement}", judge.predict(seen), targets[kept]))
        for shares, confusion in results:
            found.extend(shares)
            confusions.append(confusion)
    info = {
        name: {
            "clips": len(parts["train"]),
            "songs": len(set(songs["train"])),
            "validated": judge.validated_accuracy,
            "strengths": judge.strengths,
        }
        for name, judge in judges.items()
    }
    return ClosedLoopResult((*found, *correlations), tuple(confusions), info)


def select_rows(rows: Sequence[Floats | None], part: slice) -> tuple[list[int], Floats]:
    """Which rows there are, and that part of those."""
    kept = [i for i, row in enumerate(rows) if row is not None]
    return kept, np.stack([row[part] for row in rows if row is not None])


def fit_judge_to_rows(rows: Sequence[Floats | None], labels: Sequence[str], songs: Sequence[str], part: slice) -> Judge:
    kept, seen = select_rows(rows, part)
    return fit_judge(seen, [labels[i] for i in kept], [songs[i] for i in kept])


def extract_all(
    jobs: Mapping[str, list[JudgeInput]], emotion_net: Path, cache: Path, workers: int, log: Log
) -> dict[str, list[Floats | None]]:
    """The rows of every list of jobs."""
    flat = [job for some in jobs.values() for job in some]
    rows: list[Floats | None] = []
    for row in extract_features(flat, emotion_net, cache, workers):
        rows.append(row)
        if len(rows) % 100 == 0:
            log(f"heard {len(rows)} of {len(flat)}")
    sizes = np.cumsum([0, *(len(some) for some in jobs.values())])
    return {name: rows[sizes[i] : sizes[i + 1]] for i, name in enumerate(jobs)}
