"""OpenScore's weak labels: which words tell of a mood, and what of a score may be measured."""

from __future__ import annotations

import math
from typing import Any

import pytest

from kelly_live.lab.corpora.open_scores import compute_weak_arousal, compute_weak_valence


def song(*words: tuple[int, str, str, float], where: str = "heading") -> dict[str, Any]:
    return {"weak_words": [list(word) for word in words], "weak_arousal_from": where, "weak_valence_from": where}


@pytest.mark.parametrize(
    ("word", "value", "place"), [("allegro", 1.0, 0.5), ("andante", -0.3, -0.15), ("langsam", -1.0, -0.5)]
)
def test_a_tempo_word_is_a_place_of_arousal(word: str, value: float, place: float) -> None:
    assert compute_weak_arousal(song((1, "arousal", word, value))) == pytest.approx(place)


def test_several_words_are_averaged() -> None:
    assert compute_weak_arousal(song((1, "arousal", "allegro", 1.0), (1, "arousal", "moderato", 0.0))) == 0.25


@pytest.mark.parametrize("word", ["dolce", "dolcissimo", "doux", "leggiero", "leicht", "zart"])
def test_a_word_that_says_how_to_sing_tells_of_no_valence(word: str) -> None:
    assert math.isnan(compute_weak_valence(song((1, "valence", word, 0.6))))


def test_a_mood_word_is_a_half_of_the_plane() -> None:
    assert compute_weak_valence(song((1, "valence", "grazioso", 1.0), (2, "valence", "dolce", 0.5))) == 0.5
    assert compute_weak_valence(song((1, "valence", "triste", -1.0))) == -0.5
    assert math.isnan(compute_weak_valence(song((1, "valence", "fröhlich", 1.0), (1, "valence", "triste", -1.0))))


def test_words_later_in_the_song_do_not_count() -> None:
    assert math.isnan(compute_weak_valence(song((9, "valence", "triste", -1.0), where="local")))
    assert math.isnan(compute_weak_arousal(song((9, "arousal", "allegro", 1.0))))
