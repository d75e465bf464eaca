"""Correlations of rated emotions with musical cues in film music, and evidence for the mapper.

The folder holds two sets that share no excerpt: 110 film excerpts with rated emotions (Eerola & Vuoskoski 2011), and
100 excerpts with rated cues; audio features come with both. A cue is *measured* where a feature is the cue (level from
RMS, brightness from the spectral centroid). Otherwise it is *predicted*: a ridge regression learns the rating from the
100 excerpts' features and predicts it for the 110. The quality of a prediction is its correlation on excerpts that the
regression did not see; evidence counts by the square of it. Only aggregates leave the folder.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kelly_live.core.arrays import Floats
from kelly_live.core.errors import ConfigError
from kelly_live.lab.intervals import Estimate, bootstrap

SOURCE = "MusicScienceData (MIT): film excerpts of Eerola & Vuoskoski 2011, Psychol. Music 39:18, and rated cues"
RATED_EMOTIONS = ("Valence", "Energy", "Tension", "Anger", "Fear", "Happy", "Sad", "Tender")
RATED_CUES = (
    "articulation", "brightness", "density", "harmonic_complexity", "key_clarity", "mode", "pulse_clarity",
    "repetitiveness",
)  # fmt: skip
RIDGE = 20.0  # of standardised features: 26 of them against 100 excerpts
FOLDS = 10
DRAWS = 2000
MIN_PREDICTION_R = 0.5  # a cue that is predicted worse than this is reported, never used


@dataclass(frozen=True, slots=True)
class CueCorrelation:
    """The correlation of a rated emotion with a cue over film excerpts.

    The 95 % interval is a bootstrap over soundtracks. `prediction_r` is the correlation of the predicted cue with
    listeners' ratings on unseen excerpts, or None where the cue was measured.
    """

    emotion: str
    cue: str
    excerpts: int
    r: float
    low: float
    high: float
    prediction_r: float | None

    @property
    def is_clear(self) -> bool:
        """Whether the interval excludes 0."""
        return self.low > 0.0 or self.high < 0.0


@dataclass(frozen=True, slots=True)
class CueCorrelations:
    """The correlation of every rated emotion with every cue, and the numbers of excerpts and soundtracks."""

    links: tuple[CueCorrelation, ...]
    excerpts: int
    soundtracks: int

    def find(self, emotion: str, cue: str) -> CueCorrelation:
        """Find the correlation of an emotion with a cue."""
        return next(link for link in self.links if link.emotion == emotion and link.cue == cue)

    def format_table(self) -> str:
        """Format emotions by cues as Markdown: r [95 % interval]."""
        cues = list(dict.fromkeys(link.cue for link in self.links))
        prediction_r = {link.cue: link.prediction_r for link in self.links}
        head = [cue if prediction_r[cue] is None else f"{cue} (predicted, r {prediction_r[cue]:.2f})" for cue in cues]
        lines = [f"| rated | {' | '.join(head)} |", "|---" * (len(cues) + 1) + "|"]
        for emotion in RATED_EMOTIONS:
            cells = [self.find(emotion, cue) for cue in cues]
            lines.append(
                f"| {emotion.lower()} | "
                + " | ".join(f"{c.r:+.2f} [{c.low:+.2f}, {c.high:+.2f}]" for c in cells)
                + " |"
            )
        return "\n".join(lines)


def correlate_cues(folder: Path, seed: int = 0) -> CueCorrelations:
    """Correlate every rated emotion with every cue.

    Raises:
        ConfigError: A table is missing or lacks a column; the message names both.
    """
    rated = _read_numbers(folder / "soundtrack.csv", RATED_EMOTIONS)
    albums = _read_texts(folder / "soundtrack.csv", "soundtrack")
    film, names = _read_features(folder / "soundtrack_features.csv")
    answers = _read_numbers(folder / "annotations.csv", RATED_CUES)
    annotated_features, other_names = _read_features(folder / "annotations_features.csv")
    if names != other_names or len(film) != len(rated) or len(annotated_features) != len(answers):
        raise ConfigError(f"the tables in {folder} do not fit each other row by row; get them again as they came")
    cues: dict[str, tuple[Floats, float | None]] = {
        "level": (film[:, names.index("RMS")], None),
        "centroid": (film[:, names.index("sp_centr")], None),
    }
    for index, name in enumerate(RATED_CUES):
        cues[name] = (
            _predict_ridge(annotated_features, answers[:, index], film),
            _cross_validate(annotated_features, answers[:, index], seed),
        )
    links = tuple(
        CueCorrelation(
            emotion, cue, len(rated), *_bootstrap_correlation(rated[:, i], values, albums, seed), prediction_r
        )
        for i, emotion in enumerate(RATED_EMOTIONS)
        for cue, (values, prediction_r) in cues.items()
    )
    return CueCorrelations(links, len(rated), len(set(albums)))


@dataclass(frozen=True, slots=True)
class Evidence:
    """A correlation as evidence for the mapper.

    Along an axis, a parameter of the mapper rises by `r` of its SDs for each SD; this weighs as much as `pieces`.
    """

    axis: str
    parameter: str
    r: float
    pieces: float
    source: str


# Only cues that are a parameter of the mapper, on scales whose sense is certain (level and onsets: more is more).
# Rated mode and articulation run 1-9 in a sense that the file does not state: reported, not used.
_USED = (("arousal", "Energy", "level", "level"), ("arousal", "Energy", "density", "rate"))


def select_evidence(cues: CueCorrelations) -> tuple[Evidence, ...]:
    """Select what the mapper may learn from.

    An excerpt counts as a piece, times the square of its cue's `prediction_r`.
    """
    evidence = []
    for axis, emotion, cue, parameter in _USED:
        link = cues.find(emotion, cue)
        prediction_r = 1.0 if link.prediction_r is None else link.prediction_r
        if link.is_clear and prediction_r >= MIN_PREDICTION_R:
            pieces = link.excerpts * prediction_r**2
            text = f"{emotion.lower()} against {cue}, r {link.r:+.2f} [{link.low:+.2f}, {link.high:+.2f}]: {SOURCE}"
            evidence.append(Evidence(axis, parameter, link.r, pieces, text))
    return tuple(evidence)


# ---------------------------------------------------------------- reading and fitting


def _read_rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            return list(csv.DictReader(lines))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read ({error}); name the folder of listeners' cue ratings") from error


def _read_texts(path: Path, column: str) -> list[str]:
    try:
        return [row[column] for row in _read_rows(path)]
    except KeyError as error:
        raise ConfigError(f"{path} has no column {column}; get it again as it came") from error


def _read_numbers(path: Path, columns: Sequence[str]) -> Floats:
    try:
        table = np.array([[float(row[name]) for name in columns] for row in _read_rows(path)])
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"{path} lacks a column or a number ({error}); get it again as it came") from error
    if len(table) < FOLDS or not np.isfinite(table).all():
        raise ConfigError(f"{path} has {len(table)} whole rows; at least {FOLDS} are needed to correlate anything")
    return table


def _read_features(path: Path) -> tuple[Floats, list[str]]:
    """Read audio features `[n, F]`; positive ones become logarithms, as hearing judges ratios."""
    names = [name for name in (_read_rows(path) or [{}])[0] if name != "File"]
    table = _read_numbers(path, names)
    positive = (table > 0.0).all(axis=0)
    table[:, positive] = np.log(table[:, positive])
    return table, names


def _predict_ridge(features: Floats, target: Floats, elsewhere: Floats) -> Floats:
    mean, spread = features.mean(axis=0), np.maximum(features.std(axis=0), 1e-9)
    x, z = (features - mean) / spread, (elsewhere - mean) / spread
    weights = np.linalg.solve(x.T @ x + RIDGE * np.eye(x.shape[1]), x.T @ (target - target.mean()))
    return np.asarray(z @ weights + target.mean())


def _cross_validate(features: Floats, target: Floats, seed: int) -> float:
    """Correlate predictions with ratings, each excerpt predicted by a regression that did not see it."""
    fold = np.random.default_rng(seed).permutation(len(target)) % FOLDS
    predictions = np.zeros(len(target))
    for part in range(FOLDS):
        predictions[fold == part] = _predict_ridge(features[fold != part], target[fold != part], features[fold == part])
    return _correlate(predictions, target)


def _correlate(one: Floats, other: Floats) -> float:
    a, b = one - one.mean(), other - other.mean()
    power = math.sqrt(float(a @ a) * float(b @ b))
    return float(a @ b) / power if power > 0.0 else 0.0


def _bootstrap_correlation(one: Floats, other: Floats, groups: Sequence[str], seed: int) -> Estimate:
    """Correlate over excerpts; whole soundtracks are drawn, for excerpts of one are not independent."""
    x, y = one - one.mean(), other - other.mean()
    _, member = np.unique(np.array(groups), return_inverse=True)
    moments = np.zeros((int(member.max()) + 1, 6))  # of each soundtrack: n and the sums of x, y, x², y², xy
    np.add.at(moments, member, np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=1))

    def correlation(soundtracks: np.ndarray, axis: int = -1) -> Floats:
        totals = moments[soundtracks].sum(axis=axis - 1)
        mean_x, mean_y, square_x, square_y, product = np.moveaxis(totals[..., 1:] / totals[..., :1], -1, 0)
        power = np.sqrt((square_x - mean_x**2) * (square_y - mean_y**2))
        return np.asarray((product - mean_x * mean_y) / np.maximum(power, 1e-12))

    return bootstrap(correlation, len(moments), resamples=DRAWS, seed=seed)
