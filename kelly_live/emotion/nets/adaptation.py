"""Adaptation to the voice and the room of a session, while it runs.

A net that learned from one corpus and is asked about another is misled by what every description of a speaker has in
common: the voice, the language, the microphone, the room. So the mean of a session's voice descriptions is subtracted,
in the share of n / (n + prior) after n seconds of voice, and the mean of the training descriptions takes its place.
Music keeps its mean, which is often its emotion. The open card has the measurements that chose the prior.

Thread: that of the reader that owns the state.
"""

from __future__ import annotations

import torch

from kelly_live.emotion.nets.emotion import EmotionOutput, MultiScaleEmotionNet
from kelly_live.emotion.nets.members import Description

PARTS = ("trunk", "voice", "speech")  # that describe a voice
LEAST_SHARE = 0.02  # below it nothing is adapted, so that music need not be answered twice


class VoiceAdaptation:
    """The running mean of a session's voice, written in place, so that a captured graph can advance it.

    `is_captured`: no value may be read back from the device, so every hop is answered twice.

    `state`: `seconds` of voice `[1]`, and for each of PARTS the mean offset `[width]` from the training mean.
    """

    def __init__(self, net: MultiScaleEmotionNet, *, is_captured: bool = False) -> None:
        self._net, self._is_captured = net, is_captured
        self.is_on = net.adaptation_seconds > 0.0
        device = net.mix.device
        self.state = {"seconds": torch.zeros(1, device=device)}
        for name in PARTS if self.is_on else ():
            self.state[name] = torch.zeros_like(self._training_mean(name))

    def _training_mean(self, name: str) -> torch.Tensor:
        mean = self._net.scales[name].mean
        assert isinstance(mean, torch.Tensor)
        return mean

    def reset(self) -> None:
        """Forget the session."""
        for value in self.state.values():
            value.zero_()

    @torch.inference_mode()
    def predict(self, description: Description, sound_seconds: torch.Tensor | float) -> EmotionOutput:
        """Return the adapted answer for one window `[1, …]`, and learn from its `sound_seconds` of new sound."""
        out = self._net.predict(description)
        if not self.is_on:
            return out
        voice = 1.0 - out.music
        heard = sound_seconds * voice * out.presence
        seconds = self.state["seconds"]
        seconds.add_(heard)
        rate = heard / seconds.clamp_min(1e-6)
        parts = description._asdict()
        for name in PARTS:
            offset = self.state[name]
            offset.add_(rate * (parts[name][0] - self._training_mean(name) - offset))
        share = (voice * seconds / (seconds + self._net.adaptation_seconds) - LEAST_SHARE).clamp_min(0.0)
        if not self._is_captured and float(share) == 0.0:
            return out
        adapted = {name: parts[name] - share * self.state[name] for name in PARTS}
        return self._net.predict(description._replace(**adapted))
