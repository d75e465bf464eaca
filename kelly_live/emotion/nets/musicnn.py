"""MSD_musicnn (Pons & Serra 2019, ISC licence) in PyTorch: the frozen encoder of music.

The timbral front end takes 6 of the 8 million multiplications a frame and reads only 7 frames, so a stream computes it
once for each frame. The other layers read up to 64 frames ahead (`trunk_stream.py`).
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from kelly_live.emotion.nets.scales import TRUNK_AHEAD, TRUNK_PAST

BANDS = 96
FRAME_CHANNELS = 561 + 3 * 64
PENULTIMATE = 200
TEMPORAL = (128, 64, 32)  # filter lengths in frames; TensorFlow's "same" pads (n - 1) // 2 left, n // 2 right
_EPSILON = 1e-3  # TensorFlow's batch norm


class Affine(nn.Module):
    """A frozen batch norm, folded into scale and shift over channel axis 1."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("scale", torch.ones(channels))
        self.register_buffer("shift", torch.zeros(channels))
        self.scale: torch.Tensor
        self.shift: torch.Tensor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scale and shift `[B, channels, …]`."""
        shape = (1, -1) + (1,) * (x.dim() - 2)
        return x * self.scale.view(shape) + self.shift.view(shape)

    @torch.no_grad()
    def fold(self, gamma: torch.Tensor, beta: torch.Tensor, mean: torch.Tensor, variance: torch.Tensor) -> None:
        """Set scale and shift from the parameters of a batch norm."""
        self.scale.copy_(gamma / torch.sqrt(variance + _EPSILON))
        self.shift.copy_(beta - mean * self.scale)


class MusicnnTrunk(nn.Module):
    """musicnn without its input layer: log-mel frames to frame features, an embedding and tags."""

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
        """Normalise `[B, 96, frames]` to the net's input `[B, 1, 96, frames]`."""
        normal: torch.Tensor = self.input_norm(mel.unsqueeze(1))
        return normal

    def compute_timbral(self, x: torch.Tensor) -> torch.Tensor:
        """Map `[B, 1, 96, n]` to timbral features `[B, 408, n - 6]`; each reads three frames on either side."""
        features = []
        for conv, norm in zip(self.timbral, self.timbral_norm, strict=True):
            features.append(norm(functional.relu(conv(x))).amax(dim=2))
        return torch.cat(features, dim=1)

    def compute_temporal(self, x: torch.Tensor, outputs: int) -> torch.Tensor:
        """Map `[B, 1, 96, 63 + outputs + 3]` to temporal features `[B, 153, outputs]`.

        Frames after the right edge count as zero.
        """
        last = x.shape[-1] - TRUNK_AHEAD  # index after the frame of the last output
        features = []
        for length, conv, norm in zip(TEMPORAL, self.temporal, self.temporal_norm, strict=True):
            assert isinstance(conv, nn.Conv2d)
            first = last - outputs - (length - 1) // 2
            padded_frames = functional.pad(x[..., first:], (0, max(0, length // 2 - TRUNK_AHEAD)))
            # Bands as a batch: the same sums as with the 2-D convolution, in half the time.
            bands = padded_frames[:, 0, :, : outputs + length - 1].flatten(0, 1).unsqueeze(1)
            y = functional.relu(functional.conv1d(bands, conv.weight[:, :, 0], conv.bias))
            features.append(norm(y.view(len(x), -1, *y.shape[1:]).transpose(1, 2)).amax(dim=2))
        return torch.cat(features, dim=1)

    def complete_features(self, front: torch.Tensor) -> torch.Tensor:
        """Map front-end features `[B, 561, n]` to all frame features `[B, 753, n]` (with three middle layers)."""
        layers = [front]
        h = self.mid_norm[0](functional.relu(self.mid[0](functional.pad(front, (3, 3)))))
        layers.append(h)
        for conv, norm in zip(list(self.mid)[1:], list(self.mid_norm)[1:], strict=True):
            h = norm(functional.relu(conv(functional.pad(h, (3, 3))))) + h
            layers.append(h)
        return torch.cat(layers, dim=1)

    def embed(self, frames: torch.Tensor) -> torch.Tensor:
        """Map frame features `[B, 753, n]` to musicnn's embedding, its penultimate layer, `[B, 200]`."""
        statistics = torch.cat((frames.amax(dim=2), frames.mean(dim=2)), dim=1)
        embedding: torch.Tensor = self.dense_norm(functional.relu(self.dense(self.pool_norm(statistics))))
        return embedding

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        """Map a window and the frames around it `[B, 96, 63 + n + 3]` to frame features `[B, 753, n]`."""
        x = self.normalise(mel)
        outputs = mel.shape[-1] - TRUNK_PAST - TRUNK_AHEAD
        timbre = self.compute_timbral(x[..., TRUNK_PAST - 3 :])
        return self.complete_features(torch.cat((timbre, self.compute_temporal(x, outputs)), dim=1))

    def predict_tags(self, mel: torch.Tensor) -> torch.Tensor:
        """Return tag probabilities `[B, 50]` of a window `[B, 96, n]`, zero-padded as in the original."""
        x = functional.pad(self.normalise(mel), (TRUNK_PAST, TRUNK_AHEAD))
        front = torch.cat(
            (self.compute_timbral(x[..., TRUNK_PAST - 3 :]), self.compute_temporal(x, mel.shape[-1])), dim=1
        )
        return torch.sigmoid(self.tags(self.embed(self.complete_features(front))))
