"""Whatever goes in and however (un)trained the net: what comes out can be played."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from kelly_live.core.checkpoint import Checkpoint
from kelly_live.core.emotion_space import create_state
from kelly_live.core.errors import ConfigError, ModelError
from kelly_live.core.values import EMOTIONS
from kelly_live.emotion.nets.checkpoint import save_checkpoint
from kelly_live.lab.nets.mapper import KIND, DynamicEmotionToMusicMapper, ParameterDistribution, load_net
from kelly_live.lab.nets.taste_space import create_taste_radii, split_taste
from kelly_live.mapping.net import SCALARS, USER_DIM

finite = st.floats(allow_nan=False, allow_infinity=False, width=32)


def random_net(seed: int, size: float = 1.0) -> DynamicEmotionToMusicMapper:
    torch.manual_seed(seed)
    net = DynamicEmotionToMusicMapper(hidden_dim=8, num_users=3)
    with torch.no_grad():
        for weight in net.parameters():
            weight.normal_(0.0, size)
        net.user.weight[0].zero_()
        net.set_basis(torch.randn_like(net.basis))
        net.set_commitment(torch.randn_like(net.centre), 3 * torch.rand(len(SCALARS)), 3 * torch.rand(3))
    return net.eval()


def assert_playable(music: dict[str, Tensor]) -> None:
    """Every documented range and order of models.md."""
    eps = 1e-3
    assert all(bool(torch.isfinite(value).all()) for value in music.values())

    def within(name: str, low: float | Tensor, high: float | Tensor) -> None:
        assert bool((music[name] >= low - eps).all()), (name, music[name])
        assert bool((music[name] <= high + eps).all()), (name, music[name])

    within("tempo_min", 40, 160)
    within("tempo_max", music["tempo_min"], music["tempo_min"] + 60)
    within("register_low", 24, 72)
    within("register_high", music["register_low"], music["register_low"] + 48)
    within("dynamics_floor", 0, 1)
    within("dynamics_ceiling", music["dynamics_floor"], 1)
    within("dynamics_variance", 0, 1)
    within("density", 0, 3)
    for middle, low, high in (
        ("tempo_suggested", "tempo_min", "tempo_max"),
        ("register_center", "register_low", "register_high"),
    ):
        assert bool((music[low] <= music[middle]).all())  # to the bit: domain.py allows no slack here
        assert bool((music[middle] <= music[high]).all())
    for name, size in (("mode_weights", 7), ("timing_weights", 3), ("rhythm_weights", 5)):
        assert music[name].shape[-1] == size
        assert bool((music[name] >= 0).all())
        assert torch.allclose(music[name].sum(-1), torch.ones(()), atol=1e-3)


@settings(max_examples=150, deadline=None)
@given(st.lists(finite, min_size=11, max_size=11), st.integers(0, 10_000), st.sampled_from([0.01, 1.0, 30.0]))
def test_any_finite_input_and_any_weights_give_playable_music(numbers: list[float], seed: int, size: float) -> None:
    inputs = torch.tensor([numbers])
    assert_playable(random_net(seed, size)(inputs[:, :8], inputs[:, 8:]))


def random_culture(rows: int) -> dict[str, Tensor]:
    return {
        "tempo_range": torch.rand(rows, 3).sort(-1).values * 300,
        "mode_preferences": torch.rand(rows, 7).softmax(-1),
        "rhythm_patterns": torch.rand(rows, 5).softmax(-1),
        "dynamics": torch.rand(rows, 3).sort(-1).values,
    }


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.0, 1.0))
def test_a_culture_of_any_strength_keeps_music_playable(seed: int, strength: float) -> None:
    torch.manual_seed(seed)
    culture = random_culture(4)
    p, vad = torch.rand(4, 8), torch.rand(4, 3) * 2 - 1
    net = random_net(seed)
    music = net(p, vad, culture=culture, culture_strength=strength)
    assert_playable(music)
    plain = net(p, vad)
    assert all(torch.equal(plain[k], v) for k, v in net(p, vad, culture=culture, culture_strength=0.0).items())
    if strength > 0.2:
        assert not torch.allclose(plain["mode_weights"], music["mode_weights"])


FIELDS = {
    "tempo": ("tempo_min", "tempo_suggested", "tempo_max"),
    "modes": ("mode_weights",),
    "dynamics": ("dynamics_floor", "dynamics_ceiling"),
    "rhythms": ("rhythm_weights",),
}


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.0, 1.0), st.lists(st.booleans(), min_size=8, max_size=8))
def test_what_is_not_known_of_a_culture_keeps_the_emotions_value_to_the_bit(
    seed: int, strength: float, is_known: list[bool]
) -> None:
    torch.manual_seed(seed)
    culture = random_culture(2) | {"known": torch.tensor(is_known, dtype=torch.float32).reshape(2, 4)}
    p, vad = torch.rand(2, 8), torch.rand(2, 3) * 2 - 1
    net = random_net(seed)
    plain, music = net(p, vad), net(p, vad, culture=culture, culture_strength=strength)
    assert_playable(music)
    for column, names in enumerate(FIELDS.values()):
        for row in range(2):
            if strength == 0.0 or not is_known[4 * row + column]:
                assert all(torch.equal(plain[name][row], music[name][row]) for name in names)
    everything = culture | {"known": torch.ones(2, 4)}
    full_culture, unsaid = (
        net(p, vad, culture=c, culture_strength=strength) for c in (everything, drop_known(culture))
    )
    assert all(torch.equal(full_culture[name], unsaid[name]) for name in full_culture)


def drop_known(culture: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value for name, value in culture.items() if name != "known"}


def test_half_known_colours_half_as_much() -> None:
    net, p, vad = random_net(5, 0.3), torch.full((1, 8), 1 / 8), torch.zeros(1, 3)
    slow = {"tempo_range": torch.tensor([[45.0, 50.0, 55.0]])}
    tempo = [
        float(
            net(p, vad, culture=slow | {"known": torch.tensor([[share, 0.0, 0.0, 0.0]])})["tempo_suggested"]
            .log2()
            .detach()
        )
        for share in (0.0, 0.5, 1.0)
    ]
    assert tempo[1] == pytest.approx((tempo[0] + tempo[2]) / 2, abs=1e-3)
    assert tempo[2] < tempo[0]


def test_in_a_tradition_a_feeling_changes_as_much_as_anywhere() -> None:
    net = random_net(5, 0.1)
    p, vad = torch.eye(8), torch.zeros(8, 3)
    fast = {"tempo_range": torch.tensor([[115.0, 125.0, 130.0]]), "dynamics": torch.tensor([[0.3, 0.4, 0.5]])}
    shy = {"mode_preferences": torch.tensor([[0.4, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]])}
    plain, in_culture = net(p, vad), net(p, vad, culture=fast | shy)
    assert torch.unique(plain["tempo_suggested"]).numel() == 8

    def changes(music: dict[str, Tensor], name: str) -> Tensor:
        """From the first emotion to each other: as a ratio, or as a difference of loudness."""
        values = music[name] if name.startswith("dynamics") else music[name].log()
        return (values - values[:1]).detach()

    for name in ("tempo_suggested", "dynamics_floor"):
        torch.testing.assert_close(changes(in_culture, name), changes(plain, name), atol=1e-4, rtol=1e-3)
        assert not torch.allclose(in_culture[name], plain[name], rtol=0.01)
    odds = [changes(music, "mode_weights") for music in (plain, in_culture)]
    against_first = [one - one[:, :1] for one in odds]  # of each mode against ionian
    torch.testing.assert_close(against_first[1], against_first[0], atol=1e-3, rtol=1e-3)
    assert (in_culture["mode_weights"][:, 0] > plain["mode_weights"][:, 0]).all()


def test_a_player_at_rest_goes_half_way_to_the_tradition() -> None:
    net, rest = random_net(3, 0.1), torch.eye(8)[[EMOTIONS.index("neutral")]]
    fast = {"tempo_range": torch.tensor([[150.0, 150.0, 150.0]])}
    plain, in_culture = net(rest, torch.zeros(1, 3)), net(rest, torch.zeros(1, 3), culture=fast)
    torch.testing.assert_close(
        in_culture["tempo_suggested"].square(), 150.0 * plain["tempo_suggested"], rtol=1e-3, atol=0
    )


def test_no_user_and_an_unknown_user_are_the_base_mapping_and_a_known_one_is_not() -> None:
    net = random_net(1)
    p, vad = torch.full((5, 8), 1 / 8), torch.zeros(5, 3)
    users = torch.tensor([0, 99, -4, 1, 2])
    base, personal = net(p, vad)["mode_weights"], net(p, vad, user=users)["mode_weights"]
    assert torch.equal(base[:3], personal[:3])
    assert not torch.allclose(base[3], personal[3])
    assert not torch.allclose(personal[3], personal[4])


def test_a_new_net_starts_every_user_at_the_base_mapping() -> None:
    net = DynamicEmotionToMusicMapper()
    p, vad = torch.full((1, 8), 1 / 8), torch.zeros(1, 3)
    assert torch.equal(net(p, vad)["density"], net(p, vad, user=torch.tensor([3]))["density"])


def test_a_sinh_arcsinh_density_integrates_to_one_and_its_quantiles_agree_with_it() -> None:
    spread = ParameterDistribution(
        torch.tensor([[0.3]]), torch.tensor([[-0.4]]), torch.tensor([0.5]), torch.tensor([-0.2]), {}
    )
    x = torch.linspace(-60, 60, 400_001, dtype=torch.float64)[:, None]
    density = spread.log_density(x).exp()[:, 0]
    below = torch.cumsum(density, 0) * (x[1, 0] - x[0, 0])
    assert float(below[-1]) == pytest.approx(1.0, abs=2e-3)
    for q in (0.05, 0.2, 0.5, 0.8, 0.95):
        index = int(torch.searchsorted(below, torch.tensor(q, dtype=torch.float64)))
        assert float(x[index, 0]) == pytest.approx(float(spread.quantile(q)), abs=0.01)


def test_commitment_stretches_from_the_centre_and_leaves_the_learned_distribution_alone() -> None:
    net = random_net(2)
    p, vad = torch.rand(6, 8), torch.rand(6, 3)
    location = net.predict_distribution(p, vad).location
    raw = net.compute_raw(p, vad)
    net.set_commitment(raw.mean(0), torch.full((len(SCALARS),), 2.0), torch.ones(3))
    assert torch.equal(net.predict_distribution(p, vad).location, location)
    stretched = net.unpack(net.apply_commitment(raw)).location
    assert torch.allclose(stretched.std(0), 2.0 * location.std(0), rtol=1e-4)
    assert torch.allclose(stretched.mean(0), location.mean(0), atol=1e-4)


def test_rows_of_a_batch_do_not_look_at_each_other() -> None:
    net = random_net(3)
    p, vad = torch.rand(4, 8), torch.rand(4, 3)
    together = net(p, vad)
    for row in range(4):
        alone = net(p[row : row + 1], vad[row : row + 1])
        assert all(torch.allclose(alone[name][0], together[name][row], atol=1e-4) for name in alone)


def test_a_checkpoint_of_another_shape_is_refused_in_one_line(tmp_path: Path) -> None:
    net = random_net(4)
    path = tmp_path / "m.safetensors"
    save_checkpoint(path, Checkpoint(KIND, net.config, {}, dict(net.state_dict())))
    p, vad = torch.rand(1, 8), torch.rand(1, 3)
    assert torch.equal(load_net(path)(p, vad)["density"], net(p, vad)["density"])
    for config in (net.config | {"hidden_dim": 9}, net.config | {"colour": 1}):
        save_checkpoint(path, Checkpoint(KIND, config, {}, dict(net.state_dict())))
        with pytest.raises(ModelError) as error:
            load_net(path)
        assert "\n" not in str(error.value)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([0.0, 1.0, 100.0, math.inf, math.nan]))
def test_whatever_is_remembered_of_a_user_stays_playable(seed: int, size: float) -> None:
    net = random_net(seed)
    net.remember(1, torch.randn(USER_DIM) * size)
    embedding = net.user.weight[1]
    assert bool((split_taste(embedding).norm(dim=-1) <= create_taste_radii(embedding) + 1e-4).all())
    assert_playable(play_for_user(net, 1))


def test_one_user_s_taste_is_nobody_else_s_and_strangers_cannot_have_one() -> None:
    net = random_net(1)
    base = play_for_user(net, 0)["mode_weights"]
    net.remember(1, torch.ones(USER_DIM))
    assert not torch.equal(play_for_user(net, 1)["mode_weights"], base)
    assert torch.equal(play_for_user(net, 0)["mode_weights"], base)
    net.user.weight[2] = 0.0
    assert torch.equal(play_for_user(net, 2)["mode_weights"], base)
    for user in (0, -1, 99):
        with pytest.raises(ConfigError, match="is not in 1"):
            net.remember(user, torch.ones(USER_DIM))


@torch.no_grad()
def play_for_user(net: DynamicEmotionToMusicMapper, user: int) -> dict[str, Tensor]:
    sad = create_state(emotion="sad")
    vad = torch.tensor([[sad.valence, sad.arousal, sad.dominance]])
    return net(torch.tensor([sad.probabilities]), vad, torch.tensor([user]))
