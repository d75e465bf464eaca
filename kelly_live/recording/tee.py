"""What stands before the sink of a recorded session: a tee, and a checksum of what passed it."""

from __future__ import annotations

import struct
import zlib
from collections import deque
from collections.abc import Sequence

from kelly_live.core.commands import (
    Controls,
    Expression,
    LoudnessLimits,
    Notes,
    PartRelease,
    Pause,
    Signature,
    Silence,
    SinkCommand,
    Start,
    TempoChange,
)
from kelly_live.core.protocols import NoteSink, SchedulerHealth
from kelly_live.core.queues import drain
from kelly_live.core.values import ControlChange
from kelly_live.recording.tape import TapeCommand

_NOTE = struct.Struct("<2d3Bd")


class Tee:
    """A NoteSink before another: every command goes on to it at once, and is kept until it is taken."""

    def __init__(self, inner: NoteSink) -> None:
        self._inner = inner
        self._commands: deque[TapeCommand] = deque()
        self._controls: deque[ControlChange] = deque()

    def send(self, command: SinkCommand) -> None:
        """Pass a command on at once, and keep it."""
        self._inner.send(command)
        match command:
            case Controls(changes):
                self._controls.extend(changes)
            case Start() | TempoChange() | Notes() | Expression() | PartRelease() | Silence() | Pause() | Signature():
                self._commands.append(command)
            case LoudnessLimits():
                self._commands.append(command)

    def health(self) -> SchedulerHealth:
        """Return the counters of the sink behind."""
        return self._inner.health()

    def take(self) -> tuple[TapeCommand, ...]:
        """Remove and return the commands since the last call, controller values excepted."""
        return tuple(drain(self._commands))

    def take_controls(self) -> tuple[ControlChange, ...]:
        """Remove and return the controller values since the last call."""
        return tuple(drain(self._controls))


class Checksum:
    """A checksum (CRC-32) of all that was handed over, so that a replay can tell whether it is the same."""

    def __init__(self) -> None:
        self.notes = 0
        self.crc = 0

    def add(self, commands: Sequence[TapeCommand]) -> None:
        """Add what was handed over at once: first all but the notes, then the notes."""
        for command in sorted(commands, key=lambda command: isinstance(command, Notes)):
            match command:
                case Notes(notes):
                    self.notes += len(notes)
                    for n in notes:
                        data = _NOTE.pack(n.onset_beats, n.duration_beats, n.pitch, n.velocity, n.channel, n.cents)
                        self._add(data + n.port.encode())
                case PartRelease(part, beat):
                    self._add(part.encode() + struct.pack("<d", beat))
                case Controls() | Silence() | Pause():
                    self._add(type(command).__name__.encode())
                case TempoChange(point):
                    self._add(struct.pack("<2d", point.beat, point.bpm))
                case Start(origin_seconds, bpm, first_beat):
                    self._add(struct.pack("<3d", origin_seconds, bpm, first_beat))

    def _add(self, data: bytes) -> None:
        self.crc = zlib.crc32(data, self.crc)
