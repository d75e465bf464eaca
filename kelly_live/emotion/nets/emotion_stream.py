"""The emotion net over a stream, hop by hop: the same answer as the net gives for the whole window.

It keeps what the trunk, the speech encoder and the tonal frames gave for the frames that are still in the window.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import NamedTuple

import torch

from kelly_live.emotion.nets.emotion import EmotionOutput, MultiScaleEmotionNet, Window
from kelly_live.emotion.nets.members import Description
from kelly_live.emotion.nets.scales import SCALES, SPEECH_CONTEXT, SPEECH_HOP, SPEECH_KEPT, SPEECH_PASSES, TONAL_FRAMES
from kelly_live.emotion.nets.speech import SpeechTokens
from kelly_live.emotion.nets.tonality import compute_tonal_frames
from kelly_live.emotion.nets.trunk_stream import TrunkStream


class EncodedFrames(NamedTuple):
    """The part of the answer that depends only on the new frames.

    `speech`: the speech encoder's passes that they complete; `tonal`: their tonal frames `[1, FRAME_ROWS, new]`.
    """

    speech: SpeechTokens
    tonal: torch.Tensor


class EmotionStream:
    """The rolling window of one stream; before the first frame there is silence. Not thread-safe.

    A hop costs the trunk's filters on its new frames, the speech encoder on one second, and the members.
    """

    def __init__(self, net: MultiScaleEmotionNet) -> None:
        self.net = net
        self._trunk = TrunkStream(net.trunk)
        self._mels: dict[str, torch.Tensor] = {}
        self._start_from_silence()
        self._start = dict(vars(self))  # tensors are replaced, never written to, so this stays valid

    def reset(self) -> None:
        """Forget all frames so far."""
        self._trunk.reset()
        vars(self).update(self._start)

    def fork(self) -> EmotionStream:
        """Return another stream of the same weights, from silence; the two may run in different threads."""
        other = copy.copy(self)
        other._trunk = copy.copy(self._trunk)
        other._start = {**self._start, "_trunk": other._trunk}
        other.reset()
        return other

    @torch.inference_mode()
    def _start_from_silence(self) -> None:
        device = next(self.net.parameters()).device
        self._mels = {s.name: torch.zeros(1, s.bands, s.frames, device=device) for s in SCALES if s.name != "mel_512"}
        self._until_pass = (
            SPEECH_HOP - 1
        )  # a frame is complete half an FFT after its centre, so a hop ends one frame early
        silence = self.net.speech.encode_window(self._mels["mel_400"])
        self._tokens, self._loudness = silence.tokens, silence.loudness
        self._tonal = compute_tonal_frames(self._mels["mel_4096"])

    @torch.inference_mode()
    def push(self, mels: dict[str, torch.Tensor], encoded: EncodedFrames | None = None) -> None:
        """Take new frames `[bands, new]` by scale name.

        `encoded`: what `encode_ahead` returned for them, if it was used.
        """
        speech, tonal = self.encode_ahead([mels])[0] if encoded is None else encoded
        self._keep(speech)
        self._until_pass = _count_until_pass(self._until_pass, mels["mel_400"])
        if tonal.shape[2]:
            self._tonal = torch.cat((self._tonal, tonal), dim=2)[..., -TONAL_FRAMES:]
        self._mels = {
            name: torch.cat((mel, mels[name].unsqueeze(0)), dim=2)[..., -mel.shape[2] :]
            for name, mel in self._mels.items()
        }
        self._trunk.push(mels["mel_512"])

    @torch.inference_mode()
    def window(self) -> Window:
        """Return the window that ends with the newest frame."""
        speech = SpeechTokens(self._tokens, self._loudness)
        return Window(self._trunk.frames(), speech, self._mels["mel_1024"], self._mels["mel_2048"], self._tonal)

    @torch.inference_mode()
    def describe(self) -> Description:
        """Return what the members see of the window that ends with the newest frame."""
        return self.net.summarise(*self.window())

    @torch.inference_mode()
    def encode_ahead(self, frames_ahead: Sequence[dict[str, torch.Tensor]]) -> list[EncodedFrames]:
        """Encode the frames of the next pushes, all at once, at about half the cost."""
        speech = self._encode_speech([mels["mel_400"] for mels in frames_ahead])
        new = [mels["mel_4096"] for mels in frames_ahead]
        counts = [frames.shape[1] for frames in new]
        after_last = torch.cat([self._mels["mel_4096"][0, :, -1:], *new], dim=1).unsqueeze(0)
        tonal = compute_tonal_frames(after_last) if any(counts) else self._tonal[..., :0]
        return [EncodedFrames(*each) for each in zip(speech, torch.split(tonal, counts, dim=2), strict=True)]

    def _encode_speech(self, frames_ahead: Sequence[torch.Tensor]) -> list[SpeechTokens]:
        """Run the speech encoder's passes (one a hop) that these frames of mel_400 complete."""
        longer = torch.cat((self._mels["mel_400"][0, :, -SPEECH_CONTEXT:], *frames_ahead), dim=1)
        passes: list[torch.Tensor] = []
        counts, until, start = [], self._until_pass, 0
        for new in frames_ahead:
            ends = range(start + until, start + new.shape[1] + 1, SPEECH_HOP)[-SPEECH_PASSES:]
            passes += [longer[:, end : end + SPEECH_CONTEXT] for end in ends]
            counts.append(len(ends))
            until, start = _count_until_pass(until, new), start + new.shape[1]
        if not passes:
            return [SpeechTokens(self._tokens[0, :0], self._loudness[0, :0])] * len(counts)
        speech = self.net.speech.encode(torch.stack(passes))
        parts = zip(torch.split(speech.tokens, counts), torch.split(speech.loudness, counts), strict=True)
        return [SpeechTokens(tokens.flatten(0, 1), loudness.flatten()) for tokens, loudness in parts]

    def _keep(self, speech: SpeechTokens) -> None:
        """Append tokens `[n, …]` and their loudness `[n]`, the newest last."""
        token_count = SPEECH_PASSES * SPEECH_KEPT
        self._tokens = torch.cat((self._tokens, speech.tokens.unsqueeze(0)), dim=1)[:, -token_count:]
        self._loudness = torch.cat((self._loudness, speech.loudness.unsqueeze(0)), dim=1)[:, -token_count:]

    @torch.inference_mode()
    def read(self) -> EmotionOutput:
        """Return the answer for the window that ends with the newest frame."""
        return self.net.predict(self.describe())


def _count_until_pass(until: int, new: torch.Tensor) -> int:
    """Return the number of frames of mel_400 until the next pass ends, after `new` was appended."""
    return (until - new.shape[1] - 1) % SPEECH_HOP + 1
