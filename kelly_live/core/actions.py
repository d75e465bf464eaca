"""What a performer can do while it plays: one table, and the hand that carries it out.

Keys, MIDI controls, and whatever else a performer holds, all become an `Action`; `Hand` applies it. What an action does
to the steering is a pure function (`steered`); the rest goes to callbacks. Thread: the main one, for all calls.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from kelly_live.core.errors import ConfigError
from kelly_live.core.override import nudge_axis, set_axis
from kelly_live.core.protocols import EmotionOverride, Morph
from kelly_live.core.values import EMOTIONS, EmotionState

if TYPE_CHECKING:
    from kelly_live.core.protocols import Reading
    from kelly_live.engine.session import Snapshot

MORPH_BARS = 8.0
AXES = ("valence", "arousal", "dominance")


class Takes(Enum):
    """The value that an action comes with."""

    NOTHING = "nothing"
    SWITCH = "on or off; nothing turns it over"
    PLACE = "a number from -1 to 1"
    STEP = "a step from -2 to 2"
    EMOTION = "an emotion's name"


@dataclass(frozen=True, slots=True)
class Kind:
    """One row of the table."""

    description: str
    takes: Takes = Takes.NOTHING


# What may be said of the music; profiles/reaction.py learns from these words.
REACTIONS: dict[str, str] = {
    "like": "I like this",
    "dislike": "I do not like this",
    "more-like-this": "more like this, please",
    "too-fast": "this is too fast",
    "too-slow": "this is too slow",
    "too-dark": "this is too dark",
    "too-bright": "this is too bright",
    "too-busy": "this is too busy",
    "too-sparse": "this is too sparse",
    "too-loud": "this is too loud",
    "too-soft": "this is too soft",
}

ACTIONS: dict[str, Kind] = {
    "freeze": Kind("hold what was heard, or follow it again", Takes.SWITCH),
    "let-go": Kind("let go of everything: follow what is heard"),
    "panic": Kind("end every note now; play on at the next bar"),
    **{axis: Kind(f"hold {axis} there", Takes.PLACE) for axis in AXES},
    **{f"nudge-{axis}": Kind(f"move {axis} by a step, and hold it", Takes.STEP) for axis in AXES},
    "emotion": Kind("play this emotion", Takes.EMOTION),
    "morph": Kind(f"lead over to this emotion in {MORPH_BARS:.0f} bars from the next bar line", Takes.EMOTION),
    "next-preset": Kind("the next host preset"),
    "previous-preset": Kind("the host preset before"),
    "next-profile": Kind("play for the next profile"),
    **{word: Kind(said) for word, said in REACTIONS.items()},
    "help": Kind("list the keys"),
    "quit": Kind("end"),
}

Value: TypeAlias = "float | str | bool | None"


@dataclass(frozen=True, slots=True)
class Action:
    """Something that the performer does: a name of ACTIONS, and the value that it takes. Raises ConfigError."""

    name: str
    value: Value = None

    def __post_init__(self) -> None:
        kind = ACTIONS.get(self.name)
        if kind is None:
            raise ConfigError(f"no action is called {self.name[:40]!r}; it must be one of {', '.join(ACTIONS)}")
        if not _fits(self.value, kind.takes):
            raise ConfigError(f"{self.name} comes with {self.value!r}; it takes {_wanted(kind.takes)}")

    def __str__(self) -> str:
        return self.name if self.value is None else f"{self.name} {_shown(self.value)}"


def parsed(name: str, text: str | None) -> Action:
    """An action as it is written down: `parsed("valence", "0.5")`. Raises ConfigError."""
    kind, value = ACTIONS.get(name), None if text is None else text.strip().lower()
    if kind is None or value is None or kind.takes is Takes.EMOTION:
        return Action(name, value)
    if kind.takes is Takes.SWITCH and value in ("on", "off"):
        return Action(name, value == "on")
    try:
        return Action(name, float(value))
    except ValueError:
        return Action(name, value)  # which says what it takes


def apply_action(action: Action, steering: EmotionOverride, shown: EmotionState, bars: float) -> EmotionOverride:
    """What becomes of the steering while `shown` is felt, `bars` into the music; the same where it is not about that.

    A morph leaves from what is shown, at the next bar line.
    """
    name, value = action.name, action.value
    if name == "freeze":
        return replace(steering, freeze=not steering.freeze if value is None else bool(value))
    if name == "let-go":
        return EmotionOverride()
    if name in AXES and isinstance(value, float | int):
        return set_axis(steering, shown, **{name: float(value)})
    if name.startswith("nudge-") and isinstance(value, float | int):
        return nudge_axis(steering, shown, **{name.removeprefix("nudge-"): float(value)})
    if name == "emotion":
        return EmotionOverride(emotion=str(value), freeze=steering.freeze)
    if name == "morph":
        morph = Morph(EmotionOverride(emotion=str(value)), float(math.floor(bars) + 1), MORPH_BARS, shown)
        return replace(steering, morph=morph)
    return steering


@dataclass(frozen=True, slots=True)
class ActionTargets:
    """What the hand reaches. A callback may return a line to show; one that is None is not there in this session.

    `preset` and `profile` are told how many to go on (1 or -1); `log` hears every action, with where it came from.
    """

    steer: Callable[[EmotionOverride], None]
    panic: Callable[[], str | None] | None = None
    preset: Callable[[int], str | None] | None = None
    profile: Callable[[int], str | None] | None = None
    reaction: Callable[[str, Snapshot], str | None] | None = None
    help: Callable[[], str | None] | None = None
    quit: Callable[[], str | None] | None = None
    log: Callable[[Action, str, Snapshot], None] | None = None


class ActionDispatcher:
    """The performer's hand: applies actions to the steering that it holds, and to what it reaches."""

    def __init__(self, steering: EmotionOverride, reach: ActionTargets) -> None:
        self.steering = steering
        self._reach = reach
        self._said: dict[str, Reading] = {}  # of each reaction, what it was said of

    def apply(self, action: Action, snapshot: Snapshot, source: str) -> str | None:
        """Do it, while `snapshot` is shown; `source` says where it came from ("key", "midi"). What to tell, if
        anything.
        """
        reach, name = self._reach, action.name
        if name in REACTIONS:
            before, self._said[name] = self._said.get(name), snapshot.reading
            if before is snapshot.reading:  # a key that is held down says it again and again of the same quarter second
                return None
        if reach.log is not None:
            reach.log(action, source, snapshot)
        do: Callable[[], str | None] | None
        if name in REACTIONS:
            do = reach.reaction and partial(reach.reaction, name, snapshot)
        elif name in ("next-preset", "previous-preset"):
            do = reach.preset and partial(reach.preset, 1 if name == "next-preset" else -1)
        elif name == "next-profile":
            do = reach.profile and partial(reach.profile, 1)
        elif name in ("panic", "help", "quit"):
            do = getattr(reach, name)
        else:
            steering = apply_action(action, self.steering, snapshot.reading.state, snapshot.conductor.bars)
            if steering != self.steering:
                self.steering = steering
                reach.steer(steering)
            return None
        return f"{name}: not in this session" if do is None else do()

    def place(self, axis: str, shown: EmotionState) -> float:
        """Where an axis stands: as the hand holds it, else as it is shown."""
        number = getattr(self.steering, axis)
        free = number is None or self.steering.morph is not None
        return float(getattr(shown, axis) if free else number)


def _fits(value: Value, takes: Takes) -> bool:
    if takes is Takes.NOTHING:
        return value is None
    if takes is Takes.SWITCH:
        return value is None or isinstance(value, bool)
    if takes is Takes.EMOTION:
        return value in EMOTIONS
    most = 1.0 if takes is Takes.PLACE else 2.0
    return isinstance(value, float | int) and not isinstance(value, bool) and -most <= value <= most


def _wanted(takes: Takes) -> str:
    return f"one of {', '.join(EMOTIONS)}" if takes is Takes.EMOTION else takes.value


def _shown(value: Value) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return value if isinstance(value, str) else f"{value:+.2f}"
