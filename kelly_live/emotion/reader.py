"""Turns audio into emotion states, one every 250 ms: the shipped emotion reader.

samples → log-mel frames → emotion net over the last 3 s → temporal model over the last 8 s → EmotionState. A net with
`adaptation_seconds` also adapts to the session's voice (`nets/adaptation.py`).

Start: silence is assumed before the first sample, so the first hop already gives a state. Confidence is reduced until
SHORT_SECONDS of sound have been heard.
GEMS: where the set of models has a head for them, the mean over the last music; not from a captured graph.
Silence: below SILENCE_DBFS the state does not change for PAUSE_SECONDS (a breath or a rest). Then confidence falls and
the state relaxes to neutral with a time constant of RELAX_SECONDS. When sound returns, the new state replaces the old
one gradually, in about half a second.
GPU: a hop is one captured graph (`captured_hop.py`), compared with the CPU when it is loaded. If the comparison fails,
the GPU runs the same operations as the CPU, call by call.
Thread: the analysis thread only.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from kelly_live.core.errors import AudioError
from kelly_live.core.level import rms_dbfs
from kelly_live.core.resources import find_resources
from kelly_live.core.values import EMOTIONS, NEUTRAL_PROBABILITIES, AudioWindow, EmotionState
from kelly_live.emotion.captured_hop import HISTORY_STEPS, ROW, CapturedHop
from kelly_live.emotion.features import FeatureStream, clean_samples
from kelly_live.emotion.nets.adaptation import VoiceAdaptation
from kelly_live.emotion.nets.checkpoint import load_checkpoint, load_net, rebuild_net
from kelly_live.emotion.nets.device import choose_device
from kelly_live.emotion.nets.emotion import EmotionOutput, MultiScaleEmotionNet, history_row
from kelly_live.emotion.nets.emotion_stream import EmotionStream
from kelly_live.emotion.nets.gems import GEMS_FILE, GemsHead, GemsStream
from kelly_live.emotion.nets.members import Description
from kelly_live.emotion.nets.scales import HOP_SAMPLES, HOP_SECONDS, SAMPLE_RATE
from kelly_live.emotion.nets.temporal import EmotionTransitionModel

SILENCE_DBFS = -65.0
SHORT_SECONDS = 1.5
PAUSE_SECONDS = 1.0
RELAX_SECONDS = 2.0
RETURN_SECONDS = 0.25
CHECKED_HOPS = HISTORY_STEPS + 2  # hops of noise in which a captured hop must agree with the CPU
TOLERANCE = 1e-3  # of a probability, of V, A, D and of the confidence; rounding alone causes far less


@dataclass(frozen=True, slots=True)
class RawReading:
    """The emotion net's answer for one window, before the temporal model.

    `probabilities` `[8]`; `affect` `[3]` (valence, arousal, dominance); `confidence` and `presence` in [0, 1].
    """

    probabilities: np.ndarray
    affect: np.ndarray
    confidence: float
    presence: float

    @classmethod
    def from_output(cls, out: EmotionOutput) -> list[RawReading]:
        """Read each row of the net's answer."""
        rows = history_row(out).cpu().numpy()  # one transfer from the device
        return [cls.from_row(row) for row in rows]

    @classmethod
    def from_row(cls, row: np.ndarray) -> RawReading:
        """Read a row `[13]` of the temporal model's history."""
        return cls(row[:8], row[8:11], float(row[11]), float(row[12]))

    def to_row(self) -> np.ndarray:
        """Return the row `[13]` that the temporal model takes: emotions, V, A, D, confidence, presence."""
        return np.concatenate((self.probabilities, self.affect, [self.confidence, self.presence])).astype(np.float32)


class LiveEmotionReader:
    """The shipped EmotionReader; deterministic on the CPU. The module's docstring states its rules.

    `time_stage` opens a context around each run of "features", "net" and "temporal" (the temporal model); of a captured
    hop, which is all three in one, around "net". It does nothing unless a benchmark sets it.
    """

    sample_rate = SAMPLE_RATE
    hop_seconds = HOP_SECONDS

    def __init__(
        self,
        net: MultiScaleEmotionNet,
        temporal: EmotionTransitionModel,
        device: torch.device,
        gems: GemsHead | None = None,
    ) -> None:
        self.device = device
        self.net = net.to(device).eval()
        self.temporal = temporal.to(device).eval()
        self._features = FeatureStream(device)
        self._stream = EmotionStream(self.net)
        self._adaptation = VoiceAdaptation(self.net)
        self._gems = None if gems is None else GemsStream(gems.to(device).eval())
        self.captured_hop: CapturedHop | None = None  # replaces features, net and temporal model if it is there
        self.note: str | None = None
        self.time_stage: Callable[[str], AbstractContextManager[object]] = nullcontext
        self._hop = np.zeros(HOP_SAMPLES, np.float32)
        self.reset()

    @property
    def device_type(self) -> str:
        """The kind of device that the nets run on: "cpu", "cuda" or "mps"."""
        return self.device.type

    def fork_stream(self) -> EmotionStream:
        """Return another stream of the same net that starts from silence."""
        return self._stream.fork()

    def reset(self) -> None:
        """Forget all sound so far."""
        self._features.reset()
        self._stream.reset()
        self._adaptation.reset()
        if self._gems is not None:
            self._gems.reset()
        if self.captured_hop is not None:
            self.captured_hop.reset()
        self._into_hop = 0
        self._history: deque[np.ndarray] = deque(maxlen=HISTORY_STEPS)
        self._times: deque[float] = deque(maxlen=HISTORY_STEPS)
        self._sound_seconds = 0.0
        self._silent_seconds = 0.0
        self._probabilities = np.array(NEUTRAL_PROBABILITIES)
        self._affect = np.zeros(3)
        self._weight = 0.0  # of the temporal model's answer against neutral: 0 in silence, 1 in sound

    def close(self) -> None:
        """Release the captured graph and the state of the stream."""
        self.captured_hop = None
        self.reset()

    def push(self, block: AudioWindow) -> Sequence[EmotionState]:
        """Return one state for every 250 ms that the block completed.

        Raises AudioError if it is not mono at 16 kHz.
        """
        if block.sample_rate != SAMPLE_RATE or block.samples.ndim != 1:
            raise AudioError(
                f"the reader got {block.samples.ndim}-dimensional audio at {block.sample_rate} Hz; "
                f"it must be mono at {SAMPLE_RATE} Hz: resample it first"
            )
        states, start, total = [], 0, len(block.samples)
        while start < total:
            stop = min(total, start + HOP_SAMPLES - self._into_hop)
            level_dbfs = self._take(block.samples[start:stop])
            start = stop
            if level_dbfs is not None:
                end_time = block.end_time - (total - stop) / SAMPLE_RATE
                states.append(self._finish_hop(level_dbfs, end_time))
        return states

    def _take(self, samples: np.ndarray) -> float | None:
        """Take samples of the current hop; return the hop's level in dBFS once it is complete."""
        first, self._into_hop = self._into_hop, (self._into_hop + len(samples)) % HOP_SAMPLES
        if self.captured_hop is not None:
            self._hop[first : first + len(samples)] = clean_samples(samples)
            return rms_dbfs(self._hop) if self._into_hop == 0 else None
        with self.time_stage("features"):
            frames = self._features.push(samples)
        with self.time_stage("net"):
            self._stream.push(frames.mels)
        return frames.levels_dbfs[-1] if frames.levels_dbfs else None

    def _finish_hop(self, level_dbfs: float, end_time: float) -> EmotionState:
        sounds = level_dbfs >= SILENCE_DBFS
        if self.captured_hop is None:
            with self.time_stage("net"):
                description = self._stream.describe()
                out = self._adaptation.predict(description, HOP_SECONDS if sounds else 0.0)
                (raw,) = RawReading.from_output(out)
                gems = self._read_gems(description, out, sounds=sounds)
            return replace(self.update(raw, level_dbfs, end_time), gems=gems)
        times = [*self._times, end_time][-HISTORY_STEPS:] if sounds else []
        with self.time_stage("net"):
            answer = self.captured_hop(self._hop, sounds, [end_time - time for time in times])
        full = len(times) == HISTORY_STEPS  # with a shorter history the temporal model runs outside the graph
        return self.update(RawReading.from_row(answer[:ROW]), level_dbfs, end_time, answer[ROW:] if full else None)

    def _read_gems(
        self, description: Description, out: EmotionOutput, *, sounds: bool
    ) -> tuple[tuple[str, float], ...]:
        if self._gems is None:
            return ()
        if not sounds:
            self._gems.rest()
            return ()
        return self._gems.push(description, out)

    def update(
        self, raw: RawReading, level_dbfs: float, end_time: float, temporal_output: np.ndarray | None = None
    ) -> EmotionState:
        """Advance by one hop: apply the temporal model and the rules of silence to the net's answer `raw`.

        `temporal_output`: the temporal model's answer `[8 + 3]` for this hop, if it is known already.
        """
        silent = level_dbfs < SILENCE_DBFS
        self._silent_seconds = self._silent_seconds + HOP_SECONDS if silent else 0.0
        if not silent:
            self._sound_seconds += HOP_SECONDS
            # Only sound enters the history. A pause teaches the temporal model nothing, but its length is in the times.
            self._history.append(raw.to_row())
            self._times.append(end_time)
        target = raw.presence
        if silent:
            target = self._weight if self._silent_seconds <= PAUSE_SECONDS else 0.0
        constant = RELAX_SECONDS if target < self._weight else RETURN_SECONDS
        self._weight += (target - self._weight) * -math.expm1(-HOP_SECONDS / constant)
        if not silent:
            answer = self._run_newest() if temporal_output is None else temporal_output.astype(np.float64)
            self._probabilities, self._affect = answer[: len(EMOTIONS)], answer[len(EMOTIONS) :]
        neutral = np.array(NEUTRAL_PROBABILITIES)
        probabilities = neutral + (self._probabilities - neutral) * self._weight
        probabilities = np.clip(probabilities, 0.0, 1.0) / probabilities.sum()
        affect = np.clip(self._affect * self._weight, -1.0, 1.0)
        short_history = min(1.0, self._sound_seconds / SHORT_SECONDS)
        confidence = 0.0 if not self._history else float(self._history[-1][len(EMOTIONS) + 3])
        confidence *= short_history * self._weight
        return EmotionState(
            probabilities=tuple(float(p) for p in probabilities),
            valence=float(affect[0]),
            arousal=float(affect[1]),
            dominance=float(affect[2]),
            confidence=min(1.0, max(0.0, confidence)),
            time=end_time,
        )

    def _run_newest(self) -> np.ndarray:
        """Return the temporal model's answer `[8 + 3]` for the newest step: emotions, then V, A, D."""
        # Seconds before now, so that float32 is precise enough after days of uptime.
        ages = np.array([[t - self._times[-1] for t in self._times]])
        with self.time_stage("temporal"):
            answer: np.ndarray = self.run_temporal_model(np.stack(self._history)[None], ages)[0]
        return answer

    @torch.inference_mode()
    def run_temporal_model(self, rows: np.ndarray, times: np.ndarray) -> np.ndarray:
        """Return the temporal model's answers `[n, 8 + 3]` after n histories.

        `rows` `[n, steps, 13]` at `times` `[n, steps]` in seconds.
        """
        history = torch.from_numpy(rows).to(self.device)
        seconds = torch.from_numpy(times.astype(np.float32)).to(self.device)
        emotions, affect = self.temporal.evolve_newest(
            history[..., : len(EMOTIONS)], seconds, history[..., len(EMOTIONS) :]
        )
        answer: np.ndarray = torch.cat((emotions, affect), dim=1).cpu().numpy().astype(np.float64)
        return answer


def load_emotion_net(path: Path) -> MultiScaleEmotionNet:
    """Load the emotion net of a checkpoint on the CPU, in eval mode. Raises ModelError."""
    return rebuild_net(MultiScaleEmotionNet, load_checkpoint(path, "emotion"), path)


def load_temporal_model(path: Path) -> EmotionTransitionModel:
    """Load the temporal model of a checkpoint on the CPU, in eval mode. Raises ModelError."""
    return rebuild_net(EmotionTransitionModel, load_checkpoint(path, "temporal"), path)


def create_reader(device: str = "auto") -> LiveEmotionReader:
    """Load the shipped reader; the entry point `kelly` of `kelly_live.readers`.

    Raises ModelError or ConfigError.

    Torch then uses one CPU thread in the whole process. A hop is too small to divide: with two threads on two busy
    cores 30 s of sound took 36 s, with one 2.4 s (1.9 s with two on idle cores). The results are also the same for
    every number of cores.
    """
    torch.set_num_threads(1)
    return load_live_reader(find_resources("models"), device)


def load_live_reader(models: Path, device: str = "auto") -> LiveEmotionReader:
    """Load the shipped kind of reader from other checkpoints.

    `models` is a folder with `emotion.safetensors` and `temporal.safetensors`, or the file of a whole system. `device`:
    auto, cpu, cuda or mps. Raises ModelError or ConfigError.
    """
    torch_device = choose_device(device)
    net = load_net(MultiScaleEmotionNet, models, "emotion")
    temporal = load_net(EmotionTransitionModel, models, "temporal")
    if torch_device.type != "cuda":
        return LiveEmotionReader(net, temporal, torch_device, load_gems_head(models))
    cpu_readings = read_test_noise(LiveEmotionReader(net, temporal, torch.device("cpu")))
    reader = LiveEmotionReader(net, temporal, torch_device)
    capture_hop(reader, cpu_readings)
    return reader


def load_gems_head(models: Path) -> GemsHead | None:
    """Load the head of GEMS of a folder of checkpoints; None where it has none. Raises ModelError."""
    return load_net(GemsHead, models, "gems") if (models / GEMS_FILE).is_file() else None


def read_test_noise(reader: LiveEmotionReader) -> np.ndarray:
    """Read CHECKED_HOPS hops of a fixed noise, between two resets.

    Returns `[hops, 12]`: probabilities, V, A, D, confidence.
    """
    reader.reset()
    noise = np.random.default_rng(1).normal(0.0, 0.1, CHECKED_HOPS * HOP_SAMPLES).astype(np.float32)
    states = reader.push(AudioWindow(noise, SAMPLE_RATE, CHECKED_HOPS * HOP_SECONDS))
    reader.reset()
    return np.array([(*s.probabilities, s.valence, s.arousal, s.dominance, s.confidence) for s in states])


def capture_hop(
    reader: LiveEmotionReader,
    cpu_readings: np.ndarray,
    create: Callable[[MultiScaleEmotionNet, EmotionTransitionModel, torch.device], CapturedHop] = CapturedHop,
) -> None:
    """Let the reader use a captured hop if that answers the test noise as `cpu_readings`.

    Otherwise its `note` says why not.
    """
    try:
        reader.captured_hop = create(reader.net, reader.temporal, reader.device)
        difference = float(np.abs(read_test_noise(reader) - cpu_readings).max())
        if difference <= TOLERANCE:
            return
        reason = f"it was {difference:.2g} off the CPU, over {TOLERANCE:g}"
    except Exception as error:  # whatever a driver or a kernel that cannot be captured raises, the session must begin
        reason = " ".join(str(error).split())[:120]
    reader.captured_hop = None
    reader.reset()
    reader.note = f"the hop runs call by call on {reader.device.type}, not as one graph ({reason})"
