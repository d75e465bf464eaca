"""Timing and dynamics of a hand: where a note falls around its beat, and how hard it is struck.

Timing weights become an offset in seconds, not beats: a player lies back by about the same time at any tempo.
Parts take unequal shares (SHARE): feel is only heard against something that keeps the grid, so percussion takes
none, the bass a third (it must lock with the kick), chords half, and the melody, which is free to, all of it.
"""

from __future__ import annotations

import math
from functools import lru_cache

from kelly_live.core.values import Dynamics, TimingWeights
from kelly_live.music.randomness import rng_for

MAX_OFFSET_SECONDS = 0.035  # about as far as a melody lies behind or ahead before it sounds wrong
SHARE = {"percussion": 0.0, "bass": 1 / 3, "arpeggio": 1 / 3, "chords": 0.5, "pad": 0.5, "melody": 1.0}
_DEFAULT_SHARE = 0.5  # parts that other people's generators bring
# Standard deviation for the melody. EMOPIA's pianists lie 17 ms from a tracked grid (models/vocabulary.md), of which
# transcription and tracking are about 15 (squares added).
JITTER_SECONDS = 0.007
_HAND = 0.6  # of it, each note's own; the rest (root of squares) drifts
# Human timing drifts on every scale, as 1/f noise (Hennig et al. 2011, PLoS ONE 6:e26457): a sum of shocks that stay
# for half a beat, one, two, four, ... 128 beats.
_SCALES = 9
_JITTER_STEPS_PER_BEAT = 2

LOUDEST_VELOCITY = 127
SOFTEST_VELOCITY = 8  # a note that is played at all can be heard
_MEAN_ACCENT = 0.62


@lru_cache(maxsize=8192)
def _shock(seed: int, part: str, scale: int, stretch: int) -> float:
    return rng_for(seed, "jitter", part, scale, stretch).gauss(0.0, 1.0)


@lru_cache(maxsize=256)
def _shift(seed: int, part: str, scale: int) -> int:
    """Where the stretches of a scale begin, so that not all scales turn at once."""
    return rng_for(seed, "jitter", part, scale).randrange(1 << scale)


def compute_drift(seed: int, part: str, beat: float) -> float:
    """1/f noise at a beat, about unit variance, within [-3, 3]; the same for the same seed, part and half beat.

    Summed from the shocks in force (Voss's algorithm) instead of carried on, so that any beat can be asked for in any
    order.
    """
    step = math.floor(beat * _JITTER_STEPS_PER_BEAT)
    total = sum(_shock(seed, part, scale, (step + _shift(seed, part, scale)) >> scale) for scale in range(_SCALES))
    return max(-3.0, min(3.0, total / math.sqrt(_SCALES)))


def compute_onset_offset(timing: TimingWeights, *, seed: int, part: str, beat: float, voice: int = 0) -> float:
    """How far a part's note leaves its beat: behind is late (+), ahead early (-), never further than
    `compute_earliest_offset`. The notes of a chord, each a `voice`, fall a little apart.
    """
    share = SHARE.get(part, _DEFAULT_SHARE)
    lean = MAX_OFFSET_SECONDS * (timing.behind - timing.ahead)
    if not share:
        return 0.0
    own = math.sqrt(3.0) * draw_deviation(seed, part + " hand", beat, voice)
    noise = math.sqrt(1.0 - _HAND**2) * compute_drift(seed, part, beat) + _HAND * own
    return share * (lean + JITTER_SECONDS * max(-3.0, min(3.0, noise)))


def compute_earliest_offset(timing: TimingWeights) -> float:
    """How far ahead of its beat any part's note may lie at most, 0 or more: so much earlier it must be made."""
    return max(0.0, 3.0 * JITTER_SECONDS - MAX_OFFSET_SECONDS * (timing.behind - timing.ahead))


# Share of the way to the next note that a note is held: legato in held music, detached where a rhythm is pointed
# (Juslin & Laukka 2003: staccato with activity); ours in size.
_HELD = {"straight": 0.95, "dotted": 0.9, "syncopated": 0.88, "triplet": 0.95, "sustained": 0.99}
# Shorter where there are two notes a beat or more. Not where it is loud, though loud music is both: dynamics move
# velocities and nothing else.
_DETACHED, _BUSY = 0.1, 2.0


def choose_articulation(rhythm: str, density: float, chance: float) -> float:
    """How much of the way to the next note a note is held, 0.6-0.99; `chance` in [-1, 1] is its own."""
    busy = min(1.0, density / _BUSY) * (rhythm != "sustained")
    return min(0.99, max(0.6, _HELD[rhythm] - _DETACHED * busy + 0.05 * chance))


def compute_phrase_arc(fraction: float) -> float:
    """The swell of a phrase, 0-1, highest two thirds of the way through."""
    x = min(1.0, max(0.0, fraction))
    return math.sin(math.pi * x**1.7)


def velocity_for(dynamics: Dynamics, *, accent: float, deviation: float) -> int:
    """MIDI velocity of a note: `accent` 0-1 from metre and phrase, `deviation` in [-1, 1] the note's own chance.

    Both act inside the band floor-ceiling, around its middle, and the wider the greater `variance` is. The band is what
    it was measured as (corpora/symbolic_features.py): 80 % of the velocities over 127, so a tenth of the notes reach each end.
    """
    height = 0.5 + (1.6 + 0.6 * dynamics.variance) * (accent - _MEAN_ACCENT) + 1.3 * dynamics.variance * deviation
    level = dynamics.floor + (dynamics.ceiling - dynamics.floor) * min(1.0, max(0.0, height))
    return max(SOFTEST_VELOCITY, round(LOUDEST_VELOCITY * level))


def draw_deviation(seed: int, part: str, beat: float, voice: int = 0) -> float:
    """A note's own chance in [-1, 1]; from its place, not its pitch, so a change of mode keeps it."""
    return rng_for(seed, "stray", part, round(beat * 48), voice).uniform(-1.0, 1.0)
