"""The form above the phrase: which part rests, and how the band builds up and calms down.

The form is 4-bar phrases, 8-bar periods (a question and its answer) and 16-bar forms A A' | B A'' (music/harmony.py);
themes last two forms. The emotion decides how much is played on average, the form where there is more and less of it.
"""

from __future__ import annotations

import math

from kelly_live.core.values import MusicParameters
from kelly_live.music.context import MusicContext
from kelly_live.music.harmony import FORM, Phrase

_MEMORY_BEATS = 8.0  # what the emotion was: about two bars ago
_FULL_TREND = (
    0.1  # of `compute_intensity`: a third of the way from sad to excited, within that memory, is the full trend
)
_TREND_GRAIN = 0.25
_DENSITY_SHARE = 0.25  # what a note a beat adds to intensity, against 1 for the whole range of loudness
# Of a theme's eight phrases: it opens, builds, and has its peak in the last phrase but one. Chosen so that 8-bar
# windows of a piece differ as people's do (POP909: notes vary by .16 of their mean, mean velocities by 8 steps).
_ENERGY = (-0.6, -0.2, 0.7, 0.1, -0.4, 0.2, 1.0, 0.1)
_ENERGY_DENSITY, _TREND_DENSITY = 0.6, 0.15  # share of the density that they add to what accompanies
_ENERGY_ACCENT, _TREND_ACCENT = 0.31, 0.16  # of a velocity's way between floor and ceiling
# Up to these densities there is room for silence: a break of the drums, bars without the tune.
_BREAK, _INTERLUDE = 1.3, 0.9


def compute_intensity(parameters: MusicParameters) -> float:
    """Compute how intense the music is, from its middle loudness and its density."""
    return 0.5 * (parameters.dynamics.floor + parameters.dynamics.ceiling) + _DENSITY_SHARE * parameters.density


def average_intensity(before: float, now: float, beats: float) -> float:
    """Compute the running average of the intensity, `beats` later."""
    return now + (before - now) * math.exp(-beats / _MEMORY_BEATS)


def compute_trend(before: float, now: float) -> float:
    """Compute the trend of an intensity against its average: -1 calms down, 1 builds up; in coarse grains."""
    share = max(-1.0, min(1.0, (now - before) / _FULL_TREND))
    return round(share / _TREND_GRAIN) * _TREND_GRAIN


def compute_energy(phrase: Phrase) -> float:
    """Compute how high a phrase stands in the rise and fall of the form, -1 to 1."""
    return _ENERGY[phrase.index % len(_ENERGY)]


def compute_accompaniment_density(parameters: MusicParameters, context: MusicContext) -> float:
    """Compute the density of all parts but the melody: more where the form or the emotion rises."""
    share = 1.0 + _ENERGY_DENSITY * compute_energy(context.phrase) + _TREND_DENSITY * context.trend
    return min(3.0, parameters.density * share)


def compute_lift(context: MusicContext, beat: float) -> float:
    """Compute what an accent gains: the form's share, and a crescendo or diminuendo as the emotion moves."""
    return _ENERGY_ACCENT * compute_energy(context.phrase) + _TREND_ACCENT * context.trend * context.phrase_fraction(
        beat
    )


def is_resting(part: str, parameters: MusicParameters, context: MusicContext, bar: int) -> bool:
    """Tell whether a part is silent for a bar, in the second form of a theme.

    The drums break off in the second half of its second phrase, before the peak, but for the last bar, which leads
    into it; the melody rests in the first half of its first phrase. Only where it is calm enough, and nothing builds
    up.
    """
    if context.closing or context.trend > 0.0:
        return False
    form, place = divmod(context.phrase.index, len(FORM))
    if form % 2 == 0:
        return False
    if part == "percussion":
        second_half = context.bar_in_phrase(bar) >= context.phrase.bars // 2
        return place == 1 and parameters.density < _BREAK and second_half and not context.is_last_bar(bar)
    if part == "melody":
        first_half = context.bar_in_phrase(bar) < context.phrase.bars // 2
        return place == 0 and parameters.density < _INTERLUDE and first_half
    return False
