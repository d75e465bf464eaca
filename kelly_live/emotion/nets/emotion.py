"""The emotion net: what is felt in the last three seconds, from five resolutions of the same sound.

A frozen musicnn trunk and fixed statistics of harmony hear music, a frozen speech encoder and fixed statistics of
prosody hear a voice; a few small nets judge what they hear, and their weighted mean is the answer. `forward` is the
batch answer for a window. `EmotionStream` gives the same answer hop by hop: it keeps what the trunk, the speech encoder
and the tonal frames said of what is still in the window.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn import functional

from kelly_live.core.values import EMOTIONS
from kelly_live.emotion.nets.musicnn import FRAME_CHANNELS, PENULTIMATE, MusicnnTrunk
from kelly_live.emotion.nets.scales import (
    SCALES,
    SPEECH_CONTEXT,
    SPEECH_HOP,
    SPEECH_KEPT,
    SPEECH_PASSES,
    TONAL_FRAMES,
    TRUNK_FRAMES,
)
from kelly_live.emotion.nets.speech import SPEECH_STATISTICS, Heard, SpeechEncoder, speech_statistics
from kelly_live.emotion.nets.tonality import TONALITY_STATISTICS, Tonality, tonal_frames
from kelly_live.emotion.nets.trunk_stream import TrunkStream
from kelly_live.emotion.nets.voice import VOICE_STATISTICS, VoiceStatistics, activity, weighted_moments

# The labels that actors were given: the eight, and two that the eight have no place for. Only for training and
# for measuring against studies that use them.
LABELS = (*EMOTIONS, "calm", "boredom")
N_GEMS = 9  # the emotions that music induces, after Zentner, Grandjean & Scherer (2008); only to learn and measure with
TRUNK_STATISTICS = 3 * FRAME_CHANNELS + PENULTIMATE
_SHORT_FRAMES = 62  # 1 s of trunk frames


class EmotionOutput(NamedTuple):
    """`emotion_logits [B, E]`; V, A, D `[B]` in [-1, 1]; `confidence [B]` in [0, 1], the calibrated chance that the
    answer is right; `presence [B]` in [0, 1], that there is a voice or music at all; `label_logits [B, LABELS]`;
    `gems [B, 9]`, the fraction of listeners that would choose each GEMS emotion; `music [B]` in [0, 1], that it is
    music and not a voice.
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
    """Return the rows `[B, E + 5]` that the temporal model takes: probabilities, V, A, D, confidence, presence."""
    rest = torch.stack((out.valence, out.arousal, out.dominance, out.confidence, out.presence), dim=1)
    return torch.cat((torch.softmax(out.emotion_logits, dim=1), rest), dim=1)


class Window(NamedTuple):
    """What the frozen ears made of a window: trunk frames `[B, 753, 187]`, speech tokens `[B, 300, …]`, two scales, and
    tonal frames `[B, FRAME_ROWS, 375]`.
    """

    frames: torch.Tensor
    heard: Heard
    mel_1024: torch.Tensor
    mel_2048: torch.Tensor
    tonal: torch.Tensor

    @classmethod
    def batch(cls, windows: Sequence[Window]) -> Window:
        frames, heard, *mels = zip(*windows, strict=True)
        return cls(torch.cat(frames), Heard(*map(torch.cat, zip(*heard, strict=True))), *map(torch.cat, mels))


class Description(NamedTuple):
    """What the members see of a window: statistics of the music trunk `[B, TRUNK_STATISTICS]`, of pitch, loudness and
    pace `[B, VOICE_STATISTICS]`, of the speech encoder `[B, SPEECH_STATISTICS]`, of harmony and rhythm over twelve
    seconds `[B, TONALITY_STATISTICS]`.
    """

    trunk: torch.Tensor
    voice: torch.Tensor
    speech: torch.Tensor
    tonality: torch.Tensor


WIDTHS = {  # of Description's parts
    "trunk": TRUNK_STATISTICS, "voice": VOICE_STATISTICS, "speech": SPEECH_STATISTICS, "tonality": TONALITY_STATISTICS,
}  # fmt: skip
# What each member sees. A ridge on harmony alone does better on valence in music than on harmony beside timbre.
VIEWS = (("tonality",), ("tonality", "trunk"), ("speech",), ("speech", "voice"), tuple(WIDTHS))


class Standardise(nn.Module):
    """Centre and scale by what was measured on the training windows; kept within ±`limit` deviations."""

    def __init__(self, width: int, limit: float = 5.0) -> None:
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


class Member(nn.Module):
    """A small net on some parts of a Description: a linear path and a deeper one. Standardised parts `[B, n]` side by
    side to hidden `[B, H]` and raw outputs `[B, O]`.
    """

    def __init__(self, widths: Sequence[int], hidden: int, outputs: int, drop_in: float, dropout: float) -> None:
        super().__init__()
        self.widths = list(widths)
        self.drop_in, self.drop = nn.Dropout(drop_in), nn.Dropout(dropout)
        self.look = nn.ModuleList([nn.Linear(width, hidden) for width in widths])
        self.fuse = nn.Linear(len(self.widths) * hidden, hidden)
        self.head = nn.Linear(hidden, outputs)
        self.skip = nn.Linear(sum(widths), outputs, bias=False)
        nn.init.zeros_(self.skip.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = self.drop_in(x)
        seen = [look(part) for look, part in zip(self.look, torch.split(x, self.widths, dim=1), strict=True)]
        h = self.drop(functional.gelu(torch.cat(seen, dim=1)))
        h = self.drop(functional.gelu(self.fuse(h)))
        return h, self.head(h) + self.skip(x)


class Members(nn.Module):
    """Small nets that see different parts of a Description: what one ear knows is not drowned by a louder one.
    Standardised parts by name `[B, n]` to hidden `[M, B, H]` and raw outputs `[M, B, O]`.
    """

    def __init__(
        self, views: Sequence[Sequence[str]], hidden: int, outputs: int, drop_in: float, dropout: float
    ) -> None:
        super().__init__()
        self.views, self.hidden = [tuple(view) for view in views], hidden
        self.outputs = outputs
        self.each = nn.ModuleList(
            [Member([WIDTHS[name] for name in view], hidden, outputs, drop_in, dropout) for view in self.views]
        )
        self._joined: _Joined | None = None

    def __len__(self) -> int:
        return len(self.views)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_joined": None}

    def forward(self, parts: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        if torch.is_inference_mode_enabled() and not self.training and len(next(iter(parts.values()))) == 1:
            if self._joined is None or self._joined.stale:
                self._joined = _Joined(self)
            return self._joined(parts)
        answers = [
            member(torch.cat([parts[name] for name in view], dim=1))
            for member, view in zip(self.each, self.views, strict=True)
        ]
        return torch.stack([hidden for hidden, _ in answers]), torch.stack([raw for _, raw in answers])


class _Joined:
    """Members as their weights are when it is made, for a single row: each part is read once, for all who see it."""

    def __init__(self, members: Members) -> None:
        self._made_of = list(members.parameters())
        self._versions = self._now()
        self._hidden, self._outputs = members.hidden, members.outputs
        each: list[Member] = list(members.each)  # type: ignore[arg-type]
        width = max(len(view) for view in members.views)
        self._fuse = torch.zeros(len(each), width * self._hidden, self._hidden, device=each[0].head.weight.device)
        for index, member in enumerate(each):
            self._fuse[index, : member.fuse.in_features] = member.fuse.weight.T
        self._fuse_bias = torch.stack([m.fuse.bias for m in each]).unsqueeze(1)
        self._head = torch.stack([m.head.weight.T for m in each])
        self._head_bias = torch.stack([m.head.bias for m in each]).unsqueeze(1)
        self._slots = torch.zeros(len(each) * width, self._hidden, device=self._fuse.device)
        self._skips = torch.zeros(len(each), self._outputs, device=self._fuse.device)
        self._parts: list[tuple[str, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]] = []
        for name in WIDTHS:
            seers = [(m, view.index(name)) for m, view in enumerate(members.views) if name in view]
            if not seers:
                continue
            looks: list[nn.Linear] = [each[m].look[place] for m, place in seers]  # type: ignore[misc]
            skips = [torch.split(each[m].skip.weight, each[m].widths, dim=1)[place] for m, place in seers]
            self._parts.append((
                name, torch.cat([look.weight for look in looks] + skips),
                torch.cat([look.bias for look in looks] + [skip.new_zeros(self._outputs) for skip in skips]),
                torch.tensor([m * width + place for m, place in seers], device=self._fuse.device),
                torch.tensor([m for m, _ in seers], device=self._fuse.device),
            ))  # fmt: skip

    def _now(self) -> list[tuple[int, int]]:
        return [(p.data_ptr(), 0 if p.is_inference() else p._version) for p in self._made_of]

    @property
    def stale(self) -> bool:
        """Whether the members' weights have changed since."""
        return self._now() != self._versions

    def __call__(self, parts: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        slots, skips = self._slots, self._skips
        for name, weight, bias, places, members in self._parts:
            seen = functional.linear(parts[name], weight, bias)[0]
            cut = len(places) * self._hidden
            slots = slots.index_copy(0, places, seen[:cut].view(-1, self._hidden))
            skips = skips.index_add(0, members, seen[cut:].view(-1, self._outputs))
        h = functional.gelu(slots).view(len(skips), 1, -1)
        h = functional.gelu(torch.baddbmm(self._fuse_bias, h, self._fuse))
        return h, torch.baddbmm(self._head_bias, h, self._head) + skips.unsqueeze(1)


class MultiScaleEmotionNet(nn.Module):
    """Log-mels of SCALES, `{mel_512: [B, 96, 253], mel_400: [B, 80, 375], mel_1024: [B, 64, 94],
    mel_2048: [B, 144, 94], mel_4096: [B, 216, 376]}`, to an EmotionOutput.
    """

    def __init__(
        self, n_emotions: int = len(EMOTIONS), hidden_dim: int = 96, views: Sequence[Sequence[str]] = VIEWS,
        drop_in: float = 0.2, dropout: float = 0.3,
    ) -> None:  # fmt: skip
        super().__init__()
        self.config: dict[str, Any] = {
            "n_emotions": n_emotions, "hidden_dim": hidden_dim, "views": [list(view) for view in views],
            "drop_in": drop_in, "dropout": dropout,
        }  # fmt: skip
        self.trunk = MusicnnTrunk().requires_grad_(False)
        self.speech = SpeechEncoder().requires_grad_(False)
        self.voice = VoiceStatistics()
        self.tonality = Tonality()
        self.scales = nn.ModuleDict({name: Standardise(width) for name, width in WIDTHS.items()})
        # Emotions; valence, arousal, dominance; presence; music; labels; GEMS.
        self._widths = [n_emotions, 3, 1, 1, len(LABELS), N_GEMS]
        self.output_widths = [n_emotions, 1, 1, 1, 1, 1, len(LABELS), N_GEMS]  # with V, A and D apart
        self.members = Members(views, hidden_dim, sum(self._widths), drop_in, dropout)
        # How much each member's word counts in each output: a row for voices, a row for music.
        self.register_buffer("mix", torch.full((2, len(self.members), sum(self._widths)), 1.0 / len(self.members)))
        # Fitted after training, on clips that the weights never saw: a row for voices, a row for music.
        self.register_buffer("temperature", torch.ones(2, 2))  # of the emotion and of the label logits
        self.register_buffer("confidence_fit", torch.tensor([[0.0, 1.0, 0.0, 1.0]] * 2))
        self.mix: torch.Tensor
        self.temperature: torch.Tensor
        self.confidence_fit: torch.Tensor

    def train(self, mode: bool = True) -> MultiScaleEmotionNet:
        super().train(mode)
        self.trunk.eval()
        self.speech.eval()
        return self

    def stored(self) -> dict[str, torch.Tensor]:
        """The weights as a checkpoint holds them: the speech encoder's, which came from 8 bits, in half precision."""
        return {name: w.half() if name.startswith("speech.") else w for name, w in self.state_dict().items()}

    def summarise(
        self, frames: torch.Tensor, heard: Heard, mel_1024: torch.Tensor, mel_2048: torch.Tensor, tonal: torch.Tensor
    ) -> Description:
        """Trunk frames `[B, 753, 187]`, speech tokens `[B, 300, …]`, two scales and tonal frames `[B, 75, 375]` to what
        the members see.
        """
        sounding = activity(mel_1024.mean(dim=1)).unsqueeze(1)
        sounding = functional.interpolate(sounding, size=TRUNK_FRAMES, mode="linear").squeeze(1)
        mean, deviation = weighted_moments(frames, sounding)
        short, _ = weighted_moments(frames[..., -_SHORT_FRAMES:], sounding[:, -_SHORT_FRAMES:])
        trunk = torch.cat((mean, deviation, short, self.trunk.penultimate(frames)), dim=1)
        voice, tonality = self.voice(mel_1024, mel_2048), self.tonality(tonal)
        return Description(trunk, voice, speech_statistics(heard), tonality)

    def describe(self, mels: dict[str, torch.Tensor]) -> Description:
        heard = self.speech.hear_window(mels["mel_400"])
        tonal = tonal_frames(mels["mel_4096"])
        return self.summarise(self.trunk(mels["mel_512"]), heard, mels["mel_1024"], mels["mel_2048"], tonal)

    def standardise(self, seen: Description) -> dict[str, torch.Tensor]:
        """What the members take, by name `[B, n]`."""
        return {name: self.scales[name](part) for name, part in seen._asdict().items()}

    def speak(self, raw: torch.Tensor) -> EmotionOutput:
        """Raw outputs `[N, outputs]` of a member, or their mean, to a calibrated answer."""
        emotions, affect, presence, music, labels, gems = torch.split(raw, self._widths, dim=1)
        p_music = torch.sigmoid(music)  # [N, 1]
        temperature = torch.exp(torch.lerp(self.temperature[0].log(), self.temperature[1].log(), p_music))  # [N, 2]
        logits, affect = emotions / temperature[:, :1], torch.tanh(affect)
        doubts = torch.sigmoid(self.evidence(logits, affect, presence) @ self.confidence_fit.T)  # [N, 2]
        return EmotionOutput(
            logits, affect[:, 0], affect[:, 1], affect[:, 2],
            torch.lerp(doubts[:, 0], doubts[:, 1], p_music[:, 0]), torch.sigmoid(presence[:, 0]),
            labels / temperature[:, 1:], torch.sigmoid(gems), p_music[:, 0],
        )  # fmt: skip

    @staticmethod
    def evidence(logits: torch.Tensor, affect: torch.Tensor, presence: torch.Tensor) -> torch.Tensor:
        """What the confidence is judged by, `[N, 4]`: a one, the strongest emotion's log-odds, how clear the weaker
        of V and A is, and how surely there is anything at all.
        """
        top = torch.softmax(logits, dim=1).amax(dim=1, keepdim=True)
        clear = affect[:, :2].abs().amin(dim=1, keepdim=True)
        return torch.cat((torch.ones_like(top), torch.logit(top, 1e-4), clear, functional.logsigmoid(presence)), dim=1)

    def mixed(self, raw: torch.Tensor, mix: torch.Tensor) -> torch.Tensor:
        """The members' raw outputs `[M, B, O]` as one `[B, O]`, under weights `[2, M, O]` for voices and for music."""
        music = sum(self._widths[:3])  # where the music output is
        p_music = torch.sigmoid(raw[..., music].mean(dim=0)).unsqueeze(1)
        voice, song = torch.einsum("mbo,kmo->kbo", raw, mix)
        return torch.lerp(voice, song, p_music)

    def judge(self, seen: Description) -> EmotionOutput:
        """The learned part: description to answer, the members' weighted mean."""
        return self.speak(self.mixed(self.members(self.standardise(seen))[1], self.mix))

    def forward(self, mels: dict[str, torch.Tensor]) -> EmotionOutput:
        return self.judge(self.describe(mels))


class Coming(NamedTuple):
    """What new frames say whatever came before: the speech encoder's passes that they complete, and their tonal frames
    `[1, FRAME_ROWS, new]`.
    """

    heard: Heard
    tonal: torch.Tensor


class EmotionStream:
    """The rolling window of one stream; before the first frame there was silence. Not thread-safe.

    A hop costs the trunk's filters on its new frames, a second of the speech encoder, and the small rest.
    """

    def __init__(self, net: MultiScaleEmotionNet) -> None:
        self.net = net
        self._trunk = TrunkStream(net.trunk)
        self._mels: dict[str, torch.Tensor] = {}
        self._hear_silence()
        self._start = dict(vars(self))  # all is replaced, never written to: what was heard first stays as it was

    def reset(self) -> None:
        """Forget everything heard."""
        self._trunk.reset()
        vars(self).update(self._start)

    def fork(self) -> EmotionStream:
        """Another stream over the same weights, from silence; the two may run in different threads."""
        other = copy.copy(self)
        other._trunk = copy.copy(self._trunk)
        other._start = {**self._start, "_trunk": other._trunk}
        other.reset()
        return other

    @torch.inference_mode()
    def _hear_silence(self) -> None:
        device = next(self.net.parameters()).device
        self._mels = {s.name: torch.zeros(1, s.bands, s.frames, device=device) for s in SCALES if s.name != "mel_512"}
        self._until_pass = SPEECH_HOP - 1  # a frame is out half an FFT after its centre, so a hop ends one frame early
        silence = self.net.speech.hear_window(self._mels["mel_400"])
        self._tokens, self._loudness = silence.tokens, silence.loudness
        self._tonal = tonal_frames(self._mels["mel_4096"])

    @torch.inference_mode()
    def push(self, mels: dict[str, torch.Tensor], coming: Coming | None = None) -> None:
        """New frames by scale name, `[bands, new]`; `coming`: what `hear_ahead` said of them, if it was asked."""
        heard, tonal = self.hear_ahead([mels])[0] if coming is None else coming
        self._keep(heard)
        self._until_pass = _until(self._until_pass, mels["mel_400"])
        if tonal.shape[2]:
            self._tonal = torch.cat((self._tonal, tonal), dim=2)[..., -TONAL_FRAMES:]
        self._mels = {
            name: torch.cat((kept, mels[name].unsqueeze(0)), dim=2)[..., -kept.shape[2] :]
            for name, kept in self._mels.items()
        }
        self._trunk.push(mels["mel_512"])

    @torch.inference_mode()
    def window(self) -> Window:
        """What is in the window that ends with the newest frame."""
        heard = Heard(self._tokens, self._loudness)
        return Window(self._trunk.frames(), heard, self._mels["mel_1024"], self._mels["mel_2048"], self._tonal)

    @torch.inference_mode()
    def describe(self) -> Description:
        return self.net.summarise(*self.window())

    @torch.inference_mode()
    def hear_ahead(self, coming: Sequence[dict[str, torch.Tensor]]) -> list[Coming]:
        """What of each of the pushes to come needs nothing but its frames, all at once: so it costs about half."""
        heard = self._hear_speech([mels["mel_400"] for mels in coming])
        new = [mels["mel_4096"] for mels in coming]
        counts = [frames.shape[1] for frames in new]
        after_last = torch.cat([self._mels["mel_4096"][0, :, -1:], *new], dim=1).unsqueeze(0)
        tonal = tonal_frames(after_last) if any(counts) else self._tonal[..., :0]
        return [Coming(*each) for each in zip(heard, torch.split(tonal, counts, dim=2), strict=True)]

    def _hear_speech(self, coming: Sequence[torch.Tensor]) -> list[Heard]:
        """The speech encoder's passes (one every hop) that pushes of these frames of mel_400 will complete."""
        longer = torch.cat((self._mels["mel_400"][0, :, -SPEECH_CONTEXT:], *coming), dim=1)
        passes: list[torch.Tensor] = []
        counts, until, start = [], self._until_pass, 0
        for new in coming:
            ends = range(start + until, start + new.shape[1] + 1, SPEECH_HOP)[-SPEECH_PASSES:]
            passes += [longer[:, end : end + SPEECH_CONTEXT] for end in ends]
            counts.append(len(ends))
            until, start = _until(until, new), start + new.shape[1]
        if not passes:
            return [Heard(self._tokens[0, :0], self._loudness[0, :0])] * len(counts)
        heard = self.net.speech.hear(torch.stack(passes))
        parts = zip(torch.split(heard.tokens, counts), torch.split(heard.loudness, counts), strict=True)
        return [Heard(tokens.flatten(0, 1), loudness.flatten()) for tokens, loudness in parts]

    def _keep(self, heard: Heard) -> None:
        """Tokens `[n, …]` and their loudness `[n]`, the newest last."""
        kept = SPEECH_PASSES * SPEECH_KEPT
        self._tokens = torch.cat((self._tokens, heard.tokens.unsqueeze(0)), dim=1)[:, -kept:]
        self._loudness = torch.cat((self._loudness, heard.loudness.unsqueeze(0)), dim=1)[:, -kept:]

    @torch.inference_mode()
    def read(self) -> EmotionOutput:
        """The answer for the window that ends with the newest frame."""
        return self.net.judge(self.describe())


def _until(until: int, new: torch.Tensor) -> int:
    """Frames of mel_400 until the next pass ends, after `new` ones came."""
    return (until - new.shape[1] - 1) % SPEECH_HOP + 1
