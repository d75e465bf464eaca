"""A whole hop as one function of fixed shapes, which a GPU runs as one captured graph.

A hop's 4000 samples are not a whole number of frames: 15 or 16 of mel_512. So the largest number is computed, and the
shift of the windows is a number on the device, not a shape. Nothing here reads a value back from the device, and all
state is in buffers that are written in place and never replaced. The trunk's long filters are computed over the whole
window: the running sums of TrunkStream would save a GPU no time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import numpy as np
import torch

from kelly_live.core.values import EMOTIONS
from kelly_live.emotion.features import filter_bank
from kelly_live.emotion.nets.adaptation import VoiceAdaptation
from kelly_live.emotion.nets.emotion import MultiScaleEmotionNet, history_row
from kelly_live.emotion.nets.scales import (
    HOP_SAMPLES,
    HOP_SECONDS,
    SCALES,
    SPEECH_CONTEXT,
    TRUNK_AHEAD,
    TRUNK_FRAMES,
    TRUNK_PAST,
    MelScale,
)
from kelly_live.emotion.nets.speech import SpeechTokens
from kelly_live.emotion.nets.temporal import N_EXTRA, EmotionTransitionModel
from kelly_live.emotion.nets.tonality import compute_tonal_frames

HISTORY_STEPS = 32  # 8 s of hops
ROW = len(EMOTIONS) + N_EXTRA  # numbers that the emotion net gives for a hop
WARM_UPS = 3  # calls before a capture, in which libraries set up what they need


class _Scale:
    """Computes the frames of one scale that a hop completes: at most `most`, and their number."""

    def __init__(self, scale: MelScale, device: torch.device) -> None:
        self.scale = scale
        self.most = -(-HOP_SAMPLES // scale.hop)
        self.samples = scale.fft + self.most * scale.hop - 1  # the samples that these frames may span
        self._bank = torch.from_numpy(filter_bank(scale)).to(device).T.contiguous()
        self._taper = torch.hann_window(scale.fft, periodic=True, device=device)
        self._back = torch.arange(self.most - 1, -1, -1, device=device)
        self._within = torch.arange(scale.fft, device=device)

    def frames(self, samples: torch.Tensor, hops: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the newest frames `[bands, most]` and how many of them are new.

        `samples` `[n]` are the newest samples after `hops` hops, a number on the device. Frames before the first sample
        are zero.
        """
        at = hops * HOP_SAMPLES - self.scale.fft // 2
        newest = torch.div(at, self.scale.hop, rounding_mode="floor")
        before = torch.div(at - HOP_SAMPLES, self.scale.hop, rounding_mode="floor")
        first = len(samples) - self.scale.fft - (at - newest * self.scale.hop) - self._back * self.scale.hop
        spectrum = torch.fft.rfft(samples[first.unsqueeze(1) + self._within] * self._taper)
        power = spectrum.real.square() + spectrum.imag.square()
        mel = torch.log10(1.0 + 1e4 * (power @ self._bank))
        return (mel * (newest >= self._back).unsqueeze(1)).T, newest - before


def _shift(window: torch.Tensor, new: torch.Tensor, count: torch.Tensor | int) -> torch.Tensor:
    """Return the window `[…, n]` after the newest `count` frames of `new` `[…, most]` were appended."""
    index = torch.arange(window.shape[-1], device=window.device)
    index = torch.where(index + count < window.shape[-1], index + count, index + new.shape[-1])
    return torch.cat((window, new), dim=-1).index_select(-1, index)


class HopStep:
    """Computes one hop from the buffer `incoming` into the buffer `outgoing`, and advances the state.

    `incoming`: the hop's samples in [-1, 1]; 1 if it has sound, 0 if it is silent and does not enter the history; the
    age in seconds of each row of the history, the newest last. `outgoing`: the emotion net's row `[13]`, then the
    temporal model's emotions and V, A, D, which are valid once the history is full.
    """

    def __init__(self, net: MultiScaleEmotionNet, temporal: EmotionTransitionModel, device: torch.device) -> None:
        self._net, self._temporal = net, temporal
        self._scales = [_Scale(scale, device) for scale in SCALES]
        self.incoming = torch.zeros(HOP_SAMPLES + 1 + HISTORY_STEPS, device=device)
        self.outgoing = torch.zeros(ROW + len(EMOTIONS) + 3, device=device)
        with torch.inference_mode():
            windows = {s.name: torch.zeros(1, s.bands, s.frames, device=device) for s in SCALES}
            silence = net.speech.encode_window(windows["mel_400"])
            timbre = net.trunk.compute_timbral(net.trunk.normalise(windows["mel_512"][..., TRUNK_PAST - TRUNK_AHEAD :]))
            self.state = {
                **windows,
                "hops": torch.zeros((), dtype=torch.int64, device=device),
                "samples": torch.zeros(max(scale.samples for scale in self._scales), device=device),
                "tokens": silence.tokens.transpose(1, 2).contiguous(),
                "loudness": silence.loudness.clone(),
                "timbre": timbre.clone(),
                "history": torch.zeros(ROW, HISTORY_STEPS, device=device),
            }
            self._adaptation = VoiceAdaptation(net, is_captured=True)
            self.state |= {f"adaptation_{name}": value for name, value in self._adaptation.state.items()}
            self._start = {name: value.clone() for name, value in self.state.items()}

    @torch.inference_mode()
    def reset(self) -> None:
        """Forget all sound so far."""
        for name, value in self.state.items():
            value.copy_(self._start[name])

    @torch.inference_mode()
    def __call__(self) -> None:
        """Compute the hop."""
        net, state = self._net, self.state
        state["hops"].add_(1)
        state["samples"].copy_(torch.cat((state["samples"][HOP_SAMPLES:], self.incoming[:HOP_SAMPLES])))
        for scale in self._scales:
            mel, count = scale.frames(state["samples"], state["hops"])
            window = state[scale.scale.name]
            window.copy_(_shift(window, mel.unsqueeze(0), count))
            if scale.scale.name == "mel_512":
                x = net.trunk.normalise(window)
                new = net.trunk.compute_timbral(x[..., -(scale.most + 2 * TRUNK_AHEAD) :])
                state["timbre"].copy_(_shift(state["timbre"], new, count))
        frames = net.trunk.complete_features(
            torch.cat((state["timbre"], net.trunk.compute_temporal(x, TRUNK_FRAMES)), dim=1)
        )
        speech = net.speech.encode(state["mel_400"][..., -SPEECH_CONTEXT:])
        tokens, new_count = speech.tokens.transpose(1, 2), speech.loudness.shape[1]
        state["tokens"].copy_(torch.cat((state["tokens"][..., new_count:], tokens), dim=2))
        state["loudness"].copy_(torch.cat((state["loudness"][:, new_count:], speech.loudness), dim=1))
        speech = SpeechTokens(state["tokens"].transpose(1, 2), state["loudness"])
        tonal = compute_tonal_frames(state["mel_4096"])
        description = net.summarise(frames, speech, state["mel_1024"], state["mel_2048"], tonal)
        row = history_row(self._adaptation.predict(description, HOP_SECONDS * self.incoming[HOP_SAMPLES]))
        sounds = self.incoming[HOP_SAMPLES].to(torch.int64)
        state["history"].copy_(_shift(state["history"], row.T, sounds))
        history = state["history"].T.unsqueeze(0)
        times = -self.incoming[HOP_SAMPLES + 1 :].unsqueeze(0)
        temporal_output = self._temporal.evolve_newest(
            history[..., : len(EMOTIONS)], times, history[..., len(EMOTIONS) :]
        )
        self.outgoing.copy_(torch.cat((row[0], temporal_output[0][0], temporal_output[1][0])))


class CapturedHop:
    """A HopStep with its transfers: captured once and replayed on a GPU, called elsewhere.

    Not thread-safe.     Raises RuntimeError, as torch does, if the graph cannot be captured or the GPU is gone.
    """

    def __init__(self, net: MultiScaleEmotionNet, temporal: EmotionTransitionModel, device: torch.device) -> None:
        self._device = device
        on_gpu = device.type == "cuda"
        self._graph: torch.cuda.CUDAGraph | None = None
        self._in = torch.zeros(HOP_SAMPLES + 1 + HISTORY_STEPS, pin_memory=on_gpu)
        self._out = torch.zeros(ROW + len(EMOTIONS) + 3, pin_memory=on_gpu)
        # TF32 would halve the precision. A graph keeps the kernels that were chosen when it was captured.
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False) if on_gpu else contextlib.nullcontext():
            self._step = HopStep(net, temporal, device)
            if on_gpu:
                self._graph = self._capture()
        self.reset()

    def _capture(self) -> torch.cuda.CUDAGraph:
        side_stream = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        side_stream.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(side_stream):
            for _ in range(WARM_UPS):
                self._step()
        torch.cuda.current_stream(self._device).wait_stream(side_stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            self._step()
        return graph

    def reset(self) -> None:
        """Forget all sound so far."""
        self._step.reset()

    @torch.inference_mode()
    def __call__(self, samples: np.ndarray, sounds: bool, ages: Sequence[float]) -> np.ndarray:
        """Run one hop; return HopStep's `outgoing`.

        `samples` `[4000]` in [-1, 1]; `sounds`: whether they are more than silence; `ages`: the age in seconds of each
        row of the history, at most HISTORY_STEPS, the newest last.
        """
        incoming = self._in.numpy()
        incoming[:HOP_SAMPLES] = samples
        incoming[HOP_SAMPLES] = sounds
        incoming[HOP_SAMPLES + 1 :] = 0.0
        if ages:
            incoming[-len(ages) :] = ages
        self._step.incoming.copy_(self._in, non_blocking=True)
        if self._graph is None:
            self._step()
        else:
            self._graph.replay()
        self._out.copy_(self._step.outgoing, non_blocking=True)
        if self._device.type == "cuda":
            torch.cuda.current_stream(self._device).synchronize()  # the hop's only wait
        return self._out.numpy().copy()
