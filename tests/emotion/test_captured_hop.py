"""A hop as one function of fixed shapes: it gives the stream's answer, and could be captured.

No GPU is needed: the same function is called on the CPU, as it is where a capture fails.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from kelly_live.core.resources import find_resources
from kelly_live.core.values import AudioWindow, EmotionState
from kelly_live.emotion.captured_hop import HISTORY_STEPS, CapturedHop, HopStep, _Scale, _shift
from kelly_live.emotion.features import FeatureStream, MelStream
from kelly_live.emotion.nets.adaptation import VoiceAdaptation
from kelly_live.emotion.nets.scales import HOP_SAMPLES, HOP_SECONDS, SCALES, MelScale
from kelly_live.emotion.reader import LiveEmotionReader, RawReading, capture_hop, load_live_reader, read_test_noise
from kelly_live.engine.analysis_worker import AnalysisWorker
from tests.emotion.nets.test_emotion import sound

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def reader() -> LiveEmotionReader:
    return load_live_reader(find_resources("models"), "cpu")


@pytest.fixture(scope="module")
def hop(reader: LiveEmotionReader) -> CapturedHop:
    return CapturedHop(reader.net, reader.temporal, CPU)


@pytest.mark.parametrize("scale", SCALES, ids=lambda scale: scale.name)
def test_fixed_shapes_find_the_frames_of_the_stream(scale: MelScale) -> None:
    """For every offset between hop and frames, from the first sample on."""
    stream_samples, window = torch.from_numpy(sound(17.0)), torch.zeros(scale.bands, 40)
    stream, fixed = MelStream(scale, CPU), _Scale(scale, CPU)
    streamed, samples = torch.zeros(scale.bands, 40), torch.zeros(fixed.samples)
    for index, new in enumerate(stream_samples[: 67 * HOP_SAMPLES].split(HOP_SAMPLES), start=1):
        streamed = torch.cat((streamed, stream.push(new)), dim=1)[:, -40:]
        samples = torch.cat((samples, new))[-fixed.samples :]
        window = _shift(window, *fixed.frames(samples, torch.tensor(index)))
        torch.testing.assert_close(window, streamed, atol=1e-5, rtol=0.0)


def test_a_hop_in_one_step_gives_the_stream_s_answer(reader: LiveEmotionReader, hop: CapturedHop) -> None:
    """With the shipped weights; the state's buffers stay at their addresses."""
    hop.reset()
    places = {name: (buffer.data_ptr(), buffer.shape) for name, buffer in hop._step.state.items()}
    features, stream, adaptation = FeatureStream(), reader.fork_stream(), VoiceAdaptation(reader.net)
    for samples in sound(3.0, seed=4).reshape(-1, HOP_SAMPLES):
        stream.push(features.push(samples).mels)
        (raw,) = RawReading.from_output(adaptation.predict(stream.describe(), HOP_SECONDS))
        assert hop(samples, True, ())[:13] == pytest.approx(raw.to_row(), abs=1e-4)
    assert {name: (buffer.data_ptr(), buffer.shape) for name, buffer in hop._step.state.items()} == places


def read_all(reader: LiveEmotionReader, samples: np.ndarray, chunk: int) -> np.ndarray:
    reader.reset()
    states: list[EmotionState] = []
    for start in range(0, len(samples), chunk):
        block = samples[start : start + chunk]
        states += reader.push(AudioWindow(block, 16_000, (start + len(block)) / 16_000))
    return np.array([(*s.probabilities, s.valence, s.arousal, s.dominance, s.confidence, s.time) for s in states])


def test_the_reader_gives_the_same_states_with_captured_hops(reader: LiveEmotionReader, hop: CapturedHop) -> None:
    """Longer than the temporal model's history, with a rest, invalid samples, and blocks that are no hops."""
    samples = sound(0.25 * (HISTORY_STEPS + 6), seed=5)
    samples[5 * HOP_SAMPLES : 8 * HOP_SAMPLES] = 0.0
    samples[100], samples[200] = np.nan, 7.0
    reference = read_all(reader, samples, HOP_SAMPLES)
    reader.captured_hop = hop
    stages: list[str] = []

    def time_stage(stage: str) -> AbstractContextManager[None]:
        stages.append(stage)
        return nullcontext()

    reader.time_stage = time_stage
    try:
        states = read_all(reader, samples, 3333)
    finally:
        reader.captured_hop, reader.time_stage = None, nullcontext
    assert states == pytest.approx(reference, abs=1e-4)
    assert stages.count("temporal") == HISTORY_STEPS - 1, "with a full history the step runs the temporal model itself"


class HostAccess(AssertionError):
    """An operation that a capture forbids."""


class Capturing(TorchDispatchMode):
    """Fails where a CUDA capture would: if a value is read back, or data come from the host."""

    FORBIDDEN = ("item", "_local_scalar_dense", "is_nonzero", "equal", "nonzero", "masked_select", "unique",
                 "repeat_interleave", "bincount", "lift_fresh", "_to_copy")  # fmt: skip

    def __torch_dispatch__(self, op: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = op.overloadpacket.__name__
        masks = [x for x in args[1] if x is not None and x.dtype is torch.bool] if name == "index" else []
        if name in self.FORBIDDEN or masks:
            raise HostAccess(name)
        return op(*args, **(kwargs or {}))


def test_nothing_in_a_hop_reads_from_the_device(hop: CapturedHop) -> None:
    hop(sound(0.25), True, ())
    with Capturing():
        hop._step()


@pytest.mark.parametrize(
    "wrong", [lambda x: float(x.sum()), lambda x: x[x > 0], lambda x: torch.tensor([1.0]) + x, lambda x: bool(x[0] > 0)]
)
def test_the_test_before_can_fail(wrong: Any) -> None:
    with torch.inference_mode(), pytest.raises(HostAccess), Capturing():
        wrong(torch.ones(3))


def test_a_captured_hop_that_is_off_or_fails_is_not_used(
    reader: LiveEmotionReader, hop: CapturedHop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kelly_live.emotion.reader.CHECKED_HOPS", 4)
    reference = read_test_noise(reader)
    try:
        capture_hop(reader, reference, lambda *parts: hop)
        assert reader.captured_hop is hop
        assert reader.note is None
        capture_hop(reader, reference + 0.01, lambda *parts: hop)
        assert reader.captured_hop is None
        assert "one graph (it was 0.01" in (reader.note or "")

        def refuse(*parts: object) -> CapturedHop:
            raise RuntimeError("CUDA error: operation not permitted\nwhen stream is capturing")

        capture_hop(reader, reference, refuse)
        assert reader.captured_hop is None
        assert "CUDA error: operation not permitted when stream is capturing" in (reader.note or "")
    finally:
        reader.captured_hop = reader.note = None


def test_after_a_lost_gpu_the_cpu_takes_over(
    reader: LiveEmotionReader, hop: CapturedHop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a session: what the replay raises comes out of `push`, and the session then takes the spare."""
    reader.reset()
    hop.reset()
    second_reader = LiveEmotionReader(reader.net, reader.temporal, CPU)
    second_reader.captured_hop = hop
    worker = AnalysisWorker(second_reader, fallback=lambda: reader)
    samples = sound(0.25)
    assert len(worker.push(samples, 16_000, 0.25).states) == 1

    def gone(step: HopStep) -> None:
        raise RuntimeError("CUDA error: device lost")

    monkeypatch.setattr(HopStep, "__call__", gone)
    with pytest.raises(RuntimeError, match="device lost"):
        worker.push(samples, 16_000, 0.5)
    worker.restart()
    result = worker.push(samples, 16_000, 0.75)
    assert [state.time for state in result.states] == [0.75]
    assert result.problem == "the GPU failed; the CPU took over the analysis"


def test_the_graph_s_buffers_stay_at_their_addresses(hop: CapturedHop) -> None:
    """A graph reads and writes at the addresses of its capture."""
    step: HopStep = hop._step
    before = (step.incoming.data_ptr(), step.outgoing.data_ptr(), hop._in.data_ptr(), hop._out.data_ptr())
    hop(sound(0.25), True, [0.25, 0.0])
    assert (step.incoming.data_ptr(), step.outgoing.data_ptr(), hop._in.data_ptr(), hop._out.data_ptr()) == before


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_on_a_gpu_the_graph_gives_the_cpu_s_answer(reader: LiveEmotionReader) -> None:
    on_gpu = load_live_reader(find_resources("models"), "cuda")
    assert on_gpu.note is None, on_gpu.note
    assert on_gpu.captured_hop is not None
    samples = sound(0.25 * 80, seed=6)
    samples[50 * HOP_SAMPLES : 53 * HOP_SAMPLES] = 0.0
    assert read_all(on_gpu, samples, HOP_SAMPLES) == pytest.approx(read_all(reader, samples, HOP_SAMPLES), abs=1e-3)
