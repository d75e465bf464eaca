"""The live path, top to bottom: listen, read the emotion, play, send.

Threads of a LiveSession:
- `listen`   reads the source, pushes it to the beat tracker and the emotion reader, and publishes the latest state.
- `play`     overrides and maps that state at every step, and steps the conductor, which hands notes to the sink a
             little ahead of time; it never waits for `listen`.
- the caller reads the published values for the status view and decides when to stop.
Threads share values as one reference each, replaced whole. Only the sink (live: the scheduler process) sends.
Input that is older than `MAX_BACKLOG_SECONDS` when the reader gets to it is dropped and counted.

`engine/offline.py` walks the same parts in the caller's thread, faster than real time.
"""

from __future__ import annotations

import contextlib
import logging
import math
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias

from kelly_live.core.band_roles import ROLES
from kelly_live.core.commands import Stop
from kelly_live.core.emotion_words import NO_WORD, WordHold
from kelly_live.core.errors import KellyError, MidiError
from kelly_live.core.protocols import (
    AudioHealth,
    AudioSource,
    EmotionOverride,
    EmotionReader,
    NoteSink,
    Reading,
    SchedulerHealth,
    SyncSource,
)
from kelly_live.core.sync_state import PlayerActivity, SyncState
from kelly_live.core.timebase import Clock
from kelly_live.core.values import AudioWindow, EmotionState
from kelly_live.core.wording import plural
from kelly_live.engine.coming_bars import ComingBars, ComingBarsPreview
from kelly_live.engine.feeling_hold import FeelingHold
from kelly_live.engine.input_trackers import InputTrackers
from kelly_live.engine.journal import Journal, NoJournal
from kelly_live.engine.limits_watch import LimitsWatch
from kelly_live.engine.override import OverrideStage
from kelly_live.engine.stage_times import LongestTime
from kelly_live.engine.supervised_tracker import SupervisedTracker
from kelly_live.music.band import ParameterChange
from kelly_live.music.conductor import Conductor
from kelly_live.music.conductor_status import ConductorStatus
from kelly_live.music.mixer import MixerChange
from kelly_live.music.parameter_locks import LockChange
from kelly_live.music.role_options import RoleOptions

MAX_BACKLOG_SECONDS = 1.0
STATE_HOLD_SECONDS = 4.0  # without a state for so long, what is not overridden returns to the opening state
CONDUCTOR_STEP_SECONDS = 0.005
STATUS_STEP_SECONDS = 0.04  # the status is drawn less often; what a performer does waits this long at most
LEAST_STATUS_SECONDS = 0.005  # between two of them, however often `wake` is called
LEAD_IN_SECONDS = 0.2  # beat 0 falls this long after the start, so that the first slice is never late
MAX_CHANGES = 1024  # of parameters that wait for the next step of the conductor, 5 ms at most
NO_SYNC = SyncState()
MORPH_STEPS = 64  # a bar, at which a morph is mapped anew; a step is 31 ms at 120 BPM

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the session is doing now: the latest value of every part.

    `reading` is what is played, the override included; `read` is the latest state of the analysis, before it. `problem`
    says in one line why no state comes from the analysis, `tracker_problem` why no beat comes, while that lasts. `sync`
    is what the band could synchronise to. `analysis_seconds` and `conductor_seconds` are the longest of late that the
    analysis of a block and a step of the conductor took.
    `coming`: the bars to come, where they are shown; `coming_problem` says in one line why there are none.
    `word`: the emotion word of what is played, "" near the middle; None: no words were asked for.
    """

    reading: Reading
    conductor: ConductorStatus
    audio: AudioHealth
    scheduler: SchedulerHealth
    dropped_windows: int
    problem: str | None = None
    read: EmotionState | None = None
    tracker_problem: str | None = None
    sync: SyncState = NO_SYNC
    analysis_seconds: float = 0.0
    conductor_seconds: float = 0.0
    coming: ComingBars | None = None
    coming_problem: str | None = None
    word: str | None = None


def describe_input_loss(last: Snapshot) -> str:
    """Say how much input was lost; an overflow that a device only reports counts, but adds no seconds."""
    audio, parts = last.audio, []
    if audio.dropped_seconds > 0.0:
        where = f" in {plural(audio.overflows, 'overflow')}" if audio.overflows else ""
        parts.append(f"{audio.dropped_seconds:.1f} s of input lost{where}")
    elif audio.overflows:
        parts.append(
            f"{plural(audio.overflows, 'overflow')} of the input (the device does not say how much sound each one lost)"
        )
    if last.dropped_windows:
        parts.append(f"{plural(last.dropped_windows, 'window')} of input skipped to keep up")
    return "; ".join(parts) or "no input lost"


# Takes the state that is played at a time (s), to make controllers of it. Thread: the conductor's.
Expression: TypeAlias = Callable[[float, EmotionState], None]


def keep_latest(block: AudioWindow, max_seconds: float) -> tuple[AudioWindow, float]:
    """Cut a block to its newest `max_seconds`; return it and how many seconds were cut off its start."""
    surplus = len(block.samples) - int(max_seconds * block.sample_rate)
    if surplus <= 0:
        return block, 0.0
    return replace(block, samples=block.samples[surplus:]), surplus / block.sample_rate


class _Read(NamedTuple):
    """A state of the analysis, and when it came (s, monotonic)."""

    state: EmotionState
    at: float


class LiveSession:
    """Plays until `stop` is called, the source ends, or a part fails (its error is raised by `run`).

    The band is synchronised to the `sync_sources`, the earlier ones before the later, and to the `beat_tracker` (the
    beat of the input) last. What is played goes out as `controls` too. The port that sends earliest does so
    `early_seconds` before a note's time. A panic ends notes; `panic_stops_transport`: it also stops what follows our
    clock, and starts it at the next bar line. `set_parameter` gives a parameter of a player another value.
    `limits_watch` sends other limits of loudness where the quiet hours begin and end. `words` names what is played.

    A reader that fails is reset. While it is silent, its last state holds for STATE_HOLD_SECONDS; then the stage's
    opening state replaces it. An override or a freeze stays in force.
    """

    def __init__(
        self,
        *,
        source: AudioSource,
        reader: EmotionReader,
        stage: OverrideStage,
        conductor: Conductor,
        sink: NoteSink,
        clock: Clock,
        journal: Journal | None = None,
        beat_tracker: SupervisedTracker | None = None,
        sync_sources: Sequence[SyncSource] = (),
        controls: Expression | None = None,
        early_seconds: float = 0.0,
        panic_stops_transport: bool = False,
        set_parameter: Callable[[ParameterChange], None] | None = None,
        limits_watch: LimitsWatch | None = None,
        words: WordHold | None = None,
    ) -> None:
        self._words, self._word = words, None if words is None else NO_WORD
        self._panic_stops_transport = panic_stops_transport
        self._source = source
        self._reader = reader
        self._stage = stage
        self._conductor = conductor
        self._sink = sink
        self._clock = clock
        self._reading = stage.map(None, 0.0, clock.now())
        self._read: _Read | None = None
        self._began_at = 0.0
        self._fault: str | None = None
        self._journal = journal or NoJournal()
        self._trackers = InputTrackers(sync_sources, beat_tracker)
        self._role = conductor.status().role
        self._next_role: deque[str] = deque(maxlen=1)
        self._set_parameter = set_parameter
        self._limits_watch = limits_watch
        self._changes: deque[ParameterChange] = deque(maxlen=MAX_CHANGES)
        self._coming, self._shows_coming = ComingBarsPreview(conductor), False
        self._adjustments: deque[MixerChange | LockChange] = deque(maxlen=MAX_CHANGES)
        self._sync = NO_SYNC
        self._analysis_time, self._step_time = LongestTime(), LongestTime()
        self._feeling = FeelingHold()
        self._controls = controls
        self._lead_in_seconds = LEAD_IN_SECONDS + early_seconds
        self._dropped_seconds = 0.0
        self._panic = threading.Event()
        self._stopping, self._waking = threading.Event(), threading.Event()
        self._has_ended = threading.Event()
        self._failure: BaseException | None = None

    # ------------------------------------------------------------ any thread

    def stop(self) -> None:
        """Ask the session to end; safe from a signal handler and from any thread."""
        self._stopping.set()
        self._waking.set()

    def wake(self) -> None:
        """Let `on_status` of `run` be called now, not at its next time: an action has come; from any thread."""
        self._waking.set()

    def panic(self) -> None:
        """End every note at once, and play on at the next bar; from any thread."""
        self._panic.set()

    def change_role(self, role: str | None) -> str:
        """Give the band another role from the next bar line on, the next one of ROLES by default; from any thread.

        Returns a line that says so. Raises ConfigError.
        """
        self._role = RoleOptions(ROLES[(ROLES.index(self._role) + 1) % len(ROLES)] if role is None else role).role
        self._next_role.append(self._role)
        return f"role: {self._role}, from the next bar on"

    def change_parameters(self, changes: Sequence[ParameterChange]) -> None:
        """Give parameters of the players other values from the next slice on; from any thread."""
        self._changes.extend(changes)

    def follow_by(self, tracker: SupervisedTracker | None) -> None:
        """Follow the player by another tracker from the next bar line on; None: no longer; from any thread."""
        self._trackers.change(tracker, self._conductor.status().bar)

    def show_coming(self, is_shown: bool) -> None:
        """Make the coming bars for the snapshots, or no longer; from any thread."""
        self._shows_coming = is_shown

    def adjust(self, changes: Sequence[MixerChange | LockChange]) -> None:
        """Change the mixer, or lock or release musical parameters, at the conductor's next step; from any thread."""
        self._adjustments.extend(changes)

    @property
    def override(self) -> EmotionOverride:
        """The override in force."""
        return self._stage.override

    def set_override(self, override: EmotionOverride) -> None:
        """Override what is read from the conductor's next step on; from any thread."""
        self._stage.set_override(override)

    def snapshot(self) -> Snapshot:
        """Return the latest value of every part; from any thread."""
        read = self._read
        return Snapshot(
            reading=self._reading,
            conductor=self._conductor.status(),
            audio=self._source.health(),
            scheduler=self._sink.health(),
            dropped_windows=int(self._dropped_seconds / self._reader.hop_seconds),
            problem=self._describe_problem(self._clock.now()),
            read=None if read is None else read.state,
            tracker_problem=self._trackers.problem,
            coming=self._coming.coming,
            coming_problem=self._coming.problem,
            word=self._word,
            sync=self._sync,
            analysis_seconds=self._analysis_time.seconds,
            conductor_seconds=self._step_time.seconds,
        )

    def _describe_problem(self, now: float) -> str | None:
        if self._fault is not None:
            return self._fault
        silent = now - self._read_at()
        return f"nothing was read for {silent:.0f} s" if self._began_at and silent > STATE_HOLD_SECONDS else None

    def _read_at(self) -> float:
        """When the latest state came, or the session started."""
        return self._began_at if self._read is None else self._read.at

    # ------------------------------------------------------------ the caller's thread

    def run(self, on_status: Callable[[Snapshot], None] | None = None) -> Snapshot:
        """Start every part, play, stop every part in order; returns the last Snapshot. Raises KellyError."""
        listen = threading.Thread(target=self._run_guarded, args=(self._listen,), name="listen", daemon=True)
        play = threading.Thread(target=self._run_guarded, args=(self._play,), name="play", daemon=True)
        try:
            self._source.start()
            play.start()
            listen.start()
            while not self._stopping.wait(LEAST_STATUS_SECONDS):
                self._waking.wait(STATUS_STEP_SECONDS - LEAST_STATUS_SECONDS)
                self._waking.clear()
                if self._stopping.is_set():
                    break
                if self._words is not None:
                    self._word = self._words.update(self._reading.state, self._clock.now())
                if on_status is not None:
                    on_status(self.snapshot())
        finally:
            self._stopping.set()
            try:
                self._source.close()
                for thread in (listen, play):
                    if thread.is_alive():
                        thread.join(timeout=2.0)
                last = self.snapshot()
            finally:  # a source of a program's own may raise: no note may hang
                self._stop_sink()
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure
        return last

    def _stop_sink(self) -> None:
        """Stop the sink, and record until when it sent: notes went on until it took the stop."""
        now = self._clock.now()
        try:
            self._sink.send(Stop())
        finally:
            self._journal.record_stop(self._sink.health().sent_until or now)

    def _run_guarded(self, body: Callable[[], None]) -> None:
        """Run a thread's body; its first error ends the session and is raised by `run`."""
        try:
            body()
        except BaseException as error:
            if not self._stopping.is_set():
                self._failure = self._failure or error
        finally:
            self.stop()

    # ------------------------------------------------------------ the thread `listen`

    def _listen(self) -> None:
        while not self._stopping.is_set():
            block = self._source.read(timeout=0.1)
            if block is None:
                if self._source.is_finished:
                    self._has_ended.set()
                    self._stopping.wait()  # the players bring the piece to its cadence, then stop the session
                continue
            block, dropped_seconds = keep_latest(block, MAX_BACKLOG_SECONDS)
            self._dropped_seconds += dropped_seconds
            self._trackers.push(block)  # before the reader, which takes longer
            for state in self._read_emotion(block):
                self._read = _Read(state, self._clock.now())

    def _read_emotion(self, block: AudioWindow) -> Sequence[EmotionState]:
        try:
            began = self._clock.now()
            states = self._reader.push(block)
            self._analysis_time.add(self._clock.now() - began)
            if states:
                self._fault = None
        except BaseException as error:  # whatever a driver or a net raises, `sys.exit` too, the music goes on
            if self._fault is None:
                _log.exception("the emotion reader failed and is reset")
            name = "" if isinstance(error, KellyError) else f"{type(error).__name__}: "
            self._fault = f"the analysis restarts ({name}{' '.join(str(error).split())[:120]})"
            states = ()
            with contextlib.suppress(BaseException):  # it is tried again with the next block
                self._reader.reset()
        return states

    # ------------------------------------------------------------ the thread `play`

    def _play(self) -> None:
        origin = self._clock.now() + self._lead_in_seconds
        self._began_at = self._clock.now()
        parameters = self._reading.parameters
        self._conductor.start(origin, parameters)
        self._journal.record_start(self._clock.now(), origin, parameters)
        journaled: _Read | None = None
        end_seconds: float | None = None
        step = self._clock.now()
        while not self._stopping.is_set():
            now = self._clock.now()
            if end_seconds is None:
                if self._has_ended.is_set():
                    end_seconds = self._conductor.seconds_at(self._conductor.finish(now))
                    self._journal.record_ending(now)
            elif now > end_seconds:
                return
            if self._panic.is_set():
                self._panic.clear()
                self._conductor.panic(now, stops_transport=self._panic_stops_transport)
                self._journal.record_panic(now, stops_transport=self._panic_stops_transport)
                self._coming.restart()
            if self._next_role:
                role = self._next_role.popleft()
                self._conductor.set_role(role)
                self._journal.record_role(now, role)
                self._coming.restart()
            while self._changes and self._set_parameter is not None:
                change = self._changes.popleft()
                self._set_parameter(change)
                self._journal.record_parameter(now, change)
                self._coming.restart()
            while self._adjustments:
                self._adjust(now, self._adjustments.popleft())
            limits = self._limits_watch and self._limits_watch.update(now)
            if limits:
                self._journal.record_limits(now, limits)
            read, sync = self._read, self._trackers.estimate(now, self._conductor.status())
            self._sync = sync
            reading = self._reading = self._map(read, now, sync.player)
            if read is not None and read is not journaled:
                journaled = read
                self._journal.record_reading(reading)
            self._conductor.advance(now, reading.parameters, sync)
            if self._controls is not None:
                self._controls(now, reading.state)
            self._journal.record_step(now, reading.parameters, sync, self._conductor)
            self._coming.step(reading.parameters, is_shown=self._shows_coming)
            self._raise_if_scheduler_failed()
            self._step_time.add(self._clock.now() - now)
            step = max(step + CONDUCTOR_STEP_SECONDS, now)
            self._clock.sleep_until(step)

    def _adjust(self, now: float, change: MixerChange | LockChange) -> None:
        if isinstance(change, MixerChange):
            self._conductor.mix(now, change)
            self._journal.record_mixer(now, change)
        else:
            self._conductor.lock(now, change)
            self._journal.record_lock(now, change)
        self._coming.restart()

    def _map(self, read: _Read | None, now: float, player: PlayerActivity | None) -> Reading:
        """Map the latest state that is not too old, or what is held of the player's last phrase."""
        is_stale = read is None or now - read.at > STATE_HOLD_SECONDS
        state = None if read is None or is_stale else self._feeling.apply(read.state, player)
        bar = math.floor(self._conductor.status().bars * MORPH_STEPS) / MORPH_STEPS
        return self._stage.map(state, bar, now)

    def _raise_if_scheduler_failed(self) -> None:
        error = self._sink.health().error
        if error is not None:
            raise MidiError(error)
