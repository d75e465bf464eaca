"""How a note sounds at its own pitch: which channel and key it takes, and what must be said before it.

Four ways (`TUNINGS`). `off`: the nearest key of 12-TET. `bend`: each part borrows channels that stand bent. `mpe`: one
zone, a channel a note. `mts`: each channel has a tuning program, whose keys are moved one by one. Drums (channel 10)
are never moved. What sounds, or was released under RING_SECONDS ago, never changes its pitch: where no channel is
rested, a note takes the one that stands nearest to it, its part's own at 12-TET included. Pure: no clock, no port.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from kelly_live.core.commands import Tuning
from kelly_live.core.midi_messages import (
    BEND_CENTRE,
    KEY_UNITS,
    RPN_BEND_RANGE,
    RPN_MPE_ZONE,
    RPN_TUNING_PROGRAM,
    all_notes_off,
    bend_to,
    key_tunings,
    program_change,
    registered_parameter,
    silence_channel,
)
from kelly_live.core.values import DRUM_CHANNEL, NoteEvent

RING_SECONDS = 0.2  # a released note's tail is left alone this long; the longest released goes first anyway
# MPE (RP-053 v1.0, 2.1; v1.1 is M1-100-UM): a lower zone is master 1 and members from 2 up. Eight members end it before
# channel 10, which so stays an ordinary channel, outside of any zone: the drums'.
MPE_MASTER = 1
MPE_MEMBERS = tuple(range(2, 10))
_KEYS_AROUND = sorted(range(-6, 7), key=abs)  # keys that may stand in for a busy one: samples sound alike so near


class Placement(NamedTuple):
    """Where a note goes, and the messages to send right before its note-on."""

    channel: int
    key: int
    before: Sequence[bytes] = ()


class Tuner(Protocol):
    """Finds a place for each note as it is sent. `now` in seconds, never falling."""

    def list_opening_messages(self) -> list[bytes]:
        """Return what a receiver must be sent before the first note."""

    def place(self, note: NoteEvent, now: float) -> Placement:
        """Find a place for a note that sounds from now on, until its release."""

    def release(self, channel: int, key: int, now: float) -> None:
        """Free the place of a note."""

    def reset(self) -> list[bytes]:
        """Forget all, and return what brings every channel back to 12-TET.

        It must be sent once nothing sounds any more.
        """


def create_tuner(tuning: Tuning) -> Tuner:
    """Create the tuner of a tuning's mode."""
    match tuning.mode:
        case "bend":
            return BendTuner(tuning)
        case "mpe":
            return MpeTuner(tuning)
        case "mts":
            return MtsTuner()
    return NoTuner()


def list_sending_channels(tuning: Tuning, channels: Iterable[int], *, has_cents: bool) -> set[int]:
    """List where the notes of parts on `channels` may have been sent; `has_cents`: some lay beside 12-TET."""
    if has_cents and tuning.mode == "bend":
        return {*channels, *range(1, 17)} - {DRUM_CHANNEL} | (set(channels) & {DRUM_CHANNEL})
    if tuning.mode == "mpe":
        return set(channels) & {DRUM_CHANNEL} | set(MPE_MEMBERS)
    return set(channels)


def build_silencing_messages(tuning: Tuning, channels: Iterable[int], *, has_cents: bool) -> list[bytes]:
    """Return what ends the notes on `channels`, and brings them back to 12-TET if any note had cents.

    For a receiver of which only this is known.
    """
    silenced_channels = list_sending_channels(tuning, channels, has_cents=has_cents)
    messages = [message for channel in sorted(silenced_channels) for message in silence_channel(channel)]
    if tuning.mode == "mpe":
        messages.append(all_notes_off(MPE_MASTER))
    if not has_cents:
        return messages
    for channel in sorted(silenced_channels - {DRUM_CHANNEL}):
        if tuning.mode in ("bend", "mpe"):
            messages.append(bend_to(channel, BEND_CENTRE))
        elif tuning.mode == "mts":
            messages += _straighten_keys(channel, range(128))
    return messages


class NoTuner:
    """Leaves every note on its part's channel, at its key."""

    def list_opening_messages(self) -> list[bytes]:
        """Return what a receiver must be sent before the first note."""
        return []

    def place(self, note: NoteEvent, now: float) -> Placement:
        """Find a place for a note that sounds from now on, until its release."""
        return Placement(note.channel, note.pitch)

    def release(self, channel: int, key: int, now: float) -> None:
        """Free the place of a note."""

    def reset(self) -> list[bytes]:
        """Forget all, and return what brings every channel back to 12-TET."""
        return []


@dataclass(slots=True)
class _Lane:
    """A channel: its bend, what sounds on it, and which part's it is (by the part's own channel)."""

    channel: int
    owner: int | None = None
    bend: int = BEND_CENTRE
    program: int | None = None
    has_range: bool = False  # its bend range was sent
    keys: set[int] = field(default_factory=set)
    released_at: float = -math.inf

    def is_rested(self, now: float) -> bool:
        """Return whether nothing sounds or rings."""
        return not self.keys and now - self.released_at >= RING_SECONDS

    def release(self, key: int, now: float) -> None:
        """Free the place of a note."""
        self.keys.discard(key)
        self.released_at = now

    def prepare(self, program: int | None, bend_range: int) -> list[bytes]:
        """Return the messages that set up what is not set up yet."""
        messages = []
        if program is not None and program != self.program:
            messages.append(program_change(self.channel, program))
            self.program = program
        if not self.has_range:
            messages += registered_parameter(self.channel, RPN_BEND_RANGE, bend_range)
            self.has_range = True
        return messages

    def bend_to_value(self, bend: int) -> list[bytes]:
        if bend == self.bend:
            return []
        self.bend = bend
        return [bend_to(self.channel, bend)]


class _BendingTuner:
    """The part that both ways of bending share: lanes by channel, and cents as a 14-bit number."""

    def __init__(self, tuning: Tuning, channels: Iterable[int]) -> None:
        self._tuning = tuning
        self._range = tuning.bend_range
        self._programs = {part.channel: part.program for part in tuning.programs if part.channel != DRUM_CHANNEL}
        self._lanes = {channel: _Lane(channel) for channel in channels}

    def _bend(self, cents: float) -> int:
        return min(2 * BEND_CENTRE - 1, BEND_CENTRE + round(cents / (100.0 * self._range) * BEND_CENTRE))

    def release(self, channel: int, key: int, now: float) -> None:
        """Free the place of a note."""
        if channel in self._lanes:
            self._lanes[channel].release(key, now)

    def _straighten(self) -> list[bytes]:
        return [message for lane in self._lanes.values() for message in lane.bend_to_value(BEND_CENTRE)]


class BendTuner(_BendingTuner):
    """Bends the channels that a part borrows.

    A part keeps its own channel at 12-TET and borrows others for what lies between. Notes that want the same bend
    share a channel, so 12-TET music is sent as if this were off.

    A note that no channel of its part is bent right for takes, in this order: a channel that is not used; the part's
    rested one that was released longest ago; such a one of the part that holds most, if both then hold more alike.
    """

    def __init__(self, tuning: Tuning) -> None:
        super().__init__(tuning, (channel for channel in range(1, 17) if channel != DRUM_CHANNEL))
        self._own_parts()

    def _own_parts(self) -> None:
        for part in self._programs:
            self._lanes[part].owner = part

    def list_opening_messages(self) -> list[bytes]:
        """Return what a receiver must be sent before the first note."""
        return []

    def place(self, note: NoteEvent, now: float) -> Placement:
        """Find a place for a note that sounds from now on, until its release."""
        part = note.channel
        if part == DRUM_CHANNEL:
            return Placement(part, note.pitch)
        own_lane = self._lanes[part]
        if own_lane.owner is None:  # a part that was not announced: its channel is its own, unless it is lent already
            own_lane.owner = part
        bend = self._bend(note.cents)
        if own_lane.owner == part and bend == BEND_CENTRE:
            own_lane.keys.add(note.pitch)
            return Placement(part, note.pitch)
        lane, may_bend = self._choose(part, bend, now)
        before: list[bytes] = []
        if may_bend:
            program = self._programs.get(part)
            if lane.owner != part:
                lane.owner = part
                if own_lane.owner == part and program is not None and own_lane.program != program:
                    before.append(program_change(part, program))  # a part is one sound on all of its channels
                    own_lane.program = program
            before += lane.prepare(program, self._range) + lane.bend_to_value(bend)
        lane.keys.add(note.pitch)
        return Placement(lane.channel, note.pitch, before)

    def reset(self) -> list[bytes]:
        """Forget all, and return what brings every channel back to 12-TET."""
        messages = self._straighten()
        if self._range != 2:
            for lane in self._lanes.values():
                if lane.has_range:
                    messages += registered_parameter(lane.channel, RPN_BEND_RANGE, 2)
        self._lanes = {channel: _Lane(channel) for channel in self._lanes}
        self._own_parts()
        return messages

    def _choose(self, part: int, bend: int, now: float) -> tuple[_Lane, bool]:
        """Return the lane, and whether it may be bent for this note."""
        lanes = list(self._lanes.values())
        own_lanes = [lane for lane in lanes if lane.owner == part]
        for lane in own_lanes:
            if lane.bend == bend:
                return lane, False
        for lane in lanes:
            if lane.owner is None:
                return lane, True
        if rested_lanes := self._list_rested(part, now):
            return min(rested_lanes, key=_released_at), True
        borrowing_owners = [lane.owner for lane in lanes if lane.owner is not None and lane.channel != lane.owner]
        for other_part in sorted(set(borrowing_owners) - {part}, key=borrowing_owners.count, reverse=True):
            if borrowing_owners.count(other_part) > borrowing_owners.count(part) + 1 and (
                rested_lanes := self._list_rested(other_part, now)
            ):
                return min(rested_lanes, key=_released_at), True
        if not own_lanes:
            return self._lanes[part], False
        return min(own_lanes, key=lambda lane: abs(lane.bend - bend)), False

    def _list_rested(self, part: int, now: float) -> list[_Lane]:
        return [x for x in self._lanes.values() if x.owner == part and x.channel != part and x.is_rested(now)]


class MpeTuner(_BendingTuner):
    """Gives every pitched note a channel of an MPE zone.

    The lower zone is one instrument with the program of the lowest part. A pitched note goes to a member
    of its own: a rested one, the longest released first, if it can be one that already stands right. When none is
    rested, notes of one bend share (RP-053's 3.2 leaves this to the sender).
    """

    def __init__(self, tuning: Tuning) -> None:
        super().__init__(tuning, MPE_MEMBERS)
        self._program = self._programs[min(self._programs)] if self._programs else None

    def list_opening_messages(self) -> list[bytes]:
        """Return what a receiver must be sent before the first note."""
        messages = registered_parameter(MPE_MASTER, RPN_MPE_ZONE, len(MPE_MEMBERS))
        if self._program is not None:
            messages.append(program_change(MPE_MASTER, self._program))
        for lane in self._lanes.values():
            # A zone takes its master's program and must ignore its members' (2.3): those, which the specification does
            # not provide for, are for synths and file players that know no zones.
            messages += lane.prepare(self._program, self._range)
        return messages

    def place(self, note: NoteEvent, now: float) -> Placement:
        """Find a place for a note that sounds from now on, until its release."""
        if note.channel == DRUM_CHANNEL:
            return Placement(note.channel, note.pitch)
        bend = self._bend(note.cents)
        lanes = list(self._lanes.values())
        free_lanes = [lane for lane in lanes if not lane.keys and (lane.bend == bend or lane.is_rested(now))]
        if free_lanes:
            lane = min(free_lanes, key=lambda lane: (lane.bend != bend, lane.released_at))
            before = lane.bend_to_value(bend)
        else:
            lane = min(lanes, key=lambda lane: (abs(lane.bend - bend), note.pitch in lane.keys, len(lane.keys)))
            before = []
        lane.keys.add(note.pitch)
        return Placement(lane.channel, note.pitch, before)

    def reset(self) -> list[bytes]:
        """Forget all, and return what brings every channel back to 12-TET.

        The zone is silenced by its master too, as a receiver may ignore its members. It stays a zone, as a receiver in
        MPE mode stays in that mode.
        """
        messages = [all_notes_off(MPE_MASTER), *self._straighten()]
        self._lanes = {channel: _Lane(channel) for channel in self._lanes}
        return messages


@dataclass(slots=True)
class _Keyboard:
    """A channel's tuning program: the moved keys (KEY_UNITS a semitone), what sounds, what rang when."""

    units_by_key: dict[int, int] = field(default_factory=dict)
    sounding_keys: set[int] = field(default_factory=set)
    released_at: dict[int, float] = field(default_factory=dict)

    def units(self, key: int) -> int:
        return self.units_by_key.get(key, key * KEY_UNITS)

    def is_rested(self, key: int, now: float) -> bool:
        return key not in self.sounding_keys and now - self.released_at.get(key, -math.inf) >= RING_SECONDS


class MtsTuner:
    """Moves single keys by the MIDI Tuning Standard.

    Channel c selects tuning program c - 1, and keys are moved in it by real-time single-note changes. A key that sounds
    or rings at another pitch is left alone: the nearest rested key is moved instead.
    """

    def __init__(self) -> None:
        self._keyboards: dict[int, _Keyboard] = {}

    def list_opening_messages(self) -> list[bytes]:
        """Return what a receiver must be sent before the first note."""
        return []

    def place(self, note: NoteEvent, now: float) -> Placement:
        """Find a place for a note that sounds from now on, until its release."""
        if note.channel == DRUM_CHANNEL:
            return Placement(note.channel, note.pitch)
        keyboard = self._keyboards.setdefault(note.channel, _Keyboard())
        target_units = min(max(0, round((note.pitch + note.cents / 100.0) * KEY_UNITS)), 128 * KEY_UNITS - 2)
        key, free = self._choose(keyboard, note.pitch, target_units, now)
        before: list[bytes] = []
        if free and keyboard.units(key) != target_units:
            if not keyboard.units_by_key:
                before += registered_parameter(note.channel, RPN_TUNING_PROGRAM, note.channel - 1)
            before.append(key_tunings(note.channel - 1, {key: target_units}))
            keyboard.units_by_key[key] = target_units
        keyboard.sounding_keys.add(key)
        return Placement(note.channel, key, before)

    def release(self, channel: int, key: int, now: float) -> None:
        """Free the place of a note."""
        if channel in self._keyboards:
            self._keyboards[channel].sounding_keys.discard(key)
            self._keyboards[channel].released_at[key] = now

    def reset(self) -> list[bytes]:
        """Forget all, and return what brings every channel back to 12-TET."""
        messages = [m for channel, k in self._keyboards.items() for m in _straighten_keys(channel, k.units_by_key)]
        self._keyboards.clear()
        return messages

    @staticmethod
    def _choose(keyboard: _Keyboard, pitch: int, target_units: int, now: float) -> tuple[int, bool]:
        """Return the key, and whether it may be moved for this note."""
        keys = [pitch + offset for offset in _KEYS_AROUND if 0 <= pitch + offset <= 127]
        for key in keys:
            if keyboard.units(key) == target_units:
                return key, False
        for key in keys:
            if keyboard.is_rested(key, now):
                return key, True
        return min(keys, key=lambda key: abs(keyboard.units(key) - target_units)), False


def _released_at(lane: _Lane) -> float:
    return lane.released_at


def _straighten_keys(channel: int, keys: Iterable[int]) -> list[bytes]:
    """Return what moves `keys` of a channel's tuning program back to 12-TET, 127 a message at most."""
    rest = list(keys)
    return [
        key_tunings(channel - 1, {key: key * KEY_UNITS for key in rest[i : i + 127]}) for i in range(0, len(rest), 127)
    ]
