"""Keeps a session while it plays: a tee before the sink, a queue, and a thread that writes.

Nothing here holds up the music: the tee only remembers what goes by, every hand-off is bounded and never waits, and
only the `record` thread touches the disk. About twice a second it appends to the log and has the system put that on
the disk, so that a crash, a kill or a power cut costs a second at most. While the disk is full, up to
MAX_PENDING_BYTES wait in memory and are written when there is room again. The MIDI file is written whole at the end;
after a crash `kelly-live replay` makes it from the log.
"""

from __future__ import annotations

import errno
import itertools
import os
import struct
import threading
import zlib
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from kelly_live.core.actions import Action
from kelly_live.core.atomic_write import suggest_remedy, write_atomically
from kelly_live.core.commands import Controls, Notes, Pause, Signature, SinkCommand, Start, TempoChange
from kelly_live.core.errors import ConfigError, OutputError
from kelly_live.core.protocols import NoteSink, Reading, SchedulerHealth
from kelly_live.core.timebase import Clock
from kelly_live.core.values import ControlChange, MusicParameters, SyncState
from kelly_live.engine.session import Snapshot
from kelly_live.music.band import MutedPlayer, Slot
from kelly_live.music.conductor import Conductor
from kelly_live.recording.log import (
    Acted,
    Controlled,
    Counted,
    Fault,
    Felt,
    Finished,
    Header,
    Muted,
    Panicked,
    Part,
    Plays,
    PresetTaken,
    Record,
    Started,
    Stepped,
    Stopped,
    Sum,
    TempoTold,
    Writer,
    header_line,
    rounded,
)
from kelly_live.recording.take import take_bytes
from kelly_live.recording.tape import Command, Tape

KEEP_SECONDS = 0.25  # written so often: what is written survives the end of this process, however it ends
SYNC_EVERY = 2  # of these waits for the disk: what is there survives the end of the machine
MAX_QUEUED = 20_000  # records that wait for the thread: at a dozen a second, some 25 minutes of a disk that hangs
MAX_PENDING_BYTES = 8 << 20  # lines that wait for a full disk: about half an hour
_PATIENCE_SECONDS = 10.0
_CHUNK_BYTES = 1 << 16
_NOTE = struct.Struct("<2d3Bd")

T = TypeVar("T")


class Tee:
    """A NoteSink before another: all goes on to it at once, and is remembered until it is `taken`."""

    def __init__(self, inner: NoteSink) -> None:
        self._inner = inner
        self._commands: deque[Command] = deque()
        self._controls: deque[ControlChange] = deque()

    def send(self, command: SinkCommand) -> None:
        """Pass a command on at once, and keep it."""
        self._inner.send(command)
        match command:
            case Controls(changes):
                self._controls.extend(changes)
            case Start() | TempoChange() | Notes() | Pause() | Signature():
                self._commands.append(command)

    def health(self) -> SchedulerHealth:
        return self._inner.health()

    def taken(self) -> tuple[Command, ...]:
        """What went by since the last time, controllers apart."""
        return tuple(_emptied(self._commands))

    def taken_controls(self) -> tuple[ControlChange, ...]:
        return tuple(_emptied(self._controls))


class Check:
    """A checksum of all that was handed over, so that a replay can tell whether it is the same."""

    def __init__(self) -> None:
        self.notes = 0
        self.crc = 0

    def add(self, commands: Sequence[Command]) -> None:
        """In the order that is heard: of what was handed over at once, the tempos and then the notes."""
        for command in sorted(commands, key=lambda command: isinstance(command, Notes)):
            match command:
                case Notes(notes):
                    self.notes += len(notes)
                    for n in notes:
                        packed = _NOTE.pack(n.onset_beats, n.duration_beats, n.pitch, n.velocity, n.channel, n.cents)
                        self._add(packed + n.port.encode())
                case Controls() | Pause():
                    self._add(type(command).__name__.encode())
                case TempoChange(point):
                    self._add(struct.pack("<2d", point.beat, point.bpm))
                case Start(origin_seconds, bpm, first_beat):
                    self._add(struct.pack("<3d", origin_seconds, bpm, first_beat))

    def _add(self, data: bytes) -> None:
        self.crc = zlib.crc32(data, self.crc)


@dataclass(frozen=True, slots=True)
class Paths:
    """Where a take goes; `midi` None: only the log."""

    midi: Path | None
    log: Path


def new_paths(midi: Path | None, log: Path | None) -> Paths:
    """The paths of a new take: the log beside the MIDI file unless it is named. What is there already is kept: the new
    take gets a number. Raises OutputError.
    """
    if midi is None and log is None:
        raise ConfigError("a recording needs a file to go to; name one")
    log = log or (midi and midi.with_suffix(".jsonl"))
    if midi is not None and log is not None and midi.resolve() == log.resolve():
        raise OutputError("the recording and its log have the same name; name them apart")
    for number in itertools.count(1):
        paths = [_numbered(path, number) for path in (midi, log)]
        if not any(path is not None and os.path.lexists(path) for path in paths):
            assert paths[1] is not None
            return Paths(paths[0], paths[1])
    raise AssertionError


def _numbered(path: Path | None, number: int) -> Path | None:
    return path if path is None or number == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")


def parts_of(conductor: Conductor) -> tuple[Part, ...]:
    """Who plays what, as a log has it."""
    return tuple(
        Part(slot.part, slot.channel, slot.program, slot.port, slot.sends_program, slot.is_sandboxed)
        for slot in conductor.slots
    )


class Recorder:
    """One take: a Journal of the session, and what the performer does. `preset` says which host preset is in force;
    `problem` is a few words for the status line, None while all is well. Threads: any for all calls but `close`.
    """

    def __init__(
        self, paths: Paths, header: Header, tee: Tee, clock: Clock, preset: Callable[[], str] | None = None
    ) -> None:
        self.paths = paths
        self.problem: str | None = None
        self._header = header
        self._tee = tee
        self._clock = clock
        self._preset = preset or (lambda: header.preset)
        self._slots: Sequence[Slot] | None = None
        self._tape = Tape(header.tunings(), live=header.live)
        self._parts = list(header.parts)
        self._check = Check()
        self._writer = Writer()
        self._queue: deque[tuple[Record, tuple[Command, ...]]] = deque()
        self._pending = bytearray(header_line(header))
        self._unsynced = False
        self._made = -1
        self._transport: object = None
        self._conductor: Conductor | None = None
        self._unmade: Stepped | None = None  # the latest step, where it made nothing
        self._counted: tuple[object, ...] = (0, 0, 0, 0, 0.0)
        self._muted: Sequence[MutedPlayer] = ()
        self._ended: str | None = None  # why nothing more is kept
        self._over = False
        self._closing = threading.Event()
        self._file = _opened(paths.log)
        self._thread = threading.Thread(target=self._run, name="record", daemon=True)
        self._thread.start()

    def started(self, now: float, origin_seconds: float, parameters: MusicParameters) -> None:
        """The conductor started. Thread: the conductor's, as for the next three."""
        self._made = -1
        self._put(Started(now, origin_seconds, parameters), self._tee.taken())

    def advanced(self, now: float, parameters: MusicParameters, lead: SyncState, conductor: Conductor) -> None:
        """The conductor advanced; cheap when it made nothing."""
        self._controlled(now)
        self._unmade, self._conductor = Stepped(now, parameters, lead), conductor
        commands = self._tee.taken()
        if conductor.slices == self._made and not commands and lead.transport == self._transport:
            return
        self._made, self._transport = conductor.slices, lead.transport
        self._look_at(now, conductor)
        self._put(Stepped(now, parameters, lead, self._plays(commands)), commands)
        self._unmade = None

    def finished(self, now: float) -> None:
        """The conductor played its closing bar, with the parameters that it was told last."""
        if self._conductor is not None:
            self._look_at(now, self._conductor)
        if self._unmade is not None:
            self._put(self._unmade)
        commands = self._tee.taken()
        self._put(Finished(now, self._plays(commands)), commands)

    def panicked(self, now: float) -> None:
        """The conductor ended every note."""
        self._put(Panicked(now), self._tee.taken())

    def felt(self, reading: Reading) -> None:
        """A reading was made. Thread: the one that listens."""
        state = reading.state
        told = Felt(
            self._clock.now(), state.time, state.emotion, state.valence, state.arousal, state.dominance,
            state.confidence, state.probabilities,
        )  # fmt: skip
        self._put(rounded(told))

    def acted(self, action: Action, source: str, snapshot: Snapshot) -> None:
        """The performer did something. Thread: the main one, as for the next."""
        value = None if action.value is None else str(action).removeprefix(f"{action.name} ")
        self._put(Acted(self._clock.now(), action.name, source, snapshot.conductor.bar, value))

    def noticed(self, snapshot: Snapshot) -> None:
        """Look at the counters; cheap when none has moved."""
        scheduler, audio = snapshot.scheduler, snapshot.audio
        counted = (
            scheduler.dropped, scheduler.late, snapshot.dropped_windows, audio.overflows,
            snapshot.conductor.skipped_beats,
        )  # fmt: skip
        if counted != self._counted:
            self._counted = counted
            self._put(Counted(self._clock.now(), *counted))

    def failed(self, what: str) -> None:
        """Something else failed."""
        self._put(Fault(self._clock.now(), what))

    def stopped(self, now: float) -> None:
        """The sink was stopped: nothing was sent after `now`."""
        self._controlled(now)
        self._put(Stopped(now), self._tee.taken())
        self._over = True

    def close(self) -> list[str]:
        """Write what is left, and the MIDI file; what to tell of it. Waits for the disk, not for ever. Safe to call
        twice.
        """
        if self._closing.is_set():
            return []
        self._closing.set()
        self._thread.join(_PATIENCE_SECONDS)
        if self._thread.is_alive():
            return [f"the log {str(self.paths.log)!r} is not whole: the disk does not answer"]
        os.close(self._file)
        told = [f"recorded {self._check.notes} notes; log: {self.paths.log}"]
        if self.problem is not None:
            told = [f"the log {str(self.paths.log)!r} is not whole: {self.problem}"]
        if self.paths.midi is None or self._check.notes == 0:
            return told
        try:
            write_atomically(self.paths.midi, take_bytes(self._tape, self._parts, self._header.title))
        except OutputError as error:
            again = f"`kelly-live replay {self.paths.log} --midi {self.paths.midi}` makes it later"
            return [*told, f"{error}; {again}"]
        return [f"recorded {self.paths.midi}", *told]

    def _plays(self, commands: Sequence[Command]) -> Plays:
        if not any(slot.is_sandboxed for slot in self._slots or ()):
            return None
        return tuple(command.notes for command in commands if isinstance(command, Notes))

    def _look_at(self, now: float, conductor: Conductor) -> None:
        """Who plays, and who does not any more."""
        slots, muted = conductor.slots, conductor.status().muted
        if slots is not self._slots:
            if self._slots is not None:
                self._put(PresetTaken(now, self._preset(), parts_of(conductor)))
            self._slots, self._muted = slots, ()
        if muted is not self._muted:
            before = {player.name for player in self._muted}
            self._muted = muted
            for player in muted:
                if player.name not in before:
                    self._put(Muted(now, player.name, player.reason))

    def _controlled(self, now: float) -> None:
        if changes := self._tee.taken_controls():
            self._put(Controlled(now, changes))

    def _put(self, record: Record, commands: tuple[Command, ...] = ()) -> None:
        if self._over or self._ended is not None:
            return
        if len(self._queue) >= MAX_QUEUED:
            self._ended = self.problem = "recording ended: the disk does not answer"
            return
        self._queue.append((record, commands))

    def _run(self) -> None:
        """Thread: record. A fault of its own ends the recording, never the music."""
        try:
            turn = 0
            while not self._closing.wait(KEEP_SECONDS):
                turn += 1
                self._keep(sync=turn % SYNC_EVERY == 0)
            self._keep(sync=True)
        except Exception as error:  # whatever it is, the band plays on and the status says so
            self._ended = self.problem = f"recording ended: {type(error).__name__}: {error}"

    def _keep(self, sync: bool) -> None:
        notes, last = self._check.notes, 0.0
        for record, commands in _emptied(self._queue):
            last = record.time
            self._pending += self._writer.line(record)
            for command in commands:
                if isinstance(command, TempoChange):
                    self._pending += self._writer.line(TempoTold(last, command.point.beat, command.point.bpm))
            heard: tuple[Command, ...] = commands
            if isinstance(record, Controlled):
                heard = (Controls(record.changes),)
            elif isinstance(record, PresetTaken):
                self._parts += record.parts
            if heard:
                self._check.add(commands)
                self._tape.take(last, heard)
            if isinstance(record, Stopped):
                self._tape.end(last)
        if self._check.notes > notes:
            self._pending += self._writer.line(Sum(last, self._check.notes, self._check.crc))
        self._flush(sync)

    def _flush(self, sync: bool) -> None:
        try:
            while self._pending:
                self._unsynced = True
                del self._pending[: os.write(self._file, self._pending[:_CHUNK_BYTES])]
            if sync and self._unsynced:
                _on_disk(self._file)
                self._unsynced = False
                if self._ended is None:
                    self.problem = None
        except OSError as error:
            self.problem = f"not recording: {error.strerror}"
            if len(self._pending) > MAX_PENDING_BYTES:
                self._ended = self.problem = f"recording ended: {error.strerror}"
                self._pending.clear()


def _on_disk(file: int) -> None:
    """Wait until what was written is on the disk; a pipe or a device has none. Raises OSError."""
    try:
        os.fsync(file)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise


def _emptied(queue: deque[T]) -> list[T]:
    return [queue.popleft() for _ in range(len(queue))]


def _opened(path: Path) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_BINARY", 0)
    try:
        return os.open(path, flags, 0o666)
    except (OSError, ValueError) as error:
        number = error.errno if isinstance(error, OSError) else None
        reason = os.strerror(number) if number else str(error)
        raise OutputError(f"cannot write {str(path)!r} ({reason}): {suggest_remedy(number)}") from error
