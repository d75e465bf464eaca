"""A style's tones: the scale of harmony and melody, the register, and which phrases are in the scale."""

from __future__ import annotations

import math
from dataclasses import replace

from kelly_live.core.values import CultureStyle, MusicParameters, Register, Scale
from kelly_live.music.context import MusicContext
from kelly_live.music.randomness import rng_for
from kelly_live.music.theory import Key

_NARROWEST_REGISTER = 14.0  # semitones; a narrower register would lose tones of the scale
_CONTOUR_REGISTER = 20.0  # and one that a contour moves in would have some of them only where the contour is not
_HARMONY_TONES = 7


def adapt_to_phrase(parameters: MusicParameters, seed: int, index: int) -> MusicParameters:
    """Return the parameters for phrase `index`, with or without the style's scale.

    At less than full strength only that share of the phrases, evenly spread, is in the style's scale. The others are in
    the mode of the emotion, with everything else that the style has.
    """
    style = parameters.style
    if style is None or style.scale is None or style.strength >= 1.0:
        return parameters
    start_share = rng_for(seed, "phrases in the scale").random()
    if math.floor((index + 1) * style.strength + start_share) > math.floor(index * style.strength + start_share):
        return parameters
    return replace(parameters, scale=None, style=replace(style, scale=None, degree_weights=(), intervals=()))


def choose_harmonic_scale(style: CultureStyle) -> Scale | None:
    """Return the scale of the harmony, or None where the style has no scale.

    It is the style's own scale; under chords its seven weightiest degrees, as a triad needs neighbours to skip.
    """
    scale = style.scale
    if scale is None or not style.has_chords or len(scale.degrees_cents) <= _HARMONY_TONES:
        return scale
    weights = style.degree_weights or (1.0,) * len(scale.degrees_cents)
    by_weight = sorted(range(1, len(weights)), key=lambda degree: -weights[degree])
    harmony_degrees = sorted((0, *by_weight[: _HARMONY_TONES - 1]))
    return Scale(scale.name, tuple(scale.degrees_cents[degree] for degree in harmony_degrees))


def create_melody_key(style: CultureStyle, context: MusicContext) -> Key:
    """Create the key of the melody, with all of the style's tones."""
    return context.key if style.scale is None else Key(context.key.tonic, style.scale)


def blend_register(parameters: MusicParameters) -> Register:
    """Return the register half-way between the emotion's and the style's, less far at less strength.

    It is in whole semitones, and wide enough for the scale.
    """
    emotion_register, style = parameters.register, parameters.style
    style_register = emotion_register if style is None or style.register is None else style.register
    share = 0.5 if style is None else 0.5 * style.strength
    low, centre, high = (
        round((1.0 - share) * getattr(emotion_register, end) + share * getattr(style_register, end))
        for end in ("low", "centre", "high")
    )
    narrowest = _CONTOUR_REGISTER if style is not None and style.habits.contour else _NARROWEST_REGISTER
    missing = max(0.0, narrowest - (high - low)) / 2.0
    low, high = max(0, math.floor(low - missing)), min(127, math.ceil(high + missing))
    return Register(low, min(high, max(low, centre)), high)
