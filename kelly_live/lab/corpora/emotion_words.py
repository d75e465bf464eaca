"""Emotion words with their places in valence, arousal and dominance, by language.

- English: terms of Russell & Mehrabian 1977 ("Evidence for a three-factor theory of emotions", J. Res. Pers. 11:273),
  means of raters, in [-1, 1]: those of its 151 that say what music may feel like, not how people judge themselves or
  others. Figures of a publication, taken from two public transcriptions of its table, which agree.
- Spanish and Catalan: TROMPA-MER (Gómez-Cañón et al. 2022), in which listeners wrote down a word of their own for an
  excerpt and said whether its valence and its arousal are positive or negative. Only what at least LEAST_LISTENERS
  wrote is used. FAMILIES joins a noun with its adjectives and common spellings, and says which language a word is of:
  many listeners write in both.

No other language has both its own words and their places in the data: the four-language ratings of Gómez-Cañón et al.
2020 hold numbers without the words that German and Mandarin listeners read.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kelly_live.core.errors import ConfigError
from kelly_live.core.wording import quote_error
from kelly_live.lab.corpora.listener_ratings import TROMPA_ARCHIVE, TROMPA_FILE, read_archive_text

LEAST_LISTENERS = 4
ENGLISH: dict[str, tuple[float, float, float]] = {
    "bold": (0.44, 0.61, 0.66), "mighty": (0.48, 0.51, 0.69), "proud": (0.77, 0.38, 0.65),
    "inspired": (0.71, 0.63, 0.34), "excited": (0.62, 0.75, 0.38), "dignified": (0.55, 0.22, 0.61),
    "powerful": (0.54, 0.45, 0.73), "elated": (0.50, 0.42, 0.23), "hopeful": (0.51, 0.23, 0.14),
    "triumphant": (0.69, 0.57, 0.63), "joyful": (0.76, 0.48, 0.35), "free": (0.81, 0.24, 0.46),
    "happy": (0.81, 0.51, 0.46), "carefree": (0.78, 0.25, 0.41), "affectionate": (0.64, 0.35, 0.24),
    "vigorous": (0.58, 0.61, 0.49), "serious": (0.27, 0.24, 0.42), "thankful": (0.61, 0.10, -0.13),
    "in love": (0.82, 0.65, -0.05), "anxious": (0.01, 0.59, -0.15), "surprised": (0.40, 0.67, -0.13),
    "fascinated": (0.55, 0.51, -0.07), "awed": (0.18, 0.40, -0.38), "curious": (0.22, 0.62, -0.01),
    "relaxed": (0.68, -0.46, 0.06), "untroubled": (0.79, -0.01, 0.33), "leisurely": (0.58, -0.32, 0.11),
    "consoled": (0.29, -0.19, -0.28), "quiet": (0.19, -0.40, -0.04), "solemn": (0.03, -0.32, -0.11),
    "reverent": (0.31, -0.08, -0.29), "astonished": (0.16, 0.88, -0.15), "disgusted": (-0.60, 0.35, 0.11),
    "defiant": (-0.16, 0.54, 0.32), "hostile": (-0.42, 0.53, 0.30), "angry": (-0.51, 0.59, 0.25),
    "enraged": (-0.44, 0.72, 0.32), "distressed": (-0.61, 0.28, -0.36), "fearful": (-0.64, 0.60, -0.43),
    "terrified": (-0.62, 0.82, -0.43), "troubled": (-0.63, 0.16, -0.40), "startled": (-0.09, 0.65, -0.33),
    "anguished": (-0.50, 0.08, -0.20), "upset": (-0.63, 0.30, -0.24), "tense": (-0.33, 0.58, -0.11),
    "depressed": (-0.72, -0.29, -0.41), "despairing": (-0.72, -0.16, -0.38), "lonely": (-0.66, -0.43, -0.32),
    "bored": (-0.65, -0.62, -0.33), "fatigued": (-0.18, -0.57, -0.29), "subdued": (-0.17, -0.26, -0.18),
    "listless": (-0.45, -0.59, -0.24), "weary": (-0.18, -0.33, -0.24), "discouraged": (-0.61, -0.15, -0.29),
    "sad": (-0.63, -0.27, -0.33),
}  # fmt: skip
# language -> word that is shown -> what listeners wrote; lower case.
FAMILIES: dict[str, dict[str, tuple[str, ...]]] = {
    "es": {
        "alegría": ("alegre", "alegría", "contenta", "contento"), "felicidad": ("felicidad", "feliz"),
        "festiva": ("festiva", "fiesta", "festivo"), "animada": ("animada", "animado", "ánimo"),
        "emoción": ("emocionante", "emoción"), "pasión": ("pasión", "apasionada"), "energía": ("energía", "energética"),
        "poder": ("poder", "poderosa", "fuerza"), "orgullo": ("orgullo",), "amor": ("amor",),
        "romanticismo": ("romántica", "romántico", "romanticismo"), "ternura": ("ternura", "tierna"),
        "esperanza": ("esperanza",), "paz": ("paz", "pacífica"), "calma": ("calma", "calmada"),
        "tranquilidad": ("tranquilidad", "tranquila"), "relajante": ("relajante", "relajada", "relajación"),
        "serenidad": ("serenidad", "serena"), "armonía": ("armonía", "armoniosa"), "tristeza": ("tristeza", "triste"),
        "melancolía": ("melancolía", "melancólica"), "añoranza": ("añoranza",), "soledad": ("soledad",),
        "nostalgia": ("nostalgia", "nostálgica", "nostalgica"), "amargura": ("amargura",), "dolor": ("dolor",),
        "aburrida": ("aburrida", "aburrimiento"), "tensión": ("tensión", "tension", "tensa"),
        "estresante": ("estresante", "estrés"), "angustia": ("angustia",), "miedo": ("miedo",), "rabia": ("rabia",),
        "agresividad": ("agresiva", "agresividad"), "sorpresa": ("sorpresa", "asombro"), "intriga": ("intriga",),
        "misterio": ("misterio", "misteriosa"), "confusión": ("confusión",),
    },
    "ca": {
        "alegria": ("alegria",), "felicitat": ("felicitat", "feliç"), "emoció": ("emocionant", "emoció"),
        "esperança": ("esperança",), "estima": ("estima",), "pau": ("pau",), "calma": ("calma",),
        "tranquil·litat": ("tranquilitat", "tranquil·litat"), "relaxació": ("relaxant", "relaxació"),
        "tristesa": ("tristesa", "trist", "trista"), "enyorança": ("enyorança",), "soledat": ("soledat", "soletat"),
        "melancolia": ("melancolia", "malenconia"), "nostàlgia": ("nostàlgia",), "tensió": ("tensió",), "por": ("por",),
        "sorpresa": ("sorpresa",),
    },
}  # fmt: skip
# Words whose English counterpart is in ENGLISH: they put the listeners' signs on its scale, and check them.
COUNTERPARTS: dict[str, str] = {
    "alegría": "joyful", "felicidad": "happy", "emoción": "excited", "poder": "powerful", "amor": "in love",
    "ternura": "affectionate", "esperanza": "hopeful", "tranquilidad": "untroubled", "calma": "quiet",
    "relajante": "relaxed", "tristeza": "sad", "aburrida": "bored", "tensión": "tense", "miedo": "fearful",
    "sorpresa": "surprised", "alegria": "joyful", "felicitat": "happy", "tranquil·litat": "untroubled",
    "tristesa": "sad", "tensió": "tense",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class SaidWord:
    """A word that listeners wrote.

    `signs` `[listeners, 2]`: each one's mean valence and arousal, from -1 to 1.
    """

    language: str
    text: str
    signs: np.ndarray

    @property
    def place(self) -> np.ndarray:
        """The mean (valence, arousal) over the listeners, in [-1, 1]."""
        mean: np.ndarray = self.signs.mean(axis=0)
        return mean


def read_said_words(archive: Path) -> list[SaidWord]:
    """Read what at least LEAST_LISTENERS wrote, the most frequent word first.

    Each listener's first answer to an excerpt counts. `archive` is TROMPA-MER's .tar.xz or the JSON.

    Raises:
        ConfigError: The file cannot be read, or holds no such answers.
    """
    text = read_archive_text(archive, TROMPA_FILE, TROMPA_ARCHIVE)
    families = {
        (language, written): word
        for language, words in FAMILIES.items()
        for word, spellings in words.items()
        for written in spellings
    }
    answers: dict[tuple[str, str], dict[str, list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
    try:
        first: dict[tuple[str, str], dict[str, Any]] = {}
        for row in json.loads(text)["annotations"]:
            first.setdefault((row["userId"], row["externalID"]), row)
        for (listener, _), row in first.items():
            written = (row["freeMood"] or "").strip().lower().rstrip(".")
            signs = float(row["valenceValue"]), float(row["arousalValue"])
            for language in FAMILIES:
                if (word := families.get((language, written))) is not None:
                    answers[language, word][listener].append(signs)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        reason = quote_error(error)
        raise ConfigError(f"{archive} does not hold annotations ({reason}); give {TROMPA_FILE}") from error
    words = [
        SaidWord(language, word, np.array([np.mean(signs, axis=0) for signs in by_listener.values()]))
        for (language, word), by_listener in answers.items()
        if len(by_listener) >= LEAST_LISTENERS
    ]
    if not words:
        raise ConfigError(f"{archive} has no word that {LEAST_LISTENERS} listeners wrote; give {TROMPA_FILE}")
    return sorted(words, key=lambda word: (word.language, -len(word.signs), word.text))
