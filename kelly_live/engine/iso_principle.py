"""The iso principle: meet the mood that is heard, then lead it to a goal over so many minutes.

What is played lies between what is heard and the goal, and nearer to the goal with each second that counts. Nothing
here says what that does to anybody.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

from kelly_live.core.emotion_space import interpolate_states
from kelly_live.core.override import apply_override, has_place
from kelly_live.core.protocols import EmotionOverride
from kelly_live.core.values import NEUTRAL_PROBABILITIES, EmotionState

FAR = 0.75  # of valence and arousal, -1 to 1: what is heard lies so far from what is played that the way waits
NEAR = 0.65  # and goes on; a reading that trembles between the two changes nothing
HEARD_SECONDS = 20.0  # time constant of the average that is called far or near; one reading is no mood
STEPS = 1000  # of a way: the music is mapped anew at each
_ORIGIN = EmotionState(NEUTRAL_PROBABILITIES, 0.0, 0.0, 0.0, 1.0, 0.0)
_SHORT_SECONDS = 120.0
_LONGEST_STEP = 5.0  # s; a machine that was suspended has led nobody


@dataclass(frozen=True, slots=True)
class IsoGoal:
    """Where to lead to, and its name; for how long what is heard is met, then led, in seconds (over 0)."""

    place: EmotionOverride
    name: str
    lead_seconds: float
    meet_seconds: float


class IsoPhase(Enum):
    """Where an iso session is, in words with the goal's name."""

    MEETS = "meets what is heard"
    LEADS = "leads to {}"
    WAITS = "waits on the way to {}"
    ARRIVED = "has led to {}"


@dataclass(frozen=True, slots=True)
class IsoProgress:
    """A goal, the phase, and how many seconds of the way have passed."""

    goal: IsoGoal
    phase: IsoPhase
    seconds: float

    @property
    def phrase(self) -> str:
        """The phase, in words."""
        return self.phase.value.format(self.goal.name)

    def describe(self) -> str:
        """Say the phase and how much of the way has passed.

        In minutes, or for a short way in steps of ten seconds.
        """
        if self.phase is IsoPhase.MEETS:
            return f"{self.phrase}, then leads to {self.goal.name}"
        if self.phase is IsoPhase.ARRIVED:
            return self.phrase
        if self.goal.lead_seconds < _SHORT_SECONDS:
            return f"{self.phrase}: {10.0 * (self.seconds // 10.0):.0f} of {self.goal.lead_seconds:.0f} s"
        return f"{self.phrase}: {self.seconds // 60.0:.0f} of {self.goal.lead_seconds / 60.0:.3g} minutes"


class IsoPrinciple:
    """Moves what is heard towards a goal, before the override acts.

    The way counts from the first reading on. It stands while the override holds the feeling, and it waits while what is
    heard lies far from what is played, in all at most as long as the way itself lasts.

    Threads: `set_goal` and `progress` may be called from any, each swaps one reference; the rest is the conductor's.
    """

    def __init__(self, goal: IsoGoal | None = None) -> None:
        self._goal = goal
        self._progress: IsoProgress | None = None
        self._last = math.inf  # s
        self._restart(goal)

    def set_goal(self, goal: IsoGoal | None) -> None:
        """Lead to another goal from now on, from its meeting on; None: to none."""
        self._goal = goal

    @property
    def progress(self) -> IsoProgress | None:
        """Where the way is; None without a goal, and before the first reading."""
        progress = self._progress
        return progress if progress is not None and progress.goal is self._goal else None

    def advance(self, heard: EmotionState | None, now: float, override: EmotionOverride) -> int:
        """Count the time until `now` (s), and return the step of the way, 0 to STEPS.

        `heard`: the latest reading, None if there is none. Another goal begins with its meeting.
        """
        goal = self._goal
        if goal is not self._current:
            self._restart(goal)
        if goal is None or (heard is None and self._progress is None):
            return 0
        seconds = min(max(0.0, now - self._last), _LONGEST_STEP)
        self._last = now
        if heard is not None:
            self._average_place(heard, seconds)
        if not (override.freeze or has_place(override)):
            self._go_on(goal, seconds)
        self._step = 0 if self._met < goal.meet_seconds else round(STEPS * min(1.0, self._led / goal.lead_seconds))
        self._progress = IsoProgress(goal, self._find_phase(goal), self._led)
        return self._step

    def lead(self, state: EmotionState) -> EmotionState:
        """Return a state as far on the way as the last `advance` said."""
        goal = self._current
        if goal is None or self._step == 0:
            return state
        return interpolate_states(state, apply_override(state, goal.place), self._step / STEPS)

    def _restart(self, goal: IsoGoal | None) -> None:
        self._current = goal
        self._met = self._led = self._waited = 0.0  # s
        self._last = math.inf
        self._waits = False
        self._place: tuple[float, float] | None = None  # valence and arousal that are heard, on the average
        target = None if goal is None else apply_override(_ORIGIN, goal.place)
        self._target = (0.0, 0.0) if target is None else (target.valence, target.arousal)
        self._step = 0
        self._progress = None

    def _average_place(self, heard: EmotionState, seconds: float) -> None:
        valence, arousal = self._place or (heard.valence, heard.arousal)
        share = -math.expm1(-seconds / HEARD_SECONDS)
        self._place = valence + share * (heard.valence - valence), arousal + share * (heard.arousal - arousal)

    def _go_on(self, goal: IsoGoal, seconds: float) -> None:
        """Count these seconds to the meeting, the way or the waiting."""
        if self._met < goal.meet_seconds:
            self._met += seconds
            return
        assert self._place is not None
        distance = self._led / goal.lead_seconds * math.dist(self._place, self._target)
        self._waits = distance > (NEAR if self._waits else FAR) and self._waited < goal.lead_seconds
        if self._waits:
            self._waited += seconds
        else:
            self._led = min(goal.lead_seconds, self._led + seconds)

    def _find_phase(self, goal: IsoGoal) -> IsoPhase:
        if self._met < goal.meet_seconds:
            return IsoPhase.MEETS
        if self._step == STEPS:
            return IsoPhase.ARRIVED
        return IsoPhase.WAITS if self._waits else IsoPhase.LEADS
