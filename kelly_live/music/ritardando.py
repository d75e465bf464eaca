"""Where a piece with an end slows down: into its last chord, and slightly into a new section.

The curve is that of runners who stop, which is also that of final ritards in recorded performances (Friberg & Sundberg
1999, "Does music performance allude to locomotion?", JASA 105(3)): the tempo's third power falls evenly with the score
position. How far it falls, and over how many beats, is the style's; both are ours, in the range that they measured (a
last tempo of .3 to .7). Music that is danced or marched to does not slow down, nor does music in a cycle that ends by
a cadence of its own. A gamelan's last gong is waited for (suwuk; Sutton 1991, from memory).

Pure: a beat comes in, a share of the tempo goes out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from kelly_live.core.values import MusicParameters

_CURVATURE = 3.0
_SECTION_BEATS = 2.0
_LARGEST_SHARE = 1 / 3  # of a piece may be its ritardando, however short it is


class Slowing(NamedTuple):
    """How far a style slows down: the share of the tempo at the last chord, over `beats`; and at a section's end."""

    final: float
    beats: float
    section: float = 1.0


# By groove (music/groove.py); others keep their tempo.
SLOWINGS: Mapping[str, Slowing] = {
    "lament": Slowing(0.5, 8.0, 0.9),
    "ballad": Slowing(0.6, 6.0, 0.93),
    "": Slowing(0.7, 4.0, 0.96),
    "waltz": Slowing(0.7, 6.0, 0.95),
    "pop": Slowing(0.8, 4.0, 0.98),
    "bossa": Slowing(0.85, 4.0),
    "swing": Slowing(0.85, 4.0),
    "suspense": Slowing(0.7, 6.0),
    "usul": Slowing(0.75, 6.0),
    "jangdan": Slowing(0.7, 6.0),
    "gamelan": Slowing(0.5, 8.0),
}
_STEADY = Slowing(1.0, 1.0)


def compute_tempo_share(
    parameters: MusicParameters, beat: float, *, closing_beat: float, section_end: float | None = None
) -> float:
    """Compute the share of the tempo that is played at a beat, above 0 and up to 1; a tempo that is fixed stays.

    `closing_beat` is where the last chord begins, `section_end` where the phrase in force leads into another section.
    """
    if parameters.tempo.minimum == parameters.tempo.maximum:
        return 1.0
    slowing = SLOWINGS.get(parameters.groove, _STEADY)
    beats = min(slowing.beats, _LARGEST_SHARE * closing_beat)
    if beat >= closing_beat - beats:
        return _slow_down(slowing.final, beat - (closing_beat - beats), beats)
    if section_end is not None and section_end - _SECTION_BEATS <= beat < section_end:
        return _slow_down(slowing.section, beat - (section_end - _SECTION_BEATS), _SECTION_BEATS)
    return 1.0


def _slow_down(last: float, passed: float, beats: float) -> float:
    """Return the share of the tempo after `passed` of so many beats; it stays at the `last`."""
    position = min(1.0, passed / beats) if beats > 0.0 else 1.0
    return float((1.0 + (last**_CURVATURE - 1.0) * position) ** (1.0 / _CURVATURE))
