"""The emotion net: the emotion of the last three seconds, from five resolutions of the same sound.

A frozen musicnn trunk and fixed statistics of harmony describe music; a frozen speech encoder and fixed statistics of
prosody describe a voice. A few small nets (`members.py`) judge these descriptions; the answer is their weighted mean.
`forward` takes a whole window; `emotion_stream.py` gives the same answer hop by hop.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn import functional

from kelly_live.core.values import EMOTIONS
from kelly_live.emotion.nets.members import VIEWS, WIDTHS, Description, FeatureNorm, Members
from kelly_live.emotion.nets.musicnn import MusicnnTrunk
from kelly_live.emotion.nets.scales import TRUNK_FRAMES
from kelly_live.emotion.nets.speech import SpeechEncoder, SpeechTokens, compute_speech_statistics
from kelly_live.emotion.nets.tonality import Tonality, compute_tonal_frames
from kelly_live.emotion.nets.voice import VoiceStatistics, compute_moments, estimate_activity

# The labels that actors were given: the eight emotions and two others. They are used to train, and to compare with
# studies that use them.
LABELS = (*EMOTIONS, "calm", "boredom")
N_GEMS = 9  # emotions that music induces (Zentner, Grandjean & Scherer 2008); used to train and to measure
_SHORT_FRAMES = 62  # 1 s of trunk frames


class EmotionOutput(NamedTuple):
    """The net's answer.

    `emotion_logits` `[B, E]`; `valence`, `arousal`, `dominance` `[B]` in [-1, 1]; `confidence` `[B]` in [0, 1], the
    calibrated probability that the answer is right; `presence` `[B]` in [0, 1], the probability of a voice or music;
    `label_logits` `[B, LABELS]`; `gems` `[B, 9]`, the share of listeners that would choose each GEMS emotion; `music`
    `[B]` in [0, 1], the probability of music against a voice.
    """

    emotion_logits: torch.Tensor
    valence: torch.Tensor
    arousal: torch.Tensor
    dominance: torch.Tensor
    confidence: torch.Tensor
    presence: torch.Tensor
    label_logits: torch.Tensor
    gems: torch.Tensor
    music: torch.Tensor


def history_row(out: EmotionOutput) -> torch.Tensor:
    """Return the temporal model's input `[B, E + 5]`: probabilities, V, A, D, confidence, presence."""
    rest = torch.stack((out.valence, out.arousal, out.dominance, out.confidence, out.presence), dim=1)
    return torch.cat((torch.softmax(out.emotion_logits, dim=1), rest), dim=1)


class Window(NamedTuple):
    """The output of the frozen encoders for a window.

    `frames` of the trunk `[B, 753, 187]`; `speech` tokens `[B, 300, …]`; two log-mel scales; `tonal` frames
    `[B, FRAME_ROWS, 375]`.
    """

    frames: torch.Tensor
    speech: SpeechTokens
    mel_1024: torch.Tensor
    mel_2048: torch.Tensor
    tonal: torch.Tensor

    @classmethod
    def batch(cls, windows: Sequence[Window]) -> Window:
        """Join windows along the batch axis."""
        frames, speech, *mels = zip(*windows, strict=True)
        return cls(torch.cat(frames), SpeechTokens(*map(torch.cat, zip(*speech, strict=True))), *map(torch.cat, mels))


class MultiScaleEmotionNet(nn.Module):
    """Maps log-mel spectrograms of SCALES to an EmotionOutput.

    Input: a dict of mel_512 `[B, 96, 253]`, mel_400 `[B, 80, 375]`, mel_1024 `[B, 64, 94]`, mel_2048 `[B, 144, 94]`
    and mel_4096 `[B, 216, 376]`. `views` are the parts of a Description that each member sees; `drop_in` is the
    dropout of the members' input, `dropout` that of their hidden layers. `adaptation_seconds` is the prior of
    `adaptation.py`, in seconds of voice; 0: off.
    """

    def __init__(
        self, n_emotions: int = len(EMOTIONS), hidden_dim: int = 96, views: Sequence[Sequence[str]] = VIEWS,
        drop_in: float = 0.2, dropout: float = 0.3, adaptation_seconds: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__()
        self.config: dict[str, Any] = {
            "n_emotions": n_emotions, "hidden_dim": hidden_dim, "views": [list(view) for view in views],
            "drop_in": drop_in, "dropout": dropout, "adaptation_seconds": adaptation_seconds,
        }  # fmt: skip
        self.adaptation_seconds = adaptation_seconds
        self.trunk = MusicnnTrunk().requires_grad_(False)
        self.speech = SpeechEncoder().requires_grad_(False)
        self.voice = VoiceStatistics()
        self.tonality = Tonality()
        self.scales = nn.ModuleDict({name: FeatureNorm(width) for name, width in WIDTHS.items()})
        # Emotions; valence, arousal, dominance; presence; music; labels; GEMS.
        self._widths = [n_emotions, 3, 1, 1, len(LABELS), N_GEMS]
        self.output_widths = [n_emotions, 1, 1, 1, 1, 1, len(LABELS), N_GEMS]  # with V, A and D as outputs of their own
        self.members = Members(views, hidden_dim, sum(self._widths), drop_in, dropout)
        # The weight of each member in each output: a row for voices, a row for music.
        self.register_buffer("mix", torch.full((2, len(self.members), sum(self._widths)), 1.0 / len(self.members)))
        # Fitted after training, on clips that were not used for it: a row for voices, a row for music.
        self.register_buffer("temperature", torch.ones(2, 2))  # of the emotion and of the label logits
        self.register_buffer("confidence_fit", torch.tensor([[0.0, 1.0, 0.0, 1.0]] * 2))
        self.mix: torch.Tensor
        self.temperature: torch.Tensor
        self.confidence_fit: torch.Tensor

    def train(self, mode: bool = True) -> MultiScaleEmotionNet:
        """Set the training mode; the frozen encoders stay in eval mode."""
        super().train(mode)
        self.trunk.eval()
        self.speech.eval()
        return self

    def export_weights(self) -> dict[str, torch.Tensor]:
        """Return the weights for a checkpoint.

        Those of the speech encoder, which were quantized to 8 bits before, are float16.
        """
        return {name: w.half() if name.startswith("speech.") else w for name, w in self.state_dict().items()}

    def summarise(
        self,
        frames: torch.Tensor,
        speech: SpeechTokens,
        mel_1024: torch.Tensor,
        mel_2048: torch.Tensor,
        tonal: torch.Tensor,
    ) -> Description:
        """Return what the members see of a Window's parts."""
        activity = estimate_activity(mel_1024.mean(dim=1)).unsqueeze(1)
        activity = functional.interpolate(activity, size=TRUNK_FRAMES, mode="linear").squeeze(1)
        mean, deviation = compute_moments(frames, activity)
        short, _ = compute_moments(frames[..., -_SHORT_FRAMES:], activity[:, -_SHORT_FRAMES:])
        trunk = torch.cat((mean, deviation, short, self.trunk.embed(frames)), dim=1)
        voice, tonality = self.voice(mel_1024, mel_2048), self.tonality(tonal)
        return Description(trunk, voice, compute_speech_statistics(speech), tonality)

    def describe(self, mels: dict[str, torch.Tensor]) -> Description:
        """Return what the members see of log-mel spectrograms."""
        speech = self.speech.encode_window(mels["mel_400"])
        tonal = compute_tonal_frames(mels["mel_4096"])
        return self.summarise(self.trunk(mels["mel_512"]), speech, mels["mel_1024"], mels["mel_2048"], tonal)

    def standardise(self, description: Description) -> dict[str, torch.Tensor]:
        """Return the members' input: standardised parts `[B, n]` by name."""
        return {name: self.scales[name](part) for name, part in description._asdict().items()}

    def decode(self, raw: torch.Tensor) -> EmotionOutput:
        """Turn raw outputs `[N, outputs]` of a member, or their mean, into a calibrated answer."""
        emotions, affect, presence, music, labels, gems = torch.split(raw, self._widths, dim=1)
        p_music = torch.sigmoid(music)  # [N, 1]
        temperature = torch.exp(torch.lerp(self.temperature[0].log(), self.temperature[1].log(), p_music))  # [N, 2]
        logits, affect = emotions / temperature[:, :1], torch.tanh(affect)
        doubts = torch.sigmoid(self.compute_evidence(logits, affect, presence) @ self.confidence_fit.T)  # [N, 2]
        return EmotionOutput(
            logits, affect[:, 0], affect[:, 1], affect[:, 2],
            torch.lerp(doubts[:, 0], doubts[:, 1], p_music[:, 0]), torch.sigmoid(presence[:, 0]),
            labels / temperature[:, 1:], torch.sigmoid(gems), p_music[:, 0],
        )  # fmt: skip

    @staticmethod
    def compute_evidence(logits: torch.Tensor, affect: torch.Tensor, presence: torch.Tensor) -> torch.Tensor:
        """Return the features `[N, 4]` that the confidence is predicted from.

        They are 1, the log-odds of the strongest emotion, the smaller of |V| and |A|, and the log of the presence.
        """
        top = torch.softmax(logits, dim=1).amax(dim=1, keepdim=True)
        clear = affect[:, :2].abs().amin(dim=1, keepdim=True)
        return torch.cat((torch.ones_like(top), torch.logit(top, 1e-4), clear, functional.logsigmoid(presence)), dim=1)

    def mix_members(self, raw: torch.Tensor, mix: torch.Tensor) -> torch.Tensor:
        """Average the members' raw outputs `[M, B, O]` to `[B, O]`.

        `mix` `[2, M, O]` weighs the members, for voices and for music.
        """
        music = sum(self._widths[:3])  # index of the music output
        p_music = torch.sigmoid(raw[..., music].mean(dim=0)).unsqueeze(1)
        voice, song = torch.einsum("mbo,kmo->kbo", raw, mix)
        return torch.lerp(voice, song, p_music)

    def predict(self, description: Description) -> EmotionOutput:
        """Run the trained part: from a description to the calibrated answer."""
        return self.decode(self.mix_members(self.members(self.standardise(description))[1], self.mix))

    def forward(self, mels: dict[str, torch.Tensor]) -> EmotionOutput:
        """Return the answer for a batch of windows."""
        return self.predict(self.describe(mels))
