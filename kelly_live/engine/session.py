"""The live path, top to bottom: sound in, feeling, music, notes out.

Threads of a LiveSession:
- `listen`   reads the source, runs the analyzer, publishes the latest Reading (one reference, swapped whole).
- `play`     steps the conductor, which hands notes to the sink a little ahead of time; it never waits for `listen`.
- the caller reads the published values for the status view and decides when to stop.
The sink (live: the scheduler process) is the only one that sends. Hand-offs are bounded: input that is older than
`MAX_BACKLOG_SECONDS` when the analysis gets to it is dropped and counted.

`accompany` and `compose` walk the same parts in the caller's thread, faster than real time: the same input, seed and
version give the same notes.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

from kelly_live.core.commands import Stop
from kelly_live.core.errors import KellyError, MidiError
from kelly_live.core.protocols import (
    Analyzer,
    AudioHealth,
    AudioSource,
    BeatTracker,
    NoteSink,
    Reading,
    SchedulerHealth,
    SyncSource,
)
from kelly_live.core.timebase import Clock
from kelly_live.core.values import AudioWindow, EmotionState, MusicParameters, SyncState
from kelly_live.engine.performance import Performance, parts_of
from kelly_live.midi.offline import OfflineScheduler
from kelly_live.music.conductor import Conductor, ConductorStatus

MAX_BACKLOG_SECONDS = 1.0
HOLD_SECONDS = 4.0  # when no reading comes for so long, the music goes back to how it opened
CONDUCTOR_STEP_SECONDS = 0.005
STATUS_STEP_SECONDS = 0.04  # the status is drawn less often; what a performer does waits this long at most
LEAD_IN_SECONDS = 0.2  # beat 0 falls this long after the start, so that the first slice is never late


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the session is doing now, for a status view: the latest value of every part; `problem`: why nothing new is
    felt, in a line, for as long as that lasts.
    """

    reading: Reading
    conductor: ConductorStatus
    audio: AudioHealth
    scheduler: SchedulerHealth
    dropped_windows: int
    problem: str | None = None


# What is felt at a time (s), told to whoever makes controllers of it. Thread: the conductor's.
Expression: TypeAlias = Callable[[float, EmotionState], None]


class Journal(Protocol):
    """Is told what decided over the notes, right after it did, and what was felt. No call blocks.

    Thread: the conductor's; `felt` comes from the one that listens, `stopped` from the one that ends the session.
    """

    def started(self, now: float, origin_seconds: float, parameters: MusicParameters) -> None: ...

    def advanced(self, now: float, parameters: MusicParameters, lead: SyncState, conductor: Conductor) -> None: ...

    def panicked(self, now: float) -> None: ...

    def finished(self, now: float) -> None: ...

    def felt(self, reading: Reading) -> None: ...

    def stopped(self, now: float) -> None: ...


class NoJournal:
    """A Journal that keeps nothing."""

    def started(self, now: float, origin_seconds: float, parameters: MusicParameters) -> None: ...

    def advanced(self, now: float, parameters: MusicParameters, lead: SyncState, conductor: Conductor) -> None: ...

    def panicked(self, now: float) -> None: ...

    def finished(self, now: float) -> None: ...

    def felt(self, reading: Reading) -> None: ...

    def stopped(self, now: float) -> None: ...


def merge_sync_states(now: float, leaders: Sequence[SyncSource]) -> SyncState:
    """The pulse of the first that has one, the key of the first that has one, the transport likewise."""
    leads = [leader.estimate(now) for leader in leaders]
    return SyncState(
        next((lead.beat for lead in leads if lead.beat is not None), None),
        next((lead.key for lead in leads if lead.key is not None), None),
        next((lead.transport for lead in leads if lead.transport is not None), None),
    )


def keep_latest(block: AudioWindow, max_seconds: float) -> tuple[AudioWindow, float]:
    """The newest `max_seconds` of `block`, and how many seconds were cut off its start."""
    surplus = len(block.samples) - int(max_seconds * block.sample_rate)
    if surplus <= 0:
        return block, 0.0
    return replace(block, samples=block.samples[surplus:]), surplus / block.sample_rate


class LiveSession:
    """Runs until `stop` is called, the source ends, or a part fails (its error is raised by `run`).

    The band joins the `leaders`, the earlier ones before the later, and the `follower` (who hears the input) last. What
    is felt goes out as `controls` too. The port that sends earliest does so `early_seconds` before a note's time.

    An analysis that fails begins anew. While it is silent for whatever reason, the last reading holds for HOLD_SECONDS,
    then the music goes back to the `opening`.
    """

    def __init__(
        self,
        *,
        source: AudioSource,
        analyzer: Analyzer,
        conductor: Conductor,
        sink: NoteSink,
        clock: Clock,
        opening: Reading,
        journal: Journal | None = None,
        follower: BeatTracker | None = None,
        leaders: Sequence[SyncSource] = (),
        controls: Expression | None = None,
        early_seconds: float = 0.0,
    ) -> None:
        self._source = source
        self._analyzer = analyzer
        self._conductor = conductor
        self._sink = sink
        self._clock = clock
        self._reading = self._opening = opening
        self._felt_at = 0.0
        self._fault: str | None = None
        self._journal = journal or NoJournal()
        self._follower = follower
        self._leaders = (*leaders, follower) if follower is not None else tuple(leaders)
        self._controls = controls
        self._lead_in_seconds = LEAD_IN_SECONDS + early_seconds
        self._dropped_seconds = 0.0
        self._panic = threading.Event()
        self._stopping = threading.Event()
        self._ended = threading.Event()
        self._failure: BaseException | None = None

    def stop(self) -> None:
        """Ask the session to end; safe from a signal handler and from any thread."""
        self._stopping.set()

    def panic(self) -> None:
        """End every note at once, and play on at the next bar; from any thread."""
        self._panic.set()

    def run(self, on_status: Callable[[Snapshot], None] | None = None) -> Snapshot:
        """Start every part, play, stop every part in order; returns the last Snapshot. Raises KellyError."""
        listen = threading.Thread(target=self._guarded, args=(self._listen,), name="listen", daemon=True)
        play = threading.Thread(target=self._guarded, args=(self._play,), name="play", daemon=True)
        try:
            self._source.start()
            play.start()
            listen.start()
            while not self._stopping.wait(STATUS_STEP_SECONDS):
                if on_status is not None:
                    on_status(self.snapshot())
        finally:
            self._stopping.set()
            self._source.close()
            for thread in (listen, play):
                if thread.is_alive():
                    thread.join(timeout=2.0)
            last = self.snapshot()
            self._journal.stopped(self._clock.now())
            self._sink.send(Stop())
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure
        return last

    def snapshot(self) -> Snapshot:
        return Snapshot(
            reading=self._reading,
            conductor=self._conductor.status(),
            audio=self._source.health(),
            scheduler=self._sink.health(),
            dropped_windows=int(self._dropped_seconds / self._analyzer.hop_seconds),
            problem=self._problem(self._clock.now()),
        )

    def _problem(self, now: float) -> str | None:
        if self._fault is not None:
            return self._fault
        silent = now - self._felt_at
        return f"nothing was felt for {silent:.0f} s" if self._felt_at and silent > HOLD_SECONDS else None

    def _guarded(self, body: Callable[[], None]) -> None:
        """Run a thread's body; its first error ends the session and is raised by `run`."""
        try:
            body()
        except BaseException as error:
            if not self._stopping.is_set():
                self._failure = self._failure or error
        finally:
            self._stopping.set()

    def _listen(self) -> None:
        while not self._stopping.is_set():
            block = self._source.read(timeout=0.1)
            if block is None:
                if self._source.finished:
                    self._ended.set()
                    self._stopping.wait()  # the players bring the piece to its cadence, then stop the session
                continue
            block, dropped = keep_latest(block, MAX_BACKLOG_SECONDS)
            self._dropped_seconds += dropped
            if self._follower is not None:
                self._follower.push(block)  # before the nets, which take longer
            for reading in self._analyzed(block):
                self._reading, self._felt_at = reading, self._clock.now()
                self._journal.felt(reading)

    def _analyzed(self, block: AudioWindow) -> Sequence[Reading]:
        try:
            readings = self._analyzer.push(block, self._conductor.status().bars)
            if readings:
                self._fault = None
        except Exception as error:  # whatever a driver or a net throws on stage, the music goes on
            name = "" if isinstance(error, KellyError) else f"{type(error).__name__}: "
            self._fault = f"the analysis begins anew ({name}{' '.join(str(error).split())[:120]})"
            readings = ()
            with contextlib.suppress(Exception):  # it is tried again with the next block
                self._analyzer.restart()
        return readings

    def _play(self) -> None:
        origin = self._clock.now() + self._lead_in_seconds
        self._felt_at = self._clock.now()
        opening = self._reading.parameters
        self._conductor.start(origin, opening)
        self._journal.started(self._clock.now(), origin, opening)
        end_seconds: float | None = None
        step = self._clock.now()
        while not self._stopping.is_set():
            now = self._clock.now()
            if end_seconds is None:
                if self._ended.is_set():
                    end_seconds = self._conductor.seconds_at(self._conductor.finish(now))
                    self._journal.finished(now)
            elif now > end_seconds:
                return
            if self._panic.is_set():
                self._panic.clear()
                self._conductor.panic(now)
                self._journal.panicked(now)
            reading = self._reading if now - self._felt_at <= HOLD_SECONDS else self._opening
            parameters = reading.parameters
            lead = merge_sync_states(now, self._leaders)
            self._conductor.advance(now, parameters, lead)
            if self._controls is not None:
                self._controls(now, reading.state)
            self._journal.advanced(now, parameters, lead, self._conductor)
            self._raise_if_scheduler_failed()
            step = max(step + CONDUCTOR_STEP_SECONDS, now)
            self._clock.sleep_until(step)

    def _raise_if_scheduler_failed(self) -> None:
        error = self._sink.health().error
        if error is not None:
            raise MidiError(error)


def accompany(
    source: AudioSource,
    analyzer: Analyzer,
    conductor: Conductor,
    scheduler: OfflineScheduler,
    opening: Reading,
    on_progress: Callable[[float], None] | None = None,
    journal: Journal | None = None,
    follower: BeatTracker | None = None,
    controls: Expression | None = None,
) -> Performance:
    """Play along with a finite source and bring it to a close; time is the position in the source, from 0. With a
    `follower` the band joins what it hears.

    `on_progress` is told the position in seconds. Raises AudioError.
    """
    journal = journal or NoJournal()
    readings = [opening]
    position = 0.0
    try:
        source.start()
        conductor.start(0.0, opening.parameters)
        journal.started(0.0, 0.0, opening.parameters)
        while (block := source.read(timeout=0.0)) is not None:
            position = block.end_time
            if follower is not None:
                follower.push(block)
            for reading in analyzer.push(block, conductor.status().bars):
                readings.append(reading)
                journal.felt(reading)
            lead = follower.estimate(position) if follower is not None else SyncState()
            conductor.advance(position, readings[-1].parameters, lead)
            journal.advanced(position, readings[-1].parameters, lead, conductor)
            scheduler.advance(position)
            if controls is not None:
                controls(position, readings[-1].state)
            if on_progress is not None:
                on_progress(position)
    finally:
        source.close()
    end_beat = conductor.finish(position)
    journal.finished(position)
    journal.stopped(conductor.seconds_at(end_beat))
    return _close(readings, conductor, scheduler, end_beat=end_beat)


def compose(
    reading: Reading,
    conductor: Conductor,
    scheduler: OfflineScheduler,
    reading_at: Callable[[float], Reading] | None = None,
    controls: Expression | None = None,
) -> Performance:
    """Play through the conductor's `length_bars`, no audio: one emotion, or what `reading_at` says at each bar.

    `reading_at` is asked once a beat, with the bars that have gone by; each reading is dated where it falls.
    """
    readings = [reading]

    def at_beat(beat: float) -> MusicParameters:
        if reading_at is not None:
            told = reading_at(beat / conductor.status().beats_per_bar)
            readings.append(replace(told, state=replace(told.state, time=conductor.seconds_at(beat))))
        return readings[-1].parameters

    end_beat = conductor.play_through(reading.parameters, at_beat)
    if controls is not None:
        for felt in (one.state for one in readings):
            scheduler.advance(felt.time)
            controls(felt.time, felt)
    return _close(readings, conductor, scheduler, end_beat=end_beat)


def _close(
    readings: list[Reading], conductor: Conductor, scheduler: OfflineScheduler, *, end_beat: float
) -> Performance:
    end_seconds = conductor.seconds_at(end_beat)
    scheduler.advance(end_seconds)
    scheduler.send(Stop())
    status = conductor.status()
    return Performance(
        readings=tuple(readings),
        messages=tuple(scheduler.messages),
        tempo_map=scheduler.tempo_map,
        end_seconds=end_seconds,
        notes=tuple(scheduler.notes),
        parts=parts_of(conductor),
        tonic=status.tonic,
        mode=status.mode,
        signatures=tuple(scheduler.signatures),
    )
