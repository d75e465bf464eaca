"""A cue sheet: what a session plays from one GO to the next, read from a YAML file.

    format: 1
    cues:
      - name: overture
        place: -0.2,-0.4
      - name: storm
        path: [{place: fearful, fade: 4 bars}, {place: angry, fade: 8 bars}]
        preset: film
      - name: silence-after
        place: sad
        cut: yes

docs/cues.md documents the fields.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from kelly_live.core.band_roles import ROLES
from kelly_live.core.errors import ConfigError
from kelly_live.core.numbers import parse_number, parse_time
from kelly_live.core.protocols import EmotionOverride
from kelly_live.core.safe_yaml import Node, read_nodes
from kelly_live.engine.iso_principle import IsoGoal
from kelly_live.engine.options.iso import GOAL_MINUTES, MEET_MINUTES, create_goal
from kelly_live.engine.options.override import format_target, parse_target
from kelly_live.engine.options.piece import FixedKey, parse_metre

_T = TypeVar("_T")

FORMAT = 1
MAX_CUES, MAX_LEGS = 1000, 100
MAX_FADE_BARS, MAX_FADE_SECONDS = 1000.0, 14_400.0
_EARLY_BEATS = 0.5  # before the beat on which a cue is to be heard
_FIELDS = ("place", "path", "follow", "goal", "fade", "meet", "cut", "preset", "culture", "key", "metre", "role", "at")
_NAME = re.compile(r"[a-z0-9-]{1,48}", re.ASCII)
_FADE = re.compile(r"([\d.]{1,12})\s*(bars?|s|seconds?|min|minutes?)", re.ASCII)
_WAYS = ("place", "path", "follow", "goal")
_SONG_BAR = re.compile(r"bar ([1-9]\d{0,3})(?: beat ([1-9]\d?))?", re.ASCII)
_SWITCHES = {"yes": True, "no": False, "true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Fade:
    """How long a move takes: `length` bars, or seconds."""

    length: float
    is_in_seconds: bool = False

    def count_bars(self, bar_seconds: float) -> float:
        """Return its length in bars of so many seconds."""
        return self.length / bar_seconds if self.is_in_seconds else self.length

    def __str__(self) -> str:
        if self.is_in_seconds:
            return f"{self.length / 60.0:g} min" if self.length % 60.0 == 0.0 else f"{self.length:g} s"
        return f"{self.length:g} bar{'s' * (self.length != 1.0)}"


@dataclass(frozen=True, slots=True, order=True)
class SongBar:
    """A place in a song: a bar and a beat of it, both from 1."""

    bar: int
    beat: int = 1

    def __str__(self) -> str:
        return f"bar {self.bar}" + f" beat {self.beat}" * (self.beat > 1)


@dataclass(frozen=True, slots=True)
class Leg:
    """A place to go to, and how long that takes; None: at once."""

    place: EmotionOverride
    fade: Fade | None = None


@dataclass(frozen=True, slots=True)
class Cue:
    """A cue; what is None stays as it is.

    `legs`: the places it leads to, in order; () with `follows`: what is heard, which is led to a `goal` where there is
    one. `is_cut`: it begins at once, not on the next beat. `key`, `preset`, `culture` (NAME or NAME:MODE) and `role` as
    the options of these names. `at`: where it begins, in a timecode (seconds) or in a song. `where`: its place in the
    file, for messages.
    """

    name: str
    legs: tuple[Leg, ...] = ()
    follows: bool = False
    is_cut: bool = False
    preset: str | None = None
    culture: str | None = None
    key: FixedKey | None = None
    role: str | None = None
    at: float | SongBar | None = None
    where: str = ""
    goal: IsoGoal | None = None
    metre: int | None = None  # beats a bar

    @property
    def fade(self) -> Fade | None:
        """How long the way to its first place takes; None: at once."""
        return self.legs[0].fade if self.legs else None

    def describe(self) -> str:
        """Say what it is in a short line."""
        goal = "follows what is heard" if self.follows else format_target(self.legs[-1].place) if self.legs else ""
        if self.goal is not None:
            goal = f"meets what is heard, leads to {self.goal.name} in {Fade(self.goal.lead_seconds, True)}"
        way = "cut" if self.is_cut else f"in {self.fade}" if self.fade is not None else ""
        metre = None if self.metre is None else f"{self.metre}/4"
        more = (goal, way, self.preset, self.culture, None if self.key is None else str(self.key), metre, self.role)
        return ", ".join([self.name, *(text for text in more if text)])


@dataclass(frozen=True, slots=True)
class CueSheet:
    """The cues of a show, in order; each name once. All that have an `at` have the same kind of it."""

    cues: tuple[Cue, ...]
    file: str = ""

    def find(self, name: str) -> int:
        """Return the number of a cue, from 0. Raises ConfigError."""
        for number, cue in enumerate(self.cues):
            if cue.name == name:
                return number
        names = ", ".join(cue.name for cue in self.cues[:20])
        raise ConfigError(f"no cue is called {name[:48]!r}; there are {names}{', …' * (len(self.cues) > 20)}")

    @property
    def counts_bars(self) -> bool:
        """Whether its cues begin at bars of a song, not at times."""
        return any(isinstance(cue.at, SongBar) for cue in self.cues)

    def find_at(self, position: float, beats_per_bar: int = 4) -> int | None:
        """Return the number of the cue that a `position` is in; None before the first.

        A position is a timecode (s), or a place in a song (beats from 0). In a song a cue begins half a beat early, so
        that it is heard on its beat; not one that cuts. Its bars have `beats_per_bar` beats until a cue has a metre.
        """
        found, bar, bar_beat = None, 1, 0  # the bar in which the metre changed last
        for number, cue in enumerate(self.cues):
            if isinstance(cue.at, SongBar):
                bar, bar_beat = cue.at.bar, bar_beat + (cue.at.bar - bar) * beats_per_bar
                begins = bar_beat + cue.at.beat - 1 - (0.0 if cue.is_cut else _EARLY_BEATS)
                beats_per_bar = cue.metre or beats_per_bar
            else:
                begins = math.inf if cue.at is None else cue.at
            found = number if begins <= position else found
        return found

    def find_latest(self, number: int, read: Callable[[Cue], _T | None]) -> _T | None:
        """Return what `read` finds in a cue or the nearest before it; None if it finds nothing."""
        values = map(read, reversed(self.cues[: number + 1]))
        return next((value for value in values if value is not None), None)


def load_cue_sheet(path: Path) -> CueSheet:
    """Read a cue sheet. Raises ConfigError naming file, line, field, the rule and what to write."""
    return read_cue_sheet(read_nodes(path))


def read_cue_sheet(root: Node) -> CueSheet:
    """Read a cue sheet from its nodes. Raises ConfigError naming file, line and field."""
    fields = root.as_fields(("format", "cues"))
    fields["format"].as_int(FORMAT, FORMAT)
    nodes = fields["cues"].as_list()
    if not 1 <= len(nodes) <= MAX_CUES:
        fields["cues"].fail(f"has {len(nodes)} cues; it must have 1 to {MAX_CUES}")
    cues: list[Cue] = []
    names: set[str] = set()
    for node in nodes:
        cue = _read_cue(node)
        if cue.name in names:
            node.as_map()["name"].fail(f"is {cue.name!r}, as an earlier cue is; give each a name of its own")
        names.add(cue.name)
        cues.append(cue)
    _check_times(nodes, cues)
    return CueSheet(tuple(cues), root.file)


def _check_times(nodes: Sequence[Node], cues: Sequence[Cue]) -> None:
    latest: float | SongBar | None = None
    for node, cue in zip(nodes, cues, strict=True):
        if cue.at is None:
            continue
        field = node.as_map()["at"]
        if isinstance(cue.at, SongBar) != isinstance(latest or cue.at, SongBar):
            field.fail("is not of the kind of the cue before; give all of them a bar, or all of them a time")
        if latest is not None and cue.at <= latest:  # type: ignore[operator]
            field.fail("is not later than that of the cue before; put the cues in order of time")
        latest = cue.at


def _read_cue(node: Node) -> Cue:
    fields = node.as_fields(("name",), _FIELDS)
    name = fields["name"].as_text(48)
    if not _NAME.fullmatch(name):
        fields["name"].fail("must be of a-z, 0-9 and hyphens, 48 at most, as `storm-2`")
    ways = [way for way in _WAYS if way in fields]
    if len(ways) > 1:
        fields[ways[1]].fail(f"does not go together with {ways[0]}; give one of place, path, follow and goal")
    if len(fields) == 1:
        node.fail("does nothing; give it a place, a path, follow, a goal, preset, culture, key or role")
    follows = "follow" in fields and _read_switch(fields["follow"])
    is_cut = "cut" in fields and _read_switch(fields["cut"])
    fade = _read_fade(fields["fade"]) if "fade" in fields else None
    if fade is not None and (ways not in (["place"], ["goal"]) or is_cut):
        fields["fade"].fail("is for a cue with a place or a goal, without a cut; a path has one in each of its places")
    if "meet" in fields and "goal" not in fields:
        fields["meet"].fail("is for a cue with a goal: for how long what is heard is followed before it is led")
    legs = _read_path(fields["path"]) if "path" in fields else ()
    if "place" in fields:
        legs = (Leg(_parse(fields["place"], parse_target), fade),)
    if is_cut and legs and legs[0].fade is not None:
        fields["cut"].fail("begins at once; leave out the fade of the first place")
    starts_music = bool(legs) and legs[0].fade is None
    if "metre" in fields and not starts_music:
        fields["metre"].fail(
            "is for a cue that starts the music again: with a place or a path, without a fade at first"
        )
    return Cue(
        name, legs, follows, is_cut,
        preset=fields["preset"].as_text(100) if "preset" in fields else None,
        culture=fields["culture"].as_text(100) if "culture" in fields else None,
        key=_parse(fields["key"], FixedKey.parse) if "key" in fields else None,
        role=_read_role(fields["role"]) if "role" in fields else None,
        at=_read_at(fields["at"]) if "at" in fields else None,
        where=f"{node.file} line {node.line}",
        goal=_read_goal(fields) if "goal" in fields else None,
        metre=_parse(fields["metre"], parse_metre) if "metre" in fields else None,
    )  # fmt: skip


def _read_path(node: Node) -> tuple[Leg, ...]:
    nodes = node.as_list()
    if not 1 <= len(nodes) <= MAX_LEGS:
        node.fail(f"has {len(nodes)} places; it must have 1 to {MAX_LEGS}")
    legs = []
    for number, one in enumerate(nodes):
        fields = one.as_fields(("place",), ("fade",))
        if number and "fade" not in fields:
            one.fail("lacks `fade`; each place of a path but the first must say how long the way there takes")
        legs.append(
            Leg(_parse(fields["place"], parse_target), _read_fade(fields["fade"]) if "fade" in fields else None)
        )
    return tuple(legs)


def _read_goal(fields: Mapping[str, Node]) -> IsoGoal:
    minutes = {"fade": GOAL_MINUTES, "meet": MEET_MINUTES}
    for name in minutes.keys() & fields.keys():
        fade = _read_fade(fields[name])
        if not fade.is_in_seconds:
            fields[name].fail(f"is {fields[name].describe()}; a goal counts in time: write `20 minutes` or `90 s`")
        minutes[name] = fade.length / 60.0
    return create_goal(_parse(fields["goal"], parse_target), minutes["fade"], minutes["meet"])


def _parse(node: Node, parse: Callable[[str], _T]) -> _T:
    """Parse a node's text by a function that does not know of files."""
    text = node.as_text(60)
    try:
        return parse(text)
    except ConfigError as error:
        return node.fail(f"does not fit: {error}")


def _read_role(node: Node) -> str:
    role = node.as_text(20)
    return role if role in ROLES else node.fail(f"is {node.describe()}; it must be one of {', '.join(ROLES)}")


def _read_switch(node: Node) -> bool:
    value = _SWITCHES.get(node.value.lower()) if isinstance(node.value, str) else None
    return node.fail(f"is {node.describe()}; it must be yes or no") if value is None else value


def _read_fade(node: Node) -> Fade:
    match = _FADE.fullmatch(node.as_text(40))
    length = math.nan if match is None else parse_number(match[1])
    is_in_seconds = match is not None and match[2].startswith(("s", "m"))
    if match is not None and match[2].startswith("m"):
        length *= 60.0
    most = MAX_FADE_SECONDS if is_in_seconds else MAX_FADE_BARS
    if not 0.0 < length <= most:
        rule = f"over 0, {MAX_FADE_BARS:g} bars or {MAX_FADE_SECONDS / 60.0:g} minutes at most"
        node.fail(f"is {node.describe()}; write it as `4 bars`, `6 s` or `20 minutes`, {rule}")
    return Fade(length, is_in_seconds)


def _read_at(node: Node) -> float | SongBar:
    text = node.as_text(40)
    if (match := _SONG_BAR.fullmatch(text)) is not None:
        return SongBar(int(match[1]), int(match[2] or 1))
    seconds = parse_time(text)
    if not 0.0 <= seconds < 24 * 3600.0:
        node.fail(f"is {node.describe()}; write it as 83.5, 1:23.5 or 0:01:23.5, under 24 hours, or as `bar 17 beat 3`")
    return seconds
