"""Which word names a feeling, and how long it stays."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kelly_live.core.emotion_space import create_state
from kelly_live.core.emotion_words import (
    HOLD_SECONDS,
    NO_WORD,
    EmotionWord,
    EmotionWords,
    WordHold,
    list_languages,
    load_words,
    read_words,
)
from kelly_live.core.errors import ConfigError
from kelly_live.core.resources import models_in_use
from kelly_live.core.values import EMOTIONS, EmotionState

WORDS = EmotionWords(
    "xx", (EmotionWord("glad", 0.8, 0.5), EmotionWord("calm", 0.6, -0.6), EmotionWord("low", -0.6, -0.4))
)


def place(valence: float, arousal: float, dominance: float = 0.0, confidence: float = 1.0) -> EmotionState:
    return EmotionState((1.0,) + (0.0,) * (len(EMOTIONS) - 1), valence, arousal, dominance, confidence, 0.0)


@pytest.mark.parametrize(
    ("state", "word"),
    [
        (place(0.7, 0.4), "glad"),
        (place(0.7, -0.4), "calm"),
        (place(-1.0, -1.0), "low"),
        (place(0.05, -0.05), NO_WORD),
        (place(0.7, 0.4, confidence=0.02), NO_WORD),
    ],
)
def test_the_nearest_word_names_a_feeling_and_the_middle_has_none(state: EmotionState, word: str) -> None:
    assert WORDS.find_nearest(state) == word


def test_dominance_chooses_where_valence_and_arousal_leave_two_words_close() -> None:
    words = EmotionWords("xx", (EmotionWord("angry", -0.51, 0.59, 0.25), EmotionWord("fearful", -0.64, 0.60, -0.43)))
    assert words.find_nearest(place(-0.57, 0.6, 0.3)) == "angry"
    assert words.find_nearest(place(-0.57, 0.6, -0.3)) == "fearful"


def test_a_word_changes_once_another_has_been_the_nearest_for_long_enough() -> None:
    hold = WordHold(WORDS)
    glad, calm, low = place(0.8, 0.5), place(0.6, -0.6), place(-0.6, -0.4)
    assert hold.update(glad, 0.0) == "glad"
    assert hold.update(calm, 1.0) == "glad"
    assert hold.update(calm, 1.0 + HOLD_SECONDS - 0.01) == "glad"
    assert hold.update(calm, 1.0 + HOLD_SECONDS) == "calm"
    # what wavers never comes through: each return begins anew
    for step in range(20):
        assert hold.update((glad, calm, low)[step % 3], 10.0 + step * HOLD_SECONDS * 0.9) == "calm"


@pytest.mark.parametrize("emotion", [name for name in EMOTIONS if name != "neutral"])
def test_each_of_the_eight_emotions_is_named_by_its_own_english_word(emotion: str) -> None:
    with models_in_use("open"):
        assert load_words("EN ").find_nearest(create_state(emotion=emotion)) == emotion


def test_a_language_without_data_is_refused_with_those_that_have(tmp_path: Path) -> None:
    table = {"version": 1, "languages": {"en": {"sad": [-0.6, -0.3, -0.3]}, "es": {"triste": [-0.5, -0.4]}}}
    (tmp_path / "words.json").write_text(json.dumps(table), encoding="utf-8")
    with models_in_use(tmp_path):
        assert list_languages() == ("en", "es")
        assert load_words("es").words == (EmotionWord("triste", -0.5, -0.4),)
        with pytest.raises(ConfigError, match=r"'de' lie; the models '.*' have en and es \(--words\)"):
            load_words("de")


@pytest.mark.parametrize(
    "content", ["", "[]", '{"version": 1}', '{"version": 1, "languages": {"en": {"sad": [2, 0]}}}']
)
def test_a_damaged_file_is_one_line(tmp_path: Path, content: str) -> None:
    path = tmp_path / "words.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"is damaged .* run `kelly-live lab train words`"):
        read_words(path)
