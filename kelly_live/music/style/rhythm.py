"""Where the melody of a style sounds: onsets from the metre's chances, or from the band's rhythm."""

from __future__ import annotations

import math
from functools import lru_cache

from kelly_live.core.values import CultureStyle, Metre, MusicParameters
from kelly_live.music.context import MusicContext
from kelly_live.music.cycles import is_end_weighted
from kelly_live.music.randomness import rng_for
from kelly_live.music.rhythm import PACE, count_notes, find_middle_beat, rank_places
from kelly_live.music.style.metre import cut_bar_profile, find_group_starts, find_metre

USUAL_DENSITY = 0.8  # what the mapper asks for at a neutral emotion
LONGEST_NOTE_BEATS = 8.0  # what is left of a longer one is silence
# The power of a density's ratio to the usual one: the style's pace gives way to the emotion's, but not wholly.
_DENSITY_POWER = 0.6


@lru_cache(maxsize=512)
def place_onsets(parameters: MusicParameters, context: MusicContext, bar: int) -> tuple[float, ...]:
    """Return the melody's onsets in a bar, rising, in beats from its start; more density only adds onsets."""
    assert parameters.style is not None
    return place_onsets_at_density(parameters.style, parameters.density, context, bar)


def place_onsets_at_density(style: CultureStyle, density: float, context: MusicContext, bar: int) -> tuple[float, ...]:
    """Return the melody's onsets in a bar from a style and a density alone."""
    per_bar = context.beats_per_bar
    if context.closing:
        return (0.0,)
    metre, in_phrase, last = find_metre(style, context), context.bar_in_phrase(bar), context.is_last_bar(bar)
    pace = (max(density, 0.02) / USUAL_DENSITY) ** _DENSITY_POWER
    motif = 2 if last else in_phrase % 2
    name = ("idiom rhythm", context.phrase.theme, context.phrase.role.letter, motif)
    if metre is None:
        count = (style.density * pace if style.density else density) * per_bar * PACE[context.rhythm]
        ranks = rank_places(context.rhythm, per_bar, rng_for(context.seed, *name), freedom=0.4)
        onsets = sorted(ranks[: max(1, count_notes(count, in_phrase))])
    else:
        chances = cut_bar_profile(metre, bar=bar)
        grain = per_bar / len(chances)
        scaled = _scale_chances(chances, sum(chances) * pace)
        draws = _draw_bar(context, bar, len(scaled))
        onsets = [cell * grain for cell, (chance, draw) in enumerate(zip(scaled, draws, strict=True)) if draw < chance]
    if last:
        rest = (
            per_bar - 1.0
            if is_end_weighted(style.groove)
            else _find_resting_place(metre, per_bar, bar, is_closed=context.phrase.role.closed)
        )
        onsets = sorted({place for place in onsets if place < rest} | {rest})
    return tuple(onsets or (0.0,))


def _draw_bar(context: MusicContext, bar: int, cells: int) -> list[float]:
    """Draw a number in [0, 1) for each place of a bar.

    The bars of a phrase, and the letters of a form, share one draw, shifted by halves and quarters. Where one of them
    is silent the other one sounds, and together they keep the metre's chances better than separate draws would.
    """
    phrase, in_phrase = context.phrase, context.bar_in_phrase(bar)
    if context.is_last_bar(bar):
        return list(_draw_numbers(cells, context.seed, "idiom rhythm", phrase.theme, phrase.role.letter, 2))
    turn = 0.5 * (in_phrase % 2) + 0.25 * phrase.role.is_contrast
    return [(draw + turn) % 1.0 for draw in _draw_numbers(cells, context.seed, "idiom rhythm", phrase.theme)]


@lru_cache(maxsize=512)
def _draw_numbers(count: int, seed: int, purpose: str, *index: object) -> tuple[float, ...]:
    rng = rng_for(seed, purpose, *index)
    return tuple(rng.random() for _ in range(count))


def _find_resting_place(metre: Metre | None, per_bar: int, bar: int, *, is_closed: bool) -> float:
    """Return where a phrase comes to rest in its last bar.

    An answer rests on a strong place past the bar's middle, a question on the last strong place.
    """
    starts = [start for start in find_group_starts(metre, per_bar, bar) if start >= per_bar / 2.0]
    if metre is None:
        return float(find_middle_beat(per_bar) or per_bar - 1)
    if not starts:  # a cycle of one group
        return float(per_bar // 2)
    return starts[-1] if not is_closed else starts[0] if per_bar <= 8 else starts[len(starts) // 2]


@lru_cache(maxsize=256)
def _scale_chances(chances: tuple[float, ...], total: float) -> tuple[float, ...]:
    """Shift the log odds of all chances alike, so that they sum to `total`; a chance of 0 stays 0."""
    odds = [math.log(chance / (1.0 - chance)) for chance in (min(0.995, max(1e-6, c)) for c in chances)]
    possible = [odd if chance > 0.0 else None for odd, chance in zip(odds, chances, strict=True)]
    aim = min(total, 0.97 * sum(chance > 0.0 for chance in chances))
    low, high = -14.0, 14.0

    def shift_odds(shift: float) -> tuple[float, ...]:
        return tuple(0.0 if odd is None else 1.0 / (1.0 + math.exp(-odd - shift)) for odd in possible)

    for _ in range(40):
        middle = (low + high) / 2.0
        low, high = (middle, high) if sum(shift_odds(middle)) < aim else (low, middle)
    return shift_odds((low + high) / 2.0)
