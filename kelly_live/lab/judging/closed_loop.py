"""The closed loop: compose an emotion, render it with a held-out soundfont, and judge it.

The judges did not learn from our music. Their scores on human performances stand beside ours.
"""

from __future__ import annotations

import hashlib
import io
import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from kelly_live.core.arrays import Floats
from kelly_live.core.atomic_write import write_atomically
from kelly_live.core.errors import ConfigError
from kelly_live.emotion.reader import load_emotion_net
from kelly_live.lab.corpora.clips import RENDER_SECONDS
from kelly_live.lab.corpora.manifest import QUADRANTS, Clip, read_scores
from kelly_live.lab.corpora.rendering import HELD_OUT_SOUNDFONT, SOUNDFONTS, render_midi
from kelly_live.lab.intervals import bootstrap, compute_wilson_interval
from kelly_live.lab.judging.grid_scores import (
    ValenceByArousal,
    correlate_valence_by_arousal,
    format_valence_by_arousal,
    score_grid,
)
from kelly_live.lab.judging.judges import (
    HARMONY,
    JUDGED_SECONDS,
    VERSION,
    AudioFeatureExtractor,
    Judge,
    Judgements,
    extract_note_features,
    fit_judge,
)
from kelly_live.lab.training.scores import Score, format_scores
from kelly_live.lab.training.windows import read_audio

F = TypeVar("F", bound=Floats | None)

CENTRE = 0.5  # how far a quadrant's centre lies from neutral, on both axes
GRID = (-0.8, -0.4, 0.0, 0.4, 0.8)
GOALS = {"4 quadrants": 0.70, "valence r": 0.60, "arousal r": 0.85}

# Name, kind of features, and part of them. The audio judge knows only the timbre of the piano, so beside it is one
# with the same features without timbre.
JUDGES = (("audio", "audio", slice(None)), ("harmony", "audio", HARMONY), ("notes", "notes", slice(None)))

Composer = Callable[
    [float, float, int], Mapping[str, bytes]
]  # valence, arousal, seed -> a MIDI file for each arrangement
Log = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Confusion:
    """Counts of intended (rows) and judged quadrants (columns), Q1 to Q4, in pieces."""

    judge: str
    music: str
    counts: tuple[tuple[int, ...], ...]

    def table(self) -> str:
        """Format the counts as Markdown."""
        names = list(QUADRANTS)
        lines = [f"| {self.music}, {self.judge} | " + " | ".join(names) + " |", "|---|" + "---|" * len(names)]
        for name, row in zip(names, self.counts, strict=True):
            lines.append(f"| {name} intended | " + " | ".join(map(str, row)) + " |")
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class ClosedLoopResult:
    """Scores with intervals, confusions, and the strengths and validated accuracy of each judge.

    `valence_by_arousal` holds valence's r within each row of the grid.
    """

    scores: tuple[Score, ...]
    valence_by_arousal: tuple[ValenceByArousal, ...]
    confusions: tuple[Confusion, ...]
    judges: dict[str, dict[str, Any]]

    def format_tables(self) -> str:
        """Format all tables as Markdown."""
        judges = [
            f"{name} judge: {info['clips']} clips of {info['songs']} songs, .{1000 * info['validated']:03.0f} right on "
            "songs held back in cross-validation"
            for name, info in self.judges.items()
        ]
        tables = [format_scores(self.scores), format_valence_by_arousal(self.valence_by_arousal)]
        return "\n\n".join(["\n".join(judges), *tables, *(c.table() for c in self.confusions)])

    def as_dict(self) -> dict[str, Any]:
        """Convert to a dictionary for JSON."""
        return {
            "goals": {**GOALS, "4 quadrants, at least": "the same judge's score on human clips"},
            "scores": [score.as_dict() for score in self.scores],
            "valence_by_arousal": [asdict(row) for row in self.valence_by_arousal],
            "confusions": [asdict(confusion) for confusion in self.confusions],
            "judges": self.judges,
        }


# ---------------------------------------------------------------- features


@dataclass(frozen=True, slots=True)
class JudgeInput:
    """A MIDI file to render with a soundfont, or (None) to read as notes."""

    midi: Path
    soundfont: Path | None


class FeatureExtractor:
    """Extracts the features of files, rendered where needed; results are cached by the file's content."""

    def __init__(self, emotion_net: Path, cache: Path) -> None:
        torch.set_num_threads(1)
        self._audio = AudioFeatureExtractor(load_emotion_net(emotion_net).trunk)
        self._cache = cache

    def extract(self, job: JudgeInput) -> Floats | None:
        """Extract the features of an input, or None where there are too few notes to read.

        Raises:
            KellyError: The file cannot be rendered or read.
        """
        soundfont = job.soundfont
        if soundfont is None:
            return load_note_features(job.midi, self._cache)
        folder = self._cache / "judged" / f"{soundfont.stem}-{self._audio.name}"
        return cache_features(job.midi, folder, lambda: self._extract_audio(job.midi, soundfont))

    def _extract_audio(self, midi: Path, soundfont: Path) -> Floats:
        audio = render_midi(midi, self._cache, soundfont, seconds=RENDER_SECONDS)
        return self._audio.extract(read_audio(audio, JUDGED_SECONDS))


def load_note_features(midi: Path, cache: Path) -> Floats | None:
    """Load the features of notes from the cache or extract them; None where they are too few to read."""
    try:
        return cache_features(midi, cache / "judged" / f"notes-v{VERSION}", lambda: extract_note_features(midi))
    except ConfigError:
        return None


def cache_features(source: Path, folder: Path, extract: Callable[[], F]) -> Floats | F:
    """Return the features of a file from `folder`, where they lie under the hash of its content, or extract them.

    What has none (None) is not cached. Raises OSError.
    """
    path = folder / f"{hashlib.sha256(source.read_bytes()).hexdigest()[:24]}.npy"
    if path.is_file():
        row: Floats = np.load(path)
        return row
    features = extract()
    if features is not None:
        buffer = io.BytesIO()
        np.save(buffer, features)
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(path, buffer.getvalue())
    return features


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
    """Yield the features of the inputs in order, in `workers` processes or, for 1, in this one."""
    if workers <= 1:
        extractor = FeatureExtractor(emotion_net, cache)
        yield from map(extractor.extract, jobs)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, _create_extractor, (emotion_net, cache)) as pool:
        yield from pool.map(_extract, jobs, chunksize=4)


# ---------------------------------------------------------------- judging


def by_song(right: np.ndarray, songs: Sequence[str]) -> tuple[float, float]:
    """Compute the 95 % interval of a share of clips, with songs drawn with replacement.

    Clips of one song are not independent.
    """
    names = sorted(set(songs))
    place = np.array([names.index(song) for song in songs])
    hits, sizes = np.bincount(place, right, len(names)), np.bincount(place, minlength=len(names))

    def share(sample: np.ndarray, axis: int = -1) -> np.ndarray:
        shares: np.ndarray = hits[sample].sum(axis) / sizes[sample].sum(axis)
        return shares

    return bootstrap(share, len(names))[1:]


def _score_shares(
    judge: str, music: str, judgements: Judgements, targets: np.ndarray, songs: Sequence[str] | None = None
) -> tuple[list[Score], Confusion]:
    """Score quadrants and halves that are judged as intended (0-3), and count the confusion."""
    signs = np.array(list(QUADRANTS.values()))[targets]
    rights = {
        "4 quadrants": judgements.quadrant == targets,
        "valence half": (judgements.valence > 0.0) == (signs[:, 0] > 0.0),
        "arousal half": (judgements.arousal > 0.0) == (signs[:, 1] > 0.0),
    }
    scores = []
    for name, right in rights.items():
        low, high = (
            by_song(right, songs) if songs is not None else compute_wilson_interval(int(right.sum()), len(right))
        )
        scores.append(Score(music, f"{name}, {judge}", float(right.mean()), low, high, len(right)))
    counts = np.zeros((4, 4), int)
    np.add.at(counts, (targets, judgements.quadrant), 1)
    return scores, Confusion(judge, music, tuple(tuple(int(x) for x in row) for row in counts))


def read_emopia(symbolic: Path) -> dict[str, list[Clip]]:
    """Read EMOPIA's scores by split.

    Raises:
        ConfigError: A split has no scores.
    """
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
    """The intended valence and arousal of a piece, and its MIDI files by arrangement."""

    valence: float
    arousal: float
    files: dict[str, Path]


def compose_pieces(
    places: Sequence[tuple[float, float]], seeds: Sequence[int], compose: Composer, cache: Path
) -> list[ComposedPiece]:
    """Compose a piece for each place and seed.

    Their MIDI files are cached under the hash of their content.
    """
    return [
        ComposedPiece(valence, arousal, cache_arrangements(compose(valence, arousal, seed), cache))
        for valence, arousal in places
        for seed in seeds
    ]


def cache_arrangements(arrangements: Mapping[str, bytes], cache: Path) -> dict[str, Path]:
    """Write MIDI files under the hash of their content; return their paths by arrangement."""
    folder = cache / "composed"
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for arrangement, midi in arrangements.items():
        files[arrangement] = folder / f"{hashlib.sha256(midi).hexdigest()[:24]}.mid"
        write_atomically(files[arrangement], midi)
    return files


def evaluate_closed_loop(
    symbolic: Path,
    cache: Path,
    emotion_net: Path,
    compose: Composer,
    *,
    pieces: int = 40,
    grid_pieces: int = 8,
    first_seed: int = 1,
    every: int = 1,
    workers: int = 2,
    log: Log = print,
) -> ClosedLoopResult:
    """Fit the judges on EMOPIA's train part, and judge its val part and our music.

    Both are rendered with the held-out soundfont. Seeds count from `first_seed`. The judges of sound are fitted on
    every so-many-th clip of the train part: rendering it is most of the work.

    Raises:
        KellyError: EMOPIA's scores cannot be read or rendered.
    """
    parts = read_emopia(symbolic)
    centres = [(CENTRE * v, CENTRE * a) for v, a in QUADRANTS.values()]
    seeds, grid_seeds = (range(first_seed, first_seed + count) for count in (pieces, grid_pieces))
    composed_pieces = compose_pieces(centres, seeds, compose, cache)
    spread = compose_pieces([(v, a) for v in GRID for a in GRID], grid_seeds, compose, cache)
    arrangements = list(composed_pieces[0].files)
    log(f"composed {len(composed_pieces) + len(spread)} pieces, arranged for {' and '.join(arrangements)}")

    def files(some: Sequence[ComposedPiece], arrangement: str) -> list[Path]:
        return [piece.files[arrangement] for piece in some]

    human = [clip.audio_path for clip in parts["val"]]
    taught = {"notes": parts["train"], "audio": parts["train"][::every]}
    jobs: dict[str, list[JudgeInput]] = {
        "notes/train": [JudgeInput(clip.audio_path, None) for clip in taught["notes"]],
        # Each clip once, the soundfonts in turn: a second rendering costs as much and adds little.
        "audio/train": [
            JudgeInput(clip.audio_path, SOUNDFONTS[i % len(SOUNDFONTS)]) for i, clip in enumerate(taught["audio"])
        ],
        "notes/human": [JudgeInput(path, None) for path in human],
        "audio/human": [JudgeInput(path, HELD_OUT_SOUNDFONT) for path in human],
        # Without percussion, arrangements differ only in their instruments: read the notes once.
        "notes/ours": [JudgeInput(path, None) for path in files(composed_pieces, arrangements[0])],
        "notes/grid": [JudgeInput(path, None) for path in files(spread, arrangements[0])],
    }
    for arrangement in arrangements:
        jobs[f"audio/ours/{arrangement}"] = [
            JudgeInput(path, HELD_OUT_SOUNDFONT) for path in files(composed_pieces, arrangement)
        ]
        jobs[f"audio/grid/{arrangement}"] = [
            JudgeInput(path, HELD_OUT_SOUNDFONT) for path in files(spread, arrangement)
        ]
    rows = extract_all(jobs, emotion_net, cache, workers, log)

    songs = [clip.group for clip in parts["val"]]
    judges = {
        name: fit_judge_to_clips(rows[f"{feature_kind}/train"], taught[feature_kind], part)
        for name, feature_kind, part in JUDGES
    }
    share_scores: list[Score] = []
    grid_scores: list[Score] = []
    valence_by_arousal: list[ValenceByArousal] = []
    confusions: list[Confusion] = []

    target_quadrants = np.repeat(np.arange(4), pieces)
    targets = np.array([(piece.valence, piece.arousal) for piece in spread])
    for name, feature_kind, part in JUDGES:
        judge, judge_name = judges[name], f"{name} judge"
        row_indices, features = select_rows(rows[f"{feature_kind}/human"], part)
        groups = [songs[i] for i in row_indices]
        results = [
            _score_shares(
                judge_name, "human", judge.predict(features), _list_quadrants(parts["val"])[row_indices], groups
            )
        ]
        for arrangement in arrangements if feature_kind == "audio" else ["notes"]:
            of = f"/{arrangement}" if feature_kind == "audio" else ""
            row_indices, features = select_rows(rows[f"{feature_kind}/ours{of}"], part)
            results.append(
                _score_shares(
                    judge_name, f"ours, {arrangement}", judge.predict(features), target_quadrants[row_indices]
                )
            )
            row_indices, features = select_rows(rows[f"{feature_kind}/grid{of}"], part)
            grid = (judge_name, f"ours, {arrangement}", judge.predict(features), targets[row_indices])
            grid_scores.extend(score_grid(*grid))
            valence_by_arousal.append(correlate_valence_by_arousal(*grid))
        for shares, confusion in results:
            share_scores.extend(shares)
            confusions.append(confusion)
    info = {
        name: {
            "clips": len(taught[feature_kind]),
            "songs": len({clip.group for clip in taught[feature_kind]}),
            "validated": judges[name].validated_accuracy,
            "strengths": judges[name].strengths,
        }
        for name, feature_kind, _ in JUDGES
    }
    return ClosedLoopResult((*share_scores, *grid_scores), tuple(valence_by_arousal), tuple(confusions), info)


def select_rows(rows: Sequence[Floats | None], part: slice) -> tuple[list[int], Floats]:
    """Select the rows that exist, with the given columns; return their indices and the rows."""
    indices = [i for i, row in enumerate(rows) if row is not None]
    return indices, np.stack([row[part] for row in rows if row is not None])


def fit_judge_to_clips(rows: Sequence[Floats | None], clips: Sequence[Clip], part: slice) -> Judge:
    """Fit a judge to the rows of clips that exist."""
    indices, features = select_rows(rows, part)
    return fit_judge(features, [clips[i].quadrant or "Q1" for i in indices], [clips[i].group for i in indices])


def fit_notes_judge(symbolic: Path, cache: Path) -> Judge:
    """Fit the judge of notes alone on EMOPIA's train part. Raises KellyError."""
    clips = read_emopia(symbolic)["train"]
    rows = [load_note_features(clip.audio_path, cache) for clip in clips]
    return fit_judge_to_clips(rows, clips, slice(None))


def extract_all(
    jobs: Mapping[str, list[JudgeInput]], emotion_net: Path, cache: Path, workers: int, log: Log
) -> dict[str, list[Floats | None]]:
    """Extract the features of every list of inputs."""
    flat = [job for some in jobs.values() for job in some]
    rows: list[Floats | None] = []
    for row in extract_features(flat, emotion_net, cache, workers):
        rows.append(row)
        if len(rows) % 100 == 0:
            log(f"extracted the features of {len(rows)} of {len(flat)} files")
    sizes = np.cumsum([0, *(len(some) for some in jobs.values())])
    return {name: rows[sizes[i] : sizes[i + 1]] for i, name in enumerate(jobs)}
