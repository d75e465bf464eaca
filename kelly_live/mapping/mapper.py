"""The trained mapper behind the Mapper protocol: an emotion state in, checked music parameters out.

It applies the culture, if one is set, and the taste of the person who is played for. Thread: the caller's; the person
may be changed from another thread (one reference, replaced whole).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from kelly_live.core.arrays import Floats
from kelly_live.core.emotion_space import create_state, relax_state
from kelly_live.core.values import (
    MAJOR_MODES,
    MODES,
    Dynamics,
    EmotionState,
    MusicParameters,
    Register,
    Scale,
    TempoRange,
    TimingWeights,
)
from kelly_live.mapping.constraints import Constraints
from kelly_live.mapping.culture import CultureStage
from kelly_live.mapping.groove import choose_groove
from kelly_live.mapping.net import BaseOutputs, MapperNet, Music, limit_taste, load_mapper_net

# Log-odds of a major third against a minor one, for each unit of valence, beside those that are learned. Mode is the
# first cue of valence (Eerola, Friberg & Bresin 2013; happy is major, sad is minor: Gabrielsson & Lindström 2010), but
# a mode finder hears only .53 of people's quiet sad pieces as minor (EMOPIA's Q3, train, n 171: relative majors are
# near), and played like that, sad is heard as calm. The size is ours.
MAJOR_LOG_ODDS = 4.0
# Arousals between which valence comes to be heard in how restlessly it is accompanied, and no longer in the register.
# Where it is calm people's accompaniments hardly differ (EMOPIA's Q3 and Q4, train: 2.9 and 2.6 attacks a second; Q2
# and Q1: 4.7 and 3.8).
CALM_AROUSAL, STIRRED_AROUSAL = -0.6, 0.6
# Semitones that the melody, and with it the chords, lies higher for each unit of valence where it is calm. Sad is low,
# happy and tender are not (Juslin & Laukka 2003, table 11; register is the third cue, after mode and tempo: Eerola,
# Friberg & Bresin 2013), and songs whose composers head them dolce or lieto lie higher than those headed mesto
# (OpenScore Lieder). Calm piano clips say the contrary (EMOPIA: sad lies 2 semitones above calm): learned from them
# alone, calm was so low and dark that it could be heard as sad. The size is ours. What a net does of it by itself (the
# one of `open` learned it from those publications) is not done twice.
CALM_REGISTER = 8.0

# How much of the density of stirred music there is where it is as calm. Of all that listeners rated in film excerpts,
# density goes with energy the most (r .69, with sadness -.52, with tenderness -.37: MusicScienceData, in
# models/open/mapper.md). The net of `open`, which learned from headings, plays calm and stirred music equally dense, so
# that drums and full patterns stay where it is calm. The size is ours; what a net does by itself is not done twice.
CALM_DENSITY = 0.7
# How much higher the level lies for each unit of arousal above 0, as a share of the loudest velocity. Level is the cue
# of energy that can be measured best (r .57, the same excerpts), but the medians that a net plays stay within mezzo
# forte (velocity 82 at an arousal of .8; forte is 96, fortissimo 112). The size is ours.
STIRRED_LEVEL = 0.16

# To this power a feeling's weights over modes choose among a tradition's: one that leans to a mode asks for that mode,
# as the plain band plays it, not for a blur of all seven, which every scale fits alike; one in two minds leaves the
# choice to what is common in the tradition.
STYLE_MODE_POWER = 4.0


def lean_modes(modes: Sequence[float], valence: float, base_modes: Sequence[float] | None = None) -> tuple[float, ...]:
    """Lean weights over MODES to major for a valence above 0, to minor below; the same to the bit at 0.

    `base_modes` are the weights without a taste. A taste that moves a share of the way from the base to major (or
    minor) moves the same share of the way that remains after leaning, so leaning never outweighs it.
    """
    if valence == 0.0:
        return tuple(modes)
    odds = math.exp(MAJOR_LOG_ODDS * valence)
    if base_modes is None:
        factors = odds, 1.0
    else:
        major_share, base_major_share = _sum_major(modes), _sum_major(base_modes)
        target_base_share = odds * base_major_share / (odds * base_major_share + 1.0 - base_major_share)
        target_share = (
            target_base_share * major_share / base_major_share
            if major_share <= base_major_share
            else 1.0 - (1.0 - target_base_share) * (1.0 - major_share) / (1.0 - base_major_share)
        )
        factors = target_share / major_share, (1.0 - target_share) / (1.0 - major_share)
    weights = [weight * factors[mode not in MAJOR_MODES] for mode, weight in zip(MODES, modes, strict=True)]
    return tuple(weight / sum(weights) for weight in weights)


def _sum_major(modes: Sequence[float]) -> float:
    """Return the share of modes with a major third, within 1e-9 of 0 and 1."""
    share = sum(weight for mode, weight in zip(MODES, modes, strict=True) if mode in MAJOR_MODES)
    return min(1.0 - 1e-9, max(1e-9, share))


def accompaniment_unrest(valence: float, arousal: float) -> float:
    """Return how restless the accompaniment is, -1 to 1.

    Where arousal is high, a lower valence makes it more restless.
    """
    return 0.0 - valence * _rise_to_stirred(arousal)


def _rise_to_stirred(arousal: float) -> float:
    """Return 0 up to CALM_AROUSAL, 1 from STIRRED_AROUSAL on, and a straight line between."""
    return min(1.0, max(0.0, (arousal - CALM_AROUSAL) / (STIRRED_AROUSAL - CALM_AROUSAL)))


def lean_register(register: Register, valence: float, arousal: float, semitones: float = CALM_REGISTER) -> Register:
    """Lean the melody's register up for a valence above 0, down below, the more the calmer; within MIDI's notes.

    `semitones` for each unit of valence where it is calm.
    """
    shift = semitones * valence * (1.0 - _rise_to_stirred(arousal))
    shift = min(127.0 - register.high, max(-register.low, shift))
    return Register(register.low + shift, register.centre + shift, register.high + shift)


def lean_density(density: float, arousal: float, share: float) -> float:
    """Lean a density down where it is calm: to `share` of it at CALM_AROUSAL.

    From an arousal of 0 on it is the same to the bit.
    """
    return density if arousal >= 0.0 else float(density * share ** (arousal / CALM_AROUSAL))


def lean_dynamics(dynamics: Dynamics, arousal: float) -> Dynamics:
    """Lean dynamics up by STIRRED_LEVEL for each unit of arousal above 0, within 0-1."""
    gain = min(STIRRED_LEVEL * max(0.0, arousal), 1.0 - dynamics.ceiling)
    return replace(dynamics, floor=dynamics.floor + gain, ceiling=dynamics.ceiling + gain)


def measure_density_lean(net: MapperNet) -> float:
    """Measure how much of CALM_DENSITY a net leaves to do: a share of the density, CALM_DENSITY to 1."""
    calm, stirred = (_play_plain(net, 0.0, arousal, "density") for arousal in (CALM_AROUSAL, STIRRED_AROUSAL))
    return min(1.0, max(CALM_DENSITY, CALM_DENSITY * stirred / calm))


def measure_register_lean(net: MapperNet) -> float:
    """Measure how much of CALM_REGISTER a net leaves to do, from 0 to all of it, in semitones."""
    sad, content = (_play_plain(net, valence, CALM_AROUSAL, "register_center") for valence in (-0.5, 0.5))
    return min(CALM_REGISTER, max(0.0, CALM_REGISTER - (content - sad)))


def _play_plain(net: MapperNet, valence: float, arousal: float, name: str) -> float:
    """Return one number of what a net plays at a place, for no taste and in no culture."""
    state = create_state(valence, arousal)
    vad = np.array([(state.valence, state.arousal, state.dominance)])
    return float(net.play(net.base(np.array([state.probabilities]), vad))[name][0])


@dataclass(frozen=True, slots=True)
class Audience:
    """Who is played for: a taste embedding `[64]` (None: no taste) and a culture (None: none)."""

    embedding: Floats | None = None
    culture: CultureStage | None = None


class LearnedMapper:
    """Maps EmotionState to MusicParameters by a trained net: a pure function of state and audience.

    `constraints` hold some of the parameters, whatever the state and the audience.
    """

    def __init__(
        self, net: MapperNet, culture: CultureStage | None = None, constraints: Constraints | None = None
    ) -> None:
        self.net = net
        self._register_lean, self._density_lean = measure_register_lean(net), measure_density_lean(net)
        self._constraints = constraints or Constraints()
        self._audience = Audience(culture=culture)

    @property
    def audience(self) -> Audience:
        """Who is played for now; another object as soon as that changes."""
        return self._audience

    def set_culture(self, culture: CultureStage | None) -> None:
        """Play in another culture (None: in none) from the next call on. Any thread, one at a time."""
        self._audience = Audience(self._audience.embedding, culture)

    def play_for(self, embedding: Floats, *culture: CultureStage | None) -> None:
        """Play for a person from the next state on: an embedding `[64]`, zeros for no taste.

        A `culture` (or None) replaces the present one; without it, the culture stays. Any thread, one at a time.
        """
        taste = limit_taste(np.nan_to_num(embedding)) if embedding.any() else None
        self._audience = Audience(taste, culture[0] if culture else self._audience.culture)

    def __call__(self, state: EmotionState) -> MusicParameters:
        """Return the music for a state, which low confidence first moves towards neutral (`relax_state`)."""
        confident_state, audience, net = (
            relax_state(state),
            self._audience,
            self.net,
        )  # one audience for all of this call
        culture, embedding = audience.culture, audience.embedding
        emotions = np.array([confident_state.probabilities])
        vad = np.array([(confident_state.valence, confident_state.arousal, confident_state.dominance)])
        scale, style, perceived_emotions, numbers = None, None, emotions, None
        if culture is not None:
            scale = culture.scale
            perceived_emotions, numbers = culture(emotions)
        base = net.base(perceived_emotions, vad)

        def play(taste: Floats | None) -> Music:
            music = net.play(base, taste)
            return music if culture is None or numbers is None else culture.apply(net, music, numbers)

        parameters = create_parameters(play(embedding), scale)
        valence, arousal = confident_state.valence, confident_state.arousal
        if culture is not None and culture.has_styles:
            style = culture.choose_style(_lean_of_modes(net, net.base(emotions, vad), embedding))
        if culture is not None and style is not None:
            # A tradition with styles of its own has chosen its mode so, and accompanies as it does, in proportion to
            # its strength.
            valence *= 1.0 - culture.strength
        if culture is not None and (style is not None or scale is not None):
            arousal *= 1.0 - culture.strength  # a tradition is as dense and as loud as it was measured
        base_modes = None
        if embedding is not None and valence != 0.0:
            base_modes = tuple(map(float, play(None)["mode_weights"][0]))
        played = replace(
            parameters,
            modes=lean_modes(parameters.modes, valence, base_modes),
            register=lean_register(parameters.register, valence, confident_state.arousal, self._register_lean),
            unrest=accompaniment_unrest(valence, confident_state.arousal),
            density=lean_density(parameters.density, arousal, self._density_lean),
            dynamics=lean_dynamics(parameters.dynamics, arousal),
            style=style,
            groove=style.groove if style is not None and style.groove else choose_groove(confident_state),
        )
        return self._constraints.apply(played)


def _lean_of_modes(net: MapperNet, base: BaseOutputs, embedding: Floats | None) -> list[float]:
    """Return how much more than on average each of MODES fits the emotion.

    Tonic and fifth fit every emotion alike, so the average of all seven says nothing. The emotion's own modes decide,
    because the culture's weights already lean to what is common in it.
    """
    weights = net.play(base, embedding)["mode_weights"][0] ** STYLE_MODE_POWER
    weights = weights / weights.sum()
    return [float(weight) for weight in weights - weights.mean()]


def create_parameters(music: Music, scale: Scale | None = None) -> MusicParameters:
    """Make a checked value of the mapper's numbers, one row of each."""

    def number(name: str) -> float:
        return float(music[name].reshape(-1)[0])

    def numbers(name: str) -> tuple[float, ...]:
        return tuple(map(float, music[name].reshape(-1)))

    return MusicParameters(
        tempo=TempoRange(number("tempo_min"), number("tempo_suggested"), number("tempo_max")),
        modes=numbers("mode_weights"),
        register=Register(number("register_low"), number("register_center"), number("register_high")),
        dynamics=Dynamics(number("dynamics_floor"), number("dynamics_ceiling"), number("dynamics_variance")),
        timing=TimingWeights(*numbers("timing_weights")),
        density=number("density"),
        rhythms=numbers("rhythm_weights"),
        scale=scale,
    )


def load_mapper(
    models: Path, culture: CultureStage | None = None, constraints: Constraints | None = None
) -> LearnedMapper:
    """Load the mapper of a folder of checkpoints, or of a whole system's file. Raises ModelError."""
    return LearnedMapper(load_mapper_net(models), culture, constraints)
