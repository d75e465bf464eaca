"""Audio in, emotion states out, one every 250 ms: the listening half of the live path.

samples → log-mel frames → emotion net over the last 3 s → temporal model over the last 8 s → EmotionState.

Start: before the first sample there was silence, so the first hop already answers; confidence is held down until
SHORT_SECONDS of sound have been heard.
Silence: below SILENCE_DBFS the state stays as it is for PAUSE_SECONDS, a breath or a rest; then confidence falls and
the state relaxes to neutral with a time constant of RELAX_SECONDS. When sound returns, what is heard replaces it in
about half a second, never in one step.
On a GPU a hop is one captured graph (captured.py), checked against the CPU when it is loaded; if that fails, the GPU
does what the CPU would do, call by call.
Thread: everything here belongs to the analysis thread. Torch's thread count is the application's to set.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from kelly_live.core.errors import AudioError
from kelly_live.core.level import rms_dbfs
from kelly_live.core.values import EMOTIONS, NEUTRAL_PROBABILITIES, AudioWindow, EmotionState
from kelly_live.emotion.captured_hop import HISTORY_STEPS, ROW, CapturedHop
from kelly_live.emotion.features import FeatureStream, cleaned
from kelly_live.emotion.nets.checkpoint import load_checkpoint, rebuilt
from kelly_live.emotion.nets.device import choose_device
from kelly_live.emotion.nets.emotion import EmotionOutput, EmotionStream, MultiScaleEmotionNet
from kelly_live.emotion.nets.scales import HOP_SAMPLES, HOP_SECONDS, SAMPLE_RATE
from kelly_live.emotion.nets.temporal import EmotionTransitionModel
from kelly_live.lab.nets.system import load_part

SILENCE_DBFS = -65.0
SHORT_SECONDS = 1.5
PAUSE_SECONDS = 1.0
RELAX_SECONDS = 2.0
RETURN_SECONDS = 0.25
CHECKED_HOPS = HISTORY_STEPS + 2  # of noise, in which a captured hop must say what the CPU says
TOLERANCE = 1e-3  # of a probability, of V, A, D, of the confidence: what rounding does is far less


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
        return [cls.from_row(row) for row in rows]

    @classmethod
    def from_row(cls, row: np.ndarray) -> RawReading:
        return cls(row[:8], row[8:11], float(row[11]), float(row[12]))

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
        self._stream = EmotionStream(self.net)
        self.captured: CapturedHop | None = None  # does the features', the net's and the temporal model's work
        self.note: str | None = None  # what the user should know of how it runs, in a line
        self._hop = np.zeros(HOP_SAMPLES, np.float32)
        self.reset()

    def stream(self) -> EmotionStream:
        """Another stream of the same net, from silence."""
        return self._stream.fork()

    def reset(self) -> None:
        """Forget everything heard."""
        self._features.reset()
        self._stream.reset()
        if self.captured is not None:
            self.captured.reset()
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
            level_dbfs = self._take(block.samples[start:stop])
            start = stop
            if level_dbfs is not None:
                end_time = block.end_time - (total - stop) / SAMPLE_RATE
                states.append(self._answer(level_dbfs, end_time))
        return states

    def _take(self, samples: np.ndarray) -> float | None:
        """Samples of this hop; the hop's level once it is whole."""
        first, self._into_hop = self._into_hop, (self._into_hop + len(samples)) % HOP_SAMPLES
        if self.captured is not None:
            self._hop[first : first + len(samples)] = cleaned(samples)
            return rms_dbfs(self._hop) if self._into_hop == 0 else None
        frames = self._features.push(samples)
        self._stream.push(frames.mels)
        return frames.levels_dbfs[-1] if frames.levels_dbfs else None

    def _answer(self, level_dbfs: float, end_time: float) -> EmotionState:
        if self.captured is None:
            (raw,) = RawReading.of(self._stream.read())
            return self.settle(raw, level_dbfs, end_time)
        sounds = level_dbfs >= SILENCE_DBFS
        times = [*self._times, end_time][-HISTORY_STEPS:] if sounds else []
        said = self.captured(self._hop, sounds, [end_time - time for time in times])
        full = len(times) == HISTORY_STEPS  # with less to remember, the temporal model is asked apart
        return self.settle(RawReading.from_row(said[:ROW]), level_dbfs, end_time, said[ROW:] if full else None)

    def settle(
        self, raw: RawReading, level_dbfs: float, end_time: float, evolved: np.ndarray | None = None
    ) -> EmotionState:
        """What is felt after the next hop, of which the net said `raw`: the temporal model and the rules of silence.
        `evolved`: what the temporal model says of it `[8 + 3]`, if that is known.
        """
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
            felt = self._evolve() if evolved is None else evolved.astype(np.float64)
            self._probabilities, self._affect = felt[: len(EMOTIONS)], felt[len(EMOTIONS) :]
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

    def _evolve(self) -> np.ndarray:
        """The temporal model's last step over the history: emotions, then V, A, D."""
        # Seconds before now, so that float32 is fine after days of uptime.
        ages = np.array([[t - self._times[-1] for t in self._times]])
        felt: np.ndarray = self.evolved(np.stack(self._history)[None], ages)[0]
        return felt

    @torch.inference_mode()
    def evolved(self, rows: np.ndarray, times: np.ndarray) -> np.ndarray:
        """What the temporal model says after each of n histories: rows `[n, steps, 13]` at times `[n, steps]` (s) to
        `[n, 8 + 3]`.
        """
        given = torch.from_numpy(rows).to(self.device)
        when = torch.from_numpy(times.astype(np.float32)).to(self.device)
        emotions, affect = self.temporal.newest(given[..., : len(EMOTIONS)], when, given[..., len(EMOTIONS) :])
        felt: np.ndarray = torch.cat((emotions, affect), dim=1).cpu().numpy().astype(np.float64)
        return felt


def load_emotion_net(path: Path) -> MultiScaleEmotionNet:
    """The emotion net of a checkpoint, on the CPU, in eval mode. Raises ModelError."""
    return rebuilt(MultiScaleEmotionNet, load_checkpoint(path, "emotion"), path)


def load_temporal_model(path: Path) -> EmotionTransitionModel:
    """The temporal model of a checkpoint, on the CPU, in eval mode. Raises ModelError."""
    return rebuilt(EmotionTransitionModel, load_checkpoint(path, "temporal"), path)


def load_reader(models: Path, device: str = "auto", *, torch_threads: int | None = None) -> LiveEmotionReader:
    """The shipped reader: `emotion.safetensors` and `temporal.safetensors` of the folder `models`, or those parts of
    one file (`train system`), on `device` (auto, cpu, cuda, mps). `torch_threads` sets torch's CPU threads for the
    whole process. Raises ModelError or ConfigError.
    """
    if torch_threads is not None:
        torch.set_num_threads(torch_threads)
    chosen = choose_device(device)
    net, temporal = load_part(models, "emotion"), load_part(models, "temporal")
    assert isinstance(net, MultiScaleEmotionNet)
    assert isinstance(temporal, EmotionTransitionModel)
    if chosen.type != "cuda":
        return LiveEmotionReader(net, temporal, chosen)
    expected = said_of_noise(LiveEmotionReader(net, temporal, torch.device("cpu")))
    reader = LiveEmotionReader(net, temporal, chosen)
    capture(reader, expected)
    return reader


def said_of_noise(reader: LiveEmotionReader) -> np.ndarray:
    """CHECKED_HOPS of always the same noise, before and after which the reader is reset: `[hops, 12]`, probabilities,
    V, A, D, confidence.
    """
    reader.reset()
    noise = np.random.default_rng(1).normal(0.0, 0.1, CHECKED_HOPS * HOP_SAMPLES).astype(np.float32)
    states = reader.push(AudioWindow(noise, SAMPLE_RATE, CHECKED_HOPS * HOP_SECONDS))
    reader.reset()
    return np.array([(*s.probabilities, s.valence, s.arousal, s.dominance, s.confidence) for s in states])


def capture(
    reader: LiveEmotionReader,
    expected: np.ndarray,
    make: Callable[[MultiScaleEmotionNet, EmotionTransitionModel, torch.device], CapturedHop] = CapturedHop,
) -> None:
    """From now on the reader's hop is a captured one, if what it says of the noise is what was `expected`; else nothing
    changes but its `note`.
    """
    try:
        reader.captured = make(reader.net, reader.temporal, reader.device)
        off = float(np.abs(said_of_noise(reader) - expected).max())
        if off <= TOLERANCE:
            return
        reason = f"it was {off:.2g} off the CPU, over {TOLERANCE:g}"
    except Exception as error:  # whatever a driver or a kernel that will not be captured throws, the set must begin
        reason = " ".join(str(error).split())[:120]
    reader.captured = None
    reader.reset()
    reader.note = f"the hop runs call by call on {reader.device.type}, not as one graph ({reason})"
