"""Emotion words of a language, and which of them names a feeling.

`words.json` of a set of models holds them, each with its place as people rated it; `kelly-live lab train words` makes
it, and words.md beside it has the sources. Needs neither torch nor numpy.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from kelly_live.core.emotion_space import relax_state
from kelly_live.core.errors import ConfigError
from kelly_live.core.model_tables import check_number, read_model_table
from kelly_live.core.resources import find_model_file, name_models
from kelly_live.core.values import EmotionState
from kelly_live.core.wording import join_words

FILE = "words.json"
VERSION = 1
MAX_BYTES = 1 << 20  # the shipped ones have under 10 kB
# Dominance counts a quarter as much as valence and arousal: nobody rated it in what the nets learned from, so it only
# chooses between words that the other two leave close together.
DOMINANCE_WEIGHT = 0.25
# A new word comes once it has been the nearest for so long: four readings. A caption is to stay that long to be read,
# and a reading that wavers between two words for less shows the one before.
HOLD_SECONDS = 1.0
NO_WORD = ""
MIDDLE_RADIUS = 0.2  # in valence and arousal: a feeling within it is too weak to have a word


@dataclass(frozen=True, slots=True)
class EmotionWord:
    """A word and its place, each coordinate in [-1, 1]; `dominance` None: nobody rated it."""

    text: str
    valence: float
    arousal: float
    dominance: float | None = None

    def measure_distance(self, state: EmotionState) -> float:
        """Return the squared distance from a state, with dominance at DOMINANCE_WEIGHT."""
        square = (self.valence - state.valence) ** 2 + (self.arousal - state.arousal) ** 2
        if self.dominance is not None:
            square += DOMINANCE_WEIGHT * (self.dominance - state.dominance) ** 2
        return square


@dataclass(frozen=True, slots=True)
class EmotionWords:
    """The words of a language, by its ISO 639-1 code."""

    language: str
    words: tuple[EmotionWord, ...]

    def find_nearest(self, state: EmotionState) -> str:
        """Return the word nearest to a state; NO_WORD within MIDDLE_RADIUS of the middle.

        A state of little confidence counts as nearer to the middle, as it does for the music.
        """
        felt = relax_state(state)
        if math.hypot(felt.valence, felt.arousal) < MIDDLE_RADIUS:
            return NO_WORD
        return min(self.words, key=lambda word: word.measure_distance(felt)).text


class WordHold:
    """The word for a course of states: it changes once another has been the nearest for HOLD_SECONDS.

    Thread: one for all calls. The same state costs nothing.
    """

    def __init__(self, words: EmotionWords) -> None:
        self._words = words
        self._word: str | None = None
        self._next: tuple[str, float] | None = None  # the nearest now, and since when
        self._state: EmotionState | None = None
        self._nearest = NO_WORD

    def update(self, state: EmotionState, now: float) -> str:
        """Return the word for the state in force at `now` (seconds, rising)."""
        if state is not self._state:
            self._state, self._nearest = state, self._words.find_nearest(state)
        if self._word is None:
            self._word = self._nearest
        elif self._nearest == self._word:
            self._next = None
        elif self._next is None or self._next[0] != self._nearest:
            self._next = self._nearest, now
        elif now - self._next[1] >= HOLD_SECONDS:
            self._word, self._next = self._nearest, None
        return self._word


def list_languages() -> tuple[str, ...]:
    """List the languages that the models in use have words of.

    Raises ConfigError if their file is damaged.
    """
    return tuple(_load_tables(name_models()))


def load_words(language: str) -> EmotionWords:
    """Return the words of a language ("en"). Raises ConfigError, with the languages that there are."""
    tables = _load_tables(name_models())
    words = tables.get(language.strip().lower())
    if words is None:
        raise ConfigError(
            f"no data say where the emotion words of {language[:20]!r} lie; the models {name_models()!r} have "
            f"{join_words(list(tables), 'and') or 'none'} (--words)"
        )
    return words


@lru_cache(maxsize=4)
def _load_tables(models: str) -> dict[str, EmotionWords]:
    path = find_model_file(FILE)
    return read_words(path) if path.is_file() else {}


def read_words(path: Path) -> dict[str, EmotionWords]:
    """Read the words of each language from a file.

    Raises ConfigError if it is damaged or of another version.
    """
    return read_model_table(
        path, _build_tables, version=VERSION, max_bytes=MAX_BYTES, command="kelly-live lab train words"
    )


def _build_tables(content: Mapping[str, Any]) -> dict[str, EmotionWords]:
    return {
        str(language): EmotionWords(str(language), tuple(_build_word(text, place) for text, place in words.items()))
        for language, words in content["languages"].items()
    }


def _build_word(text: str, place: list[float]) -> EmotionWord:
    valence, arousal, *dominance = (check_number(value, 1.0) for value in place)
    return EmotionWord(text, valence, arousal, dominance[0] if dominance else None)
