"""Published effects and rated film music as pseudo-observations that labelled music can overrule.

Every line gives a direction as published; its size is ours: ±1 corpus standard deviation for what a source calls
clear (fast, slow, high, low, much; and the cues that Eerola, Friberg & Bresin 2013 rank first: mode, tempo, register),
±.5 for what it hedges or where the parameter is only near the varied one. The weight of a line is stated in pieces: a
summary of cues weighs as 6 labelled pieces, as 2 where the parameter only stands for what was summarised (the share on
the beat for regularity, held notes for legato). That experiment had 200 examples for four emotions in six cues, so each
of its lines weighs as 200/24. Film excerpts count one by one (`corpora/film_cues.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from kelly_live.core.emotion_space import create_state
from kelly_live.core.values import EMOTIONS, EmotionState
from kelly_live.lab.corpora.film_cues import Evidence
from kelly_live.lab.nets.mapper import DynamicEmotionToMusicMapper
from kelly_live.lab.training.mapper_data import QUADRANT_CENTRE, Examples, average_weights, list_masks
from kelly_live.mapping.net import SCALARS

SUMMARY_PIECES = 6.0
PROXY_PIECES = 2.0
EXPERIMENT_PIECES = 200.0 / (4.0 * 6.0)

_JL = "Juslin & Laukka 2003, Psychol. Bull. 129:770, table 11"
_JL_MEMORY = "Juslin & Laukka 2003, from memory"
_GL = "Gabrielsson & Lindström 2010, Handbook of Music and Emotion ch. 14"
_EFB = "Eerola, Friberg & Bresin 2013, Front. Psychol. 4:487, 200 examples varied in six cues"
_HKP = "Huron, Kinney & Precoda 2006, Empir. Musicol. Rev. 1(3)"

# How these sources were checked: the card prints it.
CHECKED = (
    "Looked up, the publications themselves being out of reach: Juslin & Laukka's summary for tenderness, sadness and "
    "happiness, as quoted elsewhere (what else rests on it is marked `from memory`: anger, fear, articulation, and how "
    "loud happiness is); Gabrielsson & Lindström's table, as adapted elsewhere; of Eerola, Friberg & Bresin the "
    "abstract (the design, and mode, tempo and register as the first three cues; the directions are from memory); the "
    "abstracts of Huron, Kinney & Precoda and of Temperley & Tan (who had no locrian: that it is as dark as phrygian "
    "is ours)."
)

# Places of emotions without an anchor of their own: (V, A, D). Tender or peaceful is the centre of its quadrant; in
# power and submissive differ only in dominance, by about the range of the anchors.
PLACES: dict[str, tuple[float, float, float]] = {
    "tender": (QUADRANT_CENTRE, -QUADRANT_CENTRE, 0.0),
    "in power": (0.0, 0.0, 0.5),
    "submissive": (0.0, 0.0, -0.5),
}


@dataclass(frozen=True, slots=True)
class Prior:
    """A pseudo-observation of a parameter at an emotion.

    At `emotion` (one of EMOTIONS or PLACES) `parameter` lies `effect` SDs from the corpus (weights: along
    WEIGHT_DIRECTIONS). It counts as `pieces` labelled pieces.
    """

    emotion: str
    parameter: str
    effect: float
    source: str
    pieces: float = SUMMARY_PIECES


PRIORS = (
    Prior("happy", "tempo", 1.0, f"fast: {_EFB}; {_JL}", EXPERIMENT_PIECES),
    Prior("sad", "tempo", -1.0, f"slow: {_EFB}; {_JL}", EXPERIMENT_PIECES),
    Prior("angry", "tempo", 1.0, f"fast: {_GL}; {_JL_MEMORY}"),
    Prior("fearful", "tempo", 1.0, f"fast: {_GL}; {_JL_MEMORY}"),
    Prior("tender", "tempo", -1.0, f"slow: {_JL}"),
    Prior("excited", "tempo", 1.0, f"fast (excitement, activity): {_GL}"),
    Prior("angry", "level", 1.0, f"loud: {_GL}; {_JL_MEMORY}"),
    Prior("fearful", "level", -0.5, f"soft: {_GL}; low level, but for panic: {_JL_MEMORY}"),
    Prior("happy", "level", 0.5, f"loud (joy): {_GL}; medium to high level: {_JL_MEMORY}"),
    Prior("sad", "level", -1.0, f"low level: {_JL}"),
    Prior("tender", "level", -1.0, f"low level: {_JL}"),
    Prior("excited", "level", 1.0, f"loud (excitement, intensity, power): {_GL}"),
    Prior("angry", "variation", 0.5, f"much level variability: {_JL_MEMORY}"),
    Prior("fearful", "variation", 1.0, f"large variations of loudness: {_GL}; {_JL_MEMORY}"),
    Prior("sad", "variation", -0.5, f"little level variability: {_JL}"),
    Prior("tender", "variation", -0.5, f"little level variability: {_JL}"),
    Prior("happy", "centre", 1.0, f"high register: {_EFB}; {_JL}", EXPERIMENT_PIECES),
    Prior(
        "fearful",
        "centre",
        -1.0,
        f"low register (scary): {_EFB}; speech goes up instead ({_JL_MEMORY})",
        EXPERIMENT_PIECES,
    ),
    Prior("sad", "centre", -0.5, f"low pitch: {_JL}"),
    Prior("happy", "above", 0.5, f"much pitch variability: {_JL}"),
    Prior("sad", "above", -0.5, f"little pitch variability: {_JL}"),
    Prior("happy", "modes", 1.0, f"major: {_EFB}; {_GL}", EXPERIMENT_PIECES),
    Prior("sad", "modes", -1.0, f"minor: {_EFB}; {_GL}", EXPERIMENT_PIECES),
    Prior("fearful", "modes", -1.0, f"minor (scary): {_EFB}", EXPERIMENT_PIECES),
    Prior("angry", "modes", -1.0, f"minor: {_GL}"),
    Prior("sad", "rhythms", 0.5, f"legato: {_JL_MEMORY}", PROXY_PIECES),
    Prior("tender", "rhythms", 0.5, f"legato: {_JL_MEMORY}", PROXY_PIECES),
    Prior("happy", "rhythms", -0.5, f"staccato: {_JL_MEMORY}", PROXY_PIECES),
    Prior("angry", "rhythms", -0.5, f"staccato: {_JL_MEMORY}", PROXY_PIECES),
    Prior("happy", "timing", 0.5, f"microstructural regularity: {_JL_MEMORY}", PROXY_PIECES),
    Prior("tender", "timing", 0.5, f"microstructural regularity: {_JL}", PROXY_PIECES),
    Prior("angry", "timing", -0.5, f"microstructural irregularity: {_JL_MEMORY}", PROXY_PIECES),
    Prior("fearful", "timing", -0.5, f"much microstructural irregularity: {_JL_MEMORY}", PROXY_PIECES),
    Prior("sad", "timing", -0.5, f"microstructural irregularity: {_JL}", PROXY_PIECES),
    Prior("in power", "level", 0.5, f"loud (power, intensity): {_GL}"),
    Prior("submissive", "level", -0.5, f"the contrary of loud for power: {_GL}"),
    Prior("in power", "centre", -0.5, f"lower is heard as less submissive: {_HKP}"),
    Prior("submissive", "centre", 0.5, f"higher is heard as more submissive: {_HKP}"),
    # behind against ahead of the beat, disgust, surprise: no source is certain; the data decides
)

# Directions that a weight's effect moves along. Modes, by the ranking of Temperley & Tan 2013 (Music Percept. 30:237,
# ionian to phrygian, lydian lower than its sharps), evenly spaced by us, locrian too; timing: on the beat against off
# it; rhythms: held against detached, the nearest that five patterns come to articulation.
WEIGHT_DIRECTIONS = {
    "modes": (1.0, -0.2, -1.0, 0.3, 0.6, -0.6, -1.0),
    "timing": (-0.5, 1.0, -0.5),
    "rhythms": (-0.25, -0.25, -0.25, -0.25, 1.0),
}


def find_state(place: str) -> EmotionState:
    """Find the state of an emotion or of one of PLACES."""
    return create_state(emotion=place) if place in EMOTIONS else create_state(*PLACES[place])


def convert_evidence(evidence: Sequence[Evidence]) -> tuple[tuple[tuple[float, float], Prior], ...]:
    """Convert film music to pseudo-observations: half of the pieces at each end of the axis, at one RMS."""
    observations = []
    for line in evidence:
        for side in (1.0, -1.0):
            place = side * QUADRANT_CENTRE
            valence, arousal = (place, 0.0) if line.axis == "valence" else (0.0, place)
            prior = Prior(f"{line.axis} {place:+g}", line.parameter, side * line.r, line.source, line.pieces / 2.0)
            observations.append(((valence, arousal), prior))
    return tuple(observations)


class PriorLoss:
    """The loss of PRIORS and film music, on the scale of the mean loss of the corpus."""

    def __init__(self, data: Examples, evidence: Sequence[Evidence] = ()) -> None:
        lines = [(find_state(prior.emotion), prior) for prior in PRIORS]
        lines += [(create_state(*place), prior) for place, prior in convert_evidence(evidence)]
        self._probabilities = torch.tensor([state.probabilities for state, _ in lines])
        self._vad = torch.tensor([(state.valence, state.arousal, state.dominance) for state, _ in lines])
        self._target = torch.zeros(len(lines), len(SCALARS))
        self._share = torch.zeros(len(lines), len(SCALARS))
        self._weights: list[tuple[str, int, Tensor, float]] = []
        base = average_weights(data)
        pieces = {name: max(float((mask * data.importance).sum()), 1.0) for name, mask in list_masks(data).items()}
        for row, (_, prior) in enumerate(lines):
            share = prior.pieces / pieces[prior.parameter]
            if prior.parameter in SCALARS:
                self._target[row, SCALARS.index(prior.parameter)] = prior.effect
                self._share[row, SCALARS.index(prior.parameter)] = share
            else:
                shift = prior.effect * torch.tensor(WEIGHT_DIRECTIONS[prior.parameter])
                shift_clips = torch.softmax(base[prior.parameter].log() + shift, dim=-1)
                self._weights.append((prior.parameter, row, shift_clips, share))

    def __call__(self, net: DynamicEmotionToMusicMapper) -> Tensor:
        """Compute the loss of a net."""
        spread = net.predict_distribution(self._probabilities, self._vad)
        total = -(spread.log_density(self._target) * self._share).sum()
        for name, row, target, share in self._weights:
            total = total - share * (target * torch.log_softmax(spread.logits[name][row], dim=-1)).sum()
        return total
