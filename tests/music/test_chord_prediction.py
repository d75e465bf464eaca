"""The chord of the coming beat: what repeats is probable, and what does not is not."""

from __future__ import annotations

import numpy as np
import pytest

from kelly_live.music.chord_prediction import CHORDS, ChordPredictor

C, DM, EM, F, G, AM = 0, 14, 16, 5, 7, 21


def hear(chord: int, certainty: float = 0.9) -> np.ndarray:
    return np.where(np.arange(CHORDS) == chord, certainty, (1.0 - certainty) / (CHORDS - 1))


def learn(chords: list[int], tonic: int = 0) -> ChordPredictor:
    predictor = ChordPredictor()
    for chord in chords:
        predictor.learn(hear(chord), tonic)
    return predictor


def test_before_anything_was_heard_all_chords_are_alike() -> None:
    assert ChordPredictor().predict(0) == pytest.approx(np.full(CHORDS, 1.0 / CHORDS))


@pytest.mark.parametrize("beats", [2, 3, 4])
def test_a_loop_is_known_in_its_third_round(beats: int) -> None:
    loop = [chord for chord in (C, AM, F, G) for _ in range(beats)]
    for place in range(0, len(loop), beats):
        chances = learn(loop * 2 + loop[:place]).predict(0)
        assert chances.argmax() == loop[place]
        assert chances.max() > 0.5


def test_chords_of_the_key_are_more_probable_than_others() -> None:
    chances = learn([C, C, F, F, G, G, C, C]).predict(0)
    in_key = chances[[C, DM, EM, F, G, AM]].sum()
    assert in_key > 0.9
    assert chances == pytest.approx(
        np.roll(learn([2, 2, 7, 7, 9, 9, 2, 2], tonic=2).predict(2).reshape(2, 12), -2, 1).ravel()
    )


def test_a_chord_that_stays_is_expected_to_stay() -> None:
    assert learn([C] * 24).predict(0)[C] > 0.8


def test_without_a_repeat_the_next_chord_is_open() -> None:
    rng = np.random.default_rng(1)
    chords = [int(chord) for chord in rng.integers(CHORDS, size=30) for _ in range(2)]
    assert learn(chords).predict(0).max() < 0.6


def test_probabilities_are_some_whatever_is_heard() -> None:
    rng = np.random.default_rng(2)
    predictor = ChordPredictor()
    for _ in range(200):
        heard = rng.dirichlet(np.full(CHORDS, 0.1))
        predictor.learn(heard, int(rng.integers(12)))
        chances = predictor.predict(int(rng.integers(12)))
        assert chances.min() >= 0.0
        assert chances.sum() == pytest.approx(1.0)
