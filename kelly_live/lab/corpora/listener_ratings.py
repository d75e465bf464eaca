"""Tests of whether a listener's language predicts how emotions are perceived.

Answers of held-out listeners on held-out excerpts are predicted with and without the answers of their language's other
listeners on other excerpts. A check of direction compares how well listeners like major and minor chords.

- `emo-agreement-4languages`: Gómez-Cañón et al. 2020 (ISMIR, "Joyful for you and tender for us"), 22 excerpts, each
  rated by all of 126 listeners of four mother tongues on eleven emotions, 1 to 5.
- `emo-trompa-mer`: Gómez-Cañón et al. 2022 (JIIS, TROMPA-MER), excerpts of many countries, most with few listeners: one
  word of the same eleven, and the signs of valence and arousal. Only the annotations are read: the songs' descriptors
  beside them come from an interface whose terms forbid learning from them.
- `emo-pakistan-chords`: Lahdelma, Athanasopoulos & Eerola 2021 (Ann. N. Y. Acad. Sci.), how well chords are *liked*, 1
  to 5, in the United Kingdom and by Kalash and Khow listeners. Liking is no perceived emotion: a check, no evidence.

The net adapts emotions by language only if the first two tests show that it helps.
"""

from __future__ import annotations

import csv
import io
import json
import lzma
import tarfile
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kelly_live.core.errors import ConfigError
from kelly_live.core.wording import quote_error
from kelly_live.lab.intervals import bootstrap, bootstrap_mean

FILE = "data_ratings.all.csv"
RATED = (
    "anger", "bitter", "fear", "joy", "peace", "power", "sad", "surprise", "tender", "tension", "transcendence",
)  # fmt: skip
LISTENER_FOLDS, EXCERPT_FOLDS = 5, 4
RESAMPLES = 2000
_MOST_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class LanguageGain:
    """The gain in predicting one language's held-out listeners from knowing their language.

    `pooled` is the mean squared error (ratings scaled to 0-1) when all languages are treated alike, `shifted` with the
    language's own shift of each emotion. `gain` is the decrease as a share of `pooled`, with a 95 % interval over
    listeners. Above 0 the language helps.
    """

    language: str
    listeners: int
    pooled: float
    shifted: float
    gain: float
    low: float
    high: float

    def as_dict(self) -> dict[str, Any]:
        """Convert to a dictionary for JSON."""
        return asdict(self)


def read_ratings(archive: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    """Read ratings scaled to 0-1 `[listeners, excerpts, 11]` and each listener's language.

    `archive` is the .tar.xz or the CSV.

    Raises:
        ConfigError: The file cannot be read or lacks ratings.
    """
    rows = _read_rows(read_archive_text(archive), archive)
    try:
        people = sorted({(row["language"], row["user"]) for row in rows})
        excerpts = sorted({row["excerpt"] for row in rows})
        ratings = np.full((len(people), len(excerpts), len(RATED)), np.nan)
        for row in rows:
            place = people.index((row["language"], row["user"])), excerpts.index(row["excerpt"])
            ratings[place] = [(float(row[name]) - 1.0) / 4.0 for name in RATED]
    except (KeyError, TypeError, ValueError) as error:
        reason = quote_error(error)
        raise ConfigError(f"{archive} does not hold the ratings' columns ({reason}); give {FILE}") from error
    if np.isnan(ratings).any():
        raise ConfigError(f"in {archive} some listeners rated only some excerpts; every one must have rated all")
    return ratings, tuple(language for language, _ in people)


def _read_rows(text: str, archive: Path) -> list[dict[str, str]]:
    try:
        return list(csv.DictReader(io.StringIO(text)))
    except csv.Error as error:
        raise ConfigError(f"{archive} is not a table with commas ({error}); name the folder of the corpora") from error


def read_archive_text(archive: Path, name: str = FILE, known_as: str = "emo-agreement-4languages.tar.xz") -> str:
    """Read the file called `name` of a .tar.xz, or the archive itself if it is that file."""
    try:
        if not tarfile.is_tarfile(archive):
            return archive.read_text(encoding="utf-8")
        with tarfile.open(archive) as tar:
            member = next((m for m in tar if m.name.endswith(f"/{name}") and m.size < _MOST_BYTES), None)
            content = tar.extractfile(member) if member is not None else None
            if content is not None:
                return content.read().decode("utf-8")
    except (OSError, EOFError, tarfile.TarError, lzma.LZMAError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or "it is damaged"
        raise ConfigError(f"cannot read {archive} ({reason}); name the folder of the corpora") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"cannot read {archive} (it is not UTF-8); name the folder of the corpora") from error
    raise ConfigError(f"{archive} has no {name}; name the archive {known_as}")


def compute_language_gains(
    ratings: np.ndarray, languages: Sequence[str], repeats: int = 10, seed: int = 0
) -> list[LanguageGain]:
    """Compute the gain for each language and over all.

    They are cross-validated over listeners and excerpts at once, `repeats` times.
    """
    rng = np.random.default_rng(seed)
    names = sorted(set(languages))
    language = np.array([names.index(language) for language in languages])
    errors = np.zeros((2, len(ratings)))  # pooled, shifted
    for _ in range(repeats):
        listener_fold = rng.permutation(len(ratings)) % LISTENER_FOLDS
        excerpt_fold = rng.permutation(ratings.shape[1]) % EXCERPT_FOLDS
        for fold in range(LISTENER_FOLDS):
            is_known = listener_fold != fold
            each = np.stack([ratings[is_known & (language == t)].mean(axis=0) for t in range(len(names))])
            pooled_means = each.mean(axis=0)
            for part in range(EXCERPT_FOLDS):
                is_tested = excerpt_fold == part
                shift = (each - pooled_means)[:, ~is_tested].mean(axis=1)  # [languages, emotions]
                for listener in np.flatnonzero(~is_known):
                    plain = pooled_means[is_tested]
                    prediction = np.clip(plain + shift[language[listener]], 0.0, 1.0)
                    truth = ratings[listener][is_tested]
                    share = is_tested.sum() / ratings.shape[1] / repeats
                    errors[0, listener] += share * np.square(truth - plain).mean()
                    errors[1, listener] += share * np.square(truth - prediction).mean()
    return _summarise_gains(errors, np.ones(len(ratings)), language, names, rng)


def _summarise_gains(
    errors: np.ndarray, weights: np.ndarray, language: np.ndarray, names: Sequence[str], rng: np.random.Generator
) -> list[LanguageGain]:
    """Summarise each listener's summed errors `[2, listeners]` (pooled, shifted) over `weights` answers.

    Listeners without any answer are left out.
    """
    has_answers = weights > 0.0
    gains = []
    for name, is_of_language in [
        *((name, language == i) for i, name in enumerate(names)),
        ("all", np.ones(len(language), bool)),
    ]:
        pair, weight = errors[:, is_of_language & has_answers], weights[is_of_language & has_answers]
        if not len(weight):
            continue

        def gain(sample: np.ndarray, pair: np.ndarray = pair) -> float:
            sums = pair[:, sample].sum(axis=1)
            return float(1.0 - sums[1] / sums[0])

        pooled_error, shifted_error = pair.sum(axis=1) / weight.sum()
        estimate = bootstrap(gain, len(weight), resamples=RESAMPLES, seed=rng)
        gains.append(LanguageGain(name, len(weight), pooled_error, shifted_error, *estimate))
    return gains


# ---------------------------------------------------------------- many excerpts, each with few listeners

TROMPA_ARCHIVE = "emo-trompa-mer.tar.xz"
TROMPA_FILE = "data_20_09_2024.json"  # in it
MOODS = (
    "anger", "bitterness", "fear", "joy", "peace", "power", "sadness", "surprise", "tenderness", "tension",
    "transcendence",
)  # fmt: skip
MIN_ANNOTATIONS = 4  # of an excerpt by listeners that are not held out; fewer predict nothing
MIN_LISTENERS = 5  # of a language
_EXCERPT_PRIOR = 2.0  # annotations of the average excerpt that are added to each excerpt
_SHIFT_PRIOR = 20.0  # annotations without a shift that are added to each language: few annotations shift little


@dataclass(frozen=True, slots=True)
class Annotations:
    """Single answers of listeners to excerpts.

    `listener` and `excerpt` are `[n]`, `answers` `[n, 13]` (each of MOODS, valence, arousal: 0 or 1). `language` holds,
    for each listener, an index of `languages`.
    """

    listener: np.ndarray
    excerpt: np.ndarray
    answers: np.ndarray
    language: np.ndarray
    languages: tuple[str, ...]


def read_annotations(archive: Path) -> Annotations:
    """Read TROMPA-MER's annotations, from the .tar.xz or the JSON.

    Only listeners with a stated mother tongue that MIN_LISTENERS share are kept, and each one's first answer to an
    excerpt.

    Raises:
        ConfigError: The file cannot be read, or has fewer than two such languages.
    """
    text = read_archive_text(archive, TROMPA_FILE, TROMPA_ARCHIVE)
    try:
        data = json.loads(text)
        languages_by_user = {user["id"]: user["motherLanguage"] for user in data["users"] if user["motherLanguage"]}
        first: dict[tuple[str, str], list[float]] = {}
        for row in data["annotations"]:
            if row["userId"] in languages_by_user:
                answer = [float(row["moodValue"] == mood) for mood in MOODS]
                answer += [float(int(row[f"{axis}Value"]) > 0) for axis in ("valence", "arousal")]
                first.setdefault((row["userId"], row["externalID"]), answer)
    except (KeyError, TypeError, ValueError) as error:
        reason = quote_error(error)
        raise ConfigError(f"{archive} does not hold annotations and users ({reason}); give {TROMPA_FILE}") from error
    listeners = sorted({user for user, _ in first})
    counts = Counter(languages_by_user[user] for user in listeners)
    languages = tuple(sorted(language for language, count in counts.items() if count >= MIN_LISTENERS))
    answers = {key: answer for key, answer in first.items() if languages_by_user[key[0]] in languages}
    if len(languages) < 2:
        raise ConfigError(f"{archive} has {len(languages)} languages of {MIN_LISTENERS} listeners; 2 are compared")
    listeners = sorted({user for user, _ in answers})
    excerpts = sorted({excerpt for _, excerpt in answers})
    return Annotations(
        np.array([listeners.index(user) for user, _ in answers]),
        np.array([excerpts.index(excerpt) for _, excerpt in answers]),
        np.array(list(answers.values())),
        np.array([languages.index(languages_by_user[user]) for user in listeners]),
        languages,
    )


def compute_annotation_gains(
    data: Annotations, columns: slice = slice(None), repeats: int = 10, seed: int = 0
) -> list[LanguageGain]:
    """Compute the gains where most excerpts have few listeners.

    An excerpt's answer is predicted by the mean of its listeners of all languages, shrunk towards the average excerpt.
    A language's shift is the difference of its listeners from the others on the same excerpts, shrunk towards 0.
    """
    rng = np.random.default_rng(seed)
    answers, language = data.answers[:, columns], data.language
    listeners, excerpts = len(language), int(data.excerpt.max()) + 1
    listener_languages = language[data.listener]
    errors, weights = np.zeros((2, listeners)), np.zeros(listeners)
    for _ in range(repeats):
        listener_fold = (rng.permutation(listeners) % LISTENER_FOLDS)[data.listener]
        excerpt_fold = (rng.permutation(excerpts) % EXCERPT_FOLDS)[data.excerpt]
        for fold in range(LISTENER_FOLDS):
            is_known = listener_fold != fold
            counts = np.bincount(data.excerpt[is_known], minlength=excerpts).astype(float)
            sums = np.zeros((excerpts, answers.shape[1]))
            np.add.at(sums, data.excerpt[is_known], answers[is_known])
            average = answers[is_known].mean(axis=0)
            enough = counts[data.excerpt] >= MIN_ANNOTATIONS
            predictions = (sums + _EXCERPT_PRIOR * average) / (counts + _EXCERPT_PRIOR)[:, None]
            others = (sums[data.excerpt] - answers + _EXCERPT_PRIOR * average) / (
                counts[data.excerpt] - 1.0 + _EXCERPT_PRIOR
            )[:, None]
            for part in range(EXCERPT_FOLDS):
                is_training, is_tested = (
                    is_known & enough & (excerpt_fold != part),
                    ~is_known & enough & (excerpt_fold == part),
                )
                shift = np.zeros((len(data.languages), answers.shape[1]))
                np.add.at(shift, listener_languages[is_training], (answers - others)[is_training])
                shift /= (
                    np.bincount(listener_languages[is_training], minlength=len(data.languages))[:, None] + _SHIFT_PRIOR
                )
                plain = predictions[data.excerpt[is_tested]]
                prediction = np.clip(plain + shift[listener_languages[is_tested]], 0.0, 1.0)
                truth = answers[is_tested]
                np.add.at(errors[0], data.listener[is_tested], np.square(truth - plain).mean(axis=1))
                np.add.at(errors[1], data.listener[is_tested], np.square(truth - prediction).mean(axis=1))
                np.add.at(weights, data.listener[is_tested], 1.0)
    return _summarise_gains(errors, weights, language, data.languages, rng)


# ---------------------------------------------------------------- preference for major or minor

CHORDS_FILE = "pakistan_raw_data.csv"


@dataclass(frozen=True, slots=True)
class ModePreference:
    """The preference of listeners of one background for major over minor chords.

    `major_over_minor` is the difference of ratings from 1 to 5, with a 95 % interval over listeners.
    """

    background: str
    listeners: int
    major_over_minor: float
    low: float
    high: float

    def as_dict(self) -> dict[str, Any]:
        """Convert to a dictionary for JSON."""
        return asdict(self)


def read_mode_preferences(archive: Path, seed: int = 0) -> list[ModePreference]:
    """Read the preference of each background, from the .tar.xz or the CSV.

    Raises:
        ConfigError: The file cannot be read or lacks ratings.
    """
    rows = _read_rows(read_archive_text(archive, CHORDS_FILE, "emo-pakistan-chords.tar.xz"), archive)
    ratings: dict[tuple[str, str], dict[str, list[float]]] = {}
    try:
        for row in rows:
            if row["Mode"] in ("Major", "Minor"):
                listener_ratings = ratings.setdefault(
                    (row["Background"], row["PARTICIPANTID"]), {"Major": [], "Minor": []}
                )
                listener_ratings[row["Mode"]].append(float(row["Rating"]))
    except (KeyError, TypeError, ValueError) as error:
        reason = quote_error(error)
        raise ConfigError(f"{archive} does not hold ratings of chords ({reason}); give {CHORDS_FILE}") from error
    rng = np.random.default_rng(seed)
    preferences = []
    for background in sorted({background for background, _ in ratings}):
        each = np.array(
            [
                np.mean(listener_ratings["Major"]) - np.mean(listener_ratings["Minor"])
                for (where, _), listener_ratings in ratings.items()
                if where == background and listener_ratings["Major"] and listener_ratings["Minor"]
            ]
        )
        if len(each):
            estimate = bootstrap_mean(each, resamples=RESAMPLES, seed=rng)
            preferences.append(ModePreference(background, len(each), *estimate))
    if not preferences:
        raise ConfigError(f"{archive} has no ratings of major beside minor chords; give {CHORDS_FILE}")
    return preferences


def format_mode_preferences(preferences: Sequence[ModePreference]) -> str:
    """Format a Markdown table of preferences."""
    lines = ["| listeners | n | major liked over minor, points of 1 to 5 | 95 % |", "|---|---|---|---|"]
    lines += [
        f"| {one.background} | {one.listeners} | {one.major_over_minor:+.2f} | {one.low:+.2f} – {one.high:+.2f} |"
        for one in preferences
    ]
    return "\n".join(lines)


def format_language_gains(gains: Sequence[LanguageGain]) -> str:
    """Format a Markdown table of gains."""
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
