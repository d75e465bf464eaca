"""A culture's answer can always be played, and none changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kelly_live.core.checkpoint import Checkpoint
from kelly_live.core.errors import ConfigError, ModelError
from kelly_live.emotion.nets.checkpoint import save_checkpoint
from kelly_live.lab.nets.culture import KIND, NONE, CulturalContextAdapter, CultureOutput, load_culture_adapter


def make_adapter(seed: int = 0, size: float = 1.0) -> CulturalContextAdapter:
    torch.manual_seed(seed)
    net = CulturalContextAdapter(["one", "two"], ["here"], ["xx", "yy"])
    with torch.no_grad():
        for name, weight in net.named_parameters():
            weight.normal_(0.0, size)
            if name in ("culture.weight", "region.weight", "language.weight"):
                weight[NONE] = 0.0
        net.known[1:] = 1.0
    return net.eval()


def create_emotions(count: int, seed: int = 0) -> torch.Tensor:
    return torch.softmax(2.0 * torch.randn(count, 8, generator=torch.Generator().manual_seed(seed)), dim=1)


def assert_playable(out: CultureOutput) -> None:
    lowest, usual, highest = out.tempo_range.unbind(dim=1)
    assert bool((lowest >= 20).all() and (lowest <= usual).all() and (usual <= highest).all())
    assert bool((highest <= 300.0).all())
    soft, normal, loud = out.dynamics.unbind(dim=1)
    assert bool((soft >= 0).all() and (soft <= normal).all() and (normal <= loud).all() and (loud <= 1).all())
    for shares in (out.adapted_emotion, out.mode_preferences, out.rhythm_patterns):
        torch.testing.assert_close(shares.sum(dim=1), torch.ones(len(shares)), atol=1e-4, rtol=0.0)
        assert bool((shares >= 0).all())


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**16), st.sampled_from([0.1, 1.0, 10.0]), st.integers(0, 2), st.integers(0, 1), st.integers(0, 2)
)
def test_whatever_the_weights_the_answer_can_be_played(
    seed: int, size: float, culture: int, region: int, language: int
) -> None:
    ids = [torch.tensor([i, 0]) for i in (culture, region, language)]
    with torch.no_grad():
        assert_playable(make_adapter(seed, size)(create_emotions(2, seed), *ids))


@torch.no_grad()
def test_none_is_an_id_of_its_own_and_changes_nothing() -> None:
    net, emotion = make_adapter(), create_emotions(3)
    for none in (net(emotion), net(emotion, *[torch.zeros(3, dtype=torch.long)] * 3)):
        torch.testing.assert_close(none.adapted_emotion, emotion, atol=0.0, rtol=0.0)
        assert bool((none.known == 0).all())
    first = net(emotion, torch.tensor([1, 1, 1]))
    assert (first.adapted_emotion - emotion).abs().max() > 0.01  # the first culture is not "none"
    assert bool((first.known == 1).all())


@torch.no_grad()
def test_each_id_is_heard() -> None:
    net, emotion, one = make_adapter(), create_emotions(1), torch.tensor([1])
    answers = [net(emotion, one), net(emotion, one + 1), net(emotion, one, one), net(emotion, one, one, one)]
    features = torch.cat([answer.cultural_features for answer in answers])
    assert features.shape == (4, 256)
    assert torch.cdist(features, features).fill_diagonal_(1.0).min() > 1e-3


def test_names_become_ids() -> None:
    net = make_adapter()
    assert (net.find_culture_id(None), net.find_culture_id("one"), net.find_culture_id("two")) == (0, 1, 2)
    with pytest.raises(ConfigError, match="has not learned 'three'; it knows one, two"):
        net.find_culture_id("three")


def test_a_checkpoint_brings_the_names_back(tmp_path: Path) -> None:
    net, path = make_adapter(), tmp_path / "culture.safetensors"
    save_checkpoint(path, Checkpoint(KIND, net.config, {}, net.state_dict()))
    again = load_culture_adapter(path)
    assert again.cultures == ("one", "two")
    with torch.no_grad():
        for a, b in zip(
            again(create_emotions(1), torch.tensor([2])), net(create_emotions(1), torch.tensor([2])), strict=True
        ):
            torch.testing.assert_close(a, b)
    save_checkpoint(path, Checkpoint(KIND, {"colour": 1}, {}, net.state_dict()))
    with pytest.raises(ModelError, match="config that does not fit"):
        load_culture_adapter(path)
