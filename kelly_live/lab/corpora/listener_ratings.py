"""Does it help to know a listener's language? Answers of held-out listeners on held-out excerpts, predicted with and
without what their language's other listeners said of other excerpts. And a check of direction: who likes major?

- `emo-agreement-4languages`: Gómez-Cañón et al. 2020 (ISMIR, "Joyful for you and tender for us"), 22 excerpts, each
  rated by all of 126 listeners of four mother tongues on eleven emotions, 1 to 5.
- `emo-trompa-mer`: Gómez-Cañón et al. 2022 (JIIS, TROMPA-MER), excerpts of many countries, most heard by few: one word
  of the same eleven, and the signs of valence and arousal. Only the annotations are read: the songs' descriptors beside
  them come from an interface whose terms forbid learning from them.
- `emo-pakistan-chords`: Lahdelma, Athanasopoulos & Eerola 2021 (Ann. N. Y. Acad. Sci.), how well chords are *liked*, 1
  to 5, in the United Kingdom and by Kalash and Khow listeners. Liking is no perceived emotion: a check, no evidence.

A re-interpreter of emotions by language is kept only if the first two say that it helps.
"""

from __future__ import annotations

import csv
import io
import json
import tarfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kelly_live.core.errors import ConfigError

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
    as a share of it, with a 95 % interval over listeners. Above 0 the language helps.
    """

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
    Raises ConfigError.
    """
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


def _text(archive: Path, name: str = FILE, known_as: str = "emo-agreement-4languages.tar.xz") -> str:
    """The file called `name` of a .tar.xz, or the archive itself if it is that file. Raises ConfigError."""
    try:
        if not tarfile.is_tarfile(archive):
            return archive.read_text(encoding="utf-8")
        with tarfile.open(archive) as tar:
            member = next((m for m in tar if m.name.endswith(f"/{name}") and m.size < _MOST_BYTES), None)
            content = tar.extractfile(member) if member is not None else None
            if content is not None:
                return content.read().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(f"cannot read {archive} ({reason}); name the folder of the corpora") from error
    raise ConfigError(f"{archive} has no {name}; name the archive {known_as}")


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
    return _gains(errors, np.ones(len(ratings)), tongue, names, rng)


def _gains(
    errors: np.ndarray, weights: np.ndarray, tongue: np.ndarray, names: Sequence[str], rng: np.random.Generator
) -> list[Gain]:
    """From each listener's summed errors `[2, listeners]` (pooled, shifted) over `weights` answers; listeners without
    any answer are left out.
    """
    heard = weights > 0.0
    found = []
    for name, own in [*((name, tongue == i) for i, name in enumerate(names)), ("all", np.ones(len(tongue), bool))]:
        pair, weight = errors[:, own & heard], weights[own & heard]
        if not len(weight):
            continue
        drawn = pair[:, rng.integers(0, len(weight), (RESAMPLES, len(weight)))].sum(axis=2)
        low, high = np.percentile(1.0 - drawn[1] / drawn[0], [2.5, 97.5])
        pooled, shifted = pair.sum(axis=1) / weight.sum()
        found.append(Gain(name, len(weight), pooled, shifted, 1.0 - shifted / pooled, float(low), float(high)))
    return found


# ---------------------------------------------------------------- many excerpts, each heard by few

TROMPA_FILE = "data_20_09_2024.json"
MOODS = (
    "anger", "bitterness", "fear", "joy", "peace", "power", "sadness", "surprise", "tenderness", "tension",
    "transcendence",
)  # fmt: skip
LEAST_HEARD = 4  # annotations of an excerpt by listeners that are not held out; fewer foretell nothing
LEAST_LISTENERS = 5  # of a language
_EXCERPT_PRIOR = 2.0  # so many annotations of the average excerpt are added to each
_SHIFT_PRIOR = 20.0  # and so many without any shift to a language's: few annotations shift little


@dataclass(frozen=True, slots=True)
class Annotations:
    """Single answers: `listener`, `excerpt` `[n]`, `answers` `[n, 13]` (each of MOODS, valence, arousal: 0 or 1); each
    listener's `tongue` is a place in `languages`.
    """

    listener: np.ndarray
    excerpt: np.ndarray
    answers: np.ndarray
    tongue: np.ndarray
    languages: tuple[str, ...]


def read_annotations(archive: Path) -> Annotations:
    """TROMPA-MER's annotations by listeners who stated a mother tongue that LEAST_LISTENERS share, from the .tar.xz or
    the JSON; a listener's first answer to an excerpt counts. Raises ConfigError.
    """
    text = _text(archive, TROMPA_FILE, "emo-trompa-mer.tar.xz")
    try:
        data = json.loads(text)
        spoken = {user["id"]: user["motherLanguage"] for user in data["users"] if user["motherLanguage"]}
        first: dict[tuple[str, str], list[float]] = {}
        for row in data["annotations"]:
            if row["userId"] in spoken:
                answer = [float(row["moodValue"] == mood) for mood in MOODS]
                answer += [float(int(row[f"{axis}Value"]) > 0) for axis in ("valence", "arousal")]
                first.setdefault((row["userId"], row["externalID"]), answer)
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"{archive} does not hold annotations and users ({error}); give {TROMPA_FILE}") from error
    listeners = sorted({user for user, _ in first})
    counts = Counter(spoken[user] for user in listeners)
    languages = tuple(sorted(language for language, count in counts.items() if count >= LEAST_LISTENERS))
    kept = {key: answer for key, answer in first.items() if spoken[key[0]] in languages}
    if len(languages) < 2:
        raise ConfigError(f"{archive} has {len(languages)} languages of {LEAST_LISTENERS} listeners; 2 are compared")
    listeners = sorted({user for user, _ in kept})
    excerpts = sorted({excerpt for _, excerpt in kept})
    return Annotations(
        np.array([listeners.index(user) for user, _ in kept]),
        np.array([excerpts.index(excerpt) for _, excerpt in kept]),
        np.array(list(kept.values())),
        np.array([languages.index(spoken[user]) for user in listeners]),
        languages,
    )


def annotation_gains(data: Annotations, columns: slice = slice(None), repeats: int = 10, seed: int = 0) -> list[Gain]:
    """As `language_gains`, where most excerpts are heard by few: an excerpt's answer is foretold by whoever heard it,
    every language alike, drawn towards the average excerpt; a language's shift is what its listeners say beside what
    the others say of the same excerpts, drawn towards none.
    """
    rng = np.random.default_rng(seed)
    answers, tongue = data.answers[:, columns], data.tongue
    listeners, excerpts = len(tongue), int(data.excerpt.max()) + 1
    spoken = tongue[data.listener]
    errors, weights = np.zeros((2, listeners)), np.zeros(listeners)
    for _ in range(repeats):
        listener_fold = (rng.permutation(listeners) % LISTENER_FOLDS)[data.listener]
        excerpt_fold = (rng.permutation(excerpts) % EXCERPT_FOLDS)[data.excerpt]
        for fold in range(LISTENER_FOLDS):
            known = listener_fold != fold
            heard = np.bincount(data.excerpt[known], minlength=excerpts).astype(float)
            sums = np.zeros((excerpts, answers.shape[1]))
            np.add.at(sums, data.excerpt[known], answers[known])
            average = answers[known].mean(axis=0)
            enough = heard[data.excerpt] >= LEAST_HEARD
            foretold = (sums + _EXCERPT_PRIOR * average) / (heard + _EXCERPT_PRIOR)[:, None]
            others = (sums[data.excerpt] - answers + _EXCERPT_PRIOR * average) / (
                heard[data.excerpt] - 1.0 + _EXCERPT_PRIOR
            )[:, None]
            for part in range(EXCERPT_FOLDS):
                learned, asked = known & enough & (excerpt_fold != part), ~known & enough & (excerpt_fold == part)
                shift = np.zeros((len(data.languages), answers.shape[1]))
                np.add.at(shift, spoken[learned], (answers - others)[learned])
                shift /= np.bincount(spoken[learned], minlength=len(data.languages))[:, None] + _SHIFT_PRIOR
                plain = foretold[data.excerpt[asked]]
                own = np.clip(plain + shift[spoken[asked]], 0.0, 1.0)
                truth = answers[asked]
                np.add.at(errors[0], data.listener[asked], np.square(truth - plain).mean(axis=1))
                np.add.at(errors[1], data.listener[asked], np.square(truth - own).mean(axis=1))
                np.add.at(weights, data.listener[asked], 1.0)
    return _gains(errors, weights, tongue, data.languages, rng)


# ---------------------------------------------------------------- who likes major?

CHORDS_FILE = "pakistan_raw_data.csv"


@dataclass(frozen=True, slots=True)
class Liking:
    """How much better listeners of one background like major than minor chords (ratings 1 to 5), with a 95 % interval
    over listeners: above 0 for major.
    """

    background: str
    listeners: int
    major_over_minor: float
    low: float
    high: float

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def read_likings(archive: Path, seed: int = 0) -> list[Liking]:
    """Of each background, from the .tar.xz or the CSV. Raises ConfigError."""
    rows = list(csv.DictReader(io.StringIO(_text(archive, CHORDS_FILE, "emo-pakistan-chords.tar.xz"))))
    given: dict[tuple[str, str], dict[str, list[float]]] = {}
    try:
        for row in rows:
            if row["Mode"] in ("Major", "Minor"):
                own = given.setdefault((row["Background"], row["PARTICIPANTID"]), {"Major": [], "Minor": []})
                own[row["Mode"]].append(float(row["Rating"]))
    except (KeyError, ValueError) as error:
        raise ConfigError(f"{archive} does not hold ratings of chords ({error}); give {CHORDS_FILE}") from error
    rng = np.random.default_rng(seed)
    found = []
    for background in sorted({background for background, _ in given}):
        each = np.array(
            [
                np.mean(own["Major"]) - np.mean(own["Minor"])
                for (where, _), own in given.items()
                if where == background and own["Major"] and own["Minor"]
            ]
        )
        if len(each):
            drawn = each[rng.integers(0, len(each), (RESAMPLES, len(each)))].mean(axis=1)
            low, high = np.percentile(drawn, [2.5, 97.5])
            found.append(Liking(background, len(each), float(each.mean()), float(low), float(high)))
    if not found:
        raise ConfigError(f"{archive} has no ratings of major beside minor chords; give {CHORDS_FILE}")
    return found


def likings_table(likings: Sequence[Liking]) -> str:
    """As markdown."""
    lines = ["| listeners | n | major liked over minor, points of 1 to 5 | 95 % |", "|---|---|---|---|"]
    lines += [
        f"| {one.background} | {one.listeners} | {one.major_over_minor:+.2f} | {one.low:+.2f} – {one.high:+.2f} |"
        for one in likings
    ]
    return "\n".join(lines)


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
