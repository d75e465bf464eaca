"""The emotion net: what is felt in the last three seconds, from three resolutions of the same sound.

A frozen musicnn trunk hears music, fixed statistics and a small CNN hear a voice; a fusion joins them. `forward` is
the batch answer for a window. `EmotionStream` gives the same answer hop by hop: it keeps the trunk's timbral frames
and its settled temporal frames, and recomputes the rest of the window, which is cheap.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

from kelly_live.domain import EMOTIONS
from kelly_live.nets.musicnn import FRAME_CHANNELS, PENULTIMATE, MusicnnTrunk
from kelly_live.nets.scales import SCALES, TRUNK_AHEAD, TRUNK_FRAMES, TRUNK_PAST
from kelly_live.nets.voice import VOICE_STATISTICS, VoiceStatistics, activity, weighted_moments

# The labels that actors were given: the eight, and two that the eight have no place for. Only for training and
# for measuring against studies that use them.
LABELS = (*EMOTIONS, "calm", "boredom")
N_GEMS = 9  # the emotions that music induces, after Zentner, Grandjean & Scherer (2008); only to learn and measure with
TRUNK_STATISTICS = 3 * FRAME_CHANNELS + PENULTIMATE
_SHORT_FRAMES = 62  # 1 s of trunk frames
_UNSETTLED = 64 - TRUNK_AHEAD  # newest frames whose temporal features still lack some of their future


class EmotionOutput(NamedTuple):
    """`emotion_logits [B, E]`; V, A, D `[B]` in [-1, 1]; `confidence [B]` in [0, 1], the calibrated chance that the
    answer is right; `presence [B]` in [0, 1], that there is a voice or music at all; `label_logits [B, LABELS]`;
    `gems [B, 9]`, the fraction of listeners that would choose each GEMS emotion."""

    emotion_logits: torch.Tensor
    valence: torch.Tensor
    arousal: torch.Tensor
    dominance: torch.Tensor
    confidence: torch.Tensor
    presence: torch.Tensor
    label_logits: torch.Tensor
    gems: torch.Tensor


class Description(NamedTuple):
    """What the fusion sees of a window: trunk statistics, voice statistics, and the picture for the CNN."""

    trunk: torch.Tensor
    voice: torch.Tensor
    picture: torch.Tensor


class Standardise(nn.Module):
    """Centre and scale by what was measured on the training windows; kept within ±`limit` deviations."""

    def __init__(self, width: int, limit: float = 6.0) -> None:
        super().__init__()
        self.limit = limit
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("deviation", torch.ones(width))
        self.mean: torch.Tensor
        self.deviation: torch.Tensor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return ((x - self.mean) / self.deviation).clamp(-self.limit, self.limit)

    def measure(self, x: torch.Tensor) -> None:
        """Set from training rows `[N, width]`."""
        self.mean.copy_(x.mean(dim=0))
        self.deviation.copy_(x.std(dim=0).clamp_min(1e-3))


class Picture(nn.Module):
    """A small CNN over `mel_1024` `[B, 64, T]`, pooled to mean and deviation over the frames: `[B, 2 * width]`."""

    def __init__(self, width: int = 80) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        sizes = [(1, 24, (2, 2)), (24, 40, (2, 1)), (40, 56, (2, 2)), (56, width, (2, 1))]
        for n_in, n_out, stride in sizes:
            layers += [nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False), nn.BatchNorm2d(n_out), nn.ReLU()]
        self.layers = nn.Sequential(*layers)

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        image = ((picture.unsqueeze(1) - 1.0) * 0.7).contiguous(memory_format=torch.channels_last)  # twice as fast
        h = self.layers(image).mean(dim=2)
        return torch.cat((h.mean(dim=2), torch.sqrt(h.var(dim=2, unbiased=False) + 1e-5)), dim=1)


class MultiScaleEmotionNet(nn.Module):
    """Log-mels `{mel_512: [B, 96, 253], mel_1024: [B, 64, 94], mel_2048: [B, 144, 94]}` to an EmotionOutput."""

    def __init__(
        self, n_emotions: int = len(EMOTIONS), hidden_dim: int = 192, dropout: float = 0.2, picture_width: int = 80
    ) -> None:
        super().__init__()
        self.config = {
            "n_emotions": n_emotions, "hidden_dim": hidden_dim, "dropout": dropout, "picture_width": picture_width,
        }  # fmt: skip
        self.trunk = MusicnnTrunk().requires_grad_(False)
        self.voice = VoiceStatistics()
        self.picture = Picture(picture_width).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.trunk_scale = Standardise(TRUNK_STATISTICS)
        self.voice_scale = Standardise(VOICE_STATISTICS)
        self.drop = nn.Dropout(dropout)
        self.from_trunk = nn.Linear(TRUNK_STATISTICS, hidden_dim)
        self.from_voice = nn.Linear(VOICE_STATISTICS, hidden_dim)
        self.from_picture = nn.Linear(2 * picture_width, hidden_dim)
        self.fuse = nn.Linear(3 * hidden_dim, hidden_dim)
        self.emotion_head = nn.Linear(hidden_dim, n_emotions)
        self.label_head = nn.Linear(hidden_dim, len(LABELS))
        self.affect_head = nn.Linear(hidden_dim, 3)
        self.presence_head = nn.Linear(hidden_dim, 1)
        self.gems_head = nn.Linear(hidden_dim, N_GEMS)
        # Fitted after training, on clips that the weights never saw.
        self.register_buffer("temperature", torch.ones(2))  # of the emotion and of the label logits
        self.register_buffer("confidence_fit", torch.tensor([0.0, 1.0, 0.0, 1.0]))
        self.temperature: torch.Tensor
        self.confidence_fit: torch.Tensor

    def train(self, mode: bool = True) -> MultiScaleEmotionNet:
        super().train(mode)
        self.trunk.eval()
        return self

    def summarise(self, frames: torch.Tensor, mel_1024: torch.Tensor, mel_2048: torch.Tensor) -> Description:
        """Trunk frames `[B, 753, 187]` and the two other scales to what the fusion sees."""
        sounding = functional.interpolate(activity(mel_1024).unsqueeze(1), size=TRUNK_FRAMES, mode="linear").squeeze(1)
        mean, deviation = weighted_moments(frames, sounding)
        short, _ = weighted_moments(frames[..., -_SHORT_FRAMES:], sounding[:, -_SHORT_FRAMES:])
        trunk = torch.cat((mean, deviation, short, self.trunk.penultimate(frames)), dim=1)
        return Description(trunk, self.voice(mel_1024, mel_2048), mel_1024)

    def describe(self, mels: dict[str, torch.Tensor]) -> Description:
        return self.summarise(self.trunk(mels["mel_512"]), mels["mel_1024"], mels["mel_2048"])

    def judge(self, seen: Description) -> EmotionOutput:
        """The learned part: description to answer."""
        parts = (
            self.from_trunk(self.drop(self.trunk_scale(seen.trunk))),
            self.from_voice(self.drop(self.voice_scale(seen.voice))),
            self.from_picture(self.drop(self.picture(seen.picture))),
        )
        joined = functional.gelu(torch.cat(parts, dim=1))
        h = self.drop(functional.gelu(self.fuse(self.drop(joined))))
        logits = self.emotion_head(h) / self.temperature[0]
        affect = torch.tanh(self.affect_head(h))
        presence = self.presence_head(h).squeeze(1)
        top = torch.softmax(logits, dim=1).amax(dim=1)
        bias, by_top, by_affect, by_presence = self.confidence_fit
        strength = affect[:, :2].abs().mean(dim=1)
        sure = (
            bias
            + by_top * torch.logit(top, 1e-4)
            + by_affect * strength
            + by_presence * functional.logsigmoid(presence)
        )
        return EmotionOutput(
            logits, affect[:, 0], affect[:, 1], affect[:, 2],
            torch.sigmoid(sure), torch.sigmoid(presence), self.label_head(h) / self.temperature[1],
            torch.sigmoid(self.gems_head(h)),
        )  # fmt: skip

    def forward(self, mels: dict[str, torch.Tensor]) -> EmotionOutput:
        return self.judge(self.describe(mels))


class EmotionStream:
    """The rolling window of one stream; before the first frame there was silence. Not thread-safe.

    A hop costs the timbral filters on its new frames, the temporal filters on the newest second, and the small rest.
    """

    def __init__(self, net: MultiScaleEmotionNet) -> None:
        self.net = net
        self.reset()

    @torch.inference_mode()
    def reset(self) -> None:
        trunk = self.net.trunk
        device = next(self.net.parameters()).device
        self._mels = {s.name: torch.zeros(1, s.bands, s.frames, device=device) for s in SCALES}
        self._x = trunk.normalise(self._mels["mel_512"])
        self._timbre = trunk.timbre(self._x[..., TRUNK_PAST - 3 :])
        self._tempo = trunk.tempo(self._x, TRUNK_FRAMES)
        self._settled = self._settled_silence()
        self._fresh = 0

    def _settled_silence(self) -> torch.Tensor:
        """Temporal features of silence that goes on, for every frame of the window but the newest."""
        return self._tempo[..., :1].expand(-1, -1, TRUNK_FRAMES - _UNSETTLED).clone()

    @torch.inference_mode()
    def push(self, mels: dict[str, torch.Tensor]) -> None:
        """New frames by scale name, `[bands, new]`."""
        for name, new in mels.items():
            kept = self._mels[name]
            self._mels[name] = torch.cat((kept, new.unsqueeze(0)), dim=2)[..., -kept.shape[2] :]
        new = mels["mel_512"].unsqueeze(0)
        if new.shape[2] == 0:
            return
        trunk = self.net.trunk
        longer = torch.cat((self._x, trunk.normalise(new)), dim=3)
        count = min(new.shape[2], TRUNK_FRAMES)
        timbre = trunk.timbre(longer[..., -(count + 6) :])
        self._timbre = torch.cat((self._timbre, timbre), dim=2)[..., -TRUNK_FRAMES:]
        self._x = longer[..., -self._x.shape[3] :]
        self._fresh += new.shape[2]

    @torch.inference_mode()
    def describe(self) -> Description:
        if self._fresh:
            outputs = min(TRUNK_FRAMES, _UNSETTLED + self._fresh)
            around = self._x[..., -(TRUNK_PAST + outputs + TRUNK_AHEAD) :]
            tempo = self.net.trunk.tempo(around, outputs)
            settled, unsettled = tempo[..., :-_UNSETTLED], tempo[..., -_UNSETTLED:]
            self._settled = torch.cat((self._settled, settled), dim=2)[..., -(TRUNK_FRAMES - _UNSETTLED) :]
            self._tempo = torch.cat((self._settled, unsettled), dim=2)
            self._fresh = 0
        frames = self.net.trunk.finish(torch.cat((self._timbre, self._tempo), dim=1))
        return self.net.summarise(frames, self._mels["mel_1024"], self._mels["mel_2048"])

    @torch.inference_mode()
    def read(self) -> EmotionOutput:
        """The answer for the window that ends with the newest frame."""
        return self.net.judge(self.describe())
