"""The form as it is heard: which part rests, and how the band builds up and calms down.

The emotion decides how much is played on average, the form (music/forms.py) where there is more and less of it. Where
the emotion moves, it is followed: what builds up gains notes and loudness, and its arrival is marked; what calms down
is let go, part by part.
"""

from __future__ import annotations

import math

from kelly_live.core.values import MusicParameters
from kelly_live.music.context import MusicContext
from kelly_live.music.groove import find_groove
from kelly_live.music.harmony import Phrase

_MEMORY_BEATS = 8.0  # what the emotion was: about two bars ago
_FULL_TREND = (
    0.1  # of `compute_intensity`: a third of the way from sad to excited, within that memory, is the full trend
)
_TREND_GRAIN = 0.25
_DENSITY_SHARE = 0.25  # what a note a beat adds to intensity, against 1 for the whole range of loudness
_ENERGY_DENSITY, _TREND_DENSITY = 0.6, 0.15  # share of the density that they add to what accompanies
_ENERGY_ACCENT, _TREND_ACCENT = 0.31, 0.16  # of a velocity's way between floor and ceiling
_ARRIVAL_ENERGY = 0.2  # what a section gains or loses that the emotion's move called for
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
    role = phrase.role
    return max(-1.0, min(1.0, role.energy + _ARRIVAL_ENERGY * role.arrival))


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
    """Tell whether a part is silent for a bar.

    It is where its section is played without it, but for a lead-in: a bar of drums, the tune's upbeat. The drums break
    off in the second half of a phrase that says so, before its last bar; the melody waits for half of a phrase that
    does. Both only where it is calm enough, and nothing builds up. Where the emotion has fallen, the section that lets
    it go begins without drums.
    """
    if context.closing:
        return False
    role, number = context.phrase.role, context.bar_in_phrase(bar)
    in_second_half, leads = number >= context.phrase.bars // 2, context.is_last_bar(bar)
    if part in role.silent:
        following = context.phrase.following
        enters = leads and (following is None or part not in following.silent)
        return not (enters and (part == "percussion" or (part == "melody" and parameters.style is None)))
    if context.trend > 0.0:
        return False
    if part == "percussion" and find_groove(parameters.groove).has_fills:  # a cycle goes on
        if role.arrival < 0 and not in_second_half:
            return True
        return role.breaks and parameters.density < _BREAK and in_second_half and not leads
    if part == "melody":
        has_own_line = parameters.style is not None and parameters.style.scale is not None
        return not has_own_line and role.pauses and parameters.density < _INTERLUDE and not in_second_half
    return False
