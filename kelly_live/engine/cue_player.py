"""Plays the cues of a sheet: GO, back, standby, and the chase of a timecode or a song.

Thread: the console's, for all calls.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from kelly_live.core.actions import Action
from kelly_live.core.errors import ConfigError
from kelly_live.core.protocols import EmotionOverride, Morph
from kelly_live.core.sync_state import KeyEstimate
from kelly_live.core.values import MODES
from kelly_live.engine.cue_source import CueSource, CueStart, Entry

if TYPE_CHECKING:
    from kelly_live.engine.cue_sheet import CueSheet, Leg
    from kelly_live.engine.iso_principle import IsoGoal
    from kelly_live.engine.session import Snapshot
    from kelly_live.mapping.culture import CultureStage

_AT_ONCE_BARS = 1e-9  # a morph must take more than 0


@dataclass(frozen=True, slots=True)
class CueTargets:
    """What a cue changes. `preset` takes a name, `role` a role; they return what to say."""

    set_override: Callable[[EmotionOverride], None]
    preset_names: tuple[str, ...]
    preset_name: Callable[[], str]
    preset: Callable[[str], str | None]
    role: Callable[[str], str | None]
    culture: Callable[[CultureStage | None], None]
    goal: Callable[[IsoGoal | None], None]


class PositionReader(Protocol):
    """Reads where others are: in a timecode (seconds) or in a song (beats). Thread: one."""

    jumps: int

    def read(self, now: float) -> float | None:
        """Return the position at `now`, None while nothing runs; a jump, and a first lock, count in `jumps`."""

    def take_location(self) -> float | None:
        """Return once where they were moved to while nothing runs; None if they were not."""


class CuePlayer:
    """Where a show is. `cultures`: the loaded ones, by the names that the cues give.

    `leader`: leads through the cues that have an `at`.
    `first`: the name of the cue to begin with, for a rehearsal: with all that the cues before it have set.
    Raises ConfigError for a preset that this session has not, or a `first` that the sheet has not.
    """

    def __init__(
        self,
        sheet: CueSheet,
        source: CueSource,
        targets: CueTargets,
        *,
        cultures: Mapping[str, CultureStage],
        leader: PositionReader | None = None,
        first: str | None = None,
    ) -> None:
        for cue in sheet.cues:
            if cue.preset is not None and cue.preset not in targets.preset_names:
                names = ", ".join(targets.preset_names)
                raise ConfigError(f"{cue.where}: this session has no preset {cue.preset[:60]!r}; there are {names}")
        self._sheet, self._source, self._targets = sheet, source, targets
        self._cultures, self._leader = cultures, leader
        self._current: int | None = None
        self._next = 0 if first is None else sheet.find(first)
        self._begins = first is not None
        self._legs: tuple[Leg, ...] = ()  # still to come
        self._morph: Morph | None = None  # the one of the present leg
        self._awaited_start: int | None = None  # of the music, from which the path counts
        self._jumps = 0
        self._song_per_bar: int | None = None  # of the session, and of the song until a cue has a metre
        self._chased: int | None = None

    @property
    def standby(self) -> str:
        """What comes next, in a short line."""
        cues = self._sheet.cues
        if self._next >= len(cues):
            return "standby: no further cue"
        return f"standby {self._next + 1}/{len(cues)}: {cues[self._next].describe()}"

    @property
    def holds_key(self) -> bool:
        """Whether a cue has set the key."""
        return self._source.has_key

    def act(self, action: Action, snapshot: Snapshot) -> str | None:
        """Carry out `go`, `back` or `standby`; return a line to print."""
        if action.name == "standby":
            try:
                self._next = self._sheet.find(str(action.value))
            except ConfigError as error:
                return str(error)
            return None
        number = self._next if action.name == "go" else (self._current or 0) - 1
        if not 0 <= number < len(self._sheet.cues):
            return "there is no further cue" if action.name == "go" else "there is no cue before"
        return self._begin(number, snapshot)

    def update(self, snapshot: Snapshot, now: float) -> list[str]:
        """Go on along a path, and chase the leader; return lines to print."""
        lines = []
        if self._begins:
            self._begins = False
            lines.append(self._begin(self._next, snapshot, entry=Entry.NOW))
        if (line := self._chase(snapshot, now)) is not None:
            lines.append(line)
        if self._awaited_start is not None:
            if self._source.starts < self._awaited_start:
                return lines
            if not self._source.restarts and self._morph is not None:  # the music goes on from where it is
                self._morph = replace(self._morph, start_bar=snapshot.conductor.bars)
            elif snapshot.conductor.bars >= 1.0:
                return lines
            self._awaited_start = None
        morph = self._morph
        if morph is not None and snapshot.conductor.bars >= morph.start_bar + morph.bars and self._legs:
            leg, *rest = self._legs
            self._legs = tuple(rest)
            self._move(leg, snapshot, start_bar=morph.start_bar + morph.bars)
        return lines

    def _chase(self, snapshot: Snapshot, now: float) -> str | None:
        if self._leader is None:
            return None
        position = self._leader.read(now)
        if snapshot.conductor.bpm == 0.0:
            return None  # the music has not begun: its metre is not known
        per_bar = self._song_per_bar = self._song_per_bar or snapshot.conductor.beats_per_bar
        location = self._leader.take_location()
        if location is not None:
            number = self._sheet.find_at(location, per_bar)
            self._next = 0 if number is None else number + (number == self._current)
        if position is None:
            return None  # a leader that stops or is lost lets the music go on
        has_jumped, self._jumps = self._leader.jumps != self._jumps, self._leader.jumps
        number = self._sheet.find_at(position, per_bar)
        if number is None or (number == self._chased and not has_jumped):
            return None
        was_chased, self._chased = self._chased, number
        if has_jumped and number == self._current:
            return None
        if has_jumped and not self._source.restarts:
            return self._begin(number, snapshot, entry=Entry.NOW)  # the band has jumped, too
        is_jump = has_jumped and was_chased is not None
        return self._begin(number, snapshot, entry=Entry.BAR if is_jump else None)

    def _begin(self, number: int, snapshot: Snapshot, *, entry: Entry | None = None) -> str:
        """Begin a cue as it says, or at another `entry`, then without its fade; return a line to print."""
        cue = self._sheet.cues[number]
        self._current, self._next = number, number + 1
        said = [f"cue {number + 1}: {cue.describe()}", *self._set_players(number, snapshot)]
        self._legs, self._morph, self._awaited_start = cue.legs[1:], None, None
        if cue.follows or cue.goal is not None or cue.legs:
            self._targets.goal(cue.goal)
        if cue.follows or cue.goal is not None:
            self._targets.set_override(EmotionOverride())
        elif cue.legs and cue.legs[0].fade is not None and entry is None:
            per_bar = snapshot.conductor.beats_per_bar
            self._move(cue.legs[0], snapshot, start_bar=(snapshot.conductor.beat // 1.0 + 1.0) / per_bar)
        elif cue.legs:
            entry = entry or (Entry.NOW if cue.is_cut else Entry.BEAT)
            metre = self._sheet.find_latest(number, lambda cue: cue.metre)
            self._source.request(CueStart(cue.legs[0].place, entry, metre))
            self._awaited_start = self._source.starts + 1
            # It is there when the music starts again, at bar 0.
            self._morph = Morph(cue.legs[0].place, 0.0, _AT_ONCE_BARS)
        return "; ".join(said)

    def _set_players(self, number: int, snapshot: Snapshot) -> list[str]:
        """Set what this cue and those before it say of preset, culture, key and role."""
        targets, said = self._targets, list[str | None]()
        preset = self._sheet.find_latest(number, lambda cue: cue.preset)
        if preset is not None and preset != targets.preset_name():
            said.append(targets.preset(preset))
        role = self._sheet.find_latest(number, lambda cue: cue.role)
        if role is not None and role != snapshot.conductor.role:
            said.append(targets.role(role))
        if (culture := self._sheet.find_latest(number, lambda cue: cue.culture)) is not None:
            targets.culture(self._cultures.get(culture))
        key = self._sheet.find_latest(number, lambda cue: cue.key)
        if key is not None:
            mode = snapshot.conductor.mode if snapshot.conductor.mode in MODES else MODES[0]
            self._source.set_key(KeyEstimate(key.tonic, key.mode or mode, 1.0))
        return [line for line in said if line]

    def _move(self, leg: Leg, snapshot: Snapshot, *, start_bar: float) -> None:
        """Move to a place from what is played, from a bar on."""
        music = snapshot.conductor
        bars = _AT_ONCE_BARS if leg.fade is None else leg.fade.count_bars(music.beats_per_bar * 60.0 / music.bpm)
        self._morph = Morph(leg.place, start_bar, bars, snapshot.reading.state)
        self._targets.set_override(EmotionOverride(morph=self._morph))
