"""Note sinks in this process, without a port: one renders faster than real time, one only keeps."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from kelly_live.core.commands import (
    DEFAULT_TUNING,
    Controls,
    Expression,
    Notes,
    PartRelease,
    Signature,
    SinkCommand,
    Start,
    Stop,
    TempoChange,
    Tuning,
)
from kelly_live.core.protocols import SchedulerHealth
from kelly_live.core.timebase import ManualClock, TempoMap, TempoPoint
from kelly_live.core.values import ControlChange, NoteEvent
from kelly_live.midi.ports import RecordedMessage, RecordingPort
from kelly_live.midi.scheduler import SchedulerCore


class OfflineScheduler:
    """A NoteSink without a process or a clock: `advance` sends what is due, each message at its time.

    It takes any number of notes. The limit of a live scheduler keeps a queue short that is emptied in real time; here
    a whole piece waits at once, and none of it may be left out.
    """

    def __init__(
        self,
        *,
        send_clock: bool = False,
        tuning: Tuning = DEFAULT_TUNING,
    ) -> None:
        self._clock = ManualClock()
        self._port = RecordingPort(self._clock)
        self._core = SchedulerCore(self._port, send_clock=send_clock, capacity_notes=sys.maxsize, tuning=tuning)
        self._tempo_map = TempoMap(0.0, 120.0)
        self.notes: list[NoteEvent] = []  # all that were sent here, in beats
        self.signatures: list[Signature] = []

    @property
    def messages(self) -> list[RecordedMessage]:
        """All messages so far, in order; seconds on the time line of the start's origin."""
        return self._port.messages

    @property
    def tempo_map(self) -> TempoMap:
        """The curve that the messages were played along; it outlives the stop."""
        return self._tempo_map

    def send(self, command: SinkCommand) -> None:
        """Take one command, as the scheduler process does."""
        if isinstance(command, Stop) and self._port.is_closed:
            return
        self._core.apply(command)
        match command:
            case Notes(notes):
                self.notes.extend(notes)
            case PartRelease():
                self.notes = _shorten(self.notes, command)
            case TempoChange(point):
                self._tempo_map.add(point)
            case Start(origin_seconds, bpm):
                # The core forgets a long past; a file needs the whole curve.
                self._tempo_map = TempoMap(origin_seconds, bpm, max_points=sys.maxsize)
            case Signature():
                self.signatures.append(command)
            case Stop():
                self._port.close()

    def advance(self, now: float) -> None:
        """Send everything due up to `now` (seconds); the clock then stands at `now`."""
        while (deadline := self._core.next_deadline()) is not None and deadline <= now:
            self._clock.sleep_until(deadline)
            self._core.run_due(deadline)
        self._clock.sleep_until(now)

    def health(self) -> SchedulerHealth:
        """Return the counters as of now."""
        return self._core.health()


class NoteList:
    """A NoteSink that only keeps what it is sent: notes (in beats), tempos, controls, expression, signatures."""

    def __init__(self) -> None:
        self.notes: list[NoteEvent] = []
        self.tempos: list[TempoPoint] = []
        self.controls: list[ControlChange] = []
        self.expression: list[Expression] = []
        self.signatures: list[Signature] = []

    def send(self, command: SinkCommand) -> None:
        """Keep what the command holds."""
        match command:
            case Notes(notes):
                self.notes.extend(notes)
            case PartRelease():
                self.notes = _shorten(self.notes, command)
            case TempoChange(point):
                self.tempos.append(point)
            case Start():
                self.tempos.append(TempoPoint(0.0, command.bpm))
            case Controls(changes):
                self.controls.extend(changes)
            case Expression():
                self.expression.append(command)
            case Signature():
                self.signatures.append(command)

    def health(self) -> SchedulerHealth:
        """Return the number of notes as what was sent."""
        return SchedulerHealth(sent_messages=len(self.notes))


def _shorten(notes: Iterable[NoteEvent], release: PartRelease) -> list[NoteEvent]:
    """Return the notes as they are played after a release."""
    return [shortened for note in notes if (shortened := release.shorten(note)) is not None]
