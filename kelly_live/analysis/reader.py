"""Audio in, emotion states out, one every 250 ms: the listening half of the live path.

samples → log-mel frames → emotion net over the last 3 s → temporal model over the last 8 s → EmotionState.

Start: before the first sample there was silence, so the first hop already answers; confidence is held down until
SHORT_SECONDS of sound have been heard.
Silence: below SILENCE_DBFS the state stays as it is for PAUSE_SECONDS, a breath or a rest; then confidence falls and
the state relaxes to neutral with a time constant of RELAX_SECONDS. When sound returns, what is heard replaces it in
about half a second, never in one step.
Thread: everything here belongs to the analysis thread. Torch's thread count is the application's to set.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from kelly_live.analysis.features import FeatureStream
from kelly_live.domain import EMOTIONS, NEUTRAL_PROBABILITIES, AudioWindow, EmotionState
from kelly_live.errors import AudioError
from kelly_live.nets.checkpoint import load_checkpoint, rebuilt
from kelly_live.nets.device import choose_device
from kelly_live.nets.emotion import EmotionOutput, EmotionStream, MultiScaleEmotionNet
from kelly_live.nets.scales import HOP_SAMPLES, HOP_SECONDS, SAMPLE_RATE
from kelly_live.nets.system import load_part
from kelly_live.nets.temporal import EmotionTransitionModel

HISTORY_STEPS = 32  # 8 s of hops
SILENCE_DBFS = -65.0
SHORT_SECONDS = 1.5
PAUSE_SECONDS = 1.0
RELAX_SECONDS = 2.0
RETURN_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class RawReading:
    """What the emotion net alone says of one window: probabilities `[8]`, affect `[3]`, confidence, presence."""

    probabilities: np.ndarray
    affect: np.ndarray
    confidence: float
    presence: float

    @classmethod
    def of(cls, out: EmotionOutput) -> list[RawReading]:
        """One for each row of the answer."""
        rest = torch.stack((out.valence, out.arousal, out.dominance, out.confidence, out.presence), dim=1)
        rows = torch.cat((torch.softmax(out.emotion_logits, dim=1), rest), dim=1).cpu().numpy()  # one transfer
        return [cls(row[:8], row[8:11], float(row[11]), float(row[12])) for row in rows]

    def row(self) -> np.ndarray:
        """`[13]`, as the temporal model takes it: emotions, then extra."""
        return np.concatenate((self.probabilities, self.affect, [self.confidence, self.presence])).astype(np.float32)


class LiveEmotionReader:
    """The EmotionReader of the live path; deterministic on the CPU. See the module's text for its rules."""

    sample_rate = SAMPLE_RATE
    hop_seconds = HOP_SECONDS

    def __init__(self, net: MultiScaleEmotionNet, temporal: EmotionTransitionModel, device: torch.device) -> None:
        self.device = device
        self.net = net.to(device).eval()
        self.temporal = temporal.to(device).eval()
        self._features = FeatureStream(device)
        # Here is the place for CUDA graphs: EmotionStream.push/read have fixed shapes once blocks are whole hops.
        self._stream = EmotionStream(self.net)
        self.reset()

    def reset(self) -> None:
        """Forget everything heard."""
        self._features.reset()
        self._stream.reset()
        self._into_hop = 0
        self._history: deque[np.ndarray] = deque(maxlen=HISTORY_STEPS)
        self._times: deque[float] = deque(maxlen=HISTORY_STEPS)
        self._heard_seconds = 0.0
        self._silent_seconds = 0.0
        self._probabilities = np.array(NEUTRAL_PROBABILITIES)
        self._affect = np.zeros(3)
        self._trust = 0.0  # 0: relaxed to neutral; 1: what is heard is what is felt

    def push(self, block: AudioWindow) -> Sequence[EmotionState]:
        """One state for every 250 ms that the block completed. Raises AudioError if it is not mono at 16 kHz."""
        if block.sample_rate != SAMPLE_RATE or block.samples.ndim != 1:
            raise AudioError(
                f"the reader got {block.samples.ndim}-dimensional audio at {block.sample_rate} Hz; "
                f"it must be mono at {SAMPLE_RATE} Hz: resample it first"
            )
        states, start, total = [], 0, len(block.samples)
        while start < total:
            stop = min(total, start + HOP_SAMPLES - self._into_hop)
            frames = self._features.push(block.samples[start:stop])
            self._stream.push(frames.mels)
            self._into_hop = (self._into_hop + stop - start) % HOP_SAMPLES
            start = stop
            if self._into_hop == 0:
                end_time = block.end_time - (total - stop) / SAMPLE_RATE
                (raw,) = RawReading.of(self._stream.read())
                states.append(self.settle(raw, frames.levels_dbfs[-1], end_time))
        return states

    def settle(self, raw: RawReading, level_dbfs: float, end_time: float) -> EmotionState:
        """What is felt after the next hop, of which the net said `raw`: the temporal model and the rules of silence."""
        silent = level_dbfs < SILENCE_DBFS
        self._silent_seconds = self._silent_seconds + HOP_SECONDS if silent else 0.0
        if not silent:
            self._heard_seconds += HOP_SECONDS
            # Only sound makes history: a pause does not teach the temporal model, but its length shows in the times.
            self._history.append(raw.row())
            self._times.append(end_time)
        target = raw.presence
        if silent:
            target = self._trust if self._silent_seconds <= PAUSE_SECONDS else 0.0
        constant = RELAX_SECONDS if target < self._trust else RETURN_SECONDS
        self._trust += (target - self._trust) * -math.expm1(-HOP_SECONDS / constant)
        if not silent:
            self._probabilities, self._affect = self._evolve()
        neutral = np.array(NEUTRAL_PROBABILITIES)
        probabilities = neutral + (self._probabilities - neutral) * self._trust
        probabilities = np.clip(probabilities, 0.0, 1.0) / probabilities.sum()
        affect = np.clip(self._affect * self._trust, -1.0, 1.0)
        short_history = min(1.0, self._heard_seconds / SHORT_SECONDS)
        confidence = 0.0 if not self._history else float(self._history[-1][len(EMOTIONS) + 3])
        confidence *= short_history * self._trust
        return EmotionState(
            probabilities=tuple(float(p) for p in probabilities),
            valence=float(affect[0]),
            arousal=float(affect[1]),
            dominance=float(affect[2]),
            confidence=min(1.0, max(0.0, confidence)),
            time=end_time,
        )

    @torch.inference_mode()
    def _evolve(self) -> tuple[np.ndarray, np.ndarray]:
        """The temporal model's last step over the history."""
        rows = torch.from_numpy(np.stack(self._history)).unsqueeze(0).to(self.device)
        # Seconds before now, so that float32 is fine after days of uptime.
        times = torch.tensor([[t - self._times[-1] for t in self._times]], dtype=torch.float32, device=self.device)
        emotions, affect = self.temporal.newest(rows[..., : len(EMOTIONS)], times, rows[..., len(EMOTIONS) :])
        packed = torch.cat((emotions[0], affect[0])).cpu().numpy().astype(np.float64)
        return packed[: len(EMOTIONS)], packed[len(EMOTIONS) :]


def load_emotion_net(path: Path) -> MultiScaleEmotionNet:
    """The emotion net of a checkpoint, on the CPU, in eval mode. Raises ModelError."""
    return rebuilt(MultiScaleEmotionNet, load_checkpoint(path, "emotion"), path)


def load_temporal_model(path: Path) -> EmotionTransitionModel:
    """The temporal model of a checkpoint, on the CPU, in eval mode. Raises ModelError."""
    return rebuilt(EmotionTransitionModel, load_checkpoint(path, "temporal"), path)


def load_reader(models: Path, device: str = "auto", *, torch_threads: int | None = None) -> LiveEmotionReader:
    """The shipped reader: `emotion.safetensors` and `temporal.safetensors` of the folder `models`, or those parts of
    one file (`train system`), on `device` (auto, cpu, cuda, mps). `torch_threads` sets torch's CPU threads for the
    whole process. Raises ModelError or ConfigError."""
    if torch_threads is not None:
        torch.set_num_threads(torch_threads)
    chosen = choose_device(device)
    net, temporal = load_part(models, "emotion"), load_part(models, "temporal")
    assert isinstance(net, MultiScaleEmotionNet)
    assert isinstance(temporal, EmotionTransitionModel)
    return LiveEmotionReader(net, temporal, chosen)
