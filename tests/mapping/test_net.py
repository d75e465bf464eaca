"""The numpy mapper plays what the torch one was trained to play: within 1e-5 in any state."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from kelly_live.core.arrays import Floats
from kelly_live.core.errors import ModelError
from kelly_live.core.resources import find_resources
from kelly_live.lab.nets.culture import load_culture_adapter
from kelly_live.lab.nets.mapper import DynamicEmotionToMusicMapper, convert_mapper_to_numpy, load_net
from kelly_live.lab.nets.system import load_part_cards, load_system, save_system
from kelly_live.mapping.culture import CultureStage, load_culture_net
from kelly_live.mapping.net import MapperNet, Music, load_mapper_net
from tests.lab.nets.test_mapper import random_net

MODELS = find_resources("models")
TRAINED, NET = load_net(MODELS / "mapper.safetensors"), load_mapper_net(MODELS)
ADAPTER, CULTURES = load_culture_adapter(MODELS / "culture.safetensors"), load_culture_net(MODELS)
STATES = 200


def draw_states(seed: int) -> tuple[Floats, Floats, Floats]:
    """Draw probabilities from certain to torn, places in all of the space, and tastes up to twice usual."""
    rng = np.random.default_rng(seed)
    concentration = 10.0 ** rng.uniform(-1.5, 1.0)
    return (
        rng.dirichlet(np.full(8, concentration), STATES),
        rng.uniform(-1.0, 1.0, (STATES, 3)),
        rng.normal(0.0, rng.uniform(0.0, 2.0), (STATES, 64)),
    )


def to_torch(*arrays: Floats) -> list[torch.Tensor]:
    return [torch.from_numpy(array).float() for array in arrays]


def assert_same(music: Music, reference: dict[str, torch.Tensor]) -> None:
    """Within 1e-5: of the value where it is over 1 (BPM, notes), else of the unit."""
    assert music.keys() == reference.keys()
    for name, value in reference.items():
        np.testing.assert_allclose(music[name], value.numpy(), rtol=1e-5, atol=1e-5, err_msg=name)


def play_both(
    net: MapperNet, torch_net: DynamicEmotionToMusicMapper, seed: int, *, with_taste: bool
) -> tuple[Music, dict[str, torch.Tensor]]:
    probabilities, vad, tastes = draw_states(seed)
    embeddings = tastes if with_taste else None
    music = net.play(net.base(probabilities, vad), embeddings)
    with torch.inference_mode():
        p, place, each = to_torch(probabilities, vad, tastes)
        return music, torch_net.play(p, place, each if with_taste else None)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.booleans())
def test_the_shipped_mapper_plays_the_same(seed: int, with_taste: bool) -> None:
    assert_same(*play_both(NET, TRAINED, seed, with_taste=with_taste))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.booleans())
def test_any_mapper_plays_the_same(seed: int, with_taste: bool) -> None:
    """Weights of no sense stay within bounds in double precision as in single."""
    torch_net = random_net(seed, size=0.3)
    assert_same(*play_both(convert_mapper_to_numpy(torch_net), torch_net, seed, with_taste=with_taste))


@pytest.mark.parametrize("culture", CULTURES.cultures)
def test_every_culture_plays_the_same(culture: str) -> None:
    for seed, strength in ((1, 1.0), (2, 0.6), (3, 0.0)):
        probabilities, vad, tastes = draw_states(seed)
        stage = CultureStage.from_net(CULTURES, culture, strength)
        emotions, numbers = stage(probabilities)
        music = stage.apply(NET, NET.play(NET.base(emotions, vad), tastes), numbers)
        with torch.inference_mode():
            p, place, each = to_torch(probabilities, vad, tastes)
            out = ADAPTER(p, torch.full((STATES,), ADAPTER.find_culture_id(culture)))
            perceived = torch.lerp(p, out.adapted_emotion, strength)
            reference = TRAINED.color(TRAINED.play(perceived, place, each), p, place, out.as_music(), strength)
        np.testing.assert_allclose(emotions, perceived.numpy(), atol=1e-5)
        assert_same(music, reference)


def test_a_whole_system_s_file_plays_as_the_folder_does(tmp_path: Path) -> None:
    path = tmp_path / "system.safetensors"
    save_system(path, load_system(MODELS), load_part_cards(MODELS))
    assert load_mapper_net(path).fingerprint == NET.fingerprint
    assert load_culture_net(path).cultures == CULTURES.cultures


def test_a_fingerprint_tells_mappers_apart_and_not_whom_they_remember() -> None:
    other = load_net(MODELS / "mapper.safetensors")
    other.remember(1, torch.ones(64))
    assert convert_mapper_to_numpy(other).fingerprint == NET.fingerprint
    with torch.no_grad():
        other.linear.bias[0] += 1e-3
    assert convert_mapper_to_numpy(other).fingerprint != NET.fingerprint


@pytest.mark.parametrize(
    "config",
    [
        '{"emotion_dim": 8, "hidden_dim": 65, "num_modes": 7, "num_users": 16}',
        '{"emotion_dim": 8, "hidden_dim": -1, "num_modes": 7, "num_users": 16}',
        '{"emotion_dim": 8, "hidden_dim": "many", "num_modes": 7, "num_users": 16}',
        '{"emotion_dim": 8, "hidden_dim": 1000000000000, "num_modes": 7, "num_users": 16}',
        '{"hidden_dim": 64}',
        "{}",
    ],
)
def test_a_config_that_does_not_fit_the_weights_is_refused_in_one_line(tmp_path: Path, config: str) -> None:
    weights = {name: weight.numpy() for name, weight in TRAINED.state_dict().items()}
    metadata = {"format": "kelly-live/1", "kind": "mapper", "config": config, "card": "{}"}
    save_file(weights, tmp_path / "mapper.safetensors", metadata)
    with pytest.raises(ModelError, match="does not fit this version of the mapper") as caught:
        load_mapper_net(tmp_path)
    assert "\n" not in str(caught.value)


def test_composing_needs_no_torch(tmp_path: Path) -> None:
    """The whole offline path, culture and profile stage included, in a process that never imports it."""
    midi = tmp_path / "piece.mid"
    code = (
        "import sys\n"
        "from kelly_live.cli import main\n"
        "try:\n"
        f"    main(['compose', '--emotion', 'sad', '--culture', 'klezmer', '--bars', '2', '--midi', {str(midi)!r}])\n"
        "except SystemExit as ended:\n"
        "    assert not ended.code, ended.code\n"
        "sys.exit(3 if 'torch' in sys.modules else 0)\n"
    )
    result = subprocess.run([sys.executable, "-c", code], check=False, timeout=120, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert midi.stat().st_size > 100
