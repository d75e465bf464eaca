"""The four nets as one: each stage's answer is the next one's question, and one file holds them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from kelly_live.core.checkpoint import Checkpoint
from kelly_live.core.errors import ModelError
from kelly_live.emotion.nets.checkpoint import save_checkpoint
from kelly_live.emotion.nets.emotion import history_row
from kelly_live.emotion.nets.temporal import EmotionTransitionModel
from kelly_live.lab.nets.mapper import DynamicEmotionToMusicMapper
from kelly_live.lab.nets.system import PARTS, KellySystem, load_system, save_system
from kelly_live.mapping.net import USER_DIM
from tests.emotion.nets.test_emotion import make_net, windows
from tests.lab.nets.test_culture import make_adapter


def make_system() -> KellySystem:
    emotion = make_net()
    torch.manual_seed(5)
    temporal, mapper = EmotionTransitionModel(), DynamicEmotionToMusicMapper(hidden_dim=8, num_users=2)
    with torch.no_grad():
        for weight in (*mapper.linear.parameters(), *mapper.bend.parameters(), *temporal.evolve.parameters()):
            weight.normal_(0.0, 0.3)
        mapper.set_basis(torch.randn_like(mapper.basis))
        for user in (1, 2):
            mapper.remember(user, torch.randn(USER_DIM))
    return KellySystem(emotion, temporal, make_adapter(), mapper).eval()


SYSTEM = make_system()
WINDOWS = windows(2)
ONE = {name: mel[:1] for name, mel in WINDOWS.items()}
TIMES = torch.arange(5).unsqueeze(0) * 0.25


def past(seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    emotions = torch.softmax(3 * torch.randn(1, 4, 8, generator=generator), dim=2)
    return torch.cat((emotions, 2 * torch.rand(1, 4, 3, generator=generator) - 1, torch.ones(1, 4, 2)), dim=2)


def differ(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> float:
    return max(float((a[name] - b[name]).abs().max()) for name in a)


@torch.no_grad()
def test_every_stage_answers() -> None:
    out = SYSTEM(WINDOWS)
    assert out.emotion.emotion_logits.shape == (2, 8)
    assert out.temporal is None
    assert out.music["tempo_suggested"].shape == (2,)
    out = SYSTEM(ONE, past(0), TIMES)
    assert out.temporal is not None
    assert out.temporal.evolved_emotions.shape == (1, 5, 8)
    assert out.temporal.transitions.shape == (1, 4, 8, 8)


@torch.no_grad()
def test_each_stage_feeds_the_next() -> None:
    out = SYSTEM(ONE, past(0), TIMES, culture=torch.tensor([1]), culture_strength=1.0)
    assert out.temporal is not None
    again = SYSTEM.culture(out.temporal.evolved_emotions[:, -1], torch.tensor([1]))
    torch.testing.assert_close(out.culture.adapted_emotion, again.adapted_emotion)
    music = SYSTEM.mapper(again.adapted_emotion, out.temporal.evolved_affect[:, -1], None, again.as_music(), 1.0)
    assert differ(out.music, music) == 0.0


@torch.no_grad()
def test_history_culture_and_user_change_the_music_and_only_where_they_are_on() -> None:
    plain = SYSTEM(ONE).music
    assert differ(SYSTEM(ONE, past(1), TIMES).music, SYSTEM(ONE, past(2), TIMES).music) > 1e-3
    slower = TIMES * 8.0
    assert differ(SYSTEM(ONE, past(1), TIMES).music, SYSTEM(ONE, past(1), slower).music) > 1e-4  # time is used
    first, second = torch.tensor([1]), torch.tensor([2])
    assert differ(SYSTEM(ONE, culture=first).music, SYSTEM(ONE, culture=second).music) > 1e-3
    assert differ(SYSTEM(ONE, culture=first, culture_strength=0.0).music, plain) == 0.0
    assert differ(SYSTEM(ONE, culture=torch.tensor([0])).music, plain) == 0.0
    assert differ(SYSTEM(ONE, user=first).music, SYSTEM(ONE, user=second).music) > 1e-3
    for unknown_user in (torch.tensor([0]), torch.tensor([99])):
        assert differ(SYSTEM(ONE, user=unknown_user).music, plain) == 0.0


def test_a_history_needs_its_times() -> None:
    with pytest.raises(ValueError, match="T \\+ 1 timestamps"):
        SYSTEM(ONE, past(0), TIMES[:, :-1])


def test_one_file_or_four(tmp_path: Path) -> None:
    system_file, folder = tmp_path / "kelly.safetensors", tmp_path / "models"
    save_system(system_file, SYSTEM, {"emotion": {"note": "a card"}})
    for name in PARTS:
        net = getattr(SYSTEM, name)
        save_checkpoint(folder / f"{name}.safetensors", Checkpoint(name, net.config, {}, net.state_dict()))
    with torch.no_grad():
        reference = SYSTEM(ONE, past(0), TIMES, culture=torch.tensor([1])).music
        for path in (system_file, folder):
            system = load_system(path)
            assert system.config == SYSTEM.config
            music = system(ONE, past(0), TIMES, culture=torch.tensor([1])).music
            assert differ(music, reference) < 1e-2  # the speech encoder is stored in half precision
    with pytest.raises(ModelError, match="is a 'emotion' checkpoint, not 'system'"):
        load_system(folder / "emotion.safetensors")


def test_a_reading_is_what_the_history_is_made_of() -> None:
    with torch.no_grad():
        row = history_row(SYSTEM.emotion(ONE))
    assert row.shape == (1, 13)
    torch.testing.assert_close(row[:, :8].sum(dim=1), torch.ones(1))
