"""The actions of a performer: their names, values and help, and what each does to the override.

Keys, MIDI controls, OSC and programs all create an `Action`; `engine/actions.py` carries it out.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from enum import Enum
from typing import TypeAlias

from kelly_live.core.band_roles import ROLES
from kelly_live.core.errors import ConfigError
from kelly_live.core.locks import LOCKS
from kelly_live.core.numbers import parse_number, quote_value
from kelly_live.core.override import nudge_axis, set_axis
from kelly_live.core.protocols import EmotionOverride, Morph
from kelly_live.core.values import EMOTIONS, EmotionState

MORPH_BARS = 8.0
AXES = ("valence", "arousal", "dominance")
MAX_SETTING = 200  # characters
MAX_PATH, MAX_PLACES, MAX_PATH_BARS = 500, 32, 128.0  # characters, places, bars
_NAME = re.compile(r"[a-z0-9-]{1,48}", re.ASCII)
_SETTING = re.compile(r"[^=]*[^=.]\.[^=.]+=.*\S.*")


class Takes(Enum):
    """The value that an action takes."""

    NOTHING = "nothing"
    SWITCH = "on or off; nothing turns it over"
    PLACE = "a number from -1 to 1"
    STEP = "a step from -2 to 2"
    EMOTION = "an emotion's name"
    ROLE = "a role of the band; nothing takes the next one"
    NAME = "a name of a-z, 0-9 and hyphens"
    SETTING = "PLAYER.PARAMETER=VALUE, with the VALUE that --set takes, or a part of its range, as 50%"
    PLAYER_SWITCH = "PLAYER, which turns it over, or PLAYER=on or PLAYER=off"
    PLAYER_LEVEL = "PLAYER=LEVEL, a LEVEL from 0 to 1, or as 50%"
    CULTURE = "a tradition's NAME or NAME:MODE, or none"
    SHARE = "a number from 0 to 1"
    FOLLOWED = "tempo, key, chords or dynamics, several with commas between, all, or none"
    PATH = "BARS and places as VALENCE,AROUSAL from -1 to 1: 8 -0.5,-0.2 0,0.4 0.8,0.6"
    LOCK = f"one of {', '.join(LOCKS)}, which turns it over, or as tempo=on or tempo=off"


@dataclass(frozen=True, slots=True)
class Kind:
    """One row of the table."""

    description: str
    takes: Takes = Takes.NOTHING


# The reactions to the music; profiles/reaction.py turns them into targets.
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
    "let-go": Kind("release everything: follow what is heard"),
    "panic": Kind("end every note now; play on at the next bar"),
    **{axis: Kind(f"hold {axis} there", Takes.PLACE) for axis in AXES},
    **{f"nudge-{axis}": Kind(f"move {axis} by a step, and hold it", Takes.STEP) for axis in AXES},
    "emotion": Kind("play this emotion", Takes.EMOTION),
    "morph": Kind(f"morph to this emotion over {MORPH_BARS:.0f} bars from the next bar line", Takes.EMOTION),
    "path": Kind("morph along these places of the plane, over so many bars from the next bar line", Takes.PATH),
    "preset": Kind("this host preset of the session's", Takes.NAME),
    "go": Kind("begin the next cue"),
    "back": Kind("begin the cue before"),
    "standby": Kind("let this cue be the next one", Takes.NAME),
    "next-preset": Kind("the next host preset"),
    "previous-preset": Kind("the host preset before"),
    "next-profile": Kind("play for the next profile"),
    "role": Kind("take this role from the next bar on", Takes.ROLE),
    "follow": Kind("follow this of the player from the next bar on", Takes.FOLLOWED),
    "culture": Kind("play as in this tradition from the next phrase on", Takes.CULTURE),
    "culture-strength": Kind("how closely the tradition is followed", Takes.SHARE),
    "set": Kind("set a parameter of a player, or of an effect: PLAYER.EFFECT.PARAMETER", Takes.SETTING),
    "mute": Kind("mute a player, or let it be heard again", Takes.PLAYER_SWITCH),
    "solo": Kind("hear this player alone (and others that are solo), or all again", Takes.PLAYER_SWITCH),
    "level": Kind("how loud a player is: its velocities are multiplied by it", Takes.PLAYER_LEVEL),
    "lock": Kind("hold a musical parameter where it is now, or let it follow the feeling again", Takes.LOCK),
    "parameters": Kind("list the players' parameters and their values"),
    "save-preset": Kind("write the players, as they play now, as a host preset of this name", Takes.NAME),
    **{word: Kind(sentence) for word, sentence in REACTIONS.items()},
    "undo-reaction": Kind("take the last reaction of this session back"),
    "record": Kind("record from this bar on, or end the recording", Takes.SWITCH),
    "keep": Kind("keep all that was played since the start, as a recording"),
    "help": Kind("list the keys"),
    "quit": Kind("end"),
}

_PLAYERS = (Takes.SETTING, Takes.PLAYER_SWITCH, Takes.PLAYER_LEVEL)
_FREE_TEXTS = (Takes.CULTURE, Takes.FOLLOWED)  # what carries them out says what is wrong in them
_TEXTS = (Takes.EMOTION, Takes.ROLE, Takes.NAME, Takes.LOCK, Takes.PATH, Takes.NOTHING, *_FREE_TEXTS)
_CHECKED = (Takes.PLAYER_SWITCH, Takes.PLAYER_LEVEL, Takes.LOCK, Takes.PATH)  # by what reads them
_SWITCHES = {"on": True, "off": False}

Value: TypeAlias = "float | str | bool | None"


@dataclass(frozen=True, slots=True)
class Action:
    """An action of the performer: a name of ACTIONS and its value. Raises ConfigError."""

    name: str
    value: Value = None

    def __post_init__(self) -> None:
        kind = ACTIONS.get(self.name)
        if kind is None:
            raise ConfigError(f"no action is called {self.name[:40]!r}; it must be one of {', '.join(ACTIONS)}")
        if not _fits(self.value, kind.takes):
            raise ConfigError(_describe_misfit(self.name, self.value, kind.takes))

    def __str__(self) -> str:
        return self.name if self.value is None else f"{self.name} {_format_value(self.value)}"


def parse_action(name: str, text: str | None) -> Action:
    """Parse an action as it is written: `parse_action("valence", "0.5")`. Raises ConfigError."""
    kind = ACTIONS.get(name)
    if text is not None and names_player(name):
        return Action(name, text.strip())  # a player may have capital letters
    value = None if text is None else text.strip().lower()
    if kind is None or value is None or kind.takes in _TEXTS:
        return Action(name, value)
    if kind.takes is Takes.SWITCH and value in ("on", "off"):
        return Action(name, value == "on")
    number = parse_number(value)
    return Action(name, value if math.isnan(number) else number)  # text says what the action takes


def names_player(name: str) -> bool:
    """Return whether an action's value names a player, whose name may have capital letters."""
    return name in ACTIONS and ACTIONS[name].takes in _PLAYERS


def takes_position(name: str) -> bool:
    """Return whether a knob or fader can give an action its value: `format_setting` writes it."""
    return name in ACTIONS and ACTIONS[name].takes in (Takes.SETTING, Takes.PLAYER_LEVEL)


def format_setting(place: str, position: float) -> str:
    """Return the value of `set` or `level` that puts PLAYER.PARAMETER or PLAYER at a position of its range, 0 to 1."""
    return f"{place}={100.0 * position:.6g}%"


def parse_switch(text: str) -> tuple[str, bool | None]:
    """Read `bass`, `bass=on` or `bass=off`; None turns it over. Raises ConfigError."""
    name, equals, state = (part.strip() for part in text.partition("="))
    if not name or (equals and state.lower() not in _SWITCHES):
        raise ConfigError(f"{quote_value(text)} is no switch; it must be a name, or a name with =on or =off")
    return name, _SWITCHES[state.lower()] if equals else None


def parse_level(text: str) -> tuple[str, float]:
    """Read `bass=0.5` or `bass=50%`, from 0 to 1. Raises ConfigError."""
    name, _, number = (part.strip() for part in text.partition("="))
    level = parse_number(number.removesuffix("%")) / (100.0 if number.endswith("%") else 1.0)
    if not (name and 0.0 <= level <= 1.0):
        raise ConfigError(f"{quote_value(text)} is no level; it must be a name, =, and a number from 0 to 1")
    return name, level


def parse_path(text: str) -> tuple[float, tuple[tuple[float, float], ...]]:
    """Read `8 -0.5,-0.2 0,0.4`: bars, and 1 to MAX_PLACES places (valence, arousal). Raises ConfigError."""
    first, *rest = text.split() or [""]
    bars, places = parse_number(first), tuple(tuple(map(parse_number, place.split(","))) for place in rest)
    has_bars, has_places = 0.0 < bars <= MAX_PATH_BARS, 1 <= len(places) <= MAX_PLACES
    if not (has_bars and has_places and all(len(p) == 2 and all(-1.0 <= x <= 1.0 for x in p) for p in places)):
        raise ConfigError(
            f"{quote_value(text)} is no path; it must be bars, {MAX_PATH_BARS:g} at most, and 1 to {MAX_PLACES} places "
            "as VALENCE,AROUSAL from -1 to 1"
        )
    return bars, tuple((place[0], place[1]) for place in places)


def apply_action(action: Action, override: EmotionOverride, state: EmotionState, bars: float) -> EmotionOverride:
    """Return the override after an action, while `state` is played, `bars` into the music.

    Actions that do not change the override return it as it is. A morph starts at the next bar line, from `state`.
    """
    name, value = action.name, action.value
    if name == "freeze":
        return replace(override, freeze=not override.freeze if value is None else bool(value))
    if name == "let-go":
        return EmotionOverride()
    if name in AXES and isinstance(value, float | int):
        return set_axis(override, state, **{name: float(value)})
    if name.startswith("nudge-") and isinstance(value, float | int):
        return nudge_axis(override, state, **{name.removeprefix("nudge-"): float(value)})
    if name == "emotion":
        return EmotionOverride(emotion=str(value), freeze=override.freeze)
    if name == "morph":
        morph = Morph(EmotionOverride(emotion=str(value)), float(math.floor(bars) + 1), MORPH_BARS, state)
        return replace(override, morph=morph)
    if name == "path":
        bars_long, places = parse_path(str(value))
        (valence, arousal), start = places[-1], float(math.floor(bars) + 1)
        target = EmotionOverride(valence=valence, arousal=arousal)
        return replace(override, morph=Morph(target, start, bars_long, state, places[:-1]))
    return override


def _fits(value: Value, takes: Takes) -> bool:
    if takes is Takes.NOTHING:
        return value is None
    if takes is Takes.SWITCH:
        return value is None or isinstance(value, bool)
    if takes is Takes.EMOTION:
        return value in EMOTIONS
    if takes is Takes.ROLE:
        return value is None or value in ROLES
    if takes is Takes.SETTING:
        is_short = isinstance(value, str) and len(value) <= MAX_SETTING and value.isprintable()
        return is_short and _SETTING.fullmatch(str(value)) is not None
    if takes in _CHECKED:
        longest = MAX_PATH if takes is Takes.PATH else MAX_SETTING
        return isinstance(value, str) and len(value) <= longest and value.isprintable() and _parses(value, takes)
    if takes is Takes.NAME:
        return isinstance(value, str) and _NAME.fullmatch(value) is not None
    if takes in _FREE_TEXTS:
        return isinstance(value, str) and 0 < len(value) <= MAX_SETTING and value.isprintable()
    least, most = {Takes.PLACE: (-1.0, 1.0), Takes.SHARE: (0.0, 1.0)}.get(takes, (-2.0, 2.0))
    return isinstance(value, float | int) and not isinstance(value, bool) and least <= value <= most


def _parses(text: str, takes: Takes) -> bool:
    parse = {Takes.PLAYER_LEVEL: parse_level, Takes.PATH: parse_path}.get(takes, parse_switch)
    try:
        first = parse(text)[0]
    except ConfigError:
        return False
    return takes is not Takes.LOCK or first in LOCKS


def _describe_misfit(name: str, value: Value, takes: Takes) -> str:
    rule = _describe_value(takes)
    if value is None:
        return f"{name} lacks its value; it takes {rule}"
    return f"{name} is given {quote_value(value)}; it takes {rule}"


def _describe_value(takes: Takes) -> str:
    if takes is Takes.ROLE:
        return f"one of {', '.join(ROLES)}, or nothing for the next one"
    return f"one of {', '.join(EMOTIONS)}" if takes is Takes.EMOTION else takes.value


def _format_value(value: Value) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return value if isinstance(value, str) else f"{value:+.2f}"
