"""The emotion net's shapes and ranges, and that the stream and the batch give the same answer."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kelly_live.core.errors import ConfigError
from kelly_live.core.resources import find_resources
from kelly_live.core.values import EMOTIONS
from kelly_live.emotion.features import FeatureStream, log_mels
from kelly_live.emotion.nets.device import choose_device
from kelly_live.emotion.nets.emotion import EmotionOutput, MultiScaleEmotionNet
from kelly_live.emotion.nets.emotion_stream import EmotionStream
from kelly_live.emotion.nets.members import WIDTHS
from kelly_live.emotion.nets.scales import HOP_SAMPLES, SCALES
from kelly_live.emotion.nets.voice import VOICE_STATISTICS, VoiceStatistics


def make_net(seed: int = 0, adaptation_seconds: float = 0.0) -> MultiScaleEmotionNet:
    """Random weights, large enough that a wrong frame changes the answer."""
    torch.manual_seed(seed)
    net = MultiScaleEmotionNet(hidden_dim=16, views=(("speech",), tuple(WIDTHS)), adaptation_seconds=adaptation_seconds)
    for name, parameter in net.named_parameters():
        if ".head." in name or ".skip." in name:
            torch.nn.init.normal_(parameter, std=0.5)
    return net.eval()


def sound(seconds: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * 16_000)) / 16_000
    tone = np.sin(2 * np.pi * (200 + 80 * np.sin(2 * np.pi * 0.7 * t)) * t)
    return (0.3 * tone * (np.sin(2 * np.pi * 1.3 * t) > -0.3) + 0.02 * rng.standard_normal(len(t))).astype(np.float32)


def window_ending(samples: np.ndarray, stop: int) -> dict[str, torch.Tensor]:
    """The batch net's input for the window that ends at sample `stop`, silence before the first sample."""
    mels = log_mels(samples[:stop])
    padded_mels = {s.name: torch.nn.functional.pad(mels[s.name], (s.frames, 0))[:, -s.frames :] for s in SCALES}
    return {name: mel.unsqueeze(0) for name, mel in padded_mels.items()}


def windows(count: int) -> dict[str, torch.Tensor]:
    parts = [window_ending(sound(3.5, seed=i), 16_000 * 3) for i in range(count)]
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


@torch.inference_mode()
def test_shapes_and_ranges() -> None:
    out = make_net()(windows(3))
    assert out.emotion_logits.shape == (3, len(EMOTIONS))
    for axis in (out.valence, out.arousal, out.dominance):
        assert axis.shape == (3,)
        assert (axis.abs() <= 1).all()
    for chance in (out.confidence, out.presence):
        assert ((chance >= 0) & (chance <= 1)).all()


@torch.inference_mode()
def test_permuting_the_batch_permutes_the_answer() -> None:
    net, batch, order = make_net(), windows(3), torch.tensor([2, 0, 1])
    straight, permuted = net(batch), net({name: mel[order] for name, mel in batch.items()})
    for a, b in zip(straight, permuted, strict=True):
        torch.testing.assert_close(a[order], b, atol=1e-5, rtol=1e-4)


@torch.inference_mode()
def test_the_stream_gives_the_batch_s_answer_at_every_hop() -> None:
    net, samples = make_net(), sound(5.0)
    features, stream = FeatureStream(), EmotionStream(net)
    silent = stream.read()
    answers: list[EmotionOutput] = []
    for hop in range(20):
        stop = (hop + 1) * HOP_SAMPLES
        stream.push(features.push(samples[stop - HOP_SAMPLES : stop]).mels)
        answers.append(stream.read())
        for live, batch in zip(answers[-1], net(window_ending(samples, stop)), strict=True):
            torch.testing.assert_close(live, batch, atol=1e-4, rtol=0.0)
    assert (answers[-1].emotion_logits - silent.emotion_logits).abs().max() > 0.01
    assert (answers[-1].emotion_logits - answers[8].emotion_logits).abs().max() > 1e-3


@torch.inference_mode()
def test_the_stream_does_not_depend_on_block_sizes() -> None:
    net, samples = make_net(), sound(4.0)
    answers = []
    for sizes in ([64_000], [1] * 50 + [255] * 100 + [64_000], [7000] * 10):
        features, stream, position = FeatureStream(), EmotionStream(net), 0
        for size in sizes:
            stream.push(features.push(samples[position : position + size]).mels)
            if size == 7000:
                stream.read()  # reading in between changes nothing
            position += size
        answers.append(stream.read().emotion_logits)
    for other in answers[1:]:
        torch.testing.assert_close(other, answers[0], atol=1e-4, rtol=0.0)


@torch.inference_mode()
def test_reset_forgets() -> None:
    net = make_net()
    stream = EmotionStream(net)
    fresh = stream.read().emotion_logits
    stream.push(log_mels(sound(2.0)))
    stream.reset()
    torch.testing.assert_close(stream.read().emotion_logits, fresh)


@torch.inference_mode()
@pytest.mark.parametrize("hertz", [110.0, 220.0, 440.0])
def test_pitch_is_estimated_in_octaves(hertz: float) -> None:
    t = np.arange(48_000) / 16_000
    buzz = sum(np.sin(2 * np.pi * hertz * k * t) / k for k in range(1, 9))
    mel = window_ending((0.1 * buzz).astype(np.float32), 48_000)["mel_2048"]
    pitch, _ = VoiceStatistics().estimate_pitch(mel)
    assert pitch[0, 50] == pytest.approx(np.log2(hertz / 62.5), abs=0.25)


@torch.inference_mode()
def test_voice_statistics_are_finite_even_in_silence() -> None:
    statistics = VoiceStatistics()(torch.zeros(2, 64, 94), torch.zeros(2, 144, 94))
    assert statistics.shape == (2, VOICE_STATISTICS)
    assert torch.isfinite(statistics).all()


def test_the_trunk_does_not_learn() -> None:
    net = make_net().train()
    assert not any(p.requires_grad for p in net.trunk.parameters())
    assert not net.trunk.training


@torch.inference_mode()
def test_the_answer_is_the_weighted_mean_of_the_members() -> None:
    net = make_net()
    description = net.describe(windows(2))
    _, raw = net.members(net.standardise(description))
    assert raw.shape[:2] == (2, 2)
    assert (raw[0] - raw[1]).abs().max() > 0.1  # they differ
    torch.testing.assert_close(
        net.predict(description), net.decode((raw[0] + raw[1]) / 2)
    )  # initially all weights are equal
    net.mix[:, 0], net.mix[:, 1] = 0.25, 0.75
    torch.testing.assert_close(
        net.predict(description), net.decode(0.25 * raw[0] + 0.75 * raw[1]), atol=1e-5, rtol=1e-4
    )


@torch.inference_mode()
def test_voices_and_music_weigh_the_members_differently() -> None:
    net = make_net()
    raw = torch.randn(2, 1, sum(net.output_widths))
    net.mix[0, :, :], net.mix[1, :, :] = torch.tensor([[1.0], [0.0]]), torch.tensor([[0.0], [1.0]])
    music = len(EMOTIONS) + 4
    for chance, member in ((-60.0, 0), (60.0, 1)):
        raw[..., music] = chance
        torch.testing.assert_close(net.mix_members(raw, net.mix), raw[member], atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_temperature_is_that_of_the_kind_of_sound() -> None:
    net = make_net()
    raw = torch.randn(2, sum(net.output_widths))
    music = len(EMOTIONS) + 4
    raw[1] = raw[0]
    raw[0, music], raw[1, music] = -40.0, 40.0  # surely a voice; surely music
    net.temperature[0], net.temperature[1] = 2.0, 0.5
    voice, song = net.decode(raw).emotion_logits
    torch.testing.assert_close(song, 4.0 * voice)


def test_the_shipped_checkpoint_is_small() -> None:
    assert (find_resources("models") / "emotion.safetensors").stat().st_size < 20e6


def test_a_missing_device_is_an_error_of_one_line() -> None:
    assert choose_device("cpu").type == "cpu"
    assert choose_device("auto").type in ("cpu", "cuda", "mps")
    with pytest.raises(ConfigError, match="must be one of auto"):
        choose_device("abacus")
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match="use --device auto or cpu"):
            choose_device("cuda")
