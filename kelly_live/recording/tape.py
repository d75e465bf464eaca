"""The messages that a scheduler creates from its commands, each at its due time, without a port.

What comes too late is dropped, as the live scheduler drops it. Pure: the same commands at the same times give the same
messages. Thread: one, the owner's.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import msgspec

from kelly_live.core.commands import (
    DEFAULT_TUNING,
    NO_LIMITS,
    Controls,
    Expression,
    LoudnessLimits,
    Notes,
    PartRelease,
    Pause,
    Signature,
    Silence,
    Start,
    TempoChange,
    Tuning,
)
from kelly_live.core.errors import ConfigError
from kelly_live.core.midi_messages import TICKS_PER_BEAT
from kelly_live.core.timebase import ManualClock, TempoMap, TempoPoint
from kelly_live.core.values import MAIN_PORT
from kelly_live.midi.ports import RecordedMessage
from kelly_live.midi.scheduler import CAPACITY_NOTES, SchedulerCore
from kelly_live.recording.packed_tape import PackedTape, pack_message, unpack_messages

TapeCommand: TypeAlias = (
    Start | TempoChange | Notes | Expression | Controls | LoudnessLimits | PartRelease | Silence | Pause | Signature
)


class _PackedPort:
    """A MidiOut that packs its messages, about 13 bytes each: a megabyte an hour, not a gigabyte."""

    name = "tape"

    def __init__(self, clock: ManualClock) -> None:
        self.data = bytearray()
        self._clock = clock

    def send(self, message: bytes) -> None:
        self.data += pack_message(self._clock.now(), message)

    def close(self) -> None:
        """Do nothing: there is no driver."""


class Tape:
    """Takes commands in order, then `end`, and keeps the messages of every port.

    Args:
        tunings: How cents are sent, by port.
        limits: What the notes are held to at first.
        live: What is handed over too late is dropped; else time waits for it, as an offline scheduler's does.
    """

    def __init__(self, tunings: Mapping[str, Tuning], *, limits: LoudnessLimits = NO_LIMITS, live: bool = True) -> None:
        self._live = live
        self._limits = limits
        self._tunings = dict(tunings)
        self._clock = ManualClock()
        self._ports: dict[str, _PackedPort] = {}
        self._cores: dict[str, SchedulerCore] = {}
        self._curve: TempoMap | None = None  # in the beats of the latest start; None before it and in a pause
        self._file_map: TempoMap | None = None  # in the beats of the file, which never go back
        self._expression: Expression | None = None  # the latest
        self._shift_beats = 0.0  # from the former to the latter
        self.signatures: list[Signature] = []  # in the file's beats
        self._core(MAIN_PORT)

    @property
    def tempo_map(self) -> TempoMap:
        """The whole tempo curve, as a file has it. Raises ConfigError before the start."""
        if self._file_map is None:
            raise ConfigError("nothing was played: there is no start in it")
        return self._file_map

    @property
    def ports(self) -> tuple[str, ...]:
        """The ports that notes were sent to, the main one first."""
        return tuple(self._ports)

    def take(self, now: float, commands: Sequence[TapeCommand] = ()) -> None:
        """Send what is due up to `now` (s, monotonic), then take these commands.

        Not `live`, it is the other way round.
        """
        if self._live:
            self._run_to(now)
        for command in commands:
            match command:
                case Start():
                    self._start(command)
                case TempoChange(point):
                    self._tempo(point)
                case Notes(notes, loudness):
                    for note in notes:
                        self._core(note.port).apply(Notes((note,), loudness))
                case Expression():
                    self._expression = command
                    for core in self._cores.values():
                        core.apply(command)
                case LoudnessLimits():
                    self._limits = command
                    for core in self._cores.values():
                        core.apply(command)
                case Controls():
                    self._core(MAIN_PORT).apply(command)
                case PartRelease() | Silence():
                    for core in self._cores.values():
                        core.apply(command)
                case Signature():
                    self.signatures.append(msgspec.structs.replace(command, beat=command.beat + self._shift_beats))
                case Pause():
                    self._curve = None
                    self._silence()
        if not self._live:
            self._run_to(now)

    def end(self, now: float) -> None:
        """End what sounds, and forget what was to come."""
        self._run_to(now)
        for core in self._cores.values():
            core.finish()

    def messages(self, port: str = MAIN_PORT) -> list[RecordedMessage]:
        """Return all that was sent there so far, in order."""
        return unpack_messages(self._ports[port].data)

    def pack(self) -> PackedTape:
        """Return a copy of what it holds now. Raises ConfigError before the start."""
        tempo = self.tempo_map
        return PackedTape(
            tempo.seconds_at(0.0),
            tuple(tempo.points()),
            tuple(self.signatures),
            {name: bytes(port.data) for name, port in self._ports.items()},
        )

    def find_bar(self, seconds: float, beats_per_bar: int) -> tuple[int, float] | None:
        """Return the bar that a time (s, monotonic) lies in, and when it begins.

        Bars count from 0. None while none plays.
        """
        if self._curve is None:
            return None
        bar = math.floor(self._curve.beat_at(seconds) / beats_per_bar)
        return bar, self._curve.seconds_at(float(bar * beats_per_bar))

    def _core(self, port: str) -> SchedulerCore:
        """Return a port's core; a port that is new joins where the music is."""
        if port not in self._cores:
            self._ports[port] = _PackedPort(self._clock)
            core = SchedulerCore(
                self._ports[port],
                capacity_notes=CAPACITY_NOTES if self._live else sys.maxsize,
                tuning=self._tunings.get(port, DEFAULT_TUNING),
            )
            self._cores[port] = core
            core.apply(self._limits)
            if self._curve is not None:
                first, *rest = self._curve.points()
                core.apply(Start(self._curve.seconds_at(0.0), first.bpm))
                for point in rest:
                    core.apply(TempoChange(point))
            if self._expression is not None:
                core.apply(self._expression)
        return self._cores[port]

    def _start(self, start: Start) -> None:
        self._curve = TempoMap(start.origin_seconds, start.bpm, max_points=sys.maxsize)
        for core in self._cores.values():
            core.apply(start)
        if self._file_map is None:
            self._file_map, self._shift_beats = TempoMap(start.origin_seconds, start.bpm, max_points=sys.maxsize), 0.0
            return
        # A file's beats go on through a pause, at the tempo before it, and take the new one at a tick.
        begins = self._file_map.beat_at(self._curve.seconds_at(start.first_beat))
        begins = max(round(begins * TICKS_PER_BEAT) / TICKS_PER_BEAT, self._file_map.last_beat)
        self._shift_beats = begins - start.first_beat
        self._file_map.add(TempoPoint(begins, start.bpm))

    def _tempo(self, point: TempoPoint) -> None:
        if self._curve is None or self._file_map is None:
            raise ConfigError("a tempo came before the start")
        self._curve.add(point)
        for core in self._cores.values():
            core.apply(TempoChange(point))
        self._file_map.add(TempoPoint(max(point.beat + self._shift_beats, self._file_map.last_beat), point.bpm))

    def _silence(self) -> None:
        for core in self._cores.values():
            core.silence()

    def _run_to(self, now: float) -> None:
        while deadlines := [d for core in self._cores.values() if (d := core.next_deadline()) is not None and d <= now]:
            self._clock.sleep_until(min(deadlines))
            for core in self._cores.values():
                core.run_due(self._clock.now())
        self._clock.sleep_until(now)
