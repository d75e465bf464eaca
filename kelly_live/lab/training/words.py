"""The emotion words of a set of models, with their places on one scale.

They are checked on listeners who are left out, and written. A listener's answer is only a sign for valence and one for
arousal. Their means reach ±1, where Russell & Mehrabian's ratings reach about ±.8 and ±.7. A gain for each axis, fitted
by least squares over the words whose English counterpart was rated, brings them to that scale, on which the states of
the nets and the anchors of the eight emotions lie.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kelly_live.core.atomic_write import write_atomically
from kelly_live.core.emotion_words import VERSION
from kelly_live.core.resources import RESEARCH_MODELS
from kelly_live.lab.corpora.emotion_words import COUNTERPARTS, ENGLISH, LEAST_LISTENERS, SaidWord, read_said_words
from kelly_live.lab.corpora.listener_ratings import TROMPA_ARCHIVE
from kelly_live.lab.intervals import Estimate, bootstrap_mean, estimate_correlation

LEAST_DISTANCE = 0.25  # of a word from the middle, in signs: one that is nearer says neither high nor low
_AXES = ("valence", "arousal")


@dataclass(frozen=True, slots=True)
class WordsTraining:
    """The result: the words of each language, the gains, and the checks, by name.

    `checks`: an estimate each and over how many cases it is.
    """

    languages: dict[str, dict[str, list[float]]]
    gains: tuple[float, ...]
    checks: dict[str, tuple[Estimate, int]]

    def format_table(self) -> str:
        """Format the languages and the checks as Markdown."""
        lines = ["| language | words |", "|---|---|"]
        lines += [f"| {language} | {len(words)}: {', '.join(words)} |" for language, words in self.languages.items()]
        if self.checks:
            lines += ["", "| check | value | 95 % | n |", "|---|---|---|---|"]
            lines += [
                f"| {name} | {e.value:.2f} | {e.low:.2f} – {e.high:.2f} | {n} |" for name, (e, n) in self.checks.items()
            ]
        return "\n".join(lines)


def train_words(model_set: str, corpora: Path | None, out: Path) -> WordsTraining:
    """Write the words of a set and their card.

    `corpora` holds the listeners' archive, for the research set alone.

    Raises:
        ConfigError: The archive cannot be read.
    """
    languages = {"en": {text: list(place) for text, place in ENGLISH.items()}}
    gains: tuple[float, ...] = ()
    checks: dict[str, tuple[Estimate, int]] = {}
    if model_set == RESEARCH_MODELS and corpora is not None:
        said = [
            word for word in read_said_words(corpora / TROMPA_ARCHIVE) if np.linalg.norm(word.place) >= LEAST_DISTANCE
        ]
        gains = fit_gains(said)
        for word in said:
            place = [round(float(g * p), 3) for g, p in zip(gains, word.place, strict=True)]
            languages.setdefault(word.language, {})[word.text] = place
        checks = check_words(said)
    result = WordsTraining(languages, gains, checks)
    content = {"version": VERSION, "languages": languages}
    write_atomically(out, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())
    write_atomically(out.with_suffix(".md"), format_card(result, model_set).encode())
    return result


def fit_gains(said: Sequence[SaidWord]) -> tuple[float, ...]:
    """Fit the gain of valence and that of arousal, through the middle."""
    places, targets = _pair(said)
    return tuple(float(gain) for gain in (places * targets).sum(axis=0) / (places**2).sum(axis=0))


def _pair(said: Sequence[SaidWord]) -> tuple[np.ndarray, np.ndarray]:
    """Return the places `[n, 2]` of words by their listeners, and of their counterparts.

    A place is (valence, arousal); the counterparts are English.
    """
    known = [word for word in said if word.text in COUNTERPARTS]
    targets = [ENGLISH[COUNTERPARTS[word.text]][:2] for word in known]
    return np.array([word.place for word in known]), np.array(targets)


def check_words(said: Sequence[SaidWord]) -> dict[str, tuple[Estimate, int]]:
    """Check the places on English counterparts, and on each listener by the others who wrote the word."""
    places, targets = _pair(said)
    checks = {
        f"r with the English counterparts, {axis}": (estimate_correlation(places[:, i], targets[:, i]), len(places))
        for i, axis in enumerate(_AXES)
    }
    for i, axis in enumerate(_AXES):
        agreements = []
        for word in said:
            signs = word.signs[:, i]
            others = (signs.sum() - signs) / (len(signs) - 1)
            agreements += list((np.sign(others) == np.sign(signs))[(others != 0.0) & (signs != 0.0)])
        checks[f"a listener left out has the others' sign, {axis}"] = (
            bootstrap_mean(np.array(agreements, float)), len(agreements)
        )  # fmt: skip
    return checks


def format_card(result: WordsTraining, model_set: str) -> str:
    """Format words.md."""
    command = f"kelly-live lab train words --set {model_set}"
    text = f"""# words.json: emotion words and their places

For `--words LANGUAGE`: the word nearest to a feeling.

- English: {len(result.languages["en"])} terms of Russell & Mehrabian 1977 ("Evidence for a three-factor theory of
  emotions", J. Res. Pers. 11:273): valence, arousal and dominance, as two public transcriptions of its table give them
  alike. Figures of a publication.
"""
    if len(result.languages) > 1:
        command += " --corpora ../shared/data/cultures"
        valence, arousal = result.gains
        text += f"""- Spanish and Catalan: words that listeners wrote down for a piece of music, with the signs of its
  valence and arousal (TROMPA-MER, Gómez-Cañón et al. 2022, doi 10.1007/s10844-022-00746-0; repository under AGPL-3.0).
  Only means over {LEAST_LISTENERS} listeners or more are here, no answer of anybody. They are the means of the signs,
  times {valence:.2f} for valence and {arousal:.2f} for arousal, which is a fit to the English terms. No dominance.

Few listeners wrote the same word. A sign says less than a rating: words of one corner of the space lie close together,
and which of them is shown means little.
"""
    return text + f"\n    {command}\n\n{result.format_table()}\n"
