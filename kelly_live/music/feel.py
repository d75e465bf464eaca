"""Human timing and dynamics: where a note falls around its beat, and how loud it is.

Timing weights become an offset in seconds, not beats: a player lies back by about the same time at any tempo. Parts
take unequal shares (SHARE), as feel is only heard against a part that keeps the grid: the drummer takes none
(music/drumming.py says where strokes fall), the bass a third (it must lock with the kick), chords half, and the melody
all of it. The noise of a hand is everyone's: the rhythm section drifts together, as players who listen to each other
do, and each note has a deviation of its own.
"""

from __future__ import annotations

import math
from functools import lru_cache

from kelly_live.core.values import Dynamics, TimingWeights
from kelly_live.music.randomness import rng_for

MAX_OFFSET_SECONDS = 0.035  # about as far as a melody lies behind or ahead before it sounds wrong
SHARE = {"bass": 1 / 3, "arpeggio": 1 / 3, "chords": 0.5, "pad": 0.5, "melody": 1.0}
# Who drifts together. The melody and plug-ins drift by themselves.
_RHYTHM_SECTION = "rhythm section"
_SECTION = {"bass": _RHYTHM_SECTION, "chords": _RHYTHM_SECTION}
_JITTER_SHARE = {"bass": 0.8}  # of the jitter, where it is not that of the part
_DRUMMER_SHARE = {"bass": 0.6}  # of a note's deviation (squares), what is the drummer's in that place: they lock
_DEFAULT_SHARE = 0.5  # of a part that a plug-in plays
# Standard deviation for the melody. EMOPIA's pianists lie 17 ms from a tracked grid (models/research/vocabulary.md), of
# which transcription and tracking are about 15 (squares added).
JITTER_SECONDS = 0.007
LARGEST_JITTER_SECONDS = 3.0 * JITTER_SECONDS  # for anyone: notes are made that much earlier
_OWN_SHARE = 0.6  # of it, each note's own; the rest (root of squares) drifts
# Human timing drifts on every scale, as 1/f noise (Hennig et al. 2011, PLoS ONE 6:e26457): a sum of shocks that stay
# for half a beat, one, two, four, ... 128 beats.
_SCALES = 9
_JITTER_STEPS_PER_BEAT = 2

LOUDEST_VELOCITY = 127
SOFTEST_VELOCITY = 8  # a note that is played at all can be heard
MEAN_ACCENT = 0.62  # of an ordinary note


@lru_cache(maxsize=8192)
def _draw_shock(seed: int, part: str, scale: int, stretch: int) -> float:
    return rng_for(seed, "jitter", part, scale, stretch).gauss(0.0, 1.0)


@lru_cache(maxsize=256)
def _draw_shift(seed: int, part: str, scale: int) -> int:
    """Draw where the stretches of a scale begin, so that not all scales change at once."""
    return rng_for(seed, "jitter", part, scale).randrange(1 << scale)


def compute_drift(seed: int, part: str, beat: float) -> float:
    """Compute 1/f noise at a beat, of about unit variance, within [-3, 3].

    It is the same for the same seed, part and half beat. It is summed from the shocks in force (Voss's algorithm), so
    that beats may come in any order.
    """
    step = math.floor(beat * _JITTER_STEPS_PER_BEAT)
    total = sum(
        _draw_shock(seed, part, scale, (step + _draw_shift(seed, part, scale)) >> scale) for scale in range(_SCALES)
    )
    return max(-3.0, min(3.0, total / math.sqrt(_SCALES)))


def compute_section_drift(seed: int, beat: float) -> float:
    """Compute the drift that the rhythm section shares, of about unit variance, within [-3, 3]."""
    return compute_drift(seed, _RHYTHM_SECTION, beat)


def compute_onset_offset(timing: TimingWeights, *, seed: int, part: str, beat: float, voice: int = 0) -> float:
    """Compute how many seconds a part's note, other than a drummer's, lies behind its beat; negative is ahead.

    It is never further ahead than `compute_earliest_offset`. The notes of a chord, each a `voice`, fall at slightly
    different times.
    """
    share = SHARE.get(part, _DEFAULT_SHARE)
    mean_offset = MAX_OFFSET_SECONDS * (timing.behind - timing.ahead)
    follows = _DRUMMER_SHARE.get(part, 0.0)
    deviation = math.sqrt(1.0 - follows) * draw_deviation(seed, part + " hand", beat, voice)
    if follows:
        deviation += math.sqrt(follows) * draw_drummer_deviation(seed, beat)
    deviation *= math.sqrt(3.0)
    drift = compute_drift(seed, _SECTION.get(part, part), beat)
    noise = math.sqrt(1.0 - _OWN_SHARE**2) * drift + _OWN_SHARE * deviation
    jitter = _JITTER_SHARE.get(part, share) * JITTER_SECONDS * noise
    return share * mean_offset + max(-LARGEST_JITTER_SECONDS, min(LARGEST_JITTER_SECONDS, jitter))


def compute_earliest_offset(timing: TimingWeights) -> float:
    """Compute how many seconds ahead of its beat any part's note may lie at most, 0 or more."""
    mean_offset = MAX_OFFSET_SECONDS * (timing.behind - timing.ahead)
    return LARGEST_JITTER_SECONDS - min(0.0, mean_offset)


# Share of the way to the next note that a note lasts: legato in sustained music, detached where a rhythm is pointed
# (Juslin & Laukka 2003: staccato with activity); ours in size.
_GATES = {"straight": 0.95, "dotted": 0.9, "syncopated": 0.88, "triplet": 0.95, "sustained": 0.99}
# Shorter where there are two notes a beat or more. Not where it is loud, though loud music is both: dynamics move
# velocities and nothing else.
_DETACHED, _BUSY = 0.1, 2.0


def choose_articulation(rhythm: str, density: float, chance: float) -> float:
    """Choose what share of the way to the next note a note lasts, 0.6-0.99; `chance` is in [-1, 1]."""
    busy = min(1.0, density / _BUSY) * (rhythm != "sustained")
    return min(0.99, max(0.6, _GATES[rhythm] - _DETACHED * busy + 0.05 * chance))


def compute_phrase_arc(fraction: float) -> float:
    """Compute how far a phrase has risen at a fraction of it, 0-1; highest two thirds of the way through."""
    x = min(1.0, max(0.0, fraction))
    return math.sin(math.pi * x**1.7)


def velocity_for(dynamics: Dynamics, *, accent: float, deviation: float) -> int:
    """Compute a note's MIDI velocity from its level (`compute_level`)."""
    return max(SOFTEST_VELOCITY, round(LOUDEST_VELOCITY * compute_level(dynamics, accent=accent, deviation=deviation)))


def compute_level(dynamics: Dynamics, *, accent: float, deviation: float) -> float:
    """Compute a note's level, 0-1: its share of the largest velocity.

    `accent` (0-1) comes from metre and phrase, `deviation` (in [-1, 1]) is the note's own. Both act inside the range
    from floor to ceiling, around its middle, and the wider the greater `variance` is. The range is what was measured:
    80 % of the velocities over 127, so that a tenth of the notes reach each end.
    """
    height = 0.5 + (1.6 + 0.6 * dynamics.variance) * (accent - MEAN_ACCENT) + 1.3 * dynamics.variance * deviation
    return dynamics.floor + (dynamics.ceiling - dynamics.floor) * min(1.0, max(0.0, height))


def draw_deviation(seed: int, part: str, beat: float, voice: int = 0) -> float:
    """Draw a note's own deviation in [-1, 1].

    It depends on the note's place and not on its pitch, so that a change of mode keeps it.
    """
    return rng_for(seed, "stray", part, round(beat * 48), voice).uniform(-1.0, 1.0)


def draw_drummer_deviation(seed: int, beat: float) -> float:
    """Draw the deviation in [-1, 1] of all that the drummer strikes on a beat, which the bass hears."""
    return draw_deviation(seed, "drummer", beat)
