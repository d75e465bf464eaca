"""How parameters move in time: each at its musical place, and with hysteresis against jitter.

Pure and clock-free: beats come in, new values go out. The target is first averaged over a few beats. Then

- tempo moves from slice to slice, but starts only when it is clearly off, and then goes all the way;
- dynamics follow at once;
- density, unrest, rhythm, timing and register move at a bar line if they are clearly off, go on at the next ones until
  they arrive, and move at a phrase's start if they are off at all; a register inside a phrase climbs and does not leap;
- the modes' weights move at a phrase's start. Another heaviest mode (or scale) comes in there only if it clearly
  outweighs the old one, and has done so for a whole bar's worth of beats. One that outweighs it by far comes in at the
  next bar line;
- another groove comes in with half a phrase, if it was the target for a bar's worth of beats. Where the emotion has
  clearly moved, it comes with the next half bar.

So who was angry and is glad hears another rhythm within about three beats, and another mode within two bars.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

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
from kelly_live.music.forms import BARS_PER_PHRASE
from kelly_live.music.rhythm import list_strong_beats

AVERAGE_BEATS = 3.0  # time constant of the target's average: at 110 BPM a single hop counts for a seventh
DYNAMICS_BEATS = 0.5  # the same for dynamics: 63 % of a change within half a beat, and no zipper

# A tempo may change by this share of itself each beat: 60 -> 120 BPM takes about three bars, and a few BPM one beat.
TEMPO_CHANGE_PER_BEAT = 0.06
TEMPO_BAND = 0.04  # the live net's tempo varies by as much (SD) while the emotion stays
_TEMPO_SETTLED = 0.01  # a change ends when the target is this near to its average

MODE_MARGIN = 0.08  # a new mode must outweigh the one in force by this much at a phrase's start,
EMPHATIC_MARGIN = 0.25  # by this much at a bar line inside one,
MODE_SHIFT = 0.04  # share of the weight that has moved to other modes, where the heaviest stays
MODE_HOLD_BEATS = 4.0  # and must have outweighed it by this much for this long before a phrase's start

# The emotion has clearly moved where loudness or density is this far from what it was, or this share of the weight of
# the modes has gone to others. Then another groove must have been the target for this long.
_CLEAR_LEVEL, _CLEAR_DENSITY, _CLEAR_MODES = 0.08, 0.2, 0.25
_CLEAR_HOLD_BEATS = 1.0

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


# Finds the number of a bar's phrase, and whether the bar lies in the phrase's second half.
HalfFinder: TypeAlias = Callable[[int], tuple[int, bool]]


def find_regular_half(bar: int) -> tuple[int, bool]:
    """Find a bar's phrase and half where every phrase has four bars."""
    phrase, number = divmod(bar, BARS_PER_PHRASE)
    return phrase, number >= BARS_PER_PHRASE // 2


@dataclass(frozen=True, slots=True)
class ParameterSmoother:
    """The parameters in force at `beat` (`current`), and what their next move depends on.

    `average` and `average_dynamics` are running averages of the target. `mode_since`, `scale_since` and
    `groove_since` are the beats since when another mode, scale or groove has been the target without a break;
    `groove_origin` is what the average was when that groove first was. `moving` names the fields that moved at the last
    bar line.
    """

    beat: float
    beats_per_bar: int
    current: MusicParameters
    average: MusicParameters
    average_dynamics: Dynamics
    is_tempo_moving: bool = False
    mode_since: float | None = None
    scale_since: float | None = None
    moving: frozenset[str] = frozenset()
    groove_since: float | None = None
    groove_origin: MusicParameters | None = None

    @classmethod
    def begin(cls, beat: float, target: MusicParameters, beats_per_bar: int = 4) -> ParameterSmoother:
        """Begin with the first parameters as they are."""
        return cls(beat, beats_per_bar, target, target, target.dynamics)

    def rest_at(self, values: Mapping[str, Any]) -> ParameterSmoother:
        """Let these fields of the parameters rest at these values: nothing of them is under way."""
        if not values:
            return self
        return replace(
            self,
            current=replace(self.current, **values),
            average=replace(self.average, **values),
            average_dynamics=values.get("dynamics", self.average_dynamics),
            is_tempo_moving=self.is_tempo_moving and "tempo" not in values,
            mode_since=None if "modes" in values else self.mode_since,
            scale_since=None if "modes" in values else self.scale_since,
            moving=self.moving - set(values),
            groove_since=None if "groove" in values else self.groove_since,
        )

    def step(
        self, beat: float, target: MusicParameters, find_half: HalfFinder = find_regular_half
    ) -> ParameterSmoother:
        """Return the state at a later `beat`; `target` has been the target since the last step.

        `find_half` tells where phrases begin.
        """
        beats = beat - self.beat
        if beats <= 0.0:
            return self
        # Settled, and the target is the same: the usual case costs nothing.
        if target == self.average == self.current and target.dynamics == self.average_dynamics:
            return ParameterSmoother(
                beat, self.beats_per_bar, self.current, self.average, self.average_dynamics, moving=self.moving
            )

        average = _interpolate_parameters(self.average, target, -math.expm1(-beats / AVERAGE_BEATS))
        dynamics = _interpolate_dynamics(self.average_dynamics, target.dynamics, -math.expm1(-beats / DYNAMICS_BEATS))
        tempo, is_moving = self._move_tempo(beats, average, target)
        scale_since = None
        if _get_tonality(target) != _get_tonality(self.current):
            same = self.scale_since is not None and _get_tonality(target) == _get_tonality(self.average)
            scale_since = self.scale_since if same else beat
        groove_since, groove_origin = None, None
        if target.groove != self.current.groove:
            is_new = self.groove_since is None
            groove_since = beat if is_new else self.groove_since
            groove_origin = self.average if is_new else self.groove_origin
        mode_since = None
        if _measure_lead(average, self.current.mode) > MODE_MARGIN:
            mode_since = beat if self.mode_since is None else self.mode_since

        current, moving = self._move_at_bars(beat, average, mode_since, scale_since, find_half)
        groove = self._choose_groove(beat, target, groove_since, groove_origin, find_half)
        return ParameterSmoother(
            beat,
            self.beats_per_bar,
            replace(current, tempo=tempo, dynamics=_move_dynamics(self.current.dynamics, dynamics), groove=groove),
            average,
            dynamics,
            is_moving,
            mode_since if current.modes is self.current.modes else None,
            scale_since if _get_tonality(current) == _get_tonality(self.current) else None,
            moving,
            groove_since if groove == self.current.groove else None,
            groove_origin if groove == self.current.groove else None,
        )

    def _choose_groove(
        self,
        beat: float,
        target: MusicParameters,
        since: float | None,
        origin: MusicParameters | None,
        find_half: HalfFinder,
    ) -> str:
        """Choose the groove from a beat on: the target's with half a phrase, or with half a bar after a clear move."""
        bar, before = int(beat // self.beats_per_bar), int(self.beat // self.beats_per_bar)
        if find_half(bar) != find_half(before) and _is_lasting(since, beat, MODE_HOLD_BEATS):
            return target.groove
        is_clear = origin is not None and _has_clearly_moved(origin, target)
        if is_clear and self._count_strong_beats(beat) != self._count_strong_beats(self.beat):
            return target.groove if _is_lasting(since, beat, _CLEAR_HOLD_BEATS) else self.current.groove
        return self.current.groove

    def _count_strong_beats(self, beat: float) -> int:
        """Count the strong beats from the start of the session to a beat."""
        bar, position = divmod(beat, self.beats_per_bar)
        strong = list_strong_beats(self.beats_per_bar)
        return int(bar) * len(strong) + sum(position >= place for place in strong)

    def _move_tempo(self, beats: float, average: MusicParameters, target: MusicParameters) -> tuple[TempoRange, bool]:
        """Return the tempo and whether it is moving: at rest in the dead band, else until it arrives."""
        bpm, goal = self.current.tempo.suggested, average.tempo.suggested
        if not self.is_tempo_moving and abs(goal / bpm - 1.0) <= TEMPO_BAND:
            return self.current.tempo, False
        most = (1.0 + TEMPO_CHANGE_PER_BEAT) ** beats
        tempo = min(bpm * most, max(bpm / most, goal))
        has_arrived = tempo == goal and abs(target.tempo.suggested / goal - 1.0) <= _TEMPO_SETTLED
        if has_arrived:
            tempo = min(bpm * most, max(bpm / most, target.tempo.suggested))
        low, high = min(target.tempo.minimum, tempo), max(target.tempo.maximum, tempo)
        return TempoRange(low, tempo, high), not has_arrived

    def _move_at_bars(
        self,
        beat: float,
        average: MusicParameters,
        mode_since: float | None,
        scale_since: float | None,
        find_half: HalfFinder,
    ) -> tuple[MusicParameters, frozenset[str]]:
        """Return the parameters after the bar lines since the last step, and the names of those that moved."""
        current = self.current
        bar, before = int(beat // self.beats_per_bar), int(self.beat // self.beats_per_bar)
        if bar == before:
            return current, self.moving
        starts = find_half(bar)[0] != find_half(before)[0]

        register, goal_register = current.register, average.register
        climb = max(abs(getattr(goal_register, end) - getattr(register, end)) for end in ("low", "centre", "high"))
        distances = {
            "density": abs(average.density - current.density) / DENSITY_BAND,
            "unrest": abs(average.unrest - current.unrest) / UNREST_BAND,
            "rhythms": _measure_shift(average.rhythms, current.rhythms) / RHYTHM_BAND,
            "timing": _measure_shift(_list_weights(average.timing), _list_weights(current.timing)) / TIMING_BAND,
            "register": climb / REGISTER_BAND,
        }
        moves = frozenset(
            name
            for name, bands in distances.items()
            if bands > (_PHRASE_SHARE if starts else _MOVING_SHARE if name in self.moving else 1.0)
        )
        if "register" in moves:
            register = _interpolate_register(
                register, goal_register, 1.0 if starts else min(1.0, REGISTER_STEP / climb)
            )

        modes, scale, style = current.modes, current.scale, current.style
        lead = _measure_lead(average, current.mode)
        outweighed = lead > EMPHATIC_MARGIN or (
            starts and lead > MODE_MARGIN and _is_lasting(mode_since, beat, MODE_HOLD_BEATS)
        )
        shifted = starts and average.mode == current.mode and _measure_shift(average.modes, modes) > MODE_SHIFT
        if outweighed or shifted:
            modes = average.modes
        if starts and _is_lasting(scale_since, beat, MODE_HOLD_BEATS):
            scale, style = average.scale, average.style
        now = replace(
            current,
            density=average.density if "density" in moves else current.density,
            unrest=average.unrest if "unrest" in moves else current.unrest,
            rhythms=average.rhythms if "rhythms" in moves else current.rhythms,
            timing=average.timing if "timing" in moves else current.timing,
            register=register,
            modes=modes,
            scale=scale,
            style=style,
        )
        return now, moves


def _get_tonality(parameters: MusicParameters) -> tuple[Scale | None, CultureStyle | None]:
    """Return the scale and style, which change only at a phrase's start."""
    return parameters.scale, parameters.style


def _is_lasting(since: float | None, beat: float, hold_beats: float) -> bool:
    return since is not None and beat - since >= hold_beats


def _has_clearly_moved(origin: MusicParameters, target: MusicParameters) -> bool:
    """Tell whether the emotion is another one, rather than one beside the border of its groove."""
    level, level_before = (0.5 * (one.dynamics.floor + one.dynamics.ceiling) for one in (target, origin))
    return (
        abs(level - level_before) > _CLEAR_LEVEL
        or abs(target.density - origin.density) > _CLEAR_DENSITY
        or _measure_shift(target.modes, origin.modes) > _CLEAR_MODES
    )


def _measure_lead(parameters: MusicParameters, mode: str) -> float:
    """Return by how much the heaviest mode outweighs `mode`."""
    return max(parameters.modes) - parameters.modes[MODES.index(mode)]


def _measure_shift(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Return the share of the weight that lies elsewhere, 0-1."""
    return 0.5 * sum(abs(x - y) for x, y in zip(a, b, strict=True))


def _list_weights(timing: TimingWeights) -> tuple[float, float, float]:
    return timing.behind, timing.on, timing.ahead


def _interpolate(a: float, b: float, share: float) -> float:
    """Interpolate from a to b, never past either (rounding included)."""
    return min(max(a, b), max(min(a, b), a + share * (b - a)))


def _interpolate_all(a: tuple[float, ...], b: tuple[float, ...], share: float) -> tuple[float, ...]:
    return tuple(_interpolate(x, y, share) for x, y in zip(a, b, strict=True))


def _interpolate_register(a: Register, b: Register, share: float) -> Register:
    centre = _interpolate(a.centre, b.centre, share)
    return Register(
        min(centre, _interpolate(a.low, b.low, share)), centre, max(centre, _interpolate(a.high, b.high, share))
    )


def _interpolate_dynamics(a: Dynamics, b: Dynamics, share: float) -> Dynamics:
    floor = _interpolate(a.floor, b.floor, share)
    return Dynamics(
        floor, max(floor, _interpolate(a.ceiling, b.ceiling, share)), _interpolate(a.variance, b.variance, share)
    )


def _move_dynamics(current: Dynamics, target: Dynamics) -> Dynamics:
    """Return the target, once it differs from `current` by what a note can show."""
    pairs = ((current.floor, target.floor), (current.ceiling, target.ceiling), (current.variance, target.variance))
    return target if any(abs(a - b) >= _DYNAMICS_GRAIN for a, b in pairs) else current


def _interpolate_parameters(a: MusicParameters, b: MusicParameters, share: float) -> MusicParameters:
    """Interpolate every number from a to b; the scale, style and groove are b's."""
    tempo = _interpolate(a.tempo.suggested, b.tempo.suggested, share)
    return MusicParameters(
        tempo=TempoRange(
            min(tempo, _interpolate(a.tempo.minimum, b.tempo.minimum, share)),
            tempo,
            max(tempo, _interpolate(a.tempo.maximum, b.tempo.maximum, share)),
        ),
        modes=_interpolate_all(a.modes, b.modes, share),
        register=_interpolate_register(a.register, b.register, share),
        dynamics=_interpolate_dynamics(a.dynamics, b.dynamics, share),
        timing=TimingWeights(*_interpolate_all(_list_weights(a.timing), _list_weights(b.timing), share)),
        density=_interpolate(a.density, b.density, share),
        unrest=_interpolate(a.unrest, b.unrest, share),
        rhythms=_interpolate_all(a.rhythms, b.rhythms, share),
        scale=b.scale,
        style=b.style,
        groove=b.groove,
    )
