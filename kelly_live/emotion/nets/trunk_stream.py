"""MusicnnTrunk over a stream, hop by hop: the same frame features, with each sum computed once.

A timbral frame is computed when its seven mel frames are there. A temporal filter is linear in its frames, so the
contribution of a new frame to all outputs that read it is one product with a fixed matrix; outputs wait until their
last frame has arrived. The products of the first middle layer are kept for every frame that has not changed. ReLU and
batch norm are monotonic, so the maximum over the bands is taken before them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from kelly_live.emotion.nets.musicnn import BANDS, TEMPORAL, Affine, MusicnnTrunk
from kelly_live.emotion.nets.packed import PackedLinear
from kelly_live.emotion.nets.scales import TRUNK_AHEAD, TRUNK_FRAMES, TRUNK_PAST

_CHUNK = 16  # frames of one product, those of a hop
_UNSETTLED = max(TEMPORAL) // 2 - TRUNK_AHEAD  # newest frames of the window whose later frames are still missing


class _Filters:
    """A convolution with its batch norm folded in: `weight`, and `finish` for the maximum over the bands."""

    def __init__(self, conv: nn.Conv2d, norm: Affine) -> None:
        assert conv.bias is not None
        self.weight = conv.weight[:, 0] * norm.scale.view(-1, 1, 1)  # [channels, bands, frames]
        infinite = torch.full_like(norm.scale, torch.inf)
        falls = norm.scale < 0.0
        self._bias = (conv.bias * norm.scale).unsqueeze(1)
        self._low = torch.where(falls, -infinite, torch.zeros_like(infinite)).unsqueeze(1)
        self._high = torch.where(falls, torch.zeros_like(infinite), infinite).unsqueeze(1)
        self._shift = norm.shift.unsqueeze(1)

    def finish(self, largest: torch.Tensor) -> torch.Tensor:
        """Apply bias, ReLU and batch norm to the largest weighted sums `[channels, n]` of all bands."""
        return torch.clamp(largest + self._bias, self._low, self._high) + self._shift


class _TimbralFilters:
    """Timbral filters as one matrix product."""

    def __init__(self, conv: nn.Conv2d, norm: Affine) -> None:
        self._filters = _Filters(conv, norm)
        self._height, self._length = self._filters.weight.shape[1:]
        self._product = PackedLinear.from_weights(self._filters.weight.flatten(1))

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Map normalised mel frames `[96, n]` to `[channels, n - 6]`."""
        patches = x.unfold(0, self._height, 1).unfold(1, self._length, 1)  # [places, frames, height, length]
        sums = self._product(patches.reshape(-1, self._height * self._length))
        return self._filters.finish(sums.view(*patches.shape[:2], -1).amax(dim=0).T)


class _TemporalFilters:
    """Temporal filters of one length, and the partial sums of the outputs that later frames still add to."""

    def __init__(self, conv: nn.Conv2d, norm: Affine) -> None:
        self._filters = _Filters(conv, norm)
        weight = self._filters.weight[:, 0]  # [channels, length]
        self.channels, self._length = weight.shape
        self.unsettled = self._length // 2 - TRUNK_AHEAD
        # Frame j of a chunk is tap (length - 1 - k + j) of the k-th waiting output.
        taps = self._length - 1 - torch.arange(_CHUNK + self._length - 1).unsqueeze(0) + torch.arange(_CHUNK)[:, None]
        inside = ((taps >= 0) & (taps < self._length)).to(weight.device)
        adds = weight[:, taps.clamp(0, self._length - 1).to(weight.device)] * inside  # [channels, chunk, outputs]
        self._adds = adds.transpose(0, 1).contiguous()
        self._exact = {n: self._product(n) for n in (_CHUNK - 1, _CHUNK)}  # a hop of 4000 samples is 15.6 frames

    def _product(self, frames: int) -> PackedLinear:
        return PackedLinear.from_weights(self._adds[:frames, :, : frames + self._length - 1].reshape(frames, -1).T)

    def silence(self, bands: int) -> torch.Tensor:
        """Return the waiting sums after silence."""
        return torch.zeros(bands, self.channels, self._length - 1, device=self._adds.device)

    def push(self, pending_sums: torch.Tensor, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Add at most a chunk of frames `[bands, n]` to the waiting sums `[bands, channels, length - 1]`.

        Returns the sums that wait afterwards, and the features `[channels, n + unsettled]`, of which the last
        `unsettled` are not final yet.
        """
        count = x.shape[1]
        product = self._exact[count] if count in self._exact else self._product(count)
        sums = product(x).view(len(x), self.channels, -1)
        sums[..., : self._length - 1] += pending_sums
        features = self._filters.finish(sums.amax(dim=0)[:, : count + self.unsettled])
        return sums[..., count:], features


class _MiddleLayer:
    """One middle layer as products of single frames, followed by sums over neighbouring frames."""

    def __init__(self, conv: nn.Conv1d, norm: Affine) -> None:
        assert conv.bias is not None
        self._taps = conv.kernel_size[0]
        self._product = PackedLinear.from_weights(
            conv.weight.permute(2, 0, 1).flatten(0, 1)
        )  # [taps * channels, inputs]
        self._bias, self._norm = conv.bias, norm

    def products(self, x: torch.Tensor) -> torch.Tensor:
        """Map frames `[n, inputs]` to products `[n, taps * channels]`."""
        y: torch.Tensor = self._product(x)
        return y

    def layer(self, products: torch.Tensor) -> torch.Tensor:
        """Sum the window's products to the layer `[n, channels]`, zero-padded."""
        count, width = products.shape
        channels = width // self._taps
        padded_products = functional.pad(products, (0, 0, self._taps // 2, self._taps // 2))
        diagonal = padded_products.as_strided((count, self._taps, channels), (width, width + channels, 1))
        return functional.relu(diagonal.sum(dim=1) + self._bias) * self._norm.scale + self._norm.shift


def _pair(layers: nn.ModuleList, norms: nn.ModuleList) -> Iterator[tuple[Any, Any]]:
    """Pair each layer with the batch norm after it."""
    return zip(layers, norms, strict=True)


class TrunkStream:
    """The trunk over the last window of one stream, which starts from silence. Not thread-safe.

    It uses the trunk's weights as they are when it is created. State is replaced, never written in place.
    """

    def __init__(self, trunk: MusicnnTrunk) -> None:
        self._trunk = trunk
        self._device = trunk.input_norm.scale.device
        with torch.no_grad():
            self._timbral = [_TimbralFilters(*pair) for pair in _pair(trunk.timbral, trunk.timbral_norm)]
            self._temporal = [_TemporalFilters(*pair) for pair in _pair(trunk.temporal, trunk.temporal_norm)]
            self._middle = [_MiddleLayer(*pair) for pair in _pair(trunk.mid, trunk.mid_norm)]
        with torch.inference_mode():
            self._start_from_silence()
        self._start = dict(vars(self))

    def reset(self) -> None:
        """Forget all frames so far."""
        vars(self).update(self._start)

    def _start_from_silence(self) -> None:
        window = TRUNK_PAST + TRUNK_FRAMES + TRUNK_AHEAD
        self._x = self._trunk.normalise(torch.zeros(1, BANDS, window, device=self._device))[0, 0]
        self._pending_sums = [tempo.silence(BANDS) for tempo in self._temporal]
        self._tempo = [torch.zeros(tempo.channels, TRUNK_FRAMES, device=self._device) for tempo in self._temporal]
        self._timbre = self._timbral_features(self._x[:, TRUNK_PAST - TRUNK_AHEAD :])
        self._fresh = window
        self._products = torch.zeros(0, device=self._device)
        self._frames = self._features()

    def _timbral_features(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([filters(x) for filters in self._timbral])

    def push(self, mel: torch.Tensor) -> None:
        """Take new frames `[96, n]` of mel_512."""
        count = mel.shape[1]
        if count == 0:
            return
        x = torch.cat((self._x, self._trunk.normalise(mel.unsqueeze(0))[0, 0]), dim=1)
        new = min(count, TRUNK_FRAMES)
        timbre = self._timbral_features(x[:, -(new + 2 * TRUNK_AHEAD) :])
        self._timbre = torch.cat((self._timbre, timbre), dim=1)[:, -TRUNK_FRAMES:]
        self._x = x[:, -self._x.shape[1] :]
        self._fresh += count

    def frames(self) -> torch.Tensor:
        """Return the window's frame features `[1, 753, 187]`."""
        if self._fresh:
            self._frames = self._features()
        return self._frames

    def _features(self) -> torch.Tensor:
        fresh = self._fresh
        if self._fresh >= self._x.shape[1]:  # all frames of the window are new: begin anew with all of them
            self._pending_sums = [tempo.silence(len(self._x)) for tempo in self._temporal]
            self._fresh = self._x.shape[1]
        for chunk in torch.split(self._x[:, -self._fresh :], _CHUNK, dim=1):
            results = [
                tempo.push(waits, chunk) for tempo, waits in zip(self._temporal, self._pending_sums, strict=True)
            ]
            self._pending_sums = [waits for waits, _ in results]
            self._tempo = [
                torch.cat((before[:, : before.shape[1] - tempo.unsettled], features), dim=1)[:, -TRUNK_FRAMES:]
                for tempo, before, (_, features) in zip(self._temporal, self._tempo, results, strict=True)
            ]
        self._fresh = 0
        front = torch.cat((self._timbre, *self._tempo))
        same = max(0, TRUNK_FRAMES - _UNSETTLED - fresh)  # frames that have only shifted
        products = self._middle[0].products(front[:, same:].T.contiguous())
        self._products = products if same == 0 else torch.cat((self._products[fresh : same + fresh], products))
        h = self._middle[0].layer(self._products)
        layers = [h]
        for middle in self._middle[1:]:
            h = middle.layer(middle.products(h)) + h
            layers.append(h)
        return torch.cat((front, torch.cat(layers, dim=1).T)).unsqueeze(0)
