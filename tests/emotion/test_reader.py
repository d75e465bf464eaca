"""The shipped reader: one state a hop, the same for any blocks, neutral in silence."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from kelly_live.core.checkpoint import Checkpoint
from kelly_live.core.errors import AudioError, ModelError
from kelly_live.core.resources import find_resources
from kelly_live.core.values import EMOTIONS, AudioWindow, EmotionState
from kelly_live.emotion.nets.checkpoint import save_checkpoint
from kelly_live.emotion.nets.emotion import MultiScaleEmotionNet
from kelly_live.emotion.nets.scales import HOP_SAMPLES, HOP_SECONDS, SAMPLE_RATE
from kelly_live.emotion.nets.temporal import EmotionTransitionModel
from kelly_live.emotion.reader import HISTORY_STEPS, LiveEmotionReader, load_live_reader
from kelly_live.lab.nets.system import load_system, save_system
from tests.emotion.nets.test_emotion import make_net, sound, window_ending


def make_reader(seed: int = 0, adaptation_seconds: float = 0.0) -> LiveEmotionReader:
    net = make_net(seed, adaptation_seconds)
    with torch.no_grad():
        presence = len(EMOTIONS) + 3
        for member in net.members.each:  # every sound counts as voice or music
            member.head.weight[presence], member.skip.weight[presence], member.head.bias[presence] = 0.0, 0.0, 5.0
            if adaptation_seconds:  # and as a voice, to which alone a net adapts
                member.head.weight[presence + 1], member.skip.weight[presence + 1] = 0.0, 0.0
                member.head.bias[presence + 1] = -5.0
    torch.manual_seed(seed)
    return LiveEmotionReader(net, EmotionTransitionModel(hidden_dim=16, heads=4), torch.device("cpu"))


def read_all(
    reader: LiveEmotionReader, samples: np.ndarray, chunk: int = 4000, start: float = 0.0
) -> list[EmotionState]:
    states: list[EmotionState] = []
    for position in range(0, len(samples), chunk):
        block = samples[position : position + chunk]
        states.extend(reader.push(AudioWindow(block, 16_000, start + (position + len(block)) / 16_000)))
    return states


def test_one_state_every_quarter_second_and_each_says_when() -> None:
    states = read_all(make_reader(), sound(3.1), chunk=1234, start=100.0)
    assert [s.time for s in states] == pytest.approx([100.25 + 0.25 * i for i in range(12)])


def test_the_first_hop_has_low_confidence() -> None:
    states = read_all(make_reader(), sound(4.0))
    assert 0.0 < states[0].confidence < 0.2 * states[-1].confidence


@pytest.mark.parametrize("chunk", [160, 4001, 40_000])
def test_the_same_audio_gives_the_same_states_however_it_arrives(chunk: int) -> None:
    samples = sound(2.5)
    for one, other in zip(read_all(make_reader(), samples), read_all(make_reader(), samples, chunk), strict=True):
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-4)
        assert one.arousal == pytest.approx(other.arousal, abs=1e-4)


def test_deterministic_and_reset_forgets() -> None:
    reader, samples = make_reader(), sound(2.0)
    first = read_all(reader, samples)
    reader.reset()
    assert read_all(reader, samples) == first


@torch.inference_mode()
def test_the_states_are_those_of_the_two_nets_in_batch() -> None:
    reader, samples = make_reader(), sound(5.0)
    state = read_all(reader, samples)[-1]
    outs = [reader.net(window_ending(samples, stop)) for stop in range(4000, len(samples) + 1, 4000)]
    emotions = torch.stack([torch.softmax(o.emotion_logits[0], 0) for o in outs]).unsqueeze(0)
    extra = torch.stack([torch.cat((o.valence, o.arousal, o.dominance, o.confidence, o.presence)) for o in outs])
    times = torch.arange(-len(outs) + 1, 1).unsqueeze(0) * 0.25
    answer = reader.temporal(emotions, times, extra.unsqueeze(0))
    trust = 0.0
    for out in outs:
        rise = float(out.presence[0]) - trust
        trust += rise * -math.expm1(-0.25 / (0.25 if rise >= 0 else 2.0))
    neutral = torch.eye(8)[EMOTIONS.index("neutral")]
    reference = neutral + (answer.evolved_emotions[0, -1] - neutral) * trust
    assert state.probabilities == pytest.approx(reference.tolist(), abs=1e-4)
    assert state.valence == pytest.approx(float(answer.evolved_affect[0, -1, 0]) * trust, abs=1e-4)


def test_every_stage_of_a_hop_can_be_timed() -> None:
    reader, stages = make_reader(), list[str]()

    @contextmanager
    def time_stage(stage: str) -> Iterator[None]:
        stages.append(stage)
        yield

    reader.time_stage = time_stage
    reader.push(AudioWindow(np.full(HOP_SAMPLES, 0.1, np.float32), SAMPLE_RATE, HOP_SECONDS))
    assert stages == ["features", "net", "net", "temporal"]  # the net takes the frames, then answers


def test_silence_relaxes_to_neutral_without_a_jump() -> None:
    reader = make_reader()
    answer = read_all(reader, sound(4.0))[-1]
    quiet = read_all(reader, np.zeros(16_000 * 12, np.float32), start=4.0)
    confidences = [answer.confidence, *(s.confidence for s in quiet)]
    assert all(b <= a for a, b in pairwise(confidences))
    breath, later = quiet[3], quiet[11]
    assert breath.arousal == pytest.approx(answer.arousal)  # a rest of a second belongs to the phrase
    assert later.arousal == pytest.approx(answer.arousal * math.exp(-1.0), rel=0.02)
    assert quiet[-1].probabilities[EMOTIONS.index("neutral")] > 0.99
    assert quiet[-1].confidence < 0.01
    steps = [abs(b.arousal - a.arousal) for a, b in zip([answer, *quiet], quiet, strict=False)]
    assert max(steps) < 0.15 * abs(answer.arousal) + 1e-9


def test_silence_from_the_start_is_neutral_and_unsure() -> None:
    for state in read_all(make_reader(), np.zeros(16_000, np.float32)):
        assert state.emotion == "neutral"
        assert (state.valence, state.arousal, state.dominance, state.confidence) == (0.0, 0.0, 0.0, 0.0)


def test_nan_never_reaches_the_net() -> None:
    reader, samples = make_reader(), sound(2.0)
    samples[5000:9000] = np.nan
    samples[::97] = np.inf
    assert len(read_all(reader, samples)) == 8  # an EmotionState refuses NaN
    assert all(np.isfinite(row).all() for row in reader._history)


def test_history_is_bounded() -> None:
    reader = make_reader()
    read_all(reader, sound(10.0))
    assert len(reader._history) == HISTORY_STEPS


@pytest.mark.parametrize(
    ("samples", "rate"), [(np.zeros((2, 100), np.float32), 16_000), (np.zeros(9, np.float32), 8000)]
)
def test_wrong_audio_is_refused(samples: np.ndarray, rate: int) -> None:
    with pytest.raises(AudioError, match="must be mono at 16000 Hz"):
        make_reader().push(AudioWindow(samples, rate, 0.0))


def test_checkpoints_rebuild_the_reader(tmp_path) -> None:
    net, temporal = (
        MultiScaleEmotionNet(hidden_dim=8, views=(("speech",), ("tonality",))),
        EmotionTransitionModel(hidden_dim=16),
    )
    for kind, part in (("emotion", net), ("temporal", temporal)):
        save_checkpoint(tmp_path / f"{kind}.safetensors", Checkpoint(kind, dict(part.config), {}, part.state_dict()))
    samples = sound(1.0)
    states = read_all(load_live_reader(tmp_path, "cpu"), samples)
    assert states == read_all(LiveEmotionReader(net, temporal, torch.device("cpu")), samples)


def test_a_missing_checkpoint_is_one_line(tmp_path) -> None:
    with pytest.raises(ModelError, match=r"emotion\.safetensors is missing"):
        load_live_reader(tmp_path, "cpu")


def test_one_file_of_all_nets_reads_as_the_folder_does(tmp_path: Path) -> None:
    folder, system_file = find_resources("models"), tmp_path / "kelly.safetensors"
    save_system(system_file, load_system(folder), {})
    sound = (0.1 * np.random.default_rng(2).standard_normal(8 * HOP_SAMPLES)).astype(np.float32)
    readings = [
        load_live_reader(models, "cpu").push(AudioWindow(sound, SAMPLE_RATE, 2.0)) for models in (folder, system_file)
    ]
    for folder_state, file_state in zip(*readings, strict=True):
        assert folder_state.probabilities == pytest.approx(file_state.probabilities, abs=1e-4)
        assert (folder_state.valence, folder_state.confidence) == pytest.approx(
            (file_state.valence, file_state.confidence), abs=1e-4
        )
