"""Reactions: a word moves what it names, can be taken back, and is not lost."""

from __future__ import annotations

import numpy as np
import pytest

from kelly_live.core.emotion_space import create_state, relax_state
from kelly_live.core.resources import find_resources
from kelly_live.core.values import EMOTIONS
from kelly_live.mapping.net import USER_DIM, load_mapper_net
from kelly_live.mapping.profile_taste import learn_profile, play_for_embedding
from kelly_live.mapping.taste import ERRORS, play_values
from kelly_live.profiles.profile import Profile, new_profile
from kelly_live.profiles.reaction import PLAYED_PARAMETERS, WORDS, create_reaction
from tests.profiles.sample import NOW

NET = load_mapper_net(find_resources("models"))
BASE = np.zeros(USER_DIM)


def play_errors(embedding: np.ndarray, emotion: str) -> dict[str, float]:
    """How far each parameter lies from the base, in errors of a target."""
    state = relax_state(create_state(emotion=emotion))
    played, base = (play_values(NET, one, [state], PLAYED_PARAMETERS)[0] for one in (embedding, BASE))
    return {name: (played[i] - base[i]) / ERRORS[name] for i, name in enumerate(PLAYED_PARAMETERS)}


def say(profile: Profile, word: str, emotion: str) -> Profile:
    state = relax_state(create_state(emotion=emotion))
    embedding = BASE if profile.embedding is None else np.array(profile.embedding)
    (played,) = play_for_embedding(NET, embedding, [state])
    return learn_profile(NET, profile.with_reaction(create_reaction(NOW, word, state, played)))


@pytest.mark.parametrize("emotion", EMOTIONS)
@pytest.mark.parametrize("word", WORDS)
def test_a_word_moves_what_it_names_and_leaves_the_rest_within_an_error(word: str, emotion: str) -> None:
    profile, named = new_profile("anna", NOW), [name for name, _ in WORDS[word]]
    for _ in range(4):
        profile = say(profile, word, emotion)
        assert profile.embedding is not None
        moved = play_errors(np.array(profile.embedding), emotion)
        assert max(abs(moved[name]) for name in moved if name not in named) < 1.0
    assert max(abs(moved[name]) for name in named) > 1.0


def test_what_was_never_named_gives_way_as_soon_as_it_is() -> None:
    profile = new_profile("anna", NOW)
    for _ in range(8):
        profile = say(profile, "too-fast", "sad")
    before = play_errors(np.array(profile.embedding), "sad")
    for least in (0.1, 0.3, 0.4):
        profile = say(profile, "too-bright", "sad")
        after = play_errors(np.array(profile.embedding), "sad")
        assert after["register"] < before["register"] - least
        assert after["tempo"] == pytest.approx(before["tempo"], abs=0.5)
