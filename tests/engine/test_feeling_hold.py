"""The feeling of a rest: what was read before and in it, given as states."""

from __future__ import annotations

import pytest

from kelly_live.core.emotion_space import create_state
from kelly_live.core.sync_state import PlayerActivity
from kelly_live.core.values import EMOTIONS, EmotionState
from kelly_live.engine.build import create_mapper
from kelly_live.engine.feeling_hold import CALM_AROUSAL, FeelingHold, fade_state

PLAYING, RESTING = PlayerActivity(True, 0.0), PlayerActivity(False, 4.0)


def neutral(time: float) -> EmotionState:
    return create_state(time=time)


def rest_after(emotion: str, until: float = 60.0) -> list[EmotionState]:
    """What is played from second 4 on, where the player stops; the reader says neutral from there."""
    feeling = FeelingHold()
    for hop in range(1, 17):
        feeling.apply(create_state(emotion=emotion, time=0.25 * hop), PLAYING)
    feeling.apply(neutral(4.25), PLAYING)  # the rest is noticed later than the reader hears it
    return [feeling.apply(neutral(4.5 + 0.25 * hop), RESTING) for hop in range(round((until - 4.5) / 0.25))]


def test_the_last_phrase_is_held_and_not_what_silence_reads_as() -> None:
    first = rest_after("sad")[0]
    assert first.emotion == "sad"
    assert first.valence == create_state(emotion="sad").valence


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_it_fades_towards_calm_of_the_same_valence(emotion: str) -> None:
    states, before = rest_after(emotion), create_state(emotion=emotion)
    assert all(state.valence == before.valence for state in states)
    arousals = [state.arousal for state in states]
    assert arousals == sorted(arousals, reverse=True)
    assert arousals[-1] == pytest.approx(min(before.arousal, CALM_AROUSAL), abs=0.05)
    assert arousals[4] > before.arousal - 0.25  # slowly: little of it within a second and a half


def test_when_he_plays_again_the_band_feels_what_he_plays() -> None:
    feeling = FeelingHold()
    feeling.apply(create_state(emotion="sad", time=3.75), PLAYING)
    assert feeling.apply(neutral(5.0), RESTING).emotion == "sad"
    glad = create_state(emotion="happy", time=9.0)
    assert feeling.apply(glad, PlayerActivity(True, 8.8)) is glad


def test_while_nobody_has_played_what_is_read_is_played() -> None:
    state = neutral(1.0)
    assert FeelingHold().apply(state, None) is state


def test_the_same_reading_gives_the_same_object() -> None:
    feeling, state = FeelingHold(), neutral(6.0)
    feeling.apply(create_state(emotion="sad", time=3.75), PLAYING)
    assert feeling.apply(state, RESTING) is feeling.apply(state, RESTING)


def test_no_feeling_gets_louder_as_it_fades() -> None:
    mapper = create_mapper()
    for valence in (-0.9, -0.4, 0.0, 0.4, 0.9):
        for arousal in (-0.9, -0.5, 0.0, 0.5, 0.9):
            state = create_state(valence, arousal)
            loudest = mapper(state).dynamics.ceiling
            for seconds in (1.0, 5.0, 20.0, 100.0):
                assert mapper(fade_state(state, seconds, time=seconds)).dynamics.ceiling <= loudest + 0.004
