"""How parameters move in time: each at its musical place and with hysteresis, so that a change is heard, not a jitter.

Pure and clock-free: beats come in, a new value goes out. What is asked for is first averaged over a few beats; then

- tempo moves from slice to slice, but starts only when it is clearly off, and then goes all the way;
- dynamics follow at once;
- density, unrest, rhythm, timing and register move at a bar line if they are clearly off, go on at the next ones until
  they are there, and move at a phrase's start if they are off at all; a register inside a phrase climbs, it does not
  leap;
- the modes' weights move at a phrase's start; another heaviest mode (or scale) there only if it outweighs the old one
  clearly, or in the middle of a phrase if by far; either way only if it has done so for a whole bar's worth of beats.

A phrase is only four bars, so its middle is the one boundary inside it that is not a mere bar line: a chord changes
there anyway and the motif comes back. A feeling that has really turned is thus in the mode within two to four bars.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from kelly_live.core.values import (
    MODES,
    CultureStyle,
    Dynamics,
    MusicParameters,
    Register,
    Scale,
    TempoRange,
    TimingWeights,
)
from kelly_live.music.harmony import BARS_PER_PHRASE

AVERAGE_BEATS = 3.0  # time constant of what is asked for: at 110 BPM a hop that stands alone counts for a seventh
SWELL_BEATS = 0.5  # the same for dynamics: 63 % of a change within half a beat, and no zipper

# A tempo may change by this share of itself each beat: 60 -> 120 BPM takes about three bars, and a few BPM one beat.
GLIDE_PER_BEAT = 0.06
TEMPO_BAND = 0.04  # the live net's tempo wavers by as much (SD) on a feeling that stays
_TEMPO_SETTLED = 0.01  # a glide ends when what is asked for is this near to its average

MODE_MARGIN = 0.08  # a new mode must outweigh the one in force by this much at a phrase's start,
EMPHATIC_MARGIN = 0.25  # by this much in the middle of one,
MODE_SHIFT = 0.04  # share of the weight that has moved to other modes, where the heaviest stays
MODE_HOLD_BEATS = 4.0  # and must have outweighed it by the smaller of them for this long

# How far each must be off to move at a bar line; half of it will do where it moved at the last one, a quarter at a
# phrase's start.
DENSITY_BAND = 0.15
UNREST_BAND = 0.3
RHYTHM_BAND = 0.12  # share of the weight that has moved to other rhythms
TIMING_BAND = 0.08  # the same, of behind, on and ahead
REGISTER_BAND = 4.0  # semitones
_MOVING_SHARE = 0.5
_PHRASE_SHARE = 0.25
REGISTER_STEP = 2.0  # semitones a bar, inside a phrase
_DYNAMICS_GRAIN = 0.008  # one MIDI velocity: less is not sent, so not a change


@dataclass(frozen=True, slots=True)
class ParameterSmoother:
    """The parameters in force (`played`) at `beat`, and what their next move depends on.

    `asked` and `swell` are running averages; `mode_since` and `scale_since` the beats from which on another mode or
    scale has been wanted without a break; `moving` the fields that moved at the last bar line.
    """

    beat: float
    beats_per_bar: int
    played: MusicParameters
    asked: MusicParameters
    swell: Dynamics
    gliding: bool = False
    mode_since: float | None = None
    scale_since: float | None = None
    moving: frozenset[str] = frozenset()

    @classmethod
    def begin(cls, beat: float, asked: MusicParameters, beats_per_bar: int = 4) -> ParameterSmoother:
        """The first parameters are taken as they are."""
        return cls(beat, beats_per_bar, asked, asked, asked.dynamics)

    def step(self, beat: float, asked: MusicParameters) -> ParameterSmoother:
        """At a later `beat`, with what is asked for since the last step."""
        beats = beat - self.beat
        if beats <= 0.0:
            return self
        # Settled, and nothing new is asked for: the usual case costs nothing.
        if asked == self.asked == self.played and asked.dynamics == self.swell:
            return replace(self, beat=beat, gliding=False, mode_since=None, scale_since=None)

        average = _between(self.asked, asked, -math.expm1(-beats / AVERAGE_BEATS))
        swell = _dynamics(self.swell, asked.dynamics, -math.expm1(-beats / SWELL_BEATS))
        tempo, gliding = self._tempo(beats, average, asked)
        scale_since = None
        if _tones(asked) != _tones(self.played):
            same = self.scale_since is not None and _tones(asked) == _tones(self.asked)
            scale_since = self.scale_since if same else beat
        mode_since = None
        if _lead(average, self.played.mode) > MODE_MARGIN:
            mode_since = beat if self.mode_since is None else self.mode_since

        played, moving = self._at_its_place(beat, average, mode_since, scale_since)
        return ParameterSmoother(
            beat,
            self.beats_per_bar,
            replace(played, tempo=tempo, dynamics=_grained(self.played.dynamics, swell)),
            average,
            swell,
            gliding,
            mode_since if played.modes is self.played.modes else None,
            scale_since if _tones(played) == _tones(self.played) else None,
            moving,
        )

    def _tempo(self, beats: float, average: MusicParameters, asked: MusicParameters) -> tuple[TempoRange, bool]:
        """At rest inside the dead band; outside it on the way, until it is there and nothing pulls on."""
        bpm, goal = self.played.tempo.suggested, average.tempo.suggested
        if not self.gliding and abs(goal / bpm - 1.0) <= TEMPO_BAND:
            return self.played.tempo, False
        most = (1.0 + GLIDE_PER_BEAT) ** beats
        moved = min(bpm * most, max(bpm / most, goal))
        arrived = moved == goal and abs(asked.tempo.suggested / goal - 1.0) <= _TEMPO_SETTLED
        if arrived:
            moved = min(bpm * most, max(bpm / most, asked.tempo.suggested))
        low, high = min(asked.tempo.minimum, moved), max(asked.tempo.maximum, moved)
        return TempoRange(low, moved, high), not arrived

    def _at_its_place(
        self, beat: float, average: MusicParameters, mode_since: float | None, scale_since: float | None
    ) -> tuple[MusicParameters, frozenset[str]]:
        """What bar lines, the middle of a phrase and its start let through since the last step, and what moved."""
        played = self.played
        bar, before = int(beat // self.beats_per_bar), int(self.beat // self.beats_per_bar)
        if bar == before:
            return played, self.moving
        starts = bar // BARS_PER_PHRASE != before // BARS_PER_PHRASE
        middle = BARS_PER_PHRASE // 2
        turns = starts or bar // middle != before // middle

        register, wanted = played.register, average.register
        climb = max(abs(getattr(wanted, end) - getattr(register, end)) for end in ("low", "centre", "high"))
        away = {
            "density": abs(average.density - played.density) / DENSITY_BAND,
            "unrest": abs(average.unrest - played.unrest) / UNREST_BAND,
            "rhythms": _moved(average.rhythms, played.rhythms) / RHYTHM_BAND,
            "timing": _moved(_weights(average.timing), _weights(played.timing)) / TIMING_BAND,
            "register": climb / REGISTER_BAND,
        }
        moves = frozenset(
            name
            for name, bands in away.items()
            if bands > (_PHRASE_SHARE if starts else _MOVING_SHARE if name in self.moving else 1.0)
        )
        if "register" in moves:
            register = _register(register, wanted, 1.0 if starts else min(1.0, REGISTER_STEP / climb))

        modes, scale, style = played.modes, played.scale, played.style
        margin = MODE_MARGIN if starts else EMPHATIC_MARGIN
        outweighed = turns and _held(mode_since, beat) and _lead(average, played.mode) > margin
        shifted = starts and average.mode == played.mode and _moved(average.modes, modes) > MODE_SHIFT
        if outweighed or shifted:
            modes = average.modes
        if starts and _held(scale_since, beat):
            scale, style = average.scale, average.style
        now = replace(
            played,
            density=average.density if "density" in moves else played.density,
            unrest=average.unrest if "unrest" in moves else played.unrest,
            rhythms=average.rhythms if "rhythms" in moves else played.rhythms,
            timing=average.timing if "timing" in moves else played.timing,
            register=register,
            modes=modes,
            scale=scale,
            style=style,
        )
        return now, moves


def _tones(parameters: MusicParameters) -> tuple[Scale | None, CultureStyle | None]:
    """What changes only at a phrase's start: a scale, and a tradition's way with it."""
    return parameters.scale, parameters.style


def _held(since: float | None, beat: float) -> bool:
    return since is not None and beat - since >= MODE_HOLD_BEATS


def _lead(parameters: MusicParameters, mode: str) -> float:
    """By how much the heaviest mode outweighs `mode`."""
    return max(parameters.modes) - parameters.modes[MODES.index(mode)]


def _moved(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """The share of weight that lies elsewhere, 0-1."""
    return 0.5 * sum(abs(x - y) for x, y in zip(a, b, strict=True))


def _weights(timing: TimingWeights) -> tuple[float, float, float]:
    return timing.behind, timing.on, timing.ahead


def _mix(a: float, b: float, share: float) -> float:
    """On the way from a to b, never past either (rounding included)."""
    return min(max(a, b), max(min(a, b), a + share * (b - a)))


def _mixed(a: tuple[float, ...], b: tuple[float, ...], share: float) -> tuple[float, ...]:
    return tuple(_mix(x, y, share) for x, y in zip(a, b, strict=True))


def _register(a: Register, b: Register, share: float) -> Register:
    centre = _mix(a.centre, b.centre, share)
    return Register(min(centre, _mix(a.low, b.low, share)), centre, max(centre, _mix(a.high, b.high, share)))


def _dynamics(a: Dynamics, b: Dynamics, share: float) -> Dynamics:
    floor = _mix(a.floor, b.floor, share)
    return Dynamics(floor, max(floor, _mix(a.ceiling, b.ceiling, share)), _mix(a.variance, b.variance, share))


def _grained(played: Dynamics, swell: Dynamics) -> Dynamics:
    """The swell, once it has moved on by what a note can show."""
    pairs = ((played.floor, swell.floor), (played.ceiling, swell.ceiling), (played.variance, swell.variance))
    return swell if any(abs(a - b) >= _DYNAMICS_GRAIN for a, b in pairs) else played


def _between(a: MusicParameters, b: MusicParameters, share: float) -> MusicParameters:
    """Every number on its way from a to b; the scale and style are b's."""
    tempo = _mix(a.tempo.suggested, b.tempo.suggested, share)
    return MusicParameters(
        tempo=TempoRange(
            min(tempo, _mix(a.tempo.minimum, b.tempo.minimum, share)),
            tempo,
            max(tempo, _mix(a.tempo.maximum, b.tempo.maximum, share)),
        ),
        modes=_mixed(a.modes, b.modes, share),
        register=_register(a.register, b.register, share),
        dynamics=_dynamics(a.dynamics, b.dynamics, share),
        timing=TimingWeights(*_mixed(_weights(a.timing), _weights(b.timing), share)),
        density=_mix(a.density, b.density, share),
        unrest=_mix(a.unrest, b.unrest, share),
        rhythms=_mixed(a.rhythms, b.rhythms, share),
        scale=b.scale,
        style=b.style,
    )
