"""The trained mapper behind the Mapper protocol: an emotion state in, through the culture if one is set, and checked
music parameters out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from kelly_live.analysis.culture import CultureStage
from kelly_live.domain import (
    NEUTRAL_PROBABILITIES,
    Dynamics,
    EmotionState,
    MusicParameters,
    Register,
    Scale,
    TempoRange,
    TimingWeights,
)
from kelly_live.nets.mapper import DynamicEmotionToMusicMapper, load_net

CHECKPOINT = "mapper.safetensors"
# A state at least this sure is played as it is. Below, it is drawn towards neutral in proportion, so that noise and
# silence sound like a resting player. The net's confidence is .45 on average on real clips and under .07 on every sound
# that feels nothing (models/emotion.md): half of what is real is a fair line, and above it the state speaks for itself.
SURE = 0.25

# To this power a feeling's weights over modes choose among a tradition's: one that leans to a mode asks for that mode,
# as the plain band plays it, not for a blur of all seven, which every scale fits alike; one in two minds leaves the
# choice to what is common in the tradition.
SURE_OF_MODE = 4.0


def relaxed(state: EmotionState) -> EmotionState:
    """The state drawn towards neutral by its lack of confidence: untouched from SURE up, neutral itself at 0."""
    trust = min(state.confidence / SURE, 1.0)
    blend = [
        trust * p + (1.0 - trust) * rest for p, rest in zip(state.probabilities, NEUTRAL_PROBABILITIES, strict=True)
    ]
    return replace(
        state,
        probabilities=tuple(blend),
        valence=trust * state.valence,
        arousal=trust * state.arousal,
        dominance=trust * state.dominance,
    )


class LearnedMapper:
    """EmotionState → MusicParameters by a trained net; a pure function of the state. Thread: analysis only.

    `user` 0 is the base mapping, as is any user that the net does not know.
    """

    def __init__(
        self, net: DynamicEmotionToMusicMapper, device: str = "cpu", user: int = 0, culture: CultureStage | None = None
    ) -> None:
        self.net = net.to(device).eval()
        self._device = device
        self._last = user
        # Who is played for, and in which culture: one reference, swapped whole.
        self._for = (torch.tensor([user], device=device) if user else None, culture)

    def play_for(self, embedding: torch.Tensor, *culture: CultureStage | None) -> None:
        """From the next state on, play for a person (`[64]`; zeros: for nobody in particular), in a culture if one (or
        None) is given, else in the same. Any thread, one at a time: the net keeps the new person beside the old one,
        whom a running call may still be reading."""
        user = None
        if bool(embedding.any()):
            self._last = self._last % (self.net.user.num_embeddings - 1) + 1
            self.net.remember(self._last, embedding)
            user = torch.tensor([self._last], device=self._device)
        self._for = (user, culture[0] if culture else self._for[1])

    def __call__(self, state: EmotionState) -> MusicParameters:
        felt, (user, culture) = relaxed(state), self._for  # one person for all of this call
        # One row in, one row out: both cross to the device and back once, whatever the number of parameters.
        inputs = torch.tensor([[*felt.probabilities, felt.valence, felt.arousal, felt.dominance]], device=self._device)
        with torch.inference_mode():
            emotions, vad, coloured, strength = inputs[:, :-3], inputs[:, -3:], None, 0.0
            if culture is not None:
                emotions, coloured = culture(emotions)
                strength = culture.strength
            music = self.net(emotions, vad, user, coloured, strength)
            if culture is None:
                return parameters_of(music)
            parameters = parameters_of(music, culture.scale)
            if not culture.has_idioms:
                return parameters
            # The feeling's own modes choose: the coloured ones already lean to what is common in the tradition.
            own = self.net(inputs[:, :-3], vad, user, None, 0.0)["mode_weights"][0] ** SURE_OF_MODE
            own = own / own.sum()
            # Against the average of all seven: what they share (a weighty tonic and fifth) fits every feeling alike.
            return replace(parameters, idiom=culture.idiom((own - own.mean()).tolist()))


def parameters_of(music: dict[str, torch.Tensor], scale: Scale | None = None) -> MusicParameters:
    """The mapper's numbers, one row of each, as a checked value."""
    names = sorted(music)
    numbers = torch.cat([music[name].reshape(-1) for name in names]).tolist()
    values: dict[str, tuple[float, ...]] = {}
    for name in names:
        size = music[name].numel()
        values[name], numbers = tuple(numbers[:size]), numbers[size:]

    def number(name: str) -> float:
        return values[name][0]

    return MusicParameters(
        tempo=TempoRange(number("tempo_min"), number("tempo_suggested"), number("tempo_max")),
        modes=values["mode_weights"],
        register=Register(number("register_low"), number("register_center"), number("register_high")),
        dynamics=Dynamics(number("dynamics_floor"), number("dynamics_ceiling"), number("dynamics_variance")),
        timing=TimingWeights(*values["timing_weights"]),
        density=number("density"),
        rhythms=values["rhythm_weights"],
        scale=scale,
    )


def load_mapper(
    models_dir: Path, device: str = "cpu", user: int = 0, culture: CultureStage | None = None
) -> LearnedMapper:
    """The mapper that ships in `models_dir`. Raises ModelError."""
    return LearnedMapper(load_net(models_dir / CHECKPOINT), device, user, culture)
