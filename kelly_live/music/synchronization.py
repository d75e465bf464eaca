"""How the band joins somebody else's beat and key: a phase-locked loop that bends the tempo, and a modulation that
waits for its phrase.

Pure and clock-free, as `glide.py` is: what leads comes in, what to play goes out. The beat position never jumps; it is
the tempo that leans until our beats fall on theirs. A pulse whose beats are counted (a MIDI clock's) is taken at its
word: its tempo at once, its phase within about a beat, its bar lines too. One that was heard is joined more calmly, at
its own tempo or half or twice that, whichever is nearest to the feeling's own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from kelly_live.core.values import BeatEstimate, KeyEstimate

JOIN, LET_GO = 0.5, 0.3  # confidence to join at, and to let go under
FLYWHEEL_BEATS = 8.0  # a lost pulse is carried on for so long,
RETURN_PER_BEAT = 0.03  # then the tempo goes home to the feeling's own, by this share of itself a beat
_RATIOS = (1.0, 0.5, 2.0)  # our beats in one of theirs
_LOYALTY_OCTAVES = 0.35  # another ratio must be so much nearer to the feeling's tempo


@dataclass(frozen=True, slots=True)
class _Loop:
    """`reach_beats` in which a phase error is to be closed, `integral` of it that corrects the tempo itself (per
    beat), `bend` the largest share by which the tempo leans, `slew` by which it may change a beat.
    """

    reach_beats: float
    integral: float
    bend: float
    slew: float


_COUNTED = _Loop(reach_beats=1.0, integral=0.0, bend=0.25, slew=math.inf)
_HEARD = _Loop(reach_beats=3.0, integral=0.02, bend=0.1, slew=0.12)
_TEMPO_TRUST = 0.03  # a heard tempo is known this well; inside, the loop's own integral knows better
_TEMPO_BEATS = 2.0  # time constant towards a heard tempo outside it
_SLOWEST_BPM, _FASTEST_BPM = 25.0, 280.0


@dataclass(frozen=True, slots=True)
class SynchronizedTempo:
    """The tempo in force (`bpm`) from `beat` on, and what its next move depends on: the leader's tempo in our beats
    (`base`, without the lean), our beats in one of theirs, for how many beats they have been lost, and whether the
    band is anything but its own master (`engaged`).
    """

    beat: float
    bpm: float
    base: float
    ratio: float = 1.0
    lost_beats: float = 0.0
    engaged: bool = False

    @property
    def joined(self) -> bool:
        """Whether somebody leads now."""
        return self.engaged and self.lost_beats == 0.0

    def step(
        self, beat: float, seconds: float, own_bpm: float, pulse: BeatEstimate | None, beats_per_bar: int
    ) -> SynchronizedTempo:
        """At a later `beat`, which falls at `seconds`; `own_bpm` is what would be played without a leader."""
        beats = max(0.0, beat - self.beat)
        if pulse is None or pulse.confidence < (LET_GO if self.engaged else JOIN):
            return self._alone(beat, beats, own_bpm)
        loop = _HEARD if pulse.beat_number is None else _COUNTED
        ratio = 1.0 if pulse.beat_number is not None else self._ratio(pulse.bpm, own_bpm)
        told = min(max(pulse.bpm * ratio, _SLOWEST_BPM), _FASTEST_BPM)
        base = told
        if loop is _HEARD and self.joined and ratio == self.ratio:
            off = told / self.base - 1.0
            base = self.base * (1.0 + (off if abs(off) > _TEMPO_TRUST else 0.0) * -math.expm1(-beats / _TEMPO_BEATS))
        error = _phase_error(beat, seconds, pulse, ratio, beats_per_bar)
        base *= 1.0 + loop.integral * error * beats
        lean = min(max(error / loop.reach_beats, -loop.bend), loop.bend)
        bpm = _toward(self.bpm, base * (1.0 + lean), loop.slew, beats)
        return SynchronizedTempo(beat, min(max(bpm, _SLOWEST_BPM), _FASTEST_BPM), base, ratio, 0.0, True)

    def _alone(self, beat: float, beats: float, own_bpm: float) -> SynchronizedTempo:
        """On at the leader's last tempo for a while, then home."""
        if not self.engaged:
            return SynchronizedTempo(beat, own_bpm, own_bpm)
        lost = self.lost_beats + beats
        if lost <= FLYWHEEL_BEATS:
            return replace(self, beat=beat, bpm=_toward(self.bpm, self.base, _HEARD.slew, beats), lost_beats=lost)
        bpm = _toward(self.bpm, own_bpm, RETURN_PER_BEAT, beats)
        return replace(self, beat=beat, bpm=bpm, lost_beats=lost, engaged=bpm != own_bpm)

    def _ratio(self, bpm: float, own_bpm: float) -> float:
        """The ratio that lies nearest to our own tempo; the one in force has an advantage."""

        def away(ratio: float) -> float:
            # What is in force is our tempo, not the number: a listener may take to twice the beat, and we stay.
            stays = self.joined and abs(bpm * ratio / self.base - 1.0) < 2.0 * _TEMPO_TRUST
            return abs(math.log2(bpm * ratio / own_bpm)) - _LOYALTY_OCTAVES * stays

        return min(_RATIOS, key=away)


def _phase_error(beat: float, seconds: float, pulse: BeatEstimate, ratio: float, beats_per_bar: int) -> float:
    """How many of our beats we are behind: to the nearest of their beats, or to the nearest place in the bar that is
    right where they count.
    """
    theirs = (seconds - pulse.beat_seconds) * pulse.bpm / 60.0 * ratio
    if pulse.beat_number is not None:
        return _wrapped(theirs + pulse.beat_number - beat, float(beats_per_bar))
    return _wrapped(theirs - beat, min(1.0, ratio))


def _wrapped(beats: float, round_beats: float) -> float:
    return beats - round_beats * math.floor(beats / round_beats + 0.5)


def _toward(bpm: float, goal: float, slew: float, beats: float) -> float:
    most = math.inf if math.isinf(slew) else (1.0 + slew) ** beats
    return min(bpm * most, max(bpm / most, goal))


KEY_HOLD_BEATS = 8.0  # inside a phrase, another key must have been heard for so long,
KEY_SURE = 0.75  # this surely


@dataclass(frozen=True, slots=True)
class SynchronizedKey:
    """The key that was joined (`key`; None: the band's own), the tonic that it left us on, and since which beat which
    other key has been heard for sure.
    """

    key: KeyEstimate | None = None
    tonic: int | None = None
    other: tuple[int, str] | None = None
    since: float = 0.0

    def step(self, beat: float, heard: KeyEstimate | None, *, phrase_starts: bool, bar_starts: bool) -> SynchronizedKey:
        """At a later `beat`. A key is joined, changed or let go where a phrase starts; inside one, only changed, at a
        bar line, by one that has been heard long and surely. Let go, its tonic stays: home is where we are.
        """
        named = None if heard is None else (heard.tonic, heard.mode)
        mine = None if self.key is None else (self.key.tonic, self.key.mode)
        sure = heard is not None and heard.confidence >= KEY_SURE and named != mine
        other = named if sure else None
        since = self.since if other == self.other else beat
        long = other is not None and beat - since >= KEY_HOLD_BEATS
        if phrase_starts and heard is not None and heard.confidence >= (LET_GO if named == mine else JOIN):
            return SynchronizedKey(heard, heard.tonic)
        if phrase_starts and (heard is None or heard.confidence < LET_GO):
            return SynchronizedKey(None, self.tonic)
        if bar_starts and long and heard is not None:
            return SynchronizedKey(heard, heard.tonic)
        return replace(self, other=other, since=since)
