"""Which groove a feeling asks for."""

from __future__ import annotations

import pytest

from kelly_live.core.emotion_space import create_state
from kelly_live.core.values import EMOTIONS
from kelly_live.mapping.groove import GROOVE_BY_EMOTION, choose_groove


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_an_emotion_by_name_plays_its_own_groove(emotion: str) -> None:
    assert choose_groove(create_state(emotion=emotion)) == GROOVE_BY_EMOTION[emotion]


@pytest.mark.parametrize(("valence", "arousal"), [(0.4, 0.4), (0.5, 0.5), (0.35, 0.7)])
def test_a_glad_and_stirred_state_is_no_surprise(valence: float, arousal: float) -> None:
    assert choose_groove(create_state(valence, arousal)) in (GROOVE_BY_EMOTION["happy"], GROOVE_BY_EMOTION["excited"])


def test_a_stirred_state_without_valence_plays_with_the_plain_band() -> None:
    assert choose_groove(create_state(0.0, 0.8)) == ""


@pytest.mark.parametrize("valence", [0.0, 0.4, 0.8])
def test_calm_and_not_unpleasant_is_a_ballad(valence: float) -> None:
    assert choose_groove(create_state(valence, -0.5)) == "ballad"
    assert choose_groove(create_state(-0.5, -0.5)) == "lament"
