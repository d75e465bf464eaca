"""From a point of the emotion space to a whole EmotionState, and the performer's hand on the wheel. Needs no torch."""

from __future__ import annotations

import math
from dataclasses import replace

from kelly_live.core.errors import ConfigError
from kelly_live.core.protocols import EmotionOverride, Morph
from kelly_live.core.values import EMOTION_VAD, EMOTIONS, EmotionState

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
    return apply_override(
        EmotionState(category_probabilities(0.0, 0.0), 0.0, 0.0, 0.0, 1.0, time),
        EmotionOverride(valence=valence, arousal=arousal, dominance=dominance, emotion=emotion),
    )


def apply_override(state: EmotionState, steering: EmotionOverride, bar: float = 0.0) -> EmotionState:
    """Replace what was heard by whatever the performer set; the probabilities then follow the new place.

    First the hand: an emotion brings its anchor's V, A and D; numbers win over it. Open dominance follows the
    categories once both valence and arousal are set. Confidence rises by the steered share of valence and arousal.
    Then the morph leads on from there, as far as the music has come by `bar`. `freeze` comes before both; it holds a
    state over time, so the caller must do it. Raises ConfigError for a number outside [-1, 1] or an unknown emotion.
    """
    by_hand = _by_hand(state, steering)
    return by_hand if steering.morph is None else _morphed(by_hand, steering.morph, bar)


def morph_share(morph: Morph, bar: float) -> float:
    """How much of its way a morph has made at a bar, 0-1. Raises ConfigError."""
    if not (math.isfinite(morph.bars) and morph.bars > 0.0):
        raise ConfigError(f"a morph of {morph.bars:g} bars; it must take more than 0")
    return min(1.0, max(0.0, (bar - morph.start_bar) / morph.bars))


def _morphed(state: EmotionState, morph: Morph, bar: float) -> EmotionState:
    """Linear in V, A, D and confidence. On the way the probabilities are those of the place that it passes through
    (half way between sad and happy lies neutral, not half of each); towards either end they become that end's own.
    """
    if morph.to.morph is not None:
        raise ConfigError("a morph leads to another morph; it must lead to a place")
    here = state if morph.origin is None else replace(morph.origin, time=state.time)
    there = _by_hand(here, morph.to)
    share = morph_share(morph, bar)
    if share in (0.0, 1.0):
        return there if share else here

    def on_the_way(a: float, b: float) -> float:
        return min(max(a, b), max(min(a, b), a + share * (b - a)))

    valence = on_the_way(here.valence, there.valence)
    arousal = on_the_way(here.arousal, there.arousal)
    dominance = on_the_way(here.dominance, there.dominance)
    end, of_end = (here, 1.0 - 2.0 * share) if share < 0.5 else (there, 2.0 * share - 1.0)
    around = category_probabilities(valence, arousal, dominance)
    probabilities = tuple(of_end * p + (1.0 - of_end) * q for p, q in zip(end.probabilities, around, strict=True))
    confidence = on_the_way(here.confidence, there.confidence)
    return EmotionState(probabilities, valence, arousal, dominance, confidence, state.time)


def nudge_axis(
    steering: EmotionOverride,
    shown: EmotionState,
    *,
    valence: float = 0.0,
    arousal: float = 0.0,
    dominance: float = 0.0,
) -> EmotionOverride:
    """The hand moves an axis on by these steps, from where it holds it or else from what is shown. It takes the place
    of a morph and of an emotion's name; what these held on the other axes stays as it is shown.
    """
    taken = _taken(steering, shown)

    def moved(place: float | None, here: float, step: float) -> float | None:
        return (here if place is None else place) + step if step else None

    return set_axis(
        steering,
        shown,
        valence=moved(taken.valence, shown.valence, valence),
        arousal=moved(taken.arousal, shown.arousal, arousal),
        dominance=moved(taken.dominance, shown.dominance, dominance),
    )


def set_axis(
    steering: EmotionOverride,
    shown: EmotionState,
    *,
    valence: float | None = None,
    arousal: float | None = None,
    dominance: float | None = None,
) -> EmotionOverride:
    """The hand holds these axes there, and takes the place of a morph and of a name as in `nudged`."""
    taken = _taken(steering, shown)
    return replace(
        taken,
        valence=taken.valence if valence is None else _near(valence),
        arousal=taken.arousal if arousal is None else _near(arousal),
        dominance=taken.dominance if dominance is None else _near(dominance),
    )


def _taken(steering: EmotionOverride, shown: EmotionState) -> EmotionOverride:
    """The hand without a morph or a name: what these held is held in numbers."""
    if steering.morph is None and steering.emotion is None:
        return steering
    return EmotionOverride(_near(shown.valence), _near(shown.arousal), _near(shown.dominance), freeze=steering.freeze)


def described(steering: EmotionOverride, bar: float) -> list[str]:
    """What the hand does, in the order in which it acts, a few words each; empty if nothing."""
    words = ["frozen"] if steering.freeze else []
    by_hand = _named(steering)
    if by_hand:
        words.append(f"by hand: {by_hand}")
    if steering.morph is not None:
        morph, goal = steering.morph, _named(steering.morph.to)
        share = morph_share(morph, bar)
        made = f"{share * morph.bars:.0f} of {morph.bars:g} bars"
        words.append(f"morph to {goal}: {made}" if share < 1.0 else f"morphed to {goal}")
    return words


def _named(steering: EmotionOverride) -> str:
    axes = (("V", steering.valence), ("A", steering.arousal), ("D", steering.dominance))
    numbers = [f"{name}{number:+.2f}" for name, number in axes if number is not None]
    return " ".join(([steering.emotion] if steering.emotion else []) + numbers)


def _near(number: float) -> float:
    """Inside the space, to two digits, so that ten steps of .1 are 1."""
    return round(min(1.0, max(-1.0, number)), 2)


def _by_hand(state: EmotionState, steering: EmotionOverride) -> EmotionState:
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
