"""A MIDI port that comes back: when its scheduler process fails, or its port goes away, another process takes over as
soon as the port is there again, in step with the music.

Threads: the caller's (no call but open and stop waits), and a supervisor, which alone starts and ends processes.
"""

from __future__ import annotations

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
    Notes,
    Pause,
    SinkCommand,
    Start,
    Stop,
    TempoChange,
    Tuning,
)
from kelly_live.core.errors import MidiError
from kelly_live.core.protocols import SchedulerHealth
from kelly_live.core.timebase import Clock, MonotonicClock, TempoMap
from kelly_live.midi.reports import Ready
from kelly_live.midi.scheduler_client import SchedulerClient

WATCH_SECONDS = 0.1
RETRY_SECONDS = 0.7  # between tries; each starts a process
_END_SECONDS = 0.5  # a failed process gets this long to close its port, before the next one opens it


@dataclass(slots=True)
class _Past:
    """What the processes before this one counted."""

    sent: int = 0
    late: int = 0
    dropped: int = 0
    channels: set[int] = field(default_factory=set)


class SupervisedSink:
    """A SchedulerClient for life: `health().problem` tells of a loss while it lasts, `error` stays None. Notes that
    fall into one are dropped and counted; controllers are lost. `open` still raises what is wrong at the start.
    `make`: what makes a client, of the same arguments.
    """

    def __init__(
        self,
        query: str | None = None,
        *,
        latency_seconds: float = 0.0,
        clock: Clock | None = None,
        make: Callable[..., SchedulerClient] = SchedulerClient,
        **options: Any,
    ) -> None:
        self.latency_seconds = latency_seconds
        self._make = partial(make, query, latency_seconds=latency_seconds, **options)
        self._clock = clock or MonotonicClock()
        self._lock = threading.Lock()  # held for moments: over which client it is, and what it must be told
        self._client = self._make()
        self._alive = False
        self._past = _Past()
        self._problem: str | None = None
        self._tuning = DEFAULT_TUNING
        self._tempo: TempoMap | None = None
        self._paused = False
        self._stopping = threading.Event()
        self._supervisor = threading.Thread(target=self._supervise, name="midi-supervisor", daemon=True)

    @property
    def process_id(self) -> int | None:
        """Of the scheduler process of the moment."""
        return self._client.process_id

    def open(self) -> Ready:
        """Start the process and wait for its port. Raises MidiError."""
        ready = self._client.open()
        self._alive = True
        self._supervisor.start()
        return ready

    def send(self, command: SinkCommand) -> None:
        """Hand a command to the process of the moment; only a stop waits."""
        if isinstance(command, Stop):
            self._stop(command)
            return
        with self._lock:
            if self._remember(command):
                self._client.send(command)

    def _remember(self, command: SinkCommand) -> bool:
        """Note what the next process must be told, and return whether this one is to have the command."""
        match command:
            case Notes(notes):
                self._past.channels.update(note.channel for note in notes)
                if not self._alive:
                    self._past.dropped += len(notes)
                return self._alive
            case Controls():
                return self._alive
            case Tuning():
                self._tuning = command
            case Start(origin_seconds, bpm):
                self._tempo = TempoMap(origin_seconds, bpm)
                self._paused = False
            case TempoChange(point):
                if self._tempo is not None:
                    self._tempo.add(point)
            case Pause():
                self._paused = True
        return True

    def _stop(self, stop: Stop) -> None:
        self._stopping.set()
        if self._supervisor.is_alive():
            self._supervisor.join(2.0)
        self._client.send(stop)

    def health(self) -> SchedulerHealth:
        with self._lock:
            now, past = self._client.health(), self._past
            if not self._alive:
                now = SchedulerHealth()
            return replace(
                now,
                sent=past.sent + now.sent,
                late=past.late + now.late,
                dropped=past.dropped + now.dropped,
                error=None,
                problem=self._problem,
            )

    def _supervise(self) -> None:
        """Thread: midi-supervisor. Watches, and starts anew until it succeeds."""
        while not self._stopping.wait(WATCH_SECONDS):
            error = self._client.health().error
            if error is None:
                continue
            self._bury(error)
            while not self._stopping.is_set() and not self._revive():
                self._stopping.wait(RETRY_SECONDS)

    def _bury(self, error: str) -> None:
        """The process has failed: count what it did, give it a moment to close its port."""
        with self._lock:
            last = self._client.health()
            self._alive = False
            self._problem = error
            past = self._past
            past.sent += last.sent
            past.late += last.late
            past.dropped += last.dropped + last.sounding
        threading.Thread(target=self._client.send, args=(Stop(),), name="midi-end", daemon=True).start()
        self._client.wait_gone(_END_SECONDS)

    def _revive(self) -> bool:
        """Try another process; whether its port is open and the music goes on in it."""
        client = self._make()
        try:
            client.open()
        except MidiError:
            return False  # the port is not back yet; `problem` still says so
        if self._stopping.is_set():
            client.send(Stop())
            return True
        client.send(self._tuning)
        self._client.relieve()
        with self._lock:
            # What hung when the port went away may hang still; the receiver was out of reach then.
            client.send(ChannelRelease(tuple(sorted(self._past.channels))))
            if self._tempo is not None and not self._paused:
                client.send(self._rejoined(self._tempo))
            self._client, self._alive, self._problem = client, True, None
        return True

    def _rejoined(self, tempo: TempoMap) -> Start:
        """The start that goes on now: the last tempo as if it had always been, from the next beat on."""
        last = tempo.points()[-1]
        origin = tempo.seconds_at(last.beat) - last.beat * 60.0 / last.bpm
        beat = (self._clock.now() - origin) * last.bpm / 60.0
        return Start(origin, last.bpm, float(max(0, math.ceil(max(beat, last.beat)))))
