"""A person's preferences move the music for them, plausibly and within bounds."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kelly_live.core.arrays import Floats
from kelly_live.core.emotion_space import create_state
from kelly_live.core.errors import ConfigError
from kelly_live.core.resources import find_resources
from kelly_live.core.values import EMOTIONS, RHYTHMS, EmotionState
from kelly_live.lab.nets.mapper import (
    DynamicEmotionToMusicMapper,
    compute_major_share,
    convert_mapper_to_numpy,
    load_net,
)
from kelly_live.mapping.net import CAUTION, RADII, MapperNet, Music, load_mapper_net, split_taste
from kelly_live.mapping.taste import ERRORS, _Rows, fit_taste, reach
from kelly_live.profiles.reaction import MAX_WEIGHT, RANGES, PreferenceTarget
from tests.lab.nets.test_mapper import assert_playable, random_net

NET = load_mapper_net(find_resources("models"))
SAD, HAPPY, ANGRY = (create_state(emotion=name) for name in ("sad", "happy", "angry"))


def music(state: EmotionState, taste: Floats | None = None, net: MapperNet = NET) -> Music:
    vad = np.array([(state.valence, state.arousal, state.dominance)])
    return net.play(net.base(np.array([state.probabilities]), vad), taste)


def tempo(state: EmotionState, taste: Floats | None = None) -> float:
    return float(music(state, taste)["tempo_suggested"][0])


def is_bounded(embedding: Floats) -> bool:
    return bool((np.linalg.norm(split_taste(embedding), axis=-1) <= RADII + 1e-4).all())


def test_a_slower_target_for_sad_leaves_happy_and_the_base_alone() -> None:
    base = {state: tempo(state) for state in (SAD, HAPPY)}
    taste = fit_taste(NET, [PreferenceTarget(SAD, "tempo", 60.0)])
    slower = {state: math.log2(base[state] / tempo(state, taste)) for state in (SAD, HAPPY)}
    assert tempo(SAD, taste) == pytest.approx(60.0, rel=0.1)
    assert abs(slower[HAPPY]) < 0.03 * slower[SAD]
    assert tempo(SAD) == base[SAD]


def test_a_target_stays_mostly_with_its_emotion() -> None:
    """Neighbours included, and however often it is said: who wants sad slower says nothing of anger."""
    states = [create_state(emotion=name) for name in EMOTIONS]
    base = [tempo(state) for state in states]
    taste = fit_taste(NET, [PreferenceTarget(SAD, "tempo", 60.0, 40.0)])
    movements = {n: math.log2(b / tempo(s, taste)) for n, s, b in zip(EMOTIONS, states, base, strict=True)}
    sad = movements.pop("sad")
    assert all(abs(other) < 0.1 * sad for other in movements.values())


def test_targets_in_several_emotions_apply_to_the_others() -> None:
    neutral = create_state()
    base = tempo(neutral)
    taste = fit_taste(NET, [PreferenceTarget(state, "tempo", 0.75 * tempo(state)) for state in (SAD, HAPPY, ANGRY)])
    assert 0.75 * base < tempo(neutral, taste) < 0.95 * base


def test_one_target_beside_many_of_another_emotion_moves_little_else() -> None:
    hammered = [PreferenceTarget(SAD, "tempo", 60.0, 40.0), PreferenceTarget(HAPPY, "level", 0.5, 0.3)]
    assert float(reach(hammered)[0]) < 0.15 * CAUTION
    assert float(reach(hammered[:1])[0]) == 0.0
    assert float(reach([PreferenceTarget(state, "tempo", 90.0) for state in (SAD, HAPPY, ANGRY)])[0]) == pytest.approx(
        CAUTION * math.sqrt(2.0 / 3.0)
    )
    radii = dict(zip(EMOTIONS, split_taste(reach(hammered))[1:, 0].tolist(), strict=True))
    assert radii["sad"] == radii["happy"] == pytest.approx(CAUTION)
    assert radii["neutral"] < 0.05 * CAUTION  # only a trace of it is in sad


def test_an_unreachable_target_does_not_move_other_emotions() -> None:
    net_major = {name: float(music(create_state(emotion=name))["mode_weights"][0, 0]) for name in EMOTIONS}
    hostile = [("tempo", 300.0), ("register", 0.0), ("level", 1.0), ("density", 3.0), ("major", 1.0)]
    taste = fit_taste(NET, [PreferenceTarget(SAD, name, value, 10.0) for name, value in hostile])
    for name in EMOTIONS:
        state = create_state(emotion=name)
        now = music(state, taste)
        if name != "sad":
            assert float(now["mode_weights"][0, 0]) == pytest.approx(net_major[name], abs=0.1)
            assert tempo(state, taste) == pytest.approx(tempo(state), rel=0.03)


def test_bad_targets_in_one_emotion_keep_what_another_learned() -> None:
    happy_target = PreferenceTarget(HAPPY, "tempo", 100.0, 3.0)
    ruin = [PreferenceTarget(SAD, "tempo", 300.0, 100.0), PreferenceTarget(SAD, "register", 0.0, 100.0)]
    taste = fit_taste(NET, [happy_target])
    taste_ruined = fit_taste(NET, [happy_target, *ruin])
    assert tempo(HAPPY, taste_ruined) == pytest.approx(tempo(HAPPY, taste), rel=0.01)


def test_a_target_moves_what_goes_with_it_in_real_music() -> None:
    """Slower songs of the same emotion hold more notes a beat: nobody asked for it, the songs say so."""
    taste = fit_taste(NET, [PreferenceTarget(SAD, "tempo", 60.0)])
    assert music(SAD, taste)["density"][0] > music(SAD)["density"][0]


def test_two_targets_are_both_served() -> None:
    taste = fit_taste(NET, [PreferenceTarget(SAD, "register", 62.0, 3.0), PreferenceTarget(ANGRY, "tempo", 150.0, 3.0)])
    assert music(SAD, taste)["register_center"][0] == pytest.approx(62.0, abs=2.0)
    assert tempo(ANGRY, taste) == pytest.approx(150.0, rel=0.1)


def test_without_targets_a_taste_is_the_base_to_the_bit() -> None:
    base = music(HAPPY)
    taste = fit_taste(NET, [PreferenceTarget(HAPPY, "major", 0.1, 3.0)])
    assert not np.array_equal(music(HAPPY, taste)["mode_weights"], base["mode_weights"])
    without_targets = music(HAPPY, fit_taste(NET, []))
    assert all(np.array_equal(base[name], without_targets[name]) for name in base)
    assert not fit_taste(NET, [PreferenceTarget(HAPPY, "tempo", 200.0, 0.0)]).any()


def test_the_same_targets_give_the_same_taste() -> None:
    targets = [PreferenceTarget(SAD, "density", 0.4), PreferenceTarget(HAPPY, "level", 0.8)]
    assert np.array_equal(fit_taste(NET, targets), fit_taste(NET, targets))


@st.composite
def preferences(draw: st.DrawFn) -> PreferenceTarget:
    name = draw(st.sampled_from(sorted(ERRORS)))
    state = create_state(
        draw(st.floats(-1, 1)), draw(st.floats(-1, 1)), draw(st.floats(-1, 1)), draw(st.sampled_from([*EMOTIONS, None]))
    )
    return PreferenceTarget(state, name, draw(st.floats(*RANGES[name])), draw(st.floats(0.0, MAX_WEIGHT)))


@settings(max_examples=20, deadline=None)
@given(st.lists(preferences(), max_size=4), st.one_of(st.none(), st.integers(0, 1000)))
def test_any_targets_give_a_bounded_taste(some: list[PreferenceTarget], seed: int | None) -> None:
    """Any targets, on the shipped net and on a random one, give a bounded taste that is no worse."""
    net = NET if seed is None else convert_mapper_to_numpy(random_net(seed))
    embedding = fit_taste(net, some)
    assert bool(np.isfinite(embedding).all())
    assert is_bounded(embedding)
    for state in (SAD, HAPPY, ANGRY, *(target.state for target in some)):
        assert_playable({name: torch.from_numpy(value).float() for name, value in music(state, embedding, net).items()})


def test_a_target_is_about_a_parameter_within_its_range() -> None:
    for parameter, value, weight in (("colour", 1.0, 1.0), ("tempo", math.nan, 1.0), ("tempo", 90.0, -1.0)):
        with pytest.raises(ConfigError) as error:
            PreferenceTarget(SAD, parameter, value, weight)
        assert "\n" not in str(error.value)


# ---------------------------------------------------------------- derivatives


@settings(max_examples=40, deadline=None)
@given(st.lists(preferences(), min_size=1, max_size=8), st.integers(0, 10**6), st.booleans())
def test_what_a_taste_moves_is_derived_as_torch_derives_it(
    some: list[PreferenceTarget], seed: int, is_shipped: bool
) -> None:
    """Values agree with torch within 1e-4, and derivatives within 1e-3.

    Values within 1e-4 and derivatives within 1e-3 (torch computes in single precision) of the autograd through the
    mapper that is trained; Gauss-Newton is built of nothing else.
    """
    torch_net = load_net(find_resources("models") / "mapper.safetensors") if is_shipped else random_net(seed, 0.3)
    net = convert_mapper_to_numpy(torch_net)
    taste = np.random.default_rng(seed).normal(0.0, 1.0, 64)
    states, names = [one.state for one in some], [one.parameter for one in some]
    values, slopes = _Rows(net, states, names).evaluate_with_slopes(taste)
    reference, derived = differentiate_with_torch(torch_net, states, names, taste)
    np.testing.assert_allclose(values, reference, atol=1e-4, rtol=1e-4)
    np.testing.assert_allclose(slopes, derived, atol=1e-3, rtol=1e-3)


def differentiate_with_torch(
    net: DynamicEmotionToMusicMapper, states: Sequence[EmotionState], names: Sequence[str], taste: Floats
) -> tuple[Floats, Floats]:
    vad = torch.tensor([(state.valence, state.arousal, state.dominance) for state in states])
    each = torch.tensor(taste, dtype=torch.float32).expand(len(states), -1).clone().requires_grad_(True)
    music = net.play(torch.tensor([state.probabilities for state in states]), vad, each)
    read = {
        "tempo": music["tempo_suggested"].clamp(min=1e-3).log2(),
        "register": music["register_center"],
        "level": (music["dynamics_floor"] + music["dynamics_ceiling"]) / 2.0,
        "variation": music["dynamics_variance"],
        "density": music["density"].clamp(min=1e-3).log2(),
        "major": compute_major_share(music["mode_weights"]),
        **dict(zip(RHYTHMS, music["rhythm_weights"].unbind(-1), strict=True)),
        **dict(zip(("behind", "on", "ahead"), music["timing_weights"].unbind(-1), strict=True)),
    }
    values = torch.stack([read[name][row] for row, name in enumerate(names)])
    (slopes,) = torch.autograd.grad(values.sum(), each)
    return values.detach().numpy(), slopes.numpy()
