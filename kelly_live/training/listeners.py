"""Does it help to know a listener's language? Ratings of held-out listeners on held-out excerpts, predicted with and
without what their language's other listeners said of other excerpts.

Data: Gómez-Cañón et al. 2020 (ISMIR, "Joyful for you and tender for us"), 22 excerpts rated by 126 listeners of four
mother tongues on eleven emotions, 1 to 5. A re-interpreter of emotions by language is kept only if this says that it
helps.
"""

from __future__ import annotations

import csv
import io
import tarfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kelly_live.errors import ConfigError

FILE = "data_ratings.all.csv"
RATED = (
    "anger", "bitter", "fear", "joy", "peace", "power", "sad", "surprise", "tender", "tension", "transcendence",
)  # fmt: skip
LISTENER_FOLDS, EXCERPT_FOLDS = 5, 4
RESAMPLES = 2000
_MOST_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Gain:
    """Mean squared error of one language's held-out listeners (ratings scaled to 0-1): `pooled`, from listeners of all
    languages alike; `shifted`, with their language's own shift of each emotion; and how much smaller the error became
    as a share of it, with a 95 % interval over listeners. Above 0 the language helps."""

    language: str
    listeners: int
    pooled: float
    shifted: float
    gain: float
    low: float
    high: float

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def read_ratings(archive: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    """Ratings scaled to 0-1 `[listeners, excerpts, 11]` and each listener's language, from the .tar.xz or the CSV.
    Raises ConfigError."""
    rows = list(csv.DictReader(io.StringIO(_text(archive))))
    try:
        people = sorted({(row["language"], row["user"]) for row in rows})
        excerpts = sorted({row["excerpt"] for row in rows})
        ratings = np.full((len(people), len(excerpts), len(RATED)), np.nan)
        for row in rows:
            place = people.index((row["language"], row["user"])), excerpts.index(row["excerpt"])
            ratings[place] = [(float(row[name]) - 1.0) / 4.0 for name in RATED]
    except (KeyError, ValueError) as error:
        raise ConfigError(f"{archive} does not hold the ratings' columns ({error}); give {FILE}") from error
    if np.isnan(ratings).any():
        raise ConfigError(f"in {archive} some listeners rated only some excerpts; every one must have rated all")
    return ratings, tuple(language for language, _ in people)


def _text(archive: Path) -> str:
    try:
        if not tarfile.is_tarfile(archive):
            return archive.read_text(encoding="utf-8")
        with tarfile.open(archive) as tar:
            member = next((m for m in tar if m.name.endswith(f"/{FILE}") and m.size < _MOST_BYTES), None)
            content = tar.extractfile(member) if member is not None else None
            if content is not None:
                return content.read().decode("utf-8")
    except OSError as error:
        raise ConfigError(f"cannot read {archive} ({error.strerror}); name the folder of the corpora") from error
    raise ConfigError(f"{archive} has no {FILE}; name the archive emo-agreement-4languages.tar.xz")


def language_gains(ratings: np.ndarray, languages: Sequence[str], repeats: int = 10, seed: int = 0) -> list[Gain]:
    """Cross-validated over listeners and excerpts at once, `repeats` times; a Gain a language and one over all."""
    rng = np.random.default_rng(seed)
    names = sorted(set(languages))
    tongue = np.array([names.index(language) for language in languages])
    errors = np.zeros((2, len(ratings)))  # pooled, shifted
    for _ in range(repeats):
        listener_fold = rng.permutation(len(ratings)) % LISTENER_FOLDS
        excerpt_fold = rng.permutation(ratings.shape[1]) % EXCERPT_FOLDS
        for fold in range(LISTENER_FOLDS):
            known = listener_fold != fold
            each = np.stack([ratings[known & (tongue == t)].mean(axis=0) for t in range(len(names))])
            pooled = each.mean(axis=0)
            for part in range(EXCERPT_FOLDS):
                asked = excerpt_fold == part
                shift = (each - pooled)[:, ~asked].mean(axis=1)  # [languages, emotions]
                for listener in np.flatnonzero(~known):
                    plain = pooled[asked]
                    own = np.clip(plain + shift[tongue[listener]], 0.0, 1.0)
                    truth = ratings[listener][asked]
                    share = asked.sum() / ratings.shape[1] / repeats
                    errors[0, listener] += share * np.square(truth - plain).mean()
                    errors[1, listener] += share * np.square(truth - own).mean()
    found = []
    for name, own in [*((name, tongue == i) for i, name in enumerate(names)), ("all", np.ones(len(tongue), bool))]:
        pair = errors[:, own]
        drawn = pair[:, rng.integers(0, pair.shape[1], (RESAMPLES, pair.shape[1]))].mean(axis=2)
        low, high = np.percentile(1.0 - drawn[1] / drawn[0], [2.5, 97.5])
        pooled, shifted = pair.mean(axis=1)
        found.append(Gain(name, int(own.sum()), pooled, shifted, 1.0 - shifted / pooled, float(low), float(high)))
    return found


def gains_table(gains: Sequence[Gain]) -> str:
    """As markdown."""
    lines = [
        "| listeners | n | error, pooled | with their language's shift | gain | 95 % |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {g.language} | {g.listeners} | {g.pooled:.4f} | {g.shifted:.4f} | {g.gain:+.2%} "
        f"| {g.low:+.2%} – {g.high:+.2%} |"
        for g in gains
    ]
    return "\n".join(lines)
