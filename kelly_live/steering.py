"""From a point of the emotion space to a whole EmotionState, and the performer's hand on the wheel. Needs no torch."""

from __future__ import annotations

import math

from kelly_live.domain import EMOTION_VAD, EMOTIONS, EmotionState
from kelly_live.errors import ConfigError
from kelly_live.protocols import Steering

# Width of an emotion's region in V/A/D: about half the mean distance between neighbouring anchors of EMOTION_VAD.
ANCHOR_WIDTH = 0.35
# A named emotion keeps this share; the rest goes to its neighbours, as people's own ratings do.
NAMED_SHARE = 0.8


def category_probabilities(
    valence: float, arousal: float, dominance: float | None = None, width: float = ANCHOR_WIDTH
) -> tuple[float, ...]:
    """Probabilities over EMOTIONS: p ∝ exp(-d²/2·width²), d the distance to each anchor of EMOTION_VAD.

    Without `dominance` the distance is taken in the valence-arousal plane.
    """
    point = (valence, arousal) if dominance is None else (valence, arousal, dominance)
    squares = [math.dist(point, EMOTION_VAD[name][: len(point)]) ** 2 for name in EMOTIONS]
    nearest = min(squares)
    weights = [math.exp((nearest - square) / (2.0 * width**2)) for square in squares]
    total = sum(weights)
    return tuple(weight / total for weight in weights)


def expected_dominance(probabilities: tuple[float, ...]) -> float:
    """The dominance that goes with these emotions: their mean in EMOTION_VAD."""
    return sum(p * EMOTION_VAD[name][2] for p, name in zip(probabilities, EMOTIONS, strict=True))


def state_from(
    valence: float | None = None,
    arousal: float | None = None,
    dominance: float | None = None,
    emotion: str | None = None,
    time: float = 0.0,
) -> EmotionState:
    """The state that a performer asks for, with confidence 1; what is left open is neutral (0), or the emotion's own.

    A given valence, arousal or dominance wins over the emotion's. Raises ConfigError.
    """
    return apply_steering(
        EmotionState(category_probabilities(0.0, 0.0), 0.0, 0.0, 0.0, 1.0, time),
        Steering(valence=valence, arousal=arousal, dominance=dominance, emotion=emotion),
    )


def apply_steering(state: EmotionState, steering: Steering) -> EmotionState:
    """Replace what was heard by whatever the performer set; the probabilities then follow the new place.

    An emotion brings its anchor's V, A and D; numbers win over it. Open dominance follows the categories once both
    valence and arousal are set. Confidence rises by the steered share of valence and arousal. `freeze` holds a state
    over time, so the caller must do it. Raises ConfigError for a number outside [-1, 1] or an unknown emotion.
    """
    for name in ("valence", "arousal", "dominance"):
        number = getattr(steering, name)
        if number is not None and not (math.isfinite(number) and -1.0 <= number <= 1.0):
            raise ConfigError(f"{name} is {number:g}; it must be a number from -1 to 1")
    if steering.emotion is None and steering.valence is None and steering.arousal is None:
        if steering.dominance is None:
            return state
        place = (state.valence, state.arousal, steering.dominance)
        return EmotionState(category_probabilities(*place), *place, state.confidence, state.time)

    if steering.emotion is not None:
        anchor = EMOTION_VAD[_known(steering.emotion)]
        valence = anchor[0] if steering.valence is None else steering.valence
        arousal = anchor[1] if steering.arousal is None else steering.arousal
        dominance = anchor[2] if steering.dominance is None else steering.dominance
        around = category_probabilities(valence, arousal, dominance)
        named = EMOTIONS.index(_known(steering.emotion))
        probabilities = tuple(
            (1.0 - NAMED_SHARE) * p + (NAMED_SHARE if index == named else 0.0) for index, p in enumerate(around)
        )
        return EmotionState(probabilities, valence, arousal, dominance, 1.0, state.time)

    valence = state.valence if steering.valence is None else steering.valence
    arousal = state.arousal if steering.arousal is None else steering.arousal
    whole = steering.valence is not None and steering.arousal is not None
    if steering.dominance is not None:
        dominance = steering.dominance
    elif whole:
        dominance = expected_dominance(category_probabilities(valence, arousal))
    else:
        dominance = state.dominance
    # Nothing was heard of a dominance that was only inferred: it must not shape the categories twice.
    inferred = whole and steering.dominance is None
    probabilities = category_probabilities(valence, arousal, None if inferred else dominance)
    confidence = 1.0 if whole else state.confidence + (1.0 - state.confidence) * 0.5
    return EmotionState(probabilities, valence, arousal, dominance, confidence, state.time)


def _known(emotion: str) -> str:
    name = emotion.strip().lower()
    if name not in EMOTIONS:
        raise ConfigError(f"no emotion is called {emotion!r}; choose one of {', '.join(EMOTIONS)}")
    return name
