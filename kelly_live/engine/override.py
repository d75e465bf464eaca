"""The stage between what is read and what is played.

In order: calibration, freeze, iso goal, manual override, mapper. It runs in the playing process. So a performer's
change takes effect at the next step of the conductor, and an analysis that dies takes neither a freeze nor an override
with it.

Threads: `map` belongs to the conductor's thread, the setters may come from any; each swaps one reference.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from kelly_live.core.emotion_space import subtract_offset
from kelly_live.core.override import apply_override
from kelly_live.core.protocols import EmotionOverride, Mapper, Reading
from kelly_live.core.values import NEUTRAL_PROBABILITIES, EmotionState
from kelly_live.engine.arousal_limit import ArousalLimit, hold_arousal
from kelly_live.engine.iso_principle import IsoGoal, IsoPrinciple

NO_OVERRIDE = EmotionOverride()


@dataclass(frozen=True, slots=True)
class _Inputs:
    """All that a Reading depends on; nothing is mapped again while these stay the same objects."""

    state: EmotionState
    override: EmotionOverride
    offset: tuple[float, float, float]
    audience: object
    bar: float
    held_arousal: float | None
    iso_step: int

    def is_same(self, other: _Inputs | None) -> bool:
        return (
            other is not None
            and self.state is other.state
            and self.override is other.override
            and self.offset is other.offset
            and self.audience is other.audience
            and self.bar == other.bar
            and self.held_arousal == other.held_arousal
            and self.iso_step == other.iso_step
        )


class OverrideStage:
    """Maps the latest state that was read to the Reading that is played.

    Args:
        mapper: Maps the overridden state to music.
        opening: What is played on while nothing is read.
        override: What the performer set before the start.
        offset: What this input reads like at rest (V, A, D); it is subtracted from every state.
        arousal_rise: By how much the arousal that is played may rise a minute, whoever sets it; None: at will.
        goal: Where what is read is led to, before the override acts; None: nowhere.
    """

    def __init__(
        self,
        mapper: Mapper,
        initial_state: EmotionState,
        override: EmotionOverride = NO_OVERRIDE,
        offset: tuple[float, float, float] = (0.0, 0.0, 0.0),
        arousal_rise: float | None = None,
        goal: IsoGoal | None = None,
    ) -> None:
        self.iso = IsoPrinciple(goal)
        self.mapper = mapper
        self._initial_state = initial_state
        self._override = override
        self._offset = offset
        self._current_state = EmotionState(
            NEUTRAL_PROBABILITIES, 0.0, 0.0, 0.0, 1.0, initial_state.time
        )  # if frozen from the start
        self._arousal_limit = ArousalLimit(arousal_rise, initial_state.arousal)
        self._wanted_arousal = initial_state.arousal
        self._inputs: _Inputs | None = None
        self._reading: Reading | None = None

    @property
    def override(self) -> EmotionOverride:
        """The override in force."""
        return self._override

    def set_override(self, override: EmotionOverride) -> None:
        """Play with another override from the next step on."""
        self._override = override

    def set_offset(self, offset: tuple[float, float, float]) -> None:
        """Subtract another offset from the next step on."""
        self._offset = offset

    def map(self, state: EmotionState | None, bar: float, now: float = 0.0) -> Reading:
        """Return what is played for the latest state, None for the opening, at a bar of the music, `now` (s).

        While the override freezes, the state is the one of the moment when the freeze began; the rest of the override
        acts on top of it. A morph counts by `bar`. The limit of the arousal acts last.
        """
        override, offset = self._override, self._offset
        source = self._initial_state if state is None else state
        moving_bar = bar if override.morph is not None else 0.0
        most_arousal = self._arousal_limit.find_most(now)
        held_arousal = most_arousal if self._wanted_arousal > most_arousal else None
        heard = None if state is None else self._current_state
        iso_step = self.iso.advance(heard, now, override)
        inputs = _Inputs(source, override, offset, self.mapper.audience, moving_bar, held_arousal, iso_step)
        if self._reading is None or not inputs.is_same(self._inputs):
            if not override.freeze:
                self._current_state = source if state is None else subtract_offset(source, offset)
            current_state = replace(self._current_state, time=max(self._current_state.time, source.time))
            overridden = apply_override(self.iso.lead(current_state), override, bar)
            self._wanted_arousal = overridden.arousal
            played = hold_arousal(overridden, most_arousal)
            self._inputs = replace(inputs, held_arousal=None if played is overridden else most_arousal)
            self._reading = Reading(played, self.mapper(played))
        self._arousal_limit.add(now, self._wanted_arousal)
        return self._reading
