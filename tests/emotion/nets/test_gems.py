"""What music induces is read of music alone, as the mean over the last of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kelly_live.core.errors import ModelError
from kelly_live.core.resources import find_model_set, models_in_use
from kelly_live.core.values import EMOTIONS
from kelly_live.emotion.nets.emotion import EmotionOutput
from kelly_live.emotion.nets.gems import WINDOW_SECONDS, GemsHead, GemsStream
from kelly_live.emotion.nets.members import WIDTHS, Description
from kelly_live.emotion.nets.scales import HOP_SECONDS
from kelly_live.emotion.reader import LiveEmotionReader, load_gems_head
from kelly_live.lab.training.windows import hash_front_end
from tests.emotion.nets.test_emotion import sound
from tests.emotion.test_reader import make_reader, read_all

WINDOW_HOPS = round(WINDOW_SECONDS / HOP_SECONDS)


def make_head() -> GemsHead:
    """Tension is the mean of the tonality, power half of it."""
    head = GemsHead(["power", "tension"], ["tonality"])
    head.weights.copy_(torch.tensor([[0.5, 1.0]]).repeat(WIDTHS["tonality"], 1) / WIDTHS["tonality"])
    return head


def describe(level: float) -> Description:
    return Description(**{name: torch.full((1, width), level) for name, width in WIDTHS.items()})


def answer(music: float, presence: float = 1.0) -> EmotionOutput:
    one = torch.zeros(1)
    rest = dict.fromkeys(EmotionOutput._fields, one)
    return EmotionOutput(**rest | {"music": torch.tensor([music]), "presence": torch.tensor([presence])})


def push_music(stream: GemsStream, level: float, hops: int) -> dict[str, float]:
    return dict([stream.push(describe(level), answer(music=0.9)) for _ in range(hops)][-1])


def test_the_answer_is_the_mean_over_the_music_and_comes_after_three_seconds() -> None:
    stream = GemsStream(make_head())
    assert push_music(stream, 0.9, WINDOW_HOPS - 1) == {}  # with what was before the music in the window
    assert push_music(stream, 0.2, 1) == pytest.approx({"power": 0.1, "tension": 0.2}, abs=1e-4)
    assert push_music(stream, 0.6, 1) == pytest.approx({"power": 0.2, "tension": 0.4}, abs=1e-4)
    stream.reset()
    assert push_music(stream, 0.2, WINDOW_HOPS - 1) == {}


@pytest.mark.parametrize("pause", ["a voice", "a noise", "silence"])
def test_after_a_pause_the_old_mean_holds_until_the_window_is_full_of_music_again(pause: str) -> None:
    stream = GemsStream(make_head())
    before = push_music(stream, 0.2, WINDOW_HOPS)
    if pause == "silence":
        stream.rest()
    else:
        noise = answer(music=0.9, presence=0.2)
        assert dict(stream.push(describe(0.9), answer(music=0.1) if pause == "a voice" else noise)) == before
    assert push_music(stream, 0.9, WINDOW_HOPS - 1) == before
    assert push_music(stream, 0.4, 1)["tension"] == pytest.approx(0.3, abs=1e-4)


def test_a_share_stays_between_0_and_1() -> None:
    assert push_music(GemsStream(make_head()), -3.0, WINDOW_HOPS) == {"power": 0.0, "tension": 0.0}


@pytest.mark.parametrize(("scales", "parts"), [([], ["trunk"]), (["joy"], ["trunk"]), (["power"], ["mel"])])
def test_a_head_of_something_else_is_refused(scales: list[str], parts: list[str]) -> None:
    with pytest.raises(ModelError, match="train it anew"):
        GemsHead(scales, parts)


def test_the_reader_tells_it_while_music_sounds() -> None:
    plain = make_reader()
    with torch.no_grad():
        music = len(EMOTIONS) + 4
        for member in plain.net.members.each:
            member.head.weight[music], member.skip.weight[music], member.head.bias[music] = 0.0, 0.0, 5.0
    reader = LiveEmotionReader(plain.net, plain.temporal, torch.device("cpu"), make_head())
    samples = np.concatenate((sound(WINDOW_SECONDS + 0.5), np.zeros(4000, np.float32)))
    states = read_all(reader, samples)
    assert [bool(state.gems) for state in states] == [False] * (WINDOW_HOPS - 1) + [True] * 3 + [False]
    assert [name for name, _ in states[WINDOW_HOPS].gems] == ["power", "tension"]
    reader.reset()
    assert not read_all(reader, sound(1.0))[-1].gems


@pytest.mark.skipif(
    not (find_model_set("open").parent / "research").is_dir(), reason="the research models are not installed"
)
def test_the_shipped_head_belongs_to_the_encoders_of_its_set() -> None:
    from kelly_live.emotion.reader import load_emotion_net

    folder = find_model_set("research")
    head = load_gems_head(folder)
    assert head is not None
    assert head.scales == ("solemnity", "tenderness", "power", "tension")
    with models_in_use("open"):
        trained_on = load_emotion_net(find_model_set("open") / "emotion.safetensors")
    assert hash_front_end(load_emotion_net(folder / "emotion.safetensors")) == hash_front_end(trained_on)
    assert load_gems_head(find_model_set("open")) is None
