"""What listeners' ratings of film music say about emotion and musical cues: correlations, and evidence for the mapper.

The folder holds two sets that share no excerpt: 110 film excerpts with rated emotions (Eerola & Vuoskoski 2011), and
100 excerpts with rated cues; audio features come with both. So a cue is *measured* where a feature is the cue (level
from RMS, brightness from the spectral centroid), and else *read*: a ridge regression learns the rating from the 100
excerpts' features, and reads it off the 110. How well it reads is its correlation on excerpts that the regression did
not see; a cue that is read badly is worth little, so its evidence counts by the square of that. Only aggregates leave
the folder.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kelly_live.core.errors import ConfigError

Floats = npt.NDArray[np.float64]

SOURCE = "MusicScienceData (MIT): film excerpts of Eerola & Vuoskoski 2011, Psychol. Music 39:18, and rated cues"
FEELINGS = ("Valence", "Energy", "Tension", "Anger", "Fear", "Happy", "Sad", "Tender")
RATED_CUES = (
    "articulation", "brightness", "density", "harmonic_complexity", "key_clarity", "mode", "pulse_clarity",
    "repetitiveness",
)  # fmt: skip
RIDGE = 20.0  # of standardised features: 26 of them against 100 excerpts
FOLDS = 10
DRAWS = 2000
LEAST_READING = 0.5  # a cue that is read worse than this is reported, never used


@dataclass(frozen=True, slots=True)
class CueLink:
    """Correlation of a rated feeling with a cue over film excerpts; 95 % interval by bootstrap over soundtracks.

    `reading` is the correlation of the read cue with listeners' ratings on unseen excerpts, or None if it was measured.
    """

    feeling: str
    cue: str
    excerpts: int
    r: float
    low: float
    high: float
    reading: float | None

    @property
    def clear(self) -> bool:
        """Whether the interval keeps clear of 0."""
        return self.low > 0.0 or self.high < 0.0


@dataclass(frozen=True, slots=True)
class Cues:
    """Every link of a rated feeling with a cue, and over how many excerpts of how many soundtracks."""

    links: tuple[CueLink, ...]
    excerpts: int
    soundtracks: int

    def link(self, feeling: str, cue: str) -> CueLink:
        return next(link for link in self.links if link.feeling == feeling and link.cue == cue)

    def table(self) -> str:
        """Feelings by cues as Markdown: r [95 % interval]."""
        cues = list(dict.fromkeys(link.cue for link in self.links))
        reading = {link.cue: link.reading for link in self.links}
        head = [cue if reading[cue] is None else f"{cue} (read, r {reading[cue]:.2f})" for cue in cues]
        lines = [f"| rated | {' | '.join(head)} |", "|---" * (len(cues) + 1) + "|"]
        for feeling in FEELINGS:
            cells = [self.link(feeling, cue) for cue in cues]
            lines.append(
                f"| {feeling.lower()} | "
                + " | ".join(f"{c.r:+.2f} [{c.low:+.2f}, {c.high:+.2f}]" for c in cells)
                + " |"
            )
        return "\n".join(lines)


def measure_cues(folder: Path, seed: int = 0) -> Cues:
    """Correlate every rated feeling with every cue. Raises ConfigError naming the file and what it lacks."""
    rated = _columns(folder / "soundtrack.csv", FEELINGS)
    albums = _texts(folder / "soundtrack.csv", "soundtrack")
    heard, names = _features(folder / "soundtrack_features.csv")
    answers = _columns(folder / "annotations.csv", RATED_CUES)
    seen, other_names = _features(folder / "annotations_features.csv")
    if names != other_names or len(heard) != len(rated) or len(seen) != len(answers):
        raise ConfigError(f"the tables in {folder} do not fit each other row by row; get them again as they came")
    cues: dict[str, tuple[Floats, float | None]] = {
        "level": (heard[:, names.index("RMS")], None),
        "centroid": (heard[:, names.index("sp_centr")], None),
    }
    for index, name in enumerate(RATED_CUES):
        cues[name] = (_ridge(seen, answers[:, index], heard), _reading(seen, answers[:, index], seed))
    draws = _draws(albums, seed)
    links = tuple(
        CueLink(feeling, cue, len(rated), *_interval(rated[:, i], values, draws), reading)
        for i, feeling in enumerate(FEELINGS)
        for cue, (values, reading) in cues.items()
    )
    return Cues(links, len(rated), len(set(albums)))


@dataclass(frozen=True, slots=True)
class Evidence:
    """A link as evidence: along an axis, a parameter of the mapper rises by `r` of its SDs an SD, worth `pieces`."""

    axis: str
    parameter: str
    r: float
    pieces: float
    source: str


# Only cues that are a parameter of the mapper, on scales whose sense is certain (level and onsets: more is more).
# Rated mode and articulation run 1-9 in a sense that the file does not state: reported, not used.
_USED = (("arousal", "Energy", "level", "level"), ("arousal", "Energy", "density", "rate"))


def evidence(cues: Cues) -> tuple[Evidence, ...]:
    """What the mapper may learn from: an excerpt counts as a piece, times the square of how well its cue was read."""
    found = []
    for axis, feeling, cue, parameter in _USED:
        link = cues.link(feeling, cue)
        reading = 1.0 if link.reading is None else link.reading
        if link.clear and reading >= LEAST_READING:
            pieces = link.excerpts * reading**2
            text = f"{feeling.lower()} against {cue}, r {link.r:+.2f} [{link.low:+.2f}, {link.high:+.2f}]: {SOURCE}"
            found.append(Evidence(axis, parameter, link.r, pieces, text))
    return tuple(found)


# ---------------------------------------------------------------- reading and fitting


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            return list(csv.DictReader(lines))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read ({error}); name the folder of listeners' cue ratings") from error


def _texts(path: Path, column: str) -> list[str]:
    try:
        return [row[column] for row in _rows(path)]
    except KeyError as error:
        raise ConfigError(f"{path} has no column {column}; get it again as it came") from error


def _columns(path: Path, columns: Sequence[str]) -> Floats:
    try:
        table = np.array([[float(row[name]) for name in columns] for row in _rows(path)])
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"{path} lacks a column or a number ({error}); get it again as it came") from error
    if len(table) < FOLDS or not np.isfinite(table).all():
        raise ConfigError(f"{path} has {len(table)} whole rows; at least {FOLDS} are needed to correlate anything")
    return table


def _features(path: Path) -> tuple[Floats, list[str]]:
    """Audio features `[n, F]`; those that are never negative as logs, for ears hear ratios."""
    names = [name for name in (_rows(path) or [{}])[0] if name != "File"]
    table = _columns(path, names)
    positive = (table > 0.0).all(axis=0)
    table[:, positive] = np.log(table[:, positive])
    return table, names


def _ridge(features: Floats, target: Floats, elsewhere: Floats) -> Floats:
    mean, spread = features.mean(axis=0), np.maximum(features.std(axis=0), 1e-9)
    x, z = (features - mean) / spread, (elsewhere - mean) / spread
    weights = np.linalg.solve(x.T @ x + RIDGE * np.eye(x.shape[1]), x.T @ (target - target.mean()))
    return np.asarray(z @ weights + target.mean())


def _reading(features: Floats, target: Floats, seed: int) -> float:
    """Correlation of what is read with what was rated, each excerpt read by a regression that never saw it."""
    fold = np.random.default_rng(seed).permutation(len(target)) % FOLDS
    found = np.zeros(len(target))
    for part in range(FOLDS):
        found[fold == part] = _ridge(features[fold != part], target[fold != part], features[fold == part])
    return _r(found, target)


def _r(one: Floats, other: Floats) -> float:
    a, b = one - one.mean(), other - other.mean()
    power = math.sqrt(float(a @ a) * float(b @ b))
    return float(a @ b) / power if power > 0.0 else 0.0


def _draws(groups: Sequence[str], seed: int) -> Floats:
    """How often each excerpt is drawn, `[DRAWS, n]`: whole soundtracks, for excerpts of one are not independent."""
    _, member = np.unique(np.array(groups), return_inverse=True)
    count = int(member.max()) + 1
    dice = np.random.default_rng(seed)
    return dice.multinomial(count, np.full(count, 1.0 / count), size=DRAWS).astype(np.float64)[:, member]


def _interval(one: Floats, other: Floats, draws: Floats) -> tuple[float, float, float]:
    """r and its 95 % interval over the draws."""
    share = draws / draws.sum(axis=1, keepdims=True)
    x, y = one - one.mean(), other - other.mean()
    mean_x, mean_y = share @ x, share @ y
    power = np.sqrt((share @ x**2 - mean_x**2) * (share @ y**2 - mean_y**2))
    drawn = (share @ (x * y) - mean_x * mean_y) / np.maximum(power, 1e-12)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return _r(one, other), float(low), float(high)
