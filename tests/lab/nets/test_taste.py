"""A person's wishes move the music for them, plausibly and within bounds, and for nobody else."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from kelly_live.core.errors import ConfigError
from kelly_live.core.override import state_from
from kelly_live.core.resources import find_resources
from kelly_live.core.values import EMOTIONS, EmotionState
from kelly_live.lab.nets.mapper import (
    USER_DIM,
    DynamicEmotionToMusicMapper,
    load_net,
    taste_parts,
    taste_radii,
)
from kelly_live.lab.nets.taste import CAUTION, MAX_WEIGHT, WISHES, Wish, fit_taste, learn_user, reach
from tests.lab.nets.test_mapper import assert_playable, random_net

SAD, HAPPY, ANGRY = (state_from(emotion=name) for name in ("sad", "happy", "angry"))


@pytest.fixture
def net() -> DynamicEmotionToMusicMapper:
    return load_net(find_resources("models") / "mapper.safetensors")


@torch.no_grad()
def music(net: DynamicEmotionToMusicMapper, state: EmotionState, user: int = 0) -> dict[str, Tensor]:
    return net(
        torch.tensor([state.probabilities]),
        torch.tensor([[state.valence, state.arousal, state.dominance]]),
        torch.tensor([user]),
    )


def tempo(net: DynamicEmotionToMusicMapper, state: EmotionState, user: int = 0) -> float:
    return float(music(net, state, user)["tempo_suggested"])


def bounded(embedding: Tensor) -> bool:
    return bool((taste_parts(embedding).norm(dim=-1) <= taste_radii(embedding) + 1e-4).all())


def test_who_wants_sad_slower_gets_sad_slower_happy_as_ever_and_nobody_else_notices(
    net: DynamicEmotionToMusicMapper,
) -> None:
    base = {state: tempo(net, state) for state in (SAD, HAPPY)}
    learn_user(net, 1, [Wish(SAD, "tempo", 60.0)])
    slower = {state: math.log2(base[state] / tempo(net, state, 1)) for state in (SAD, HAPPY)}
    assert tempo(net, SAD, 1) == pytest.approx(60.0, rel=0.1)
    assert abs(slower[HAPPY]) < 0.03 * slower[SAD]
    assert tempo(net, SAD, 2) == tempo(net, SAD, 0) == base[SAD]


def test_a_wish_stays_mostly_with_its_emotion(net: DynamicEmotionToMusicMapper) -> None:
    """Neighbours included, and however often it is said: who wants sad slower says nothing of anger."""
    states = [state_from(emotion=name) for name in EMOTIONS]
    base = [tempo(net, state) for state in states]
    learn_user(net, 1, [Wish(SAD, "tempo", 60.0, 40.0)])
    moved = {n: math.log2(b / tempo(net, s, 1)) for n, s, b in zip(EMOTIONS, states, base, strict=True)}
    sad = moved.pop("sad")
    assert all(abs(other) < 0.1 * sad for other in moved.values())


def test_what_is_said_of_several_emotions_holds_for_those_that_nobody_spoke_of(
    net: DynamicEmotionToMusicMapper,
) -> None:
    neutral = state_from()
    base = tempo(net, neutral)
    learn_user(net, 1, [Wish(state, "tempo", 0.75 * tempo(net, state)) for state in (SAD, HAPPY, ANGRY)])
    assert 0.75 * base < tempo(net, neutral, 1) < 0.95 * base


def test_a_token_beside_an_emotion_that_is_hammered_does_not_open_the_others() -> None:
    hammered = [Wish(SAD, "tempo", 60.0, 40.0), Wish(HAPPY, "level", 0.5, 0.3)]
    assert float(reach(hammered)[0]) < 0.15 * CAUTION
    assert float(reach(hammered[:1])[0]) == 0.0
    assert float(reach([Wish(state, "tempo", 90.0) for state in (SAD, HAPPY, ANGRY)])[0]) == pytest.approx(
        CAUTION * math.sqrt(2.0 / 3.0)
    )
    own = dict(zip(EMOTIONS, taste_parts(reach(hammered))[1:, 0].tolist(), strict=True))
    assert own["sad"] == own["happy"] == pytest.approx(CAUTION)
    assert own["neutral"] < 0.05 * CAUTION  # a trace of it was felt


def test_a_wish_that_cannot_be_met_is_not_looked_for_in_other_emotions(net: DynamicEmotionToMusicMapper) -> None:
    net_major = {name: float(music(net, state_from(emotion=name))["mode_weights"][0, 0]) for name in EMOTIONS}
    hostile = [("tempo", 300.0), ("register", 0.0), ("level", 1.0), ("density", 3.0), ("major", 1.0)]
    learn_user(net, 1, [Wish(SAD, name, value, 10.0) for name, value in hostile])
    for name in EMOTIONS:
        state = state_from(emotion=name)
        now = music(net, state, 1)
        if name != "sad":
            assert float(now["mode_weights"][0, 0]) == pytest.approx(net_major[name], abs=0.1)
            assert tempo(net, state, 1) == pytest.approx(tempo(net, state), rel=0.03)


def test_who_ruins_one_emotion_leaves_what_was_learned_of_another(net: DynamicEmotionToMusicMapper) -> None:
    wanted = Wish(HAPPY, "tempo", 100.0, 3.0)
    ruin = [Wish(SAD, "tempo", 300.0, 100.0), Wish(SAD, "register", 0.0, 100.0)]
    learn_user(net, 1, [wanted])
    learn_user(net, 2, [wanted, *ruin])
    assert tempo(net, HAPPY, 2) == pytest.approx(tempo(net, HAPPY, 1), rel=0.01)


def test_a_wish_moves_what_goes_with_it_in_real_music(net: DynamicEmotionToMusicMapper) -> None:
    """Slower songs of the same emotion hold more notes a beat: nobody asked for it, the songs say so."""
    learn_user(net, 3, [Wish(SAD, "tempo", 60.0)])
    assert float(music(net, SAD, 3)["density"]) > float(music(net, SAD)["density"])


def test_two_wishes_are_both_served(net: DynamicEmotionToMusicMapper) -> None:
    learn_user(net, 1, [Wish(SAD, "register", 62.0, 3.0), Wish(ANGRY, "tempo", 150.0, 3.0)])
    assert float(music(net, SAD, 1)["register_center"]) == pytest.approx(62.0, abs=2.0)
    assert tempo(net, ANGRY, 1) == pytest.approx(150.0, rel=0.1)


def test_without_wishes_a_user_is_forgotten_to_the_bit(net: DynamicEmotionToMusicMapper) -> None:
    base = music(net, HAPPY)
    learn_user(net, 1, [Wish(HAPPY, "major", 0.1, 3.0)])
    assert not torch.equal(music(net, HAPPY, 1)["mode_weights"], base["mode_weights"])
    learn_user(net, 1, [])
    forgotten, weightless = music(net, HAPPY, 1), fit_taste(net, [Wish(HAPPY, "tempo", 200.0, 0.0)])
    assert all(torch.equal(base[name], forgotten[name]) for name in base)
    assert not weightless.any()


def test_the_same_wishes_give_the_same_taste(net: DynamicEmotionToMusicMapper) -> None:
    wishes = [Wish(SAD, "density", 0.4), Wish(HAPPY, "level", 0.8)]
    assert torch.equal(fit_taste(net, wishes), fit_taste(net, wishes))


@st.composite
def wishes(draw: st.DrawFn) -> Wish:
    name = draw(st.sampled_from(sorted(WISHES)))
    state = state_from(
        draw(st.floats(-1, 1)), draw(st.floats(-1, 1)), draw(st.floats(-1, 1)), draw(st.sampled_from([*EMOTIONS, None]))
    )
    return Wish(state, name, draw(st.floats(WISHES[name].low, WISHES[name].high)), draw(st.floats(0.0, MAX_WEIGHT)))


@settings(max_examples=20, deadline=None)
@given(st.lists(wishes(), max_size=4), st.one_of(st.none(), st.integers(0, 1000)))
def test_no_wishes_run_away(some: list[Wish], seed: int | None) -> None:
    """However many and however contrary, on the shipped net and on nonsense: bounded, playable, and no worse."""
    net = load_net(find_resources("models") / "mapper.safetensors") if seed is None else random_net(seed)
    embedding = learn_user(net, 2, some)
    assert bool(torch.isfinite(embedding).all())
    assert bounded(embedding)
    for state in (SAD, HAPPY, ANGRY, *(wish.state for wish in some)):
        assert_playable(music(net, state, 2))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([0.0, 1.0, 100.0, math.inf, math.nan]))
def test_whatever_is_remembered_stays_playable(seed: int, size: float) -> None:
    net = random_net(seed)
    net.remember(1, torch.randn(USER_DIM) * size)
    assert bounded(net.user.weight[1])
    assert_playable(music(net, SAD, 1))


def test_nobody_and_strangers_cannot_be_taught() -> None:
    net = random_net(1)
    for user in (0, -1, 99):
        with pytest.raises(ConfigError, match="is not in 1"):
            net.remember(user, torch.ones(USER_DIM))
    for parameter, value, weight in (("colour", 1.0, 1.0), ("tempo", math.nan, 1.0), ("tempo", 90.0, -1.0)):
        with pytest.raises(ConfigError) as error:
            Wish(SAD, parameter, value, weight)
        assert "\n" not in str(error.value)
