"""The manual override: apply it to a state, change it, and describe it."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

from kelly_live.core.emotion_space import interpolate_states, place_state
from kelly_live.core.errors import ConfigError
from kelly_live.core.protocols import EmotionOverride, Morph
from kelly_live.core.values import EmotionState


def apply_override(state: EmotionState, override: EmotionOverride, bar: float = 0.0) -> EmotionState:
    """Replace what was read by what the performer set.

    The probabilities follow the new place (`place_state`). Then a morph moves on from there, in proportion to the bars
    that have passed at `bar`. `freeze` acts before both; it holds a state over time, so the caller must do it.

    Raises:
        ConfigError: A number is outside [-1, 1], or the emotion is unknown.
    """
    target_state = _place(state, override)
    return target_state if override.morph is None else _morph_state(target_state, override.morph, bar)


def morph_share(morph: Morph, bar: float) -> float:
    """Return the share of a morph that is complete at a bar, 0-1. Raises ConfigError."""
    if not (math.isfinite(morph.bars) and morph.bars > 0.0):
        raise ConfigError(f"a morph of {morph.bars:g} bars; it must take more than 0")
    return min(1.0, max(0.0, (bar - morph.start_bar) / morph.bars))


def _morph_state(state: EmotionState, morph: Morph, bar: float) -> EmotionState:
    """Move a state along a morph, in proportion to the bars that have passed."""
    if morph.target.morph is not None:
        raise ConfigError("a morph leads to another morph; it must lead to a place")
    start = state if morph.origin is None else replace(morph.origin, time=state.time)
    goal = _place(start, morph.target)
    share = morph_share(morph, bar)
    if not morph.via:
        return interpolate_states(start, goal, share)
    places = [start, *(place_state(start, valence=valence, arousal=arousal) for valence, arousal in morph.via), goal]
    legs = [math.dist((a.valence, a.arousal), (b.valence, b.arousal)) for a, b in pairwise(places)]
    way = share * sum(legs)
    for (before, after), leg in zip(pairwise(places), legs, strict=True):
        if way < leg:
            return interpolate_states(before, after, way / leg)
        way -= leg
    return goal


def nudge_axis(
    override: EmotionOverride,
    state: EmotionState,
    *,
    valence: float = 0.0,
    arousal: float = 0.0,
    dominance: float = 0.0,
) -> EmotionOverride:
    """Move axes by these steps, from where they are overridden or else from what is shown.

    This replaces a morph and a named emotion; the other axes then stay as they are shown.
    """
    plain = _drop_morph(override, state)

    def move(place: float | None, state_value: float, step: float) -> float | None:
        return (state_value if place is None else place) + step if step else None

    return set_axis(
        override,
        state,
        valence=move(plain.valence, state.valence, valence),
        arousal=move(plain.arousal, state.arousal, arousal),
        dominance=move(plain.dominance, state.dominance, dominance),
    )


def set_axis(
    override: EmotionOverride,
    state: EmotionState,
    *,
    valence: float | None = None,
    arousal: float | None = None,
    dominance: float | None = None,
) -> EmotionOverride:
    """Set these axes; a morph and a named emotion are replaced as in `nudge_axis`."""
    plain = _drop_morph(override, state)
    return replace(
        plain,
        valence=plain.valence if valence is None else _round_to_space(valence),
        arousal=plain.arousal if arousal is None else _round_to_space(arousal),
        dominance=plain.dominance if dominance is None else _round_to_space(dominance),
    )


def _drop_morph(override: EmotionOverride, state: EmotionState) -> EmotionOverride:
    """Return the override with a morph or a named emotion replaced by the numbers that are shown."""
    if override.morph is None and override.emotion is None:
        return override
    return EmotionOverride(
        _round_to_space(state.valence),
        _round_to_space(state.arousal),
        _round_to_space(state.dominance),
        freeze=override.freeze,
    )


def describe_override(override: EmotionOverride, bar: float) -> list[str]:
    """Describe what an override does, in the order in which it acts, a few words each; empty if nothing."""
    words = ["frozen"] if override.freeze else []
    by_hand = _format_places(override)
    if by_hand:
        words.append(f"by hand: {by_hand}")
    if override.morph is not None:
        morph, goal = override.morph, _format_places(override.morph.target)
        share, bars = morph_share(morph, bar), round(morph.bars, 1)
        progress = f"{share * morph.bars:.0f} of {bars:g} bar{'s' * (bars != 1.0)}"
        words.append(f"morph to {goal}: {progress}" if share < 1.0 else f"morphed to {goal}")
    return words


def has_place(override: EmotionOverride) -> bool:
    """Return whether an override sets a place, in whole or in part: the state is then not what is read."""
    return override.morph is not None or bool(_format_places(override))


def _format_places(override: EmotionOverride) -> str:
    axes = (("V", override.valence), ("A", override.arousal), ("D", override.dominance))
    numbers = [f"{name}{number:+.2f}" for name, number in axes if number is not None]
    return " ".join(([override.emotion] if override.emotion else []) + numbers)


def _round_to_space(number: float) -> float:
    """Clip to the space and round to two digits, so that ten steps of .1 are 1."""
    return round(min(1.0, max(-1.0, number)), 2)


def _place(state: EmotionState, override: EmotionOverride) -> EmotionState:
    return place_state(
        state,
        valence=override.valence,
        arousal=override.arousal,
        dominance=override.dominance,
        emotion=override.emotion,
    )
