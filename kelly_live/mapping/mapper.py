"""The trained mapper behind the Mapper protocol: an emotion state in, through the culture if one is set, and checked
music parameters out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from kelly_live.core.values import (
    MAJOR_MODES,
    MODES,
    NEUTRAL_PROBABILITIES,
    Dynamics,
    EmotionState,
    MusicParameters,
    Register,
    Scale,
    TempoRange,
    TimingWeights,
)
from kelly_live.lab.nets.mapper import DynamicEmotionToMusicMapper, load_net
from kelly_live.mapping.culture import CultureStage

CHECKPOINT = "mapper.safetensors"
# A state at least this sure is played as it is. Below, it is drawn towards neutral in proportion, so that noise and
# silence sound like a resting player. The net's confidence is .45 on average on real clips and under .07 on every sound
# that feels nothing (models/emotion.md): half of what is real is a fair line, and above it the state speaks for itself.
SURE = 0.25

# Log-odds of a major third against a minor one, for each unit of valence, beside those that are learned. Mode is the
# first cue of valence (Eerola, Friberg & Bresin 2013; happy is major, sad is minor: Gabrielsson & Lindström 2010), but
# a mode finder hears only .53 of people's quiet sad pieces as minor (EMOPIA's Q3, train, n 171: relative majors are
# near), and played like that, sad is heard as calm. The size is ours.
DECIDED = 4.0
# Arousals between which valence comes to be heard in how restlessly it is accompanied: where it is calm people's
# accompaniments hardly differ (EMOPIA's Q3 and Q4, train: 2.9 and 2.6 attacks a second; Q2 and Q1: 4.7 and 3.8).
CALM, STIRRED = -0.6, 0.6

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


def decided(modes: Sequence[float], valence: float, nobodys: Sequence[float] | None = None) -> tuple[float, ...]:
    """Weights over MODES, those with a major third raised against the others by a valence above 0, lowered by one
    below; the same to the bit at 0. `nobodys`: what the weights would be for nobody in particular. As far as a person
    leads from there, of the way that there is, they lead from what is decided too: it never outweighs a taste.
    """
    if valence == 0.0:
        return tuple(modes)
    raised = math.exp(DECIDED * valence)
    if nobodys is None:
        factors = raised, 1.0
    else:
        own, base = _majors(modes), _majors(nobodys)
        ours = raised * base / (raised * base + 1.0 - base)
        played = ours * own / base if own <= base else 1.0 - (1.0 - ours) * (1.0 - own) / (1.0 - base)
        factors = played / own, (1.0 - played) / (1.0 - own)
    weights = [weight * factors[mode not in MAJOR_MODES] for mode, weight in zip(MODES, modes, strict=True)]
    return tuple(weight / sum(weights) for weight in weights)


def _majors(modes: Sequence[float]) -> float:
    """The share of modes with a major third; never quite none, or all."""
    share = sum(weight for mode, weight in zip(MODES, modes, strict=True) if mode in MAJOR_MODES)
    return min(1.0 - 1e-9, max(1e-9, share))


def unrest(valence: float, arousal: float) -> float:
    """How restlessly a feeling is accompanied, -1 to 1: the more bitter the more, where it is stirred."""
    return 0.0 - valence * min(1.0, max(0.0, (arousal - CALM) / (STIRRED - CALM)))


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
        whom a running call may still be reading.
        """
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
            parameters, style = parameters_of(music, None if culture is None else culture.scale), None
            if culture is not None and culture.has_styles:
                # The feeling's own modes choose: the coloured ones already lean to what is common in the tradition;
                # against the average of all seven, since what they share (tonic and fifth) fits every feeling alike.
                own = self.net(inputs[:, :-3], vad, user, None, 0.0)["mode_weights"][0] ** SURE_OF_MODE
                own = own / own.sum()
                style = culture.style((own - own.mean()).tolist())
            # A tradition with ways of its own has chosen its mode so, and accompanies as it does, as far as it is
            # played.
            valence = felt.valence * (1.0 if style is None else 1.0 - strength)
            nobodys = None
            if user is not None and valence != 0.0:
                nobodys = self.net(emotions, vad, None, coloured, strength)["mode_weights"][0].tolist()
        return replace(
            parameters,
            modes=decided(parameters.modes, valence, nobodys),
            unrest=unrest(valence, felt.arousal),
            style=style,
        )


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
