"""A style's metre: which one a session has, where its groups begin, and how heavy its beats are."""

from __future__ import annotations

from itertools import accumulate

from kelly_live.core.values import CultureStyle, Metre
from kelly_live.music.context import MusicContext
from kelly_live.music.randomness import rng_for
from kelly_live.music.rhythm import weigh_position


def choose_metre(style: CultureStyle | None, seed: int) -> Metre | None:
    """Choose the metre of a whole session by the style's shares; None where it has none of its own."""
    if style is None or not style.metres:
        return None
    if len(style.metres) == 1:
        return style.metres[0]
    weights = [metre.share + 1e-9 for metre in style.metres]
    return rng_for(seed, "metre").choices(style.metres, weights)[0]


def find_metre(style: CultureStyle | None, context: MusicContext) -> Metre | None:
    """Return the session's metre, or None where the bar is not made of it.

    It is not where a style began in the middle of a session.
    """
    metre = choose_metre(style, context.seed)
    return metre if metre is not None and metre.bar_beats == context.beats_per_bar else None


def find_group_starts(metre: Metre | None, beats_per_bar: int, bar: int = 0) -> tuple[float, ...]:
    """Return where the metre's groups begin, in beats from the bar's start; without a metre, every beat."""
    if metre is None:
        return tuple(float(beat) for beat in range(beats_per_bar))
    units = list(accumulate((0, *metre.groups[:-1])))
    starts = [n * metre.beats + unit * metre.unit_beats for n in range(metre.cycles_per_bar) for unit in units]
    first = bar % metre.bars_per_cycle * beats_per_bar
    return tuple(start - first for start in starts if first - 1e-6 <= start < first + beats_per_bar - 1e-6)


def weigh_beat(metre: Metre | None, beat: float, beats_per_bar: int) -> float:
    """Return the metrical weight 0-1 of a beat of the session: downbeat, group, unit, or between."""
    position = beat % beats_per_bar
    if metre is None:
        return weigh_position(position, beats_per_bar)
    place = beat % (metre.bars_per_cycle * beats_per_bar) % metre.beats
    if min(place, metre.beats - place) < 1e-6:
        return 1.0
    if any(
        abs(position - start) < 1e-6 for start in find_group_starts(metre, beats_per_bar, int(beat // beats_per_bar))
    ):
        return 0.85
    unit = place / metre.unit_beats
    return 0.6 if abs(unit - round(unit)) < 1e-6 else 0.4


def swing_beat(beat: float, ratio: float) -> float:
    """Delay the second half of a beat, so that the halves last `ratio` to 1; thirds of a beat stay."""
    beat_number, beat_share = divmod(beat, 1.0)
    quarters = beat_share * 4.0
    if ratio == 1.0 or abs(quarters - round(quarters)) > 0.02:
        return beat
    late = ratio / (1.0 + ratio)
    return beat_number + (
        beat_share * 2.0 * late if beat_share <= 0.5 else late + (beat_share - 0.5) * 2.0 * (1.0 - late)
    )


def cut_bar_profile(metre: Metre, part: str | None = None, bar: int = 0) -> tuple[float, ...]:
    """Return the chance of an onset at evenly spaced places of a bar, which may be a part of a long cycle.

    `part` names an instrument of the metre; without one, the chances are the melody's.
    """
    part_profile = next((profile for name, profile in metre.parts if name == part), None) if part else metre.profile
    profile, bars = part_profile or metre.profile, metre.bars_per_cycle
    if bars == 1:
        return profile * metre.cycles_per_bar
    if len(profile) % bars:  # a cycle in so few places that bars would cut them
        profile = tuple(chance for chance in profile for _ in range(bars))
    each = len(profile) // bars
    return profile[bar % bars * each :][:each]
