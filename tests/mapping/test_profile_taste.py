"""What a profile teaches the mapper: preferences come true, and nothing runs away."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kelly_live.core.emotion_space import create_state
from kelly_live.core.resources import find_resources
from kelly_live.core.values import EMOTIONS
from kelly_live.mapping.mapper import LearnedMapper
from kelly_live.mapping.net import RADII, MapperNet, load_mapper_net, split_taste
from kelly_live.mapping.profile_taste import get_embedding, learn_profile, list_differences, play_for_profile
from kelly_live.profiles.profile import Profile, from_yaml, new_profile, to_yaml
from kelly_live.profiles.reaction import PLAYED_PARAMETERS, Reaction, create_reaction
from tests.profiles.sample import NOW, crowded, make_preference, make_reaction, reactions

NET = load_mapper_net(find_resources("models"))
SAD = create_state(emotion="sad")


@pytest.fixture
def net() -> MapperNet:
    return load_mapper_net(find_resources("models"))


def taught(*some: Reaction) -> Profile:
    profile = new_profile("anna", NOW)
    for one in some:
        profile = profile.with_reaction(one)
    return learn_profile(NET, profile)


def play(profile: Profile | None, emotion: str = "sad") -> dict[str, float]:
    return dict(zip(PLAYED_PARAMETERS, play_for_profile(NET, profile, [create_state(emotion=emotion)])[0], strict=True))


def test_a_preference_is_played_and_listed() -> None:
    profile = taught(make_preference("tempo", 60.0))
    assert play(profile)["tempo"] == pytest.approx(60.0, rel=0.1)
    differences = {(one.emotion, one.parameter): one for one in list_differences(NET, profile)}
    sad = differences["sad", "tempo"]
    assert sad.own == pytest.approx(play(profile)["tempo"])
    assert sad.base == pytest.approx(play(None)["tempo"])
    assert sad.known > 0.8 > differences["happy", "tempo"].known
    assert 0.0 < sad.spread < 10.0
    assert differences["sad", "level"].known < 0.2  # nobody spoke of it


@pytest.mark.parametrize(
    ("word", "parameter", "sign"),
    [
        ("too-fast", "tempo", -1), ("too-slow", "tempo", 1), ("too-dark", "register", 1), ("too-dark", "major", 1),
        ("too-bright", "register", -1), ("too-busy", "density", -1), ("too-sparse", "density", 1),
        ("too-loud", "level", -1), ("too-soft", "level", 1),
    ],
)  # fmt: skip
def test_a_word_moves_its_parameter_its_way_and_again_moves_it_further(word: str, parameter: str, sign: int) -> None:
    profile, last = taught(), play(None)[parameter]
    for _ in range(3):
        (values,) = play_for_profile(NET, profile, [SAD])
        profile = learn_profile(NET, profile.with_reaction(create_reaction(NOW, word, SAD, values)))
        now = play(profile)[parameter]
        assert sign * (now - last) > 0.0
        last = now


def test_a_like_of_the_base_changes_nothing_and_a_dislike_of_it_is_only_noted() -> None:
    values = tuple(play(None).values())
    for kind in ("like", "dislike"):
        profile = taught(make_reaction(kind, values=values))
        assert profile.count == 1
        assert play(profile) == pytest.approx(play(None), rel=1e-3)


def test_a_like_holds_on_and_a_dislike_goes_back() -> None:
    slow = taught(make_preference("tempo", 60.0))
    (values,) = play_for_profile(NET, slow, [SAD])
    liked = learn_profile(NET, slow.with_reaction(make_reaction("like", values=values)))
    after_dislike = learn_profile(NET, slow.with_reaction(make_reaction("dislike", values=values)))
    assert play(liked)["tempo"] == pytest.approx(play(slow)["tempo"], rel=0.02)
    assert play(slow)["tempo"] < play(after_dislike)["tempo"] < play(None)["tempo"]


def test_forgetting_restores_the_base_to_the_bit(net: MapperNet) -> None:
    mapper = LearnedMapper(net)
    base = [mapper(create_state(emotion=name)) for name in EMOTIONS]
    profile = taught(make_preference("tempo", 60.0), make_reaction("too-dark", "happy"))
    mapper.play_for(get_embedding(net, profile))
    assert [mapper(create_state(emotion=name)) for name in EMOTIONS] != base
    mapper.play_for(get_embedding(net, profile.forget()))
    assert [mapper(create_state(emotion=name)) for name in EMOTIONS] == base


def test_forgetting_one_emotion_equals_never_having_learned_it() -> None:
    both = taught(make_preference("tempo", 60.0), make_preference("density", 0.4, "happy"))
    assert learn_profile(NET, both.forget("sad")) == taught(make_preference("density", 0.4, "happy"))


def test_profiles_can_change_while_playing(net: MapperNet) -> None:
    """Each call is wholly for one of them, more of them than the net has places for."""
    mapper = LearnedMapper(net)
    people = [get_embedding(net, taught(make_preference("tempo", float(bpm)))) for bpm in range(50, 150, 5)]
    alone = []
    for embedding in people:
        fresh = LearnedMapper(load_mapper_net(find_resources("models")))
        fresh.play_for(embedding)
        alone.append(fresh(SAD))
    for embedding, parameters_alone in zip(people, alone, strict=True):
        mapper.play_for(embedding)
        assert mapper(SAD) == parameters_alone


def test_what_was_learned_for_another_mapper_is_learned_anew() -> None:
    profile = taught(make_preference("tempo", 60.0))
    stranger = replace(profile, mapper="0" * 16, embedding=(0.1,) * 64)
    np.testing.assert_allclose(
        get_embedding(NET, stranger), get_embedding(NET, profile), rtol=1e-8
    )  # as the file has it


@settings(max_examples=15, deadline=None)
@given(st.lists(reactions(), max_size=12))
def test_random_reactions_stay_in_bounds(some: list[Reaction]) -> None:
    profile = taught(*some)
    embedding = get_embedding(NET, profile)
    assert bool((np.linalg.norm(split_taste(embedding), axis=-1) <= RADII + 1e-4).all())
    mapper = LearnedMapper(load_mapper_net(find_resources("models")))
    mapper.play_for(get_embedding(NET, profile))
    for state in (*(create_state(emotion=name) for name in EMOTIONS), *(one.state for one in some)):
        mapper(state)  # MusicParameters check their own ranges
    assert from_yaml(to_yaml(profile), "p.yaml") == profile
    assert learn_profile(NET, profile.forget()) == new_profile("anna", NOW)


def test_a_full_profile_is_learned_and_survives_its_file() -> None:
    profile = learn_profile(NET, crowded(600))
    again = from_yaml(to_yaml(profile), "p.yaml")
    assert profile.learned_from == 600
    assert np.array_equal(get_embedding(NET, again), get_embedding(NET, profile))
