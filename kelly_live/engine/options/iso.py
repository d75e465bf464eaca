"""An iso session: where it leads to, and how long it meets and leads."""

from __future__ import annotations

from dataclasses import dataclass

from kelly_live.core.protocols import EmotionOverride
from kelly_live.engine.iso_principle import IsoGoal
from kelly_live.engine.options.metadata import check_options, option
from kelly_live.engine.options.override import format_target, parse_target

GOAL_MINUTES, MEET_MINUTES = 20.0, 2.0
MAX_GOAL_MINUTES, MAX_MEET_MINUTES = 240.0, 60.0


@dataclass(frozen=True, slots=True)
class IsoOptions:
    """Meet the mood that is heard, then lead it to `goal`, a place; None: no goal. Raises ConfigError."""

    goal: EmotionOverride | None = option(
        "--goal",
        metavar="PLACE",
        parse=parse_target,
        format=format_target,
        help="Meet the mood that is heard, then lead it there: calm, an emotion, or V,A or V,A,D.",
    )
    goal_minutes: float = option(
        "--goal-minutes",
        kind=float,
        default=GOAL_MINUTES,
        minimum=0.1,
        maximum=MAX_GOAL_MINUTES,
        default_note=None,
        help="How many minutes the way to --goal takes.",
    )
    meet_minutes: float = option(
        "--meet-minutes",
        kind=float,
        default=MEET_MINUTES,
        minimum=0.0,
        maximum=MAX_MEET_MINUTES,
        default_note=None,
        help="For how many minutes what is heard is followed before it is led.",
    )

    def __post_init__(self) -> None:
        check_options(self)

    def build_goal(self) -> IsoGoal | None:
        """Return the goal that these settings mean."""
        return None if self.goal is None else create_goal(self.goal, self.goal_minutes, self.meet_minutes)


def create_goal(place: EmotionOverride, goal_minutes: float, meet_minutes: float) -> IsoGoal:
    """Create a goal that has its place's name."""
    return IsoGoal(place, format_target(place), 60.0 * goal_minutes, 60.0 * meet_minutes)
