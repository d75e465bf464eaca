"""MSD_musicnn (Pons & Serra 2019, ISC licence) as PyTorch: the frozen trunk that knows what music sounds like.

Only the timbral front end is dear (6 of 8 million multiplications a frame) and it looks at 7 frames, so a stream
computes it once a frame and keeps it; the rest looks up to 64 frames ahead (trunk_stream.py).
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from kelly_live.emotion.nets.scales import TRUNK_AHEAD, TRUNK_PAST

BANDS = 96
FRAME_CHANNELS = 561 + 3 * 64
PENULTIMATE = 200
TEMPORAL = (128, 64, 32)  # filter lengths in frames; TensorFlow's "same" pads (n-1)//2 left, n//2 right
_EPSILON = 1e-3  # TensorFlow's batch norm


class Affine(nn.Module):
    """A frozen batch norm, folded to scale and shift over channel axis 1."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("scale", torch.ones(channels))
        self.register_buffer("shift", torch.zeros(channels))
        self.scale: torch.Tensor
        self.shift: torch.Tensor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shape = (1, -1) + (1,) * (x.dim() - 2)
        return x * self.scale.view(shape) + self.shift.view(shape)

    @torch.no_grad()
    def fold(self, gamma: torch.Tensor, beta: torch.Tensor, mean: torch.Tensor, variance: torch.Tensor) -> None:
        self.scale.copy_(gamma / torch.sqrt(variance + _EPSILON))
        self.shift.copy_(beta - mean * self.scale)


class MusicnnTrunk(nn.Module):
    """Log-mel `[B, 96, frames]` to frame features `[B, 753, 187]` and the penultimate layer `[B, 200]`."""

    def __init__(self) -> None:
        super().__init__()
        self.input_norm = Affine(1)
        self.timbral = nn.ModuleList([nn.Conv2d(1, 204, (38, 7)), nn.Conv2d(1, 204, (67, 7))])
        self.timbral_norm = nn.ModuleList([Affine(204), Affine(204)])
        self.temporal = nn.ModuleList([nn.Conv2d(1, 51, (1, n)) for n in TEMPORAL])
        self.temporal_norm = nn.ModuleList([Affine(51) for _ in TEMPORAL])
        self.mid = nn.ModuleList([nn.Conv1d(561, 64, 7), nn.Conv1d(64, 64, 7), nn.Conv1d(64, 64, 7)])
        self.mid_norm = nn.ModuleList([Affine(64) for _ in range(3)])
        self.pool_norm = Affine(2 * FRAME_CHANNELS)
        self.dense = nn.Linear(2 * FRAME_CHANNELS, PENULTIMATE)
        self.dense_norm = Affine(PENULTIMATE)
        self.tags = nn.Linear(PENULTIMATE, 50)

    def normalise(self, mel: torch.Tensor) -> torch.Tensor:
        """`[B, 96, frames]` to the net's own `[B, 1, 96, frames]`."""
        normal: torch.Tensor = self.input_norm(mel.unsqueeze(1))
        return normal

    def timbre(self, x: torch.Tensor) -> torch.Tensor:
        """`[B, 1, 96, n]` to `[B, 408, n - 6]`: each output frame sees three frames on either side of it."""
        pooled = []
        for conv, norm in zip(self.timbral, self.timbral_norm, strict=True):
            pooled.append(norm(functional.relu(conv(x))).amax(dim=2))
        return torch.cat(pooled, dim=1)

    def tempo(self, x: torch.Tensor, outputs: int) -> torch.Tensor:
        """`[B, 1, 96, 63 + outputs + 3]` to `[B, 153, outputs]`; what lies beyond the right edge counts as zero."""
        last = x.shape[-1] - TRUNK_AHEAD  # one past the frame of the last output
        pooled = []
        for length, conv, norm in zip(TEMPORAL, self.temporal, self.temporal_norm, strict=True):
            assert isinstance(conv, nn.Conv2d)
            first = last - outputs - (length - 1) // 2
            padded = functional.pad(x[..., first:], (0, max(0, length // 2 - TRUNK_AHEAD)))
            # Band by band as a batch: the same sums as the 2-D convolution's, at half its cost.
            bands = padded[:, 0, :, : outputs + length - 1].flatten(0, 1).unsqueeze(1)
            y = functional.relu(functional.conv1d(bands, conv.weight[:, :, 0], conv.bias))
            pooled.append(norm(y.view(len(x), -1, *y.shape[1:]).transpose(1, 2)).amax(dim=2))
        return torch.cat(pooled, dim=1)

    def finish(self, front: torch.Tensor) -> torch.Tensor:
        """Front-end features `[B, 561, n]` to all frame features `[B, 753, n]` (front, and three middle layers)."""
        layers = [front]
        h = self.mid_norm[0](functional.relu(self.mid[0](functional.pad(front, (3, 3)))))
        layers.append(h)
        for conv, norm in zip(list(self.mid)[1:], list(self.mid_norm)[1:], strict=True):
            h = norm(functional.relu(conv(functional.pad(h, (3, 3))))) + h
            layers.append(h)
        return torch.cat(layers, dim=1)

    def penultimate(self, frames: torch.Tensor) -> torch.Tensor:
        """Frame features `[B, 753, n]` to musicnn's own embedding `[B, 200]` (max and mean over the frames)."""
        pooled = torch.cat((frames.amax(dim=2), frames.mean(dim=2)), dim=1)
        embedding: torch.Tensor = self.dense_norm(functional.relu(self.dense(self.pool_norm(pooled))))
        return embedding

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        """A window with its surroundings `[B, 96, 63 + n + 3]` to frame features `[B, 753, n]`."""
        x = self.normalise(mel)
        outputs = mel.shape[-1] - TRUNK_PAST - TRUNK_AHEAD
        timbre = self.timbre(x[..., TRUNK_PAST - 3 :])
        return self.finish(torch.cat((timbre, self.tempo(x, outputs)), dim=1))

    def taggram(self, mel: torch.Tensor) -> torch.Tensor:
        """musicnn's own answer for a bare window `[B, 96, n]`, zero padded as it does: 50 tag chances `[B, 50]`."""
        x = functional.pad(self.normalise(mel), (TRUNK_PAST, TRUNK_AHEAD))
        front = torch.cat((self.timbre(x[..., TRUNK_PAST - 3 :]), self.tempo(x, mel.shape[-1])), dim=1)
        return torch.sigmoid(self.tags(self.penultimate(self.finish(front))))
