"""Which groove a feeling asks for."""

from __future__ import annotations

import pytest

from kelly_live.core.emotion_space import create_state
from kelly_live.mapping.groove import GROOVE_BY_EMOTION, choose_groove


@pytest.mark.parametrize(("emotion", "groove"), GROOVE_BY_EMOTION.items())
def test_a_named_emotion_has_its_groove(emotion: str, groove: str) -> None:
    assert choose_groove(create_state(emotion=emotion)) == groove


def test_glad_and_stirred_is_no_surprise() -> None:
    """Surprise, excitement and happiness have about a third each there, and surprise a little more."""
    state = create_state(0.5, 0.5)
    assert max(state.probabilities) < 0.36
    assert choose_groove(state) == "dance"


def test_what_is_calm_and_pleasant_is_a_ballad() -> None:
    assert choose_groove(create_state(0.5, -0.5)) == "ballad"
    assert choose_groove(create_state(-0.5, -0.5)) == "lament"
