"""How a drummer strikes: the velocity of each instrument, as people play it.

The numbers are medians of 143 grooves in 4/4 of the Groove MIDI Dataset (Gillick et al. 2019, CC BY 4.0; funk, jazz,
latin and Afro-Cuban playing of ten drummers): the velocity in each place of a beat over that of the backbeat, and its
standard deviation. When a stroke falls is the band's feel (music/feel.py).
"""

from __future__ import annotations

from typing import NamedTuple

from kelly_live.core.values import Dynamics
from kelly_live.music.feel import LOUDEST_VELOCITY, SOFTEST_VELOCITY
from kelly_live.music.groove import CLOSED_HAT, KICK, RIDE, SNARE


class Stroke(NamedTuple):
    """A stroke: its place in the bar (beats), key, how firmly it is struck (0-1.1), and the least density."""

    position: float
    key: int
    touch: float
    density: float


# How firmly the marks of a pattern are struck.
TOUCHES = {"X": 1.0, "x": 0.76, "-": 0.5, "o": 0.34}
# Velocity by sixteenth of the beat, over the first one's (hat 72 48 77 64, snare 84 46 83 44 after ghost notes).
_PLACES = {CLOSED_HAT: (1.0, 0.7, 0.86, 0.8), RIDE: (1.0, 0.75, 0.9, 0.85)}
_FEW_PLACES = (1.0, 0.85, 0.95, 0.9)
# Standard deviation of a stroke's velocity, as a share of it (hat 26 of 70, kick 26 of 60, ride 24 of 78).
_SPREAD = {CLOSED_HAT: 0.24, RIDE: 0.2, SNARE: 0.16, KICK: 0.14}
_USUAL_SPREAD = 0.15
_USUAL_VARIANCE_SHARE = 1.7  # the spread is as measured at a variance of .35, which the mapper asks for mostly
_LIMIT = 1.12  # of the loudest note of the others, which a firm stroke is as loud as: one that stands out


def compute_stroke_velocity(dynamics: Dynamics, stroke: Stroke, *, lift: float, deviation: float) -> int:
    """Compute a stroke's MIDI velocity.

    A kit spans more than the band's dynamics: a firm stroke is as loud as the loudest notes, a ghost note a third of
    it. `lift` (about -0.3 to 0.3) is the form's, `deviation` in [-1, 1] the stroke's own.
    """
    loudest = dynamics.ceiling + lift * (dynamics.ceiling - dynamics.floor)
    place = round(4.0 * (stroke.position % 1.0)) % 4
    share = stroke.touch * _PLACES.get(stroke.key, _FEW_PLACES)[place]
    uneven = 0.4 + _USUAL_VARIANCE_SHARE * dynamics.variance
    share *= 1.0 + 1.7 * uneven * _SPREAD.get(stroke.key, _USUAL_SPREAD) * deviation
    level = loudest * min(_LIMIT, share)
    return max(SOFTEST_VELOCITY, min(LOUDEST_VELOCITY, round(LOUDEST_VELOCITY * level)))
