"""The emotion space: from valence, arousal and dominance to a whole EmotionState.

Needs neither torch nor numpy.
"""

from __future__ import annotations

import math
from dataclasses import replace

from kelly_live.core.errors import ConfigError
from kelly_live.core.values import EMOTION_VAD, EMOTIONS, NEUTRAL_PROBABILITIES, EmotionState

# Width of an emotion's region in V/A/D: about half the mean distance between neighbouring anchors of EMOTION_VAD.
ANCHOR_WIDTH = 0.35
# A named emotion keeps this share; the rest goes to its neighbours, as people's own ratings do.
NAMED_SHARE = 0.8
# A state at least this confident is played as it is. Below, it is drawn towards neutral in proportion, so that noise
# and silence sound like a resting player. The net's confidence is .45 on average on real clips and under .07 on every
# sound that carries no emotion (models/research/emotion.md): half of what is real is a fair line.
TRUSTED_CONFIDENCE = 0.25


def category_probabilities(
    valence: float, arousal: float, dominance: float | None = None, width: float = ANCHOR_WIDTH
) -> tuple[float, ...]:
    """Return probabilities over EMOTIONS: p ∝ exp(-d²/2·width²), d the distance to each EMOTION_VAD.

    Without `dominance` the distance is taken in the valence-arousal plane.
    """
    point = (valence, arousal) if dominance is None else (valence, arousal, dominance)
    squares = [math.dist(point, EMOTION_VAD[name][: len(point)]) ** 2 for name in EMOTIONS]
    nearest = min(squares)
    weights = [math.exp((nearest - square) / (2.0 * width**2)) for square in squares]
    total = sum(weights)
    return tuple(weight / total for weight in weights)


def expected_dominance(probabilities: tuple[float, ...]) -> float:
    """Return the dominance of these emotions: their mean in EMOTION_VAD."""
    return sum(p * EMOTION_VAD[name][2] for p, name in zip(probabilities, EMOTIONS, strict=True))


def create_state(
    valence: float | None = None,
    arousal: float | None = None,
    dominance: float | None = None,
    emotion: str | None = None,
    time: float = 0.0,
) -> EmotionState:
    """Create the state that a performer chooses, with confidence 1.

    What is not given is the emotion's own, or neutral (0). A given valence, arousal or dominance wins over the
    emotion's. Raises ConfigError.
    """
    neutral = EmotionState(category_probabilities(0.0, 0.0), 0.0, 0.0, 0.0, 1.0, time)
    return place_state(neutral, valence=valence, arousal=arousal, dominance=dominance, emotion=emotion)


def place_state(
    state: EmotionState,
    *,
    valence: float | None = None,
    arousal: float | None = None,
    dominance: float | None = None,
    emotion: str | None = None,
) -> EmotionState:
    """Move a state to another place of the space; the probabilities follow, and what is None stays.

    An emotion brings its anchor's V, A and D; numbers win over it. Open dominance follows the categories once both
    valence and arousal are given. Confidence rises by the given share of valence and arousal. Raises ConfigError for a
    number outside [-1, 1] or an unknown emotion.
    """
    for name, number in (("valence", valence), ("arousal", arousal), ("dominance", dominance)):
        if number is not None and not (math.isfinite(number) and -1.0 <= number <= 1.0):
            raise ConfigError(f"{name} is {number:g}; it must be a number from -1 to 1")
    if emotion is not None:
        name = _known_emotion(emotion)
        anchor = EMOTION_VAD[name]
        place = (
            anchor[0] if valence is None else valence,
            anchor[1] if arousal is None else arousal,
            anchor[2] if dominance is None else dominance,
        )
        probabilities = tuple(
            (1.0 - NAMED_SHARE) * p + (NAMED_SHARE if index == EMOTIONS.index(name) else 0.0)
            for index, p in enumerate(category_probabilities(*place))
        )
        return EmotionState(probabilities, *place, 1.0, state.time)
    if valence is None and arousal is None:
        if dominance is None:
            return state
        place = (state.valence, state.arousal, dominance)
        return EmotionState(category_probabilities(*place), *place, state.confidence, state.time)

    has_both_axes = valence is not None and arousal is not None
    valence = state.valence if valence is None else valence
    arousal = state.arousal if arousal is None else arousal
    # An inferred dominance is no observation: it must not shape the categories a second time.
    is_dominance_inferred = has_both_axes and dominance is None
    if dominance is None:
        dominance = expected_dominance(category_probabilities(valence, arousal)) if has_both_axes else state.dominance
    probabilities = category_probabilities(valence, arousal, None if is_dominance_inferred else dominance)
    confidence = 1.0 if has_both_axes else state.confidence + (1.0 - state.confidence) * 0.5
    return EmotionState(probabilities, valence, arousal, dominance, confidence, state.time)


def interpolate_states(start: EmotionState, goal: EmotionState, share: float) -> EmotionState:
    """Return the state a share (0-1) of the way from one to another, at the start's time.

    Valence, arousal, dominance and confidence move linearly. On the way the probabilities are those of the point that
    it passes through: half way between sad and happy lies neutral, not half of each. Towards either end they become
    that end's own.
    """
    if share in (0.0, 1.0):
        return replace(goal, time=start.time) if share else start

    def interpolate(a: float, b: float) -> float:
        return min(max(a, b), max(min(a, b), a + share * (b - a)))

    valence = interpolate(start.valence, goal.valence)
    arousal = interpolate(start.arousal, goal.arousal)
    dominance = interpolate(start.dominance, goal.dominance)
    end, of_end = (start, 1.0 - 2.0 * share) if share < 0.5 else (goal, 2.0 * share - 1.0)
    around = category_probabilities(valence, arousal, dominance)
    probabilities = tuple(of_end * p + (1.0 - of_end) * q for p, q in zip(end.probabilities, around, strict=True))
    confidence = interpolate(start.confidence, goal.confidence)
    return EmotionState(probabilities, valence, arousal, dominance, confidence, start.time)


def relax_state(state: EmotionState) -> EmotionState:
    """Move a state towards neutral in proportion to its lack of confidence.

    From TRUSTED_CONFIDENCE up it is unchanged; at confidence 0 it is neutral.
    """
    trust = min(state.confidence / TRUSTED_CONFIDENCE, 1.0)
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


def subtract_offset(state: EmotionState, offset: tuple[float, float, float]) -> EmotionState:
    """Subtract (V, A, D) in proportion to the state's confidence, so that silence stays neutral.

    Zeros return the same state.
    """
    if not any(offset):
        return state
    trust = min(state.confidence / TRUSTED_CONFIDENCE, 1.0)
    valence, arousal, dominance = (
        min(1.0, max(-1.0, place - trust * off))
        for place, off in zip((state.valence, state.arousal, state.dominance), offset, strict=True)
    )
    return replace(state, valence=valence, arousal=arousal, dominance=dominance)


def _known_emotion(emotion: str) -> str:
    name = emotion.strip().lower()
    if name not in EMOTIONS:
        raise ConfigError(f"no emotion is called {emotion!r}; choose one of {', '.join(EMOTIONS)}")
    return name
