"""A whole hop as one function of fixed shapes, which a GPU can be handed as one captured graph.

A hop's 4000 samples are not a whole number of frames: now 15 of mel_512 come, now 16. So the most that can come are
computed, and how far the windows move is a number on the device, not a shape. Nothing here asks the device for a value,
and all state lies in buffers that are written to and never replaced. The trunk's long filters are taken over the whole
window: what TrunkStream saves by its running sums, a GPU does not feel.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import numpy as np
import torch

from kelly_live.core.values import EMOTIONS
from kelly_live.emotion.features import filter_bank
from kelly_live.emotion.nets.emotion import MultiScaleEmotionNet, history_row
from kelly_live.emotion.nets.scales import (
    HOP_SAMPLES,
    SCALES,
    SPEECH_CONTEXT,
    TRUNK_AHEAD,
    TRUNK_FRAMES,
    TRUNK_PAST,
    MelScale,
)
from kelly_live.emotion.nets.speech import Heard
from kelly_live.emotion.nets.temporal import N_EXTRA, EmotionTransitionModel
from kelly_live.emotion.nets.tonality import tonal_frames

HISTORY_STEPS = 32  # 8 s of hops
ROW = len(EMOTIONS) + N_EXTRA  # what the net says of a hop
WARM_UPS = 3  # before a capture, for what libraries set up when they are first called


class _Scale:
    """The frames of one scale that a hop completes, at most `most`, and how many these are."""

    def __init__(self, scale: MelScale, device: torch.device) -> None:
        self.scale = scale
        self.most = -(-HOP_SAMPLES // scale.hop)
        self.samples = scale.fft + self.most * scale.hop - 1  # that these frames may span
        self._bank = torch.from_numpy(filter_bank(scale)).to(device).T.contiguous()
        self._taper = torch.hann_window(scale.fft, periodic=True, device=device)
        self._back = torch.arange(self.most - 1, -1, -1, device=device)
        self._within = torch.arange(scale.fft, device=device)

    def frames(self, samples: torch.Tensor, hops: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The newest samples `[n]` after `hops` (a number on the device) to the newest frames `[bands, most]`, zero
        where the sound had not begun, and how many of them are new.
        """
        at = hops * HOP_SAMPLES - self.scale.fft // 2
        newest = torch.div(at, self.scale.hop, rounding_mode="floor")
        before = torch.div(at - HOP_SAMPLES, self.scale.hop, rounding_mode="floor")
        first = len(samples) - self.scale.fft - (at - newest * self.scale.hop) - self._back * self.scale.hop
        spectrum = torch.fft.rfft(samples[first.unsqueeze(1) + self._within] * self._taper)
        power = spectrum.real.square() + spectrum.imag.square()
        mel = torch.log10(1.0 + 1e4 * (power @ self._bank))
        return (mel * (newest >= self._back).unsqueeze(1)).T, newest - before


def _moved(kept: torch.Tensor, new: torch.Tensor, count: torch.Tensor | int) -> torch.Tensor:
    """A window `[…, n]` after the newest `count` of `new` `[…, most]` have come in."""
    place = torch.arange(kept.shape[-1], device=kept.device)
    place = torch.where(place + count < kept.shape[-1], place + count, place + new.shape[-1])
    return torch.cat((kept, new), dim=-1).index_select(-1, place)


class HopStep:
    """One hop: what lies in `incoming` to what then lies in `outgoing`, and the state moves on.

    `incoming`: the hop's samples, in [-1, 1]; 1 if it sounds, 0 if it is silence and makes no history; how many seconds
    ago each moment of the history was, the newest last. `outgoing`: the net's row `[13]`, then the temporal model's
    emotions and V, A, D, which count once the history is full.
    """

    def __init__(self, net: MultiScaleEmotionNet, temporal: EmotionTransitionModel, device: torch.device) -> None:
        self._net, self._temporal = net, temporal
        self._scales = [_Scale(scale, device) for scale in SCALES]
        self.incoming = torch.zeros(HOP_SAMPLES + 1 + HISTORY_STEPS, device=device)
        self.outgoing = torch.zeros(ROW + len(EMOTIONS) + 3, device=device)
        with torch.inference_mode():
            windows = {s.name: torch.zeros(1, s.bands, s.frames, device=device) for s in SCALES}
            silence = net.speech.hear_window(windows["mel_400"])
            timbre = net.trunk.timbre(net.trunk.normalise(windows["mel_512"][..., TRUNK_PAST - TRUNK_AHEAD :]))
            self.state = {
                **windows,
                "hops": torch.zeros((), dtype=torch.int64, device=device),
                "samples": torch.zeros(max(scale.samples for scale in self._scales), device=device),
                "tokens": silence.tokens.transpose(1, 2).contiguous(),
                "loudness": silence.loudness.clone(),
                "timbre": timbre.clone(),
                "history": torch.zeros(ROW, HISTORY_STEPS, device=device),
            }
            self._start = {name: value.clone() for name, value in self.state.items()}

    @torch.inference_mode()
    def reset(self) -> None:
        """Forget everything heard."""
        for name, value in self.state.items():
            value.copy_(self._start[name])

    @torch.inference_mode()
    def __call__(self) -> None:
        net, state = self._net, self.state
        state["hops"].add_(1)
        state["samples"].copy_(torch.cat((state["samples"][HOP_SAMPLES:], self.incoming[:HOP_SAMPLES])))
        for scale in self._scales:
            mel, count = scale.frames(state["samples"], state["hops"])
            window = state[scale.scale.name]
            window.copy_(_moved(window, mel.unsqueeze(0), count))
            if scale.scale.name == "mel_512":
                x = net.trunk.normalise(window)
                new = net.trunk.timbre(x[..., -(scale.most + 2 * TRUNK_AHEAD) :])
                state["timbre"].copy_(_moved(state["timbre"], new, count))
        frames = net.trunk.finish(torch.cat((state["timbre"], net.trunk.tempo(x, TRUNK_FRAMES)), dim=1))
        heard = net.speech.hear(state["mel_400"][..., -SPEECH_CONTEXT:])
        tokens, kept = heard.tokens.transpose(1, 2), heard.loudness.shape[1]
        state["tokens"].copy_(torch.cat((state["tokens"][..., kept:], tokens), dim=2))
        state["loudness"].copy_(torch.cat((state["loudness"][:, kept:], heard.loudness), dim=1))
        heard = Heard(state["tokens"].transpose(1, 2), state["loudness"])
        tonal = tonal_frames(state["mel_4096"])
        row = history_row(net.judge(net.summarise(frames, heard, state["mel_1024"], state["mel_2048"], tonal)))
        sounds = self.incoming[HOP_SAMPLES].to(torch.int64)
        state["history"].copy_(_moved(state["history"], row.T, sounds))
        history = state["history"].T.unsqueeze(0)
        times = -self.incoming[HOP_SAMPLES + 1 :].unsqueeze(0)
        felt = self._temporal.newest(history[..., : len(EMOTIONS)], times, history[..., len(EMOTIONS) :])
        self.outgoing.copy_(torch.cat((row[0], felt[0][0], felt[1][0])))


class CapturedHop:
    """A HopStep and its way in and out: on a GPU captured once and replayed, elsewhere called. Not thread-safe.

    Raises RuntimeError, as torch does, where the graph cannot be captured or the GPU is gone.
    """

    def __init__(self, net: MultiScaleEmotionNet, temporal: EmotionTransitionModel, device: torch.device) -> None:
        self._device = device
        on_gpu = device.type == "cuda"
        self._graph: torch.cuda.CUDAGraph | None = None
        self._in = torch.zeros(HOP_SAMPLES + 1 + HISTORY_STEPS, pin_memory=on_gpu)
        self._out = torch.zeros(ROW + len(EMOTIONS) + 3, pin_memory=on_gpu)
        # TF32 would halve the digits; a graph keeps the kernels that were chosen when it was captured.
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False) if on_gpu else contextlib.nullcontext():
            self._step = HopStep(net, temporal, device)
            if on_gpu:
                self._graph = self._captured()
        self.reset()

    def _captured(self) -> torch.cuda.CUDAGraph:
        aside = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(aside):
            for _ in range(WARM_UPS):
                self._step()
        torch.cuda.current_stream(self._device).wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            self._step()
        return graph

    def reset(self) -> None:
        """Forget everything heard."""
        self._step.reset()

    @torch.inference_mode()
    def __call__(self, samples: np.ndarray, sounds: bool, ages: Sequence[float]) -> np.ndarray:
        """A hop's samples `[4000]` in [-1, 1], whether they sound, and how many seconds ago each moment of the history
        was, at most HISTORY_STEPS, the newest last: HopStep's `outgoing`.
        """
        given = self._in.numpy()
        given[:HOP_SAMPLES] = samples
        given[HOP_SAMPLES] = sounds
        given[HOP_SAMPLES + 1 :] = 0.0
        if ages:
            given[-len(ages) :] = ages
        self._step.incoming.copy_(self._in, non_blocking=True)
        if self._graph is None:
            self._step()
        else:
            self._graph.replay()
        self._out.copy_(self._step.outgoing, non_blocking=True)
        if self._device.type == "cuda":
            torch.cuda.current_stream(self._device).synchronize()  # the hop's only wait
        return self._out.numpy().copy()
