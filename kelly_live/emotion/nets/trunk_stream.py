"""MusicnnTrunk, hop by hop: the same frame features, each sum taken once.

A timbral frame is computed when its seven mel frames are in. A temporal filter is linear in its frames, so what a new
frame adds to every output that sees it is one product with a fixed matrix, and outputs wait until their last frame has
come. The first middle layer's products are kept for every frame that stays as it was. Relu and batch norm rise or fall
with what they are given, so the largest band is looked for before them, not after.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from kelly_live.emotion.nets.musicnn import BANDS, TEMPORAL, Affine, MusicnnTrunk
from kelly_live.emotion.nets.packed import PackedLinear
from kelly_live.emotion.nets.scales import TRUNK_AHEAD, TRUNK_FRAMES, TRUNK_PAST

_CHUNK = 16  # frames that one product takes: a hop's
_UNSETTLED = max(TEMPORAL) // 2 - TRUNK_AHEAD  # newest frames of the window that still lack some of their future


class _Filters:
    """A convolution with its batch norm folded in: `weight` and, after the largest over the bands, `settle`."""

    def __init__(self, conv: nn.Conv2d, norm: Affine) -> None:
        assert conv.bias is not None
        self.weight = conv.weight[:, 0] * norm.scale.view(-1, 1, 1)  # [channels, bands, frames]
        infinite = torch.full_like(norm.scale, torch.inf)
        falls = norm.scale < 0.0
        self._bias = (conv.bias * norm.scale).unsqueeze(1)
        self._low = torch.where(falls, -infinite, torch.zeros_like(infinite)).unsqueeze(1)
        self._high = torch.where(falls, torch.zeros_like(infinite), infinite).unsqueeze(1)
        self._shift = norm.shift.unsqueeze(1)

    def settle(self, largest: torch.Tensor) -> torch.Tensor:
        """The largest weighted sums `[channels, n]` of all bands, to what relu, batch norm and maximum make of them."""
        return torch.clamp(largest + self._bias, self._low, self._high) + self._shift


class _Timbre:
    """Timbral filters as one product."""

    def __init__(self, conv: nn.Conv2d, norm: Affine) -> None:
        self._filters = _Filters(conv, norm)
        self._height, self._length = self._filters.weight.shape[1:]
        self._product = PackedLinear.of(self._filters.weight.flatten(1))

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Normalised mel `[96, n]` to `[channels, n - 6]`."""
        patches = x.unfold(0, self._height, 1).unfold(1, self._length, 1)  # [places, frames, height, length]
        sums = self._product(patches.reshape(-1, self._height * self._length))
        return self._filters.settle(sums.view(*patches.shape[:2], -1).amax(dim=0).T)


class _Tempo:
    """One length of temporal filters: the sums of every output that a frame to come may still add to."""

    def __init__(self, conv: nn.Conv2d, norm: Affine) -> None:
        self._filters = _Filters(conv, norm)
        weight = self._filters.weight[:, 0]  # [channels, length]
        self.channels, self._length = weight.shape
        self.unsettled = self._length // 2 - TRUNK_AHEAD
        # Frame j of a chunk is tap (length - 1 - k + j) of the k-th output that waits.
        taps = self._length - 1 - torch.arange(_CHUNK + self._length - 1).unsqueeze(0) + torch.arange(_CHUNK)[:, None]
        inside = ((taps >= 0) & (taps < self._length)).to(weight.device)
        adds = weight[:, taps.clamp(0, self._length - 1).to(weight.device)] * inside  # [channels, chunk, outputs]
        self._adds = adds.transpose(0, 1).contiguous()
        self._exact = {n: self._product(n) for n in (_CHUNK - 1, _CHUNK)}  # a hop of 4000 samples is 15.6 frames

    def _product(self, frames: int) -> PackedLinear:
        return PackedLinear.of(self._adds[:frames, :, : frames + self._length - 1].reshape(frames, -1).T)

    def silence(self, bands: int) -> torch.Tensor:
        return torch.zeros(bands, self.channels, self._length - 1, device=self._adds.device)

    def push(self, waiting: torch.Tensor, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Sums that wait `[bands, channels, length - 1]` and at most a chunk of frames `[bands, n]`: the sums that wait
        after them, and the features `[channels, n + unsettled]`, of which the last `unsettled` are not yet final.
        """
        count = x.shape[1]
        product = self._exact[count] if count in self._exact else self._product(count)
        sums = product(x).view(len(x), self.channels, -1)
        sums[..., : self._length - 1] += waiting
        features = self._filters.settle(sums.amax(dim=0)[:, : count + self.unsettled])
        return sums[..., count:], features


class _Middle:
    """One middle layer, its taps side by side: products of single frames, then sums over neighbours."""

    def __init__(self, conv: nn.Conv1d, norm: Affine) -> None:
        assert conv.bias is not None
        self._taps = conv.kernel_size[0]
        self._product = PackedLinear.of(conv.weight.permute(2, 0, 1).flatten(0, 1))  # [taps * channels, inputs]
        self._bias, self._norm = conv.bias, norm

    def products(self, x: torch.Tensor) -> torch.Tensor:
        """Frames `[n, inputs]` to `[n, taps * channels]`."""
        y: torch.Tensor = self._product(x)
        return y

    def layer(self, products: torch.Tensor) -> torch.Tensor:
        """The window's products to the layer `[n, channels]`; beyond the window there are zeros."""
        count, width = products.shape
        channels = width // self._taps
        padded = functional.pad(products, (0, 0, self._taps // 2, self._taps // 2))
        diagonal = padded.as_strided((count, self._taps, channels), (width, width + channels, 1))
        return functional.relu(diagonal.sum(dim=1) + self._bias) * self._norm.scale + self._norm.shift


class TrunkStream:
    """The trunk over the last window of one stream; before the first frame there was silence. Takes the trunk's weights
    as they are when it is made. All state is replaced, never written to. Not thread-safe.
    """

    def __init__(self, trunk: MusicnnTrunk) -> None:
        self._trunk = trunk
        self._device = trunk.input_norm.scale.device
        with torch.no_grad():
            self._timbral = [_Timbre(*pair) for pair in zip(trunk.timbral, trunk.timbral_norm, strict=True)]  # type: ignore[arg-type]
            self._temporal = [_Tempo(*pair) for pair in zip(trunk.temporal, trunk.temporal_norm, strict=True)]  # type: ignore[arg-type]
            self._middle = [_Middle(*pair) for pair in zip(trunk.mid, trunk.mid_norm, strict=True)]  # type: ignore[arg-type]
        with torch.inference_mode():
            self._hear_silence()
        self._start = dict(vars(self))

    def reset(self) -> None:
        """Forget everything heard."""
        vars(self).update(self._start)

    def _hear_silence(self) -> None:
        window = TRUNK_PAST + TRUNK_FRAMES + TRUNK_AHEAD
        self._x = self._trunk.normalise(torch.zeros(1, BANDS, window, device=self._device))[0, 0]
        self._waiting = [tempo.silence(BANDS) for tempo in self._temporal]
        self._tempo = [torch.zeros(tempo.channels, TRUNK_FRAMES, device=self._device) for tempo in self._temporal]
        self._timbre = self._timbral_features(self._x[:, TRUNK_PAST - TRUNK_AHEAD :])
        self._fresh = window
        self._kept = torch.zeros(0, device=self._device)
        self._frames = self._features()

    def _timbral_features(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([filters(x) for filters in self._timbral])

    def push(self, mel: torch.Tensor) -> None:
        """New frames `[96, n]` of mel_512."""
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
        """The window's frame features `[1, 753, 187]`."""
        if self._fresh:
            self._frames = self._features()
        return self._frames

    def _features(self) -> torch.Tensor:
        fresh = self._fresh
        if self._fresh >= self._x.shape[1]:  # nothing that is still seen came before: begin anew, with all of it
            self._waiting = [tempo.silence(len(self._x)) for tempo in self._temporal]
            self._fresh = self._x.shape[1]
        for chunk in torch.split(self._x[:, -self._fresh :], _CHUNK, dim=1):
            pushed = [tempo.push(waits, chunk) for tempo, waits in zip(self._temporal, self._waiting, strict=True)]
            self._waiting = [waits for waits, _ in pushed]
            self._tempo = [
                torch.cat((before[:, : before.shape[1] - tempo.unsettled], features), dim=1)[:, -TRUNK_FRAMES:]
                for tempo, before, (_, features) in zip(self._temporal, self._tempo, pushed, strict=True)
            ]
        self._fresh = 0
        front = torch.cat((self._timbre, *self._tempo))
        same = max(0, TRUNK_FRAMES - _UNSETTLED - fresh)  # frames that have only moved
        products = self._middle[0].products(front[:, same:].T.contiguous())
        self._kept = products if same == 0 else torch.cat((self._kept[fresh : same + fresh], products))
        h = self._middle[0].layer(self._kept)
        layers = [h]
        for middle in self._middle[1:]:
            h = middle.layer(middle.products(h)) + h
            layers.append(h)
        return torch.cat((front, torch.cat(layers, dim=1).T)).unsqueeze(0)
