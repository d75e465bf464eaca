"""A note sink whose scheduler process is replaced when it or its port is lost, in step with the music.

Threads: the caller's (no call waits but `open` and the sending of a `Stop`), and the supervisor's, which alone starts
and ends processes.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from kelly_live.core.commands import (
    DEFAULT_TUNING,
    ChannelRelease,
    Controls,
    Expression,
    LoudnessLimits,
    Notes,
    Pause,
    SinkCommand,
    Start,
    Stop,
    TempoChange,
    Tuning,
)
from kelly_live.core.protocols import SchedulerHealth
from kelly_live.core.timebase import Clock, MonotonicClock, TempoMap
from kelly_live.midi.reports import PortReady
from kelly_live.midi.scheduler_client import SchedulerClient
from kelly_live.workers.supervisor import Supervisor

WATCH_SECONDS = 0.1
RETRY_SECONDS = 0.7  # between tries; each starts a process
_END_SECONDS = 0.5  # a failed process gets this long to close its port, before the next one opens it
_DROPS_LOG_SECONDS = 10.0  # between two log lines about dropped notes

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Totals:
    """What the processes before this one counted, and the channels that were ever played on."""

    sent_messages: int = 0
    late_messages: int = 0
    dropped_notes: int = 0
    limited_notes: int = 0
    channels: set[int] = field(default_factory=set)


class SupervisedSink:
    """A SchedulerClient for life: `open` raises what is wrong at the start.

    `health().problem` tells of a later loss while it lasts. Notes that are sent during a loss are dropped and counted;
    controller values are lost. `health().error` stays None.

    Args:
        query: The MIDI output's name or part of it; None: a virtual port.
        latency_seconds: As for a SchedulerClient.
        clock: Times the music.
        create_client: Creates a client from the same arguments.
        options: The client's other arguments.
    """

    def __init__(
        self,
        query: str | None = None,
        *,
        latency_seconds: float | None = 0.0,
        clock: Clock | None = None,
        create_client: Callable[..., SchedulerClient] = SchedulerClient,
        **options: Any,
    ) -> None:
        self._create_client = partial(create_client, query, latency_seconds=latency_seconds, **options)
        self._clock = clock or MonotonicClock()
        self._lock = threading.Lock()  # locked for moments: which client it is, and what it must be sent
        self._client = self._create_client()
        self._is_open = False
        self._totals = _Totals()
        self._problem: str | None = None
        self._tuning = DEFAULT_TUNING
        self._limits: LoudnessLimits | None = None
        self._tempo: TempoMap | None = None
        self._is_paused = False
        self._expression: Expression | None = None
        self._logged_drops = 0
        self._next_drops_log = -math.inf
        self._supervisor = Supervisor(
            f"the MIDI output {query!r}" if query is not None else "the virtual MIDI output",
            check=self._find_loss,
            release=self._release,
            restore=self._restore,
            clock=MonotonicClock(),
            watch_seconds=WATCH_SECONDS,
            retry_seconds=RETRY_SECONDS,
        )

    @property
    def process_id(self) -> int | None:
        """The id of the scheduler process of the moment."""
        return self._client.process_id

    @property
    def latency_seconds(self) -> float:
        """By how much everything leaves earlier; a stored latency is known once the port is open."""
        return self._client.latency_seconds

    def open(self) -> PortReady:
        """Start the process, wait until its port is open, and return which port it is. Raises MidiError."""
        ready = self._client.open()
        self._is_open = True
        self._supervisor.start()
        return ready

    def send(self, command: SinkCommand) -> None:
        """Pass a command to the process of the moment; only a stop waits."""
        if isinstance(command, Stop):
            self._supervisor.stop()
            self._client.send(command)
            return
        with self._lock:
            if self._remember(command):
                self._client.send(command)

    def health(self) -> SchedulerHealth:
        """Return the counters of all processes so far; `problem` tells of a loss while it lasts."""
        with self._lock:
            now, before = self._client.health(), self._totals
            if not self._is_open:
                now = SchedulerHealth()
            return replace(
                now,
                sent_messages=before.sent_messages + now.sent_messages,
                late_messages=before.late_messages + now.late_messages,
                dropped_notes=before.dropped_notes + now.dropped_notes,
                limited_notes=before.limited_notes + now.limited_notes,
                error=None,
                problem=self._problem,
            )

    def _remember(self, command: SinkCommand) -> bool:
        """Note what the next process must be sent, and return whether this one is to have the command."""
        match command:
            case Notes(notes):
                self._totals.channels.update(note.channel for note in notes)
                if not self._is_open:
                    self._totals.dropped_notes += len(notes)
                return self._is_open
            case Controls():
                return self._is_open
            case Expression():
                self._expression = command
                return self._is_open
            case Tuning():
                self._tuning = command
            case LoudnessLimits():
                self._limits = command
            case Start(origin_seconds, bpm):
                self._tempo = TempoMap(origin_seconds, bpm)
                self._is_paused = False
            case TempoChange(point):
                if self._tempo is not None:
                    self._tempo.add(point)
            case Pause():
                self._is_paused = True
        return True

    def _find_loss(self) -> str | None:
        """Thread: the supervisor's."""
        self._log_drops()
        return self._client.health().error

    def _log_drops(self) -> None:
        dropped_notes, now = self.health().dropped_notes, self._clock.now()
        if dropped_notes > self._logged_drops and now >= self._next_drops_log:
            _log.warning("notes dropped so far: %d (too late, too many, or during a loss)", dropped_notes)
            self._logged_drops, self._next_drops_log = dropped_notes, now + _DROPS_LOG_SECONDS

    def _release(self, problem: str) -> None:
        """Count what the lost process did, and give it a moment to close its port. Thread: the supervisor's."""
        with self._lock:
            self._problem = problem
            if not self._is_open:
                return
            last = self._client.health()
            self._is_open = False
            totals = self._totals
            totals.sent_messages += last.sent_messages
            totals.late_messages += last.late_messages
            totals.dropped_notes += last.dropped_notes + last.sounding_notes
            totals.limited_notes += last.limited_notes
        threading.Thread(target=self._client.send, args=(Stop(),), name="midi-end", daemon=True).start()
        self._client.wait(_END_SECONDS)

    def _restore(self) -> bool:
        """Try another process, and return whether the music goes on in it. Thread: the supervisor's."""
        client = self._create_client()
        client.open()  # a MidiError says that the port is not back yet
        if self._supervisor.is_stopping:
            client.send(Stop())
            return True
        client.send(self._tuning)
        self._client.stop_silencing()
        with self._lock:
            # What hung when the port went away may hang still; the receiver was out of reach then.
            expression = self._expression
            channels = tuple(sorted(self._totals.channels))
            if self._limits is not None:
                client.send(self._limits)
            client.send(ChannelRelease(channels, resets_expression=expression is not None))
            if self._tempo is not None and not self._is_paused:
                client.send(self._next_start(self._tempo))
            if expression is not None:
                client.send(expression)
            self._client, self._is_open, self._problem = client, True, None
        return True

    def _next_start(self, tempo: TempoMap) -> Start:
        """Return the start from the next beat on, at the last tempo as if it had always been."""
        last = tempo.points()[-1]
        origin = tempo.seconds_at(last.beat) - last.beat * 60.0 / last.bpm
        beat = (self._clock.now() - origin) * last.bpm / 60.0
        return Start(origin, last.bpm, float(max(0, math.ceil(max(beat, last.beat)))))
