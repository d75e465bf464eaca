"""Keeps a session while it plays: a tee before the sink, a queue, and a thread that writes.

Nothing here holds up the music: the tee only remembers what goes by, every hand-off is bounded and never waits, and
only the `record` thread touches the disk. About twice a second it appends to the log and has the system put that on
the disk, so that a crash, a kill or a power cut costs a second at most. While the disk is full, some megabytes wait in
memory and are written when there is room again. The MIDI file is written whole at the end; after a crash `kelly-live
replay` creates it from the log. What begins and ends while it plays is in `takes.py`.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kelly_live.core.actions import Action
from kelly_live.core.commands import Controls, Expression, LoudnessLimits, Notes, TempoChange
from kelly_live.core.errors import ConfigError, KellyError, OutputError
from kelly_live.core.protocols import Reading
from kelly_live.core.queues import drain
from kelly_live.core.sync_state import SyncState
from kelly_live.core.timebase import Clock
from kelly_live.core.values import MusicParameters
from kelly_live.music.band import MutedPlayer, ParameterChange, Slot
from kelly_live.music.conductor import Conductor
from kelly_live.music.mixer import MixerChange
from kelly_live.music.parameter_locks import LockChange
from kelly_live.recording.counters import CounterReader, SessionCounters
from kelly_live.recording.log import (
    Step,
    StepEncoder,
    create_emotion_record,
    encode_header,
    encode_record,
)
from kelly_live.recording.packed_tape import RecordedMusic
from kelly_live.recording.paths import Paths
from kelly_live.recording.records import (
    MAX_TEXT,
    ActionRecord,
    ChecksumRecord,
    ControlRecord,
    EmotionRecord,
    FinishRecord,
    Header,
    IsoRecord,
    LimitsRecord,
    LockRecord,
    MixerRecord,
    MuteRecord,
    PanicRecord,
    ParameterRecord,
    Part,
    PresetRecord,
    Record,
    RoleRecord,
    SentNotes,
    StartRecord,
    StopRecord,
    TempoRecord,
)
from kelly_live.recording.takes import Take, Takes, describe_torn_log
from kelly_live.recording.tape import Tape, TapeCommand
from kelly_live.recording.tee import Checksum, Tee

KEEP_SECONDS = 0.25  # written so often: what is written survives the end of this process, however it ends
SYNC_EVERY = 2  # of these waits for the disk: what is there survives the end of the machine
MAX_QUEUED = 20_000  # records that wait for the thread: at a dozen a second, some 25 minutes of a disk that hangs
_PATIENCE_SECONDS = 10.0
_MAX_REQUESTS = 16

_log = logging.getLogger(__name__)


def list_parts(conductor: Conductor) -> tuple[Part, ...]:
    """Return who plays what, as a log has it."""
    return tuple(
        Part(slot.part, slot.channel, slot.program, slot.port, slot.sends_program, slot.is_external)
        for slot in conductor.slots
    )


@dataclass(frozen=True, slots=True)
class _QueuedStep:
    """A step whose record is created by the `record` thread."""

    time: float
    step: Step
    plays: SentNotes
    points: tuple[Expression, ...] = ()


@dataclass(frozen=True, slots=True)
class _Request:
    """To begin a take (True), to end it (False), or to keep all (None), asked for at `time`."""

    begins: bool | None
    time: float
    beats_per_bar: int


class Recorder:
    """A Journal of the session, and what the performer does; and the takes that are made of both.

    Threads: `record_start` to `record_panic` belong to the conductor's thread, all others to the main one.

    Args:
        paths: Where the take goes that begins with the session; None: none does.
        header: The log's first line.
        tee: The tee before the session's sink.
        clock: Times what has no time of its own.
        preset: Returns the host preset in force [default: the header's].
        choose_next: Returns where a take that begins later goes; raises KellyError [default: none may].
    """

    def __init__(
        self,
        paths: Paths | None,
        header: Header,
        tee: Tee,
        clock: Clock,
        preset: Callable[[], str] | None = None,
        choose_next: Callable[[], Paths] | None = None,
    ) -> None:
        self._takes = Takes(paths, choose_next)
        self._may_take = choose_next is not None
        self._is_on = paths is not None  # as it was asked for last
        self._requests: deque[_Request] = deque(maxlen=_MAX_REQUESTS)
        self._header = header
        self._tee = tee
        self._clock = clock
        self._preset = preset or (lambda: header.preset)
        self._slots: Sequence[Slot] | None = None
        self._tape = Tape(header.tunings_by_port(), limits=header.limits, live=header.live)
        self._parts = list(header.parts)
        self._checksum = Checksum()
        self._steps = StepEncoder()
        self._queue: deque[tuple[Record | _QueuedStep, tuple[TapeCommand, ...]]] = deque()
        self._taped_at = 0.0  # when the latest command that is on the tape was made
        self._has_content = False  # something was heard, done or played
        self._slice_count = -1
        self._transport: object = None
        self._conductor: Conductor | None = None
        self._empty_step: _QueuedStep | None = None  # the latest step, where it created no slice
        self._counters = CounterReader()
        self._muted: Sequence[MutedPlayer] = ()
        self._end_reason: str | None = None  # why nothing more is kept
        self._is_over = False
        self._is_closing = threading.Event()
        self._takes.append(encode_header(header), sync=False)
        self._thread = threading.Thread(target=self._run, name="record", daemon=True)
        self._thread.start()

    @property
    def tape(self) -> Tape:
        """All that was played; whole after `close`."""
        return self._tape

    @property
    def take(self) -> Take | None:
        """The take that is being written; None: the session is not recorded now. Thread: any."""
        return self._takes.take

    @property
    def problem(self) -> str | None:
        """What is wrong, in a few words for the status line; None while all is well."""
        return self._takes.problem or (self._end_reason if self._is_on else None)

    def switch(self, is_on: bool | None, snapshot: SessionCounters) -> str | None:
        """Begin a take at the beginning of this bar, or end it; None turns it over.

        Returns what to print, if anything. What comes of it is said by `take_lines`, within a second.
        """
        take, is_on = self._takes.take, not self._is_on if is_on is None else is_on
        if not self._may_take:
            return "record: not in this session"
        if not is_on and take is not None and take.paths.report is not None:
            return "recording goes on to the end: --report tells of the whole session"
        if is_on != self._is_on:
            self._is_on = is_on
            self._requests.append(_Request(is_on, self._clock.now(), snapshot.conductor.beats_per_bar))
        return None

    def keep(self) -> str | None:
        """Keep all that was played since the start of the session; as `switch`."""
        if not self._may_take:
            return "keep: not in this session"
        self._requests.append(_Request(None, self._clock.now(), 1))
        return None

    def take_lines(self) -> list[str]:
        """Return what there is to say of takes since the last call. Thread: any, one."""
        return self._takes.take_lines()

    def record_start(self, now: float, origin_seconds: float, parameters: MusicParameters) -> None:
        """Record that the conductor started. Thread: the conductor's, as for the next three."""
        self._slice_count = -1
        record = StartRecord(time=now, origin_seconds=origin_seconds, parameters=parameters)
        self._put(record, self._tee.take())

    def record_step(self, now: float, parameters: MusicParameters, sync: SyncState, conductor: Conductor) -> None:
        """Record a step of the conductor; cheap when it created nothing."""
        self._record_controls(now)
        step = Step(parameters, sync)
        self._empty_step, self._conductor = _QueuedStep(now, step, None), conductor
        commands = self._tee.take()
        if conductor.slices == self._slice_count and not commands and sync.transport == self._transport:
            return
        self._slice_count, self._transport = conductor.slices, sync.transport
        self._record_players(now, conductor)
        points = tuple(command for command in commands if isinstance(command, Expression))
        self._put(_QueuedStep(now, step, self._select_plays(commands), points), commands)
        self._empty_step = None

    def record_ending(self, now: float) -> None:
        """Record that the conductor played its closing bar, with the parameters of the latest step."""
        if self._conductor is not None:
            self._record_players(now, self._conductor)
        if self._empty_step is not None:
            self._put(self._empty_step)
        commands = self._tee.take()
        self._put(FinishRecord(time=now, plays=self._select_plays(commands)), commands)

    def record_panic(self, now: float, *, stops_transport: bool) -> None:
        """Record that the conductor ended every note."""
        self._put(PanicRecord(time=now, stops_transport=stops_transport), self._tee.take())

    def record_role(self, now: float, role: str) -> None:
        """Record that the band was given another role."""
        self._put(RoleRecord(time=now, role=role), self._tee.take())

    def record_limits(self, now: float, limits: LoudnessLimits) -> None:
        """Record that the notes are held to other limits."""
        self._put(LimitsRecord(time=now, limits=limits), self._tee.take())

    def record_parameter(self, now: float, change: ParameterChange) -> None:
        """Record that a parameter of a player was given another value."""
        record = ParameterRecord(
            time=now, player=change.player, effect=change.effect, parameter=change.parameter, value=change.value
        )
        self._put(record, self._tee.take())

    def record_mixer(self, now: float, change: MixerChange) -> None:
        """Record that a player's place in the mixer was changed."""
        record = MixerRecord(time=now, player=change.player, control=change.control, value=change.value)
        self._put(record, self._tee.take())

    def record_lock(self, now: float, change: LockChange) -> None:
        """Record that a musical parameter was locked or released."""
        self._put(LockRecord(time=now, name=change.name, is_on=change.is_on), self._tee.take())

    def record_reading(self, reading: Reading) -> None:
        """Record a reading. Thread: the one that listens."""
        self._put(create_emotion_record(self._clock.now(), reading.state))

    def record_action(self, action: Action, source: str, snapshot: SessionCounters) -> None:
        """Record what the performer did. Thread: the main one, as for the next."""
        value = None if action.value is None else str(action).removeprefix(f"{action.name} ")
        bar = snapshot.conductor.bar
        self._put(ActionRecord(time=self._clock.now(), name=action.name, source=source, bar=bar, value=value))

    def record_iso(self, phase: str) -> None:
        """Record a phase of an iso session, in words."""
        self._put(IsoRecord(time=self._clock.now(), phase=phase))

    def record_counters(self, snapshot: SessionCounters) -> None:
        """Record the counters and, once a second, the feeling; cheap when none has moved."""
        for record in self._counters.read(self._clock.now(), snapshot):
            self._put(record)

    def record_stop(self, now: float) -> None:
        """Record that the sink was stopped: nothing was sent after `now`."""
        self._record_controls(now)
        self._put(StopRecord(time=now), self._tee.take())
        self._is_over = True

    def close(self) -> list[str]:
        """Write what is left, and the MIDI file; return lines that tell of it. Safe to call twice.

        Waits for the disk, but not for ever. A log of nothing, of a session that was stopped as it began, is removed.
        """
        if self._is_closing.is_set():
            return []
        self._is_closing.set()
        self._thread.join(_PATIENCE_SECONDS)
        take = self._takes.take
        if self._thread.is_alive():
            return [] if take is None else [describe_torn_log(take.paths, "the disk does not answer")]
        self._takes.close(_PATIENCE_SECONDS)
        lines = self.take_lines()
        if take is None:
            return lines
        ended = self._takes.close_last(
            self._pack(),
            made_notes=self._checksum.notes,
            has_content=self._has_content,
            problem=self._end_reason,
        )
        return [*lines, *ended]

    def _pack(self) -> RecordedMusic | None:
        """Return what is on the tape, and whose it is; None before the start."""
        try:
            return RecordedMusic(self._tape.pack(), tuple(self._parts), self._header.title)
        except ConfigError:
            return None

    def _select_plays(self, commands: Sequence[TapeCommand]) -> SentNotes:
        """Return the notes that the log must hold because a plug-in played, None where there was none."""
        if not any(slot.is_external for slot in self._slots or ()):
            return None
        return tuple(command for command in commands if isinstance(command, Notes))

    def _record_players(self, now: float, conductor: Conductor) -> None:
        """Record who plays, and who does not any more, where that is new."""
        slots, muted = conductor.slots, conductor.status().muted
        if slots is not self._slots:
            if self._slots is not None:
                self._put(PresetRecord(time=now, name=self._preset(), parts=list_parts(conductor)))
            self._slots, self._muted = slots, ()
        if muted is not self._muted:
            before = {player.name for player in self._muted}
            self._muted = muted
            for player in muted:
                if player.name not in before:
                    self._put(MuteRecord(time=now, player=player.name, reason=player.reason[:MAX_TEXT]))

    def _record_controls(self, now: float) -> None:
        if changes := self._tee.take_controls():
            self._put(ControlRecord(time=now, changes=changes))

    def _put(self, record: Record | _QueuedStep, commands: tuple[TapeCommand, ...] = ()) -> None:
        if self._is_over or self._end_reason is not None or self._takes.is_idle:
            return
        if len(self._queue) >= MAX_QUEUED:
            self._end_reason = "recording ended: the disk does not answer"
            return
        self._queue.append((record, commands))

    def _run(self) -> None:
        """Thread: record. A fault of its own ends the recording, never the music."""
        try:
            turn = 0
            while not self._is_closing.wait(KEEP_SECONDS):
                turn += 1
                self._keep(sync=turn % SYNC_EVERY == 0)
                self._serve()
            self._keep(sync=True)
        except Exception as error:  # whatever it is, the band plays on and the status says so
            _log.exception("the recording ended")
            self._end_reason = f"recording ended: {type(error).__name__}: {error}"

    def _serve(self) -> None:
        """Begin and end takes, as it was asked for."""
        for request in drain(self._requests):
            try:
                self._answer(request)
            except KellyError as error:
                self._is_on = self._takes.take is not None
                self._takes.say(f"not recorded: {error}")

    def _answer(self, request: _Request) -> None:
        if self._end_reason is not None:
            raise OutputError(self._end_reason)
        if request.begins:
            bar = self._tape.find_bar(request.time, request.beats_per_bar)
            where = "from now on" if bar is None else f"from bar {bar[0] + 1} on"
            self._takes.begin(request.time, request.time if bar is None else bar[1], where)
            return
        act = self._takes.keep if request.begins is None else self._takes.end
        act(self._pack(), self._taped_at)

    def _keep(self, *, sync: bool) -> None:
        """Append what is queued to the log and to the tape; `sync`: wait for the disk."""
        notes, last, lines = self._checksum.notes, 0.0, bytearray()
        for queued, commands in drain(self._queue):
            record = self._encode(queued)
            last = record.time
            lines += encode_record(record)
            for command in commands:
                if isinstance(command, TempoChange):
                    tempo = TempoRecord(time=last, beat=command.point.beat, bpm=command.point.bpm)
                    lines += encode_record(tempo)
            on_tape: tuple[TapeCommand, ...] = commands
            if isinstance(record, ControlRecord):
                on_tape = (Controls(record.changes),)
            elif isinstance(record, PresetRecord):
                self._parts += record.parts
            self._has_content = self._has_content or isinstance(record, EmotionRecord | ActionRecord)
            if on_tape:
                self._checksum.add(commands)
                self._tape.take(last, on_tape)
                self._taped_at = last
            if isinstance(record, StopRecord):
                self._tape.end(last)
        if self._checksum.notes > notes:
            self._has_content = True
            record = ChecksumRecord(time=last, notes=self._checksum.notes, crc=self._checksum.crc)
            lines += encode_record(record)
        self._takes.append(bytes(lines), sync=sync)

    def _encode(self, queued: Record | _QueuedStep) -> Record:
        if isinstance(queued, _QueuedStep):
            return self._steps.encode(queued.time, queued.step, queued.plays, queued.points)
        if isinstance(queued, StartRecord):
            self._steps.begin(queued.parameters)
        return queued
