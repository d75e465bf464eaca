"""How the band follows a beat and a key from outside: a phase-locked loop, and a modulation.

Pure and clock-free, as `smoothing.py` is: estimates come in, what to play goes out. The beat position never jumps; the
tempo bends until both beats fall together. A beat whose number is known (a MIDI clock's) is followed exactly: its
tempo at once, its phase within about a beat, its bar lines too. A beat that was estimated from sound is followed more
calmly, at its own tempo or half or twice that, whichever is nearest to the tempo of the emotion.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from kelly_live.core.sync_state import BeatEstimate, KeyEstimate
from kelly_live.core.values import MusicParameters, TempoRange

JOIN_CONFIDENCE, RELEASE_CONFIDENCE = 0.5, 0.3  # to begin following at, and to stop under
FLYWHEEL_BEATS = 8.0  # a lost beat is continued for this long,
RETURN_PER_BEAT = 0.03  # then the tempo returns to the emotion's own, by this share of itself a beat
_RATIOS = (1.0, 0.5, 2.0)  # our beats in one of the followed beats
_RATIO_ADVANTAGE = 0.35  # octaves by which another ratio must be nearer to the emotion's tempo


@dataclass(frozen=True, slots=True)
class _Loop:
    """The constants of a phase-locked loop.

    A phase error is closed in `reach_beats`, one over `jump_beats` by the next beat; `integral` of it (per beat)
    corrects the tempo itself. `bend` is the largest share by which the tempo bends, `slew` the share by which it may
    change a beat.
    """

    reach_beats: float
    jump_beats: float
    integral: float
    bend: float
    slew: float

    def choose_reach(self, beat: float, error: float) -> float:
        """Return in how many beats from `beat` on an error is closed."""
        if abs(error) < self.jump_beats:
            return self.reach_beats
        return min(self.reach_beats, max(_SHORTEST_REACH_BEATS, math.floor(beat) + 1.0 - beat))


_SHORTEST_REACH_BEATS = 0.1
_NUMBERED = _Loop(reach_beats=1.0, jump_beats=0.01, integral=0.0, bend=0.5, slew=math.inf)
_ESTIMATED = _Loop(reach_beats=3.0, jump_beats=math.inf, integral=0.02, bend=0.1, slew=0.12)
_TEMPO_TRUST = 0.03  # how well an estimated tempo is known; inside this, the loop's integral is better
_TEMPO_BEATS = 2.0  # time constant towards an estimated tempo outside it
_SLOWEST_BPM, _FASTEST_BPM = 20.0, 400.0
_FASTEST_PLAYED_BPM = 300.0  # for which players choose what they play; a faster beat is kept with that


@dataclass(frozen=True, slots=True)
class SynchronizedTempo:
    """The tempo in force (`bpm`) from `beat` on, and what its next move depends on.

    `base` is the followed tempo in our beats, without the bend; `ratio` is our beats in one followed beat. The followed
    beat has been lost for `lost_beats`. `is_engaged`: the tempo is not the emotion's own.
    """

    beat: float
    bpm: float
    base: float
    ratio: float = 1.0
    lost_beats: float = 0.0
    is_engaged: bool = False

    @property
    def is_synchronized(self) -> bool:
        """Whether a beat is followed now."""
        return self.is_engaged and self.lost_beats == 0.0

    def step(
        self, beat: float, seconds: float, own_bpm: float, estimate: BeatEstimate | None, beats_per_bar: int
    ) -> SynchronizedTempo:
        """Return the state at a later `beat`, which falls at `seconds`; `own_bpm` is the band's own tempo."""
        beats = max(0.0, beat - self.beat)
        if estimate is None or estimate.confidence < (RELEASE_CONFIDENCE if self.is_engaged else JOIN_CONFIDENCE):
            return self._continue(beat, beats, own_bpm)
        loop = _ESTIMATED if estimate.beat_number is None else _NUMBERED
        ratio = 1.0 if estimate.beat_number is not None else self._choose_ratio(estimate.bpm, own_bpm)
        followed = min(max(estimate.bpm * ratio, _SLOWEST_BPM), _FASTEST_BPM)
        base = followed
        if loop is _ESTIMATED and self.is_synchronized and ratio == self.ratio:
            off = followed / self.base - 1.0
            base = self.base * (1.0 + (off if abs(off) > _TEMPO_TRUST else 0.0) * -math.expm1(-beats / _TEMPO_BEATS))
        error = _measure_phase_error(beat, seconds, estimate, ratio, beats_per_bar)
        base *= 1.0 + loop.integral * error * beats
        bend = min(max(error / loop.choose_reach(beat, error), -loop.bend), loop.bend)
        bpm = _approach(self.bpm, base * (1.0 + bend), loop.slew, beats)
        return SynchronizedTempo(beat, min(max(bpm, _SLOWEST_BPM), _FASTEST_BPM), base, ratio, 0.0, True)

    def _continue(self, beat: float, beats: float, own_bpm: float) -> SynchronizedTempo:
        """Continue at the followed tempo for a while, then return to our own."""
        if not self.is_engaged:
            return SynchronizedTempo(beat, own_bpm, own_bpm)
        lost_beats = self.lost_beats + beats
        if lost_beats <= FLYWHEEL_BEATS:
            return replace(
                self, beat=beat, bpm=_approach(self.bpm, self.base, _ESTIMATED.slew, beats), lost_beats=lost_beats
            )
        bpm = _approach(self.bpm, own_bpm, RETURN_PER_BEAT, beats)
        return replace(self, beat=beat, bpm=bpm, lost_beats=lost_beats, is_engaged=bpm != own_bpm)

    def _choose_ratio(self, bpm: float, own_bpm: float) -> float:
        """Choose the ratio that lies nearest to our own tempo; the one in force has an advantage."""

        def distance(ratio: float) -> float:
            # Our tempo has the advantage, not the number: the estimate may change to twice the beat, and we stay.
            stays = self.is_synchronized and abs(bpm * ratio / self.base - 1.0) < 2.0 * _TEMPO_TRUST
            return abs(math.log2(bpm * ratio / own_bpm)) - _RATIO_ADVANTAGE * stays

        return min(_RATIOS, key=distance)


def _measure_phase_error(
    beat: float, seconds: float, estimate: BeatEstimate, ratio: float, beats_per_bar: int
) -> float:
    """Return how many of our beats we are behind.

    Measured to the nearest followed beat; where beats are numbered, to the nearest right place in the bar.
    """
    followed_beat = (seconds - estimate.beat_seconds) * estimate.bpm / 60.0 * ratio
    if estimate.beat_number is not None:
        return _wrap(followed_beat + estimate.beat_number - beat, float(beats_per_bar))
    return _wrap(followed_beat - beat, min(1.0, ratio))


def _wrap(beats: float, round_beats: float) -> float:
    return beats - round_beats * math.floor(beats / round_beats + 0.5)


def _approach(bpm: float, goal: float, slew: float, beats: float) -> float:
    most = math.inf if math.isinf(slew) else (1.0 + slew) ** beats
    return min(bpm * most, max(bpm / most, goal))


KEY_HOLD_BEATS = 8.0  # inside a phrase, another key must have been estimated for this long,
KEY_CONFIDENCE = 0.75  # and with this confidence


@dataclass(frozen=True, slots=True)
class SynchronizedKey:
    """The key that is followed (`key`; None: the band's own), and what its next change depends on.

    `tonic` is the one that it left the band on. `other` is another key that has been certain since beat `since`.
    """

    key: KeyEstimate | None = None
    tonic: int | None = None
    other: tuple[int, str] | None = None
    since: float = 0.0

    def step(
        self, beat: float, estimate: KeyEstimate | None, *, phrase_starts: bool, bar_starts: bool
    ) -> SynchronizedKey:
        """Return the state at a later `beat`, with the estimate in force.

        A key is taken, changed or released where a phrase starts. Inside a phrase it is only changed, at a bar line, by
        one that has been certain for long. A key that is released leaves its tonic.
        """
        estimated_key = None if estimate is None else (estimate.tonic, estimate.mode)
        own_key = None if self.key is None else (self.key.tonic, self.key.mode)
        certain = estimate is not None and estimate.confidence >= KEY_CONFIDENCE and estimated_key != own_key
        other = estimated_key if certain else None
        since = self.since if other == self.other else beat
        long = other is not None and beat - since >= KEY_HOLD_BEATS
        if (
            phrase_starts
            and estimate is not None
            and estimate.confidence >= (RELEASE_CONFIDENCE if estimated_key == own_key else JOIN_CONFIDENCE)
        ):
            return SynchronizedKey(estimate, estimate.tonic)
        if phrase_starts and (estimate is None or estimate.confidence < RELEASE_CONFIDENCE):
            return SynchronizedKey(None, self.tonic)
        if bar_starts and long and estimate is not None:
            return SynchronizedKey(estimate, estimate.tonic)
        return replace(self, other=other, since=since)


def fit_tempo(parameters: MusicParameters, bpm: float) -> MusicParameters:
    """Return the parameters at the tempo that is kept, at which players choose what they play."""
    tempo, playable_bpm = parameters.tempo, min(bpm, _FASTEST_PLAYED_BPM)
    return replace(
        parameters,
        tempo=TempoRange(min(playable_bpm, tempo.minimum), playable_bpm, max(playable_bpm, tempo.maximum)),
    )
