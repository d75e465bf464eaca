"""How the band follows a beat and a key from outside: a phase-locked loop, and a modulation.

Pure and clock-free, as `smoothing.py` is: estimates come in, what to play goes out. The beat position never jumps; the
tempo bends until both beats fall together. A beat whose number is known (a MIDI clock's) is followed exactly: its
tempo at once, its phase within about a beat, its bar lines too.

A beat that was estimated from sound or notes is followed at its own tempo or half or twice that. That level is chosen
once, by the tempo of the emotion, and kept through every change of tempo: the band's own tempo decides at which level
the next estimate is read, so an estimate that leaps by an octave moves nothing. Who comes back at his tempo after a
rest is met at the level that he left.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from kelly_live.core.sync_state import BeatEstimate, KeyEstimate
from kelly_live.core.values import TEMPO_BPM, MusicParameters, TempoRange

JOIN_CONFIDENCE, RELEASE_CONFIDENCE = 0.5, 0.3  # to begin following at, and to stop under
FLYWHEEL_BEATS = 8.0  # a lost beat is continued for this long,
RETURN_PER_BEAT = 0.03  # then the tempo returns to the emotion's own, by this share of itself a beat
_RATIOS = (1.0, 0.5, 2.0)  # our beats in one of the followed beats, at first;
_KEPT_RATIOS = (0.25, 0.5, 1.0, 2.0, 4.0)  # later the estimate may leap by an octave and we stay
# An estimate farther from our tempo than this, in octaves, is no change of tempo by a player: a step of a fifth is .32,
# two beats for three .42. It counts once it has lasted.
_OTHER_TEMPO_OCTAVES = 0.38
OTHER_TEMPO_BEATS = 4.0
# A level that has led so far from the emotion's tempo, in octaves and for so long, is chosen anew.
_FAR_OCTAVES = 1.2
FAR_BEATS = 16.0


@dataclass(frozen=True, slots=True)
class _Loop:
    """The constants of a phase-locked loop.

    A phase error (in beats) of `large_error` or more is closed in `reach_beats`, a small one `calm` times as fast;
    `integral` of it (per beat) corrects the tempo itself. `by_next_beat`: from `large_error` on it is closed by the
    next beat. `bend` is the largest share by which the tempo bends, `slew` that by which it may change a beat.
    """

    reach_beats: float
    large_error: float
    calm: float
    by_next_beat: bool
    integral: float
    bend: float
    slew: float

    def compute_gain(self, error: float) -> float:
        """Return by which share of `reach_beats`' speed an error is closed."""
        return self.calm + (1.0 - self.calm) * min(1.0, abs(error) / self.large_error)

    def choose_reach(self, beat: float, error: float) -> float:
        """Return in how many beats from `beat` on an error is closed."""
        if not self.by_next_beat or abs(error) < self.large_error:
            return self.reach_beats
        return min(self.reach_beats, max(_SHORTEST_REACH_BEATS, math.floor(beat) + 1.0 - beat))


_SHORTEST_REACH_BEATS = 0.1
_NUMBERED = _Loop(reach_beats=1.0, large_error=0.01, calm=1.0, by_next_beat=True, integral=0.0, bend=0.5, slew=math.inf)
# On training songs whose tempo changes by 20 to 40 %, .90 of the band's beats fall within 70 ms (.60 with a loop of
# three beats); on steady ones the period varies by .4 % from beat to beat, under what is heard.
_ESTIMATED = _Loop(reach_beats=1.0, large_error=0.05, calm=0.3, by_next_beat=False, integral=0.1, bend=0.2, slew=0.16)
_TEMPO_TRUST = 0.03  # how well an estimated tempo is known; inside this, the loop's integral is better
_TEMPO_BEATS = 0.5  # time constant towards an estimated tempo outside it
_SLOWEST_BPM, _FASTEST_BPM = 20.0, 400.0
TEMPO_GRAIN_BPM = 0.25


@dataclass(frozen=True, slots=True)
class LevelChange:
    """The followed beat was counted anew at `beat`: the band went from one tempo to another at once."""

    beat: float
    bpm_before: float
    bpm: float


@dataclass(frozen=True, slots=True)
class SynchronizedTempo:
    """The tempo in force (`bpm`) from `beat` on, and what its next move depends on.

    `base` is the followed tempo in our beats, without the bend; `ratio` is our beats in one followed beat. The followed
    beat has been lost for `lost_beats`. `is_engaged`: the tempo is not the emotion's own. For `other_beats` the
    estimate has been of quite another tempo, for `far_beats` ours far from the emotion's. `level_change` is the last.
    `followed_bpm`: the latest followed tempo in our beats, also after it was lost; None: none was followed.
    """

    beat: float
    bpm: float
    base: float
    ratio: float = 1.0
    lost_beats: float = 0.0
    is_engaged: bool = False
    other_beats: float = 0.0
    far_beats: float = 0.0
    level_change: LevelChange | None = None
    followed_bpm: float | None = None

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
        if estimate.beat_number is not None:
            state = replace(self, base=_limit(estimate.bpm), ratio=1.0, other_beats=0.0, far_beats=0.0)
            return state._lock(beat, seconds, beats, estimate, beats_per_bar, _NUMBERED)
        state = self._read_level(beat, beats, own_bpm, estimate.bpm)
        if state.other_beats > 0.0:  # it may be an error: keep the tempo until it has lasted
            bpm = _approach(self.bpm, self.base, _ESTIMATED.slew, beats)
            return replace(state, beat=beat, bpm=bpm, lost_beats=0.0)
        return state._lock(beat, seconds, beats, estimate, beats_per_bar, _ESTIMATED)

    def _read_level(self, beat: float, beats: float, own_bpm: float, bpm: float) -> SynchronizedTempo:
        """Read an estimated tempo at our level; return the state with `ratio` and `base` for it."""
        if not self.is_engaged or self.lost_beats > FLYWHEEL_BEATS:
            ratio = self._choose_level(own_bpm, bpm)
            return replace(self, ratio=ratio, base=_limit(bpm * ratio), other_beats=0.0, far_beats=0.0)
        ratio = _choose_ratio(_KEPT_RATIOS, bpm, self.base)
        is_other = abs(math.log2(bpm * ratio / self.base)) > _OTHER_TEMPO_OCTAVES
        is_far = abs(math.log2(self.base / own_bpm)) > _FAR_OCTAVES
        other_beats = self.other_beats + beats if is_other else 0.0
        far_beats = self.far_beats + beats if is_far else 0.0
        if other_beats >= OTHER_TEMPO_BEATS or far_beats >= FAR_BEATS:
            ratio = _choose_ratio(_RATIOS, bpm, own_bpm)
            change = LevelChange(beat, self.base, _limit(bpm * ratio))
            return replace(self, ratio=ratio, base=change.bpm, other_beats=0.0, far_beats=0.0, level_change=change)
        if is_other:
            return replace(self, other_beats=max(other_beats, math.ulp(1.0)), far_beats=far_beats)
        off = bpm * ratio / self.base - 1.0
        pull = -math.expm1(-beats / _TEMPO_BEATS) if abs(off) > _TEMPO_TRUST else 0.0
        return replace(self, ratio=ratio, base=self.base * (1.0 + off * pull), other_beats=0.0, far_beats=far_beats)

    def _choose_level(self, own_bpm: float, bpm: float) -> float:
        """Choose the ratio for a beat that begins: as before it was lost, if it is about that fast, else by our own."""
        if self.followed_bpm is not None:
            ratio = _choose_ratio(_RATIOS, bpm, self.followed_bpm)
            if abs(math.log2(bpm * ratio / self.followed_bpm)) <= _OTHER_TEMPO_OCTAVES:
                return ratio
        return _choose_ratio(_RATIOS, bpm, own_bpm)

    def _lock(
        self, beat: float, seconds: float, beats: float, estimate: BeatEstimate, beats_per_bar: int, loop: _Loop
    ) -> SynchronizedTempo:
        """Bend the tempo around `base`, so that our beats fall on those of the estimate."""
        error = _measure_phase_error(beat, seconds, estimate, self.ratio, beats_per_bar)
        gain = loop.compute_gain(error)
        base = _limit(self.base * (1.0 + loop.integral * gain * error * beats))
        bend = min(max(gain * error / loop.choose_reach(beat, error), -loop.bend), loop.bend)
        bpm = _limit(_approach(self.bpm, base * (1.0 + bend), loop.slew, beats))
        return replace(self, beat=beat, bpm=bpm, base=base, lost_beats=0.0, is_engaged=True, followed_bpm=base)

    def _continue(self, beat: float, beats: float, own_bpm: float) -> SynchronizedTempo:
        """Continue at the followed tempo for a while, then return to our own."""
        if not self.is_engaged:
            return replace(self, beat=beat, bpm=own_bpm, base=own_bpm, ratio=1.0, lost_beats=0.0)
        lost_beats = self.lost_beats + beats
        if lost_beats <= FLYWHEEL_BEATS:
            return replace(
                self, beat=beat, bpm=_approach(self.bpm, self.base, _ESTIMATED.slew, beats), lost_beats=lost_beats
            )
        bpm = _approach(self.bpm, own_bpm, RETURN_PER_BEAT, beats)
        return replace(self, beat=beat, bpm=bpm, lost_beats=lost_beats, is_engaged=bpm != own_bpm)


def _choose_ratio(ratios: tuple[float, ...], bpm: float, goal: float) -> float:
    """Choose the ratio that brings an estimated tempo nearest to a goal."""
    return min(ratios, key=lambda ratio: abs(math.log2(bpm * ratio / goal)))


def _limit(bpm: float) -> float:
    return min(max(bpm, _SLOWEST_BPM), _FASTEST_BPM)


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


def round_tempo(bpm: float) -> float:
    """Round a tempo to what is heard: finer changes are only sent."""
    return round(bpm / TEMPO_GRAIN_BPM) * TEMPO_GRAIN_BPM


def fit_tempo(parameters: MusicParameters, bpm: float) -> MusicParameters:
    """Return the parameters at the tempo that is kept, at which players choose what they play.

    They choose for none over TEMPO_BPM; a faster beat is kept with that.
    """
    tempo, playable_bpm = parameters.tempo, min(bpm, TEMPO_BPM[1])
    return replace(
        parameters,
        tempo=TempoRange(min(playable_bpm, tempo.minimum), playable_bpm, max(playable_bpm, tempo.maximum)),
    )
