"""The closed loop by independent judges: people's playing and ours, rendered alike, and how far each is told apart.

AUC: how often, of two pieces of opposite intention, the one meant higher is judged higher (.5 is chance). Valence is
told apart over all pieces, and among stirred and among calm ones alone; arousal over all. Our pieces lie anywhere in
their quadrant, as people's do: in four copies of one point for each quadrant, the least difference would be 1.00.
"""

from __future__ import annotations

import multiprocessing
import random
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats  # type: ignore[import-untyped]

from kelly_live.core.arrays import Floats
from kelly_live.core.errors import ConfigError
from kelly_live.core.values import EMOTION_VAD
from kelly_live.lab.corpora.manifest import QUADRANTS, Clip, read_manifest
from kelly_live.lab.corpora.rendering import HELD_OUT_SOUNDFONT, render_midi
from kelly_live.lab.intervals import Estimate, bootstrap
from kelly_live.lab.judging.audio_features import TONAL_FEATURES, VERSION, extract_audio_features
from kelly_live.lab.judging.closed_loop import Composer, Log, cache_arrangements, cache_features, read_emopia
from kelly_live.lab.judging.independent_judges import LinearJudge, create_published_judge, fit_listener_judge
from kelly_live.lab.training.scores import Score, format_scores
from kelly_live.lab.training.windows import read_audio

JUDGED_SECONDS = 30.0
LEAST, MOST = 0.2, 0.8  # distances of our pieces from neutral, on both axes
RESAMPLES = 200
GOALS = {"valence": 0.80, "valence, stirred": 0.75, "valence, calm": 0.75}


@dataclass(frozen=True, slots=True)
class FeelingMean:
    """The mean judgement of a feeling's pieces, in standard deviations from the mean of people's playing."""

    judge: str
    music: str
    feeling: str
    valence: float
    arousal: float


@dataclass(frozen=True, slots=True)
class IndependentResult:
    """AUC with intervals for people and each arrangement of ours, and where each feeling is judged to lie."""

    scores: tuple[Score, ...]
    feelings: tuple[FeelingMean, ...]

    def format_tables(self) -> str:
        """Format the tables as Markdown."""
        lines = ["| judge | music | feeling | valence | arousal |", "|---|---|---|---|---|"]
        lines += [
            f"| {f.judge} | {f.music} | {f.feeling} | {f.valence:+.2f} | {f.arousal:+.2f} |" for f in self.feelings
        ]
        return "\n\n".join([format_scores(self.scores), "\n".join(lines)])

    def as_dict(self) -> dict[str, Any]:
        """Convert to a dictionary for JSON."""
        return {
            "goals": GOALS,
            "scores": [score.as_dict() for score in self.scores],
            "feelings": [asdict(feeling) for feeling in self.feelings],
        }


# ---------------------------------------------------------------- features


def extract_cached(path: Path, cache: Path) -> Floats:
    """Extract the features of audio, or of a MIDI file rendered with the held-out soundfont; cached by content.

    Raises:
        KellyError: The file cannot be read or rendered.
    """

    def extract() -> Floats:
        is_midi = path.suffix == ".mid"
        audio = render_midi(path, cache, HELD_OUT_SOUNDFONT, seconds=JUDGED_SECONDS) if is_midi else path
        return extract_audio_features(read_audio(audio, JUDGED_SECONDS))

    return cache_features(path, cache / "judged" / f"independent-v{VERSION}", extract)


def _extract(job: tuple[Path, Path]) -> Floats:
    return extract_cached(*job)


def extract_rows(paths: Sequence[Path], cache: Path, workers: int, log: Log) -> Floats:
    """Extract the features of all files `[n, F]` in `workers` processes or, for 1, in this one."""
    jobs = [(path, cache) for path in paths]
    rows: list[Floats] = []

    def collect(row: Floats) -> None:
        rows.append(row)
        if len(rows) % 100 == 0:
            log(f"extracted the features of {len(rows)} of {len(jobs)} files")

    if workers <= 1:
        for job in jobs:
            collect(_extract(job))
    else:
        with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
            for row in pool.map(_extract, jobs, chunksize=4):
                collect(row)
    return np.stack(rows)


# ---------------------------------------------------------------- scores


def compute_auc(judged: Floats, is_high: np.ndarray) -> float:
    """Compute how often a case that is high is judged higher than one that is not; NaN without either."""
    high, low = judged[is_high], judged[~is_high]
    if len(high) == 0 or len(low) == 0:
        return float("nan")
    return float(stats.mannwhitneyu(high, low).statistic / (len(high) * len(low)))


def estimate_auc(judged: Floats, is_high: np.ndarray, groups: Sequence[str]) -> Estimate:
    """Compute the AUC, and its interval over draws of whole groups: clips of one song, pieces of one seed."""
    members = [np.flatnonzero(np.array(groups) == group) for group in sorted(set(groups))]

    def auc(draw: np.ndarray) -> float:
        cases = np.concatenate([members[i] for i in draw])
        return compute_auc(judged[cases], is_high[cases])

    return bootstrap(lambda draws: np.apply_along_axis(auc, -1, draws), len(members), resamples=RESAMPLES)


def score_auc(judge: LinearJudge, music: str, rows: Floats, signs: np.ndarray, groups: Sequence[str]) -> list[Score]:
    """Score valence over all and in each half of arousal, and arousal, for rows with signs `[n, 2]` of (V, A)."""
    valence, arousal = judge.judge(rows)
    stirred = signs[:, 1] > 0.0
    parts = {
        "valence": (valence, 0, np.ones(len(rows), bool)),
        "valence, stirred": (valence, 0, stirred),
        "valence, calm": (valence, 0, ~stirred),
        "arousal": (arousal, 1, np.ones(len(rows), bool)),
    }
    scores = []
    for name, (judged, axis, kept) in parts.items():
        estimate = estimate_auc(judged[kept], signs[kept, axis] > 0.0, np.array(groups)[kept].tolist())
        scores.append(Score(music, f"AUC of {name}, {judge.name}", *estimate, int(kept.sum())))
    return scores


def _read_emotify(emotion: Path) -> list[Clip]:
    clips = [clip for clip in read_manifest(emotion / "manifest.jsonl") if clip.gems is not None]
    train = [clip for clip in clips if clip.split == "train"]
    if not train:
        raise ConfigError(f"{emotion} holds no train clips with GEMS; the listeners' judge learns from Emotify")
    return train


def _fit_judges(rows: Floats, excerpts: Sequence[Clip]) -> tuple[LinearJudge, ...]:
    gems = [clip.gems or () for clip in excerpts]
    return (
        create_published_judge(rows),
        fit_listener_judge(rows, gems),
        fit_listener_judge(rows, gems, name="listeners, no key", without=TONAL_FEATURES),
    )


def fit_independent_judges(
    emotion: Path, cache: Path, *, workers: int = 2, log: Log = print
) -> tuple[LinearJudge, ...]:
    """Fit the independent judges on the Emotify excerpts of a manifest's folder. Raises KellyError."""
    excerpts = _read_emotify(emotion)
    return _fit_judges(extract_rows([clip.audio_path for clip in excerpts], cache, workers, log), excerpts)


@dataclass(frozen=True, slots=True)
class _Piece:
    name: str
    signs: tuple[float, float]
    seed: int
    files: dict[str, Path]


def draw_place(quadrant: str, seed: int) -> tuple[float, float]:
    """Draw a valence and an arousal in a quadrant, LEAST to MOST from neutral; the same distances in all four."""
    rng = random.Random(f"place {seed}")
    valence, arousal = QUADRANTS[quadrant]
    return valence * rng.uniform(LEAST, MOST), arousal * rng.uniform(LEAST, MOST)


def _compose(places: Sequence[tuple[str, float, float, int]], compose: Composer, cache: Path) -> list[_Piece]:
    """Compose a piece for each name, valence, arousal and seed."""
    return [
        _Piece(
            name,
            (np.sign(valence), np.sign(arousal)),
            seed,
            cache_arrangements(compose(valence, arousal, seed), cache),
        )
        for name, valence, arousal, seed in places
    ]


def judge_independently(
    emotion: Path,
    symbolic: Path,
    cache: Path,
    compose: Composer,
    *,
    pieces: int = 40,
    feeling_pieces: int = 8,
    first_seed: int = 1,
    workers: int = 2,
    log: Log = print,
) -> IndependentResult:
    """Judge EMOPIA's val part, our music in each quadrant, and our music in each of the eight emotions.

    `emotion` is the folder of a manifest with Emotify in it, `symbolic` of one with EMOPIA. Seeds count from
    `first_seed`. All MIDI is rendered with the held-out soundfont.

    Raises:
        KellyError: A manifest or a file cannot be read or rendered.
    """
    excerpts, people = _read_emotify(emotion), read_emopia(symbolic)["val"]
    seeds, feeling_seeds = (range(first_seed, first_seed + count) for count in (pieces, feeling_pieces))
    ours = _compose([(q, *draw_place(q, seed), seed) for q in QUADRANTS for seed in seeds], compose, cache)
    feelings = [(name, *place[:2], seed) for name, place in EMOTION_VAD.items() for seed in feeling_seeds]
    felt = _compose(feelings, compose, cache)
    arrangements = list(ours[0].files)
    log(f"composed {len(ours) + len(felt)} pieces, arranged for {' and '.join(arrangements)}")

    paths = {
        "recordings": [clip.audio_path for clip in excerpts],
        "people": [clip.audio_path for clip in people],
        **{f"ours/{name}": [piece.files[name] for piece in ours] for name in arrangements},
        **{f"felt/{name}": [piece.files[name] for piece in felt] for name in arrangements},
    }
    flat = extract_rows([path for some in paths.values() for path in some], cache, workers, log)
    ends = np.cumsum([len(some) for some in paths.values()])[:-1]
    rows = dict(zip(paths, np.split(flat, ends), strict=True))
    judges = _fit_judges(rows["recordings"], excerpts)
    people_signs = np.array([QUADRANTS[clip.quadrant or "Q1"] for clip in people])
    our_signs = np.array([piece.signs for piece in ours])
    scores: list[Score] = []
    means: list[FeelingMean] = []
    for judge in judges:
        scores += score_auc(judge, "people, piano", rows["people"], people_signs, [clip.group for clip in people])
        usual = judge.judge(rows["people"])
        for name in arrangements:
            music = f"ours, {name}"
            scores += score_auc(judge, music, rows[f"ours/{name}"], our_signs, [str(piece.seed) for piece in ours])
            judged = judge.judge(rows[f"felt/{name}"])
            signed = [i for i, piece in enumerate(felt) if piece.signs[0] != 0.0]  # neutral is neither
            estimate = estimate_auc(
                judged[0][signed],
                np.array([felt[i].signs[0] > 0.0 for i in signed]),
                [str(felt[i].seed) for i in signed],
            )
            scores.append(Score(music, f"AUC of valence, emotions, {judge.name}", *estimate, len(signed)))
            for feeling in EMOTION_VAD:
                kept = [i for i, piece in enumerate(felt) if piece.name == feeling]
                place = [float((axis[kept].mean() - u.mean()) / u.std()) for axis, u in zip(judged, usual, strict=True)]
                means.append(FeelingMean(judge.name, music, feeling, place[0], place[1]))
    return IndependentResult(tuple(scores), tuple(means))
