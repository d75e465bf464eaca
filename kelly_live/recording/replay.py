"""Plays a session again from its log: the conductor is given the same, at the same times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kelly_live.core.commands import Controls, Expression, Notes
from kelly_live.core.errors import ConfigError
from kelly_live.core.numbers import format_time
from kelly_live.generators.band import GeneratorBand
from kelly_live.generators.lineup import PlayerSlot
from kelly_live.midi.offline import NoteList
from kelly_live.music.band import ParameterChange
from kelly_live.music.chord_sheet import ChordSheet
from kelly_live.music.conductor import Conductor
from kelly_live.music.mixer import MixerChange
from kelly_live.music.parameter_locks import LockChange
from kelly_live.music.rest_options import RestOptions
from kelly_live.music.role_options import RoleOptions
from kelly_live.recording.log import LogReader
from kelly_live.recording.packed_tape import PackedTape, RecordedMusic
from kelly_live.recording.records import (
    ChecksumRecord,
    ControlRecord,
    FinishRecord,
    Header,
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
    StartRecord,
    StepRecord,
    StopRecord,
    TakeRecord,
)
from kelly_live.recording.take import encode_take
from kelly_live.recording.tape import Tape, TapeCommand
from kelly_live.recording.tee import Checksum, Tee

LONGEST_SECONDS = 7.0 * 24.0 * 3600.0
# Returns the players of a host preset, in the places that a log's parts name, without plug-ins.
CreateSlots = Callable[[Header, str, tuple[Part, ...]], Sequence[PlayerSlot]]


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """What a log was played to: the MIDI file's bytes, and how it compares with the recorded session.

    `tape` holds all of the session, `take` and `midi` the part of it that the log is of: `part` says which.
    `compared_notes` of the `notes` were compared with the log's checksums; `differs_at` is the line where they first
    differ. `is_torn`: the log ends in the middle of a line.
    """

    header: Header
    midi: bytes
    tape: Tape
    take: PackedTape
    part: TakeRecord | None
    start_seconds: float
    seconds: float
    notes: int
    compared_notes: int
    differs_at: int | None
    is_torn: bool

    def describe_part(self) -> str:
        """Say from when to when of the session the recording is."""
        start, end = (None, None) if self.part is None else (self.part.start_seconds, self.part.end_seconds)
        first = "the start" if start is None else format_time(round(max(0.0, start - self.start_seconds)))
        return f"{first} to {'the end' if end is None else format_time(round(end - self.start_seconds))}"


def replay(reader: LogReader, create_slots: CreateSlots) -> ReplayResult:
    """Play a log through a new conductor. Where a plug-in played, the notes are the log's.

    Raises:
        ConfigError: A line does not fit; it is named.
    """
    return _Replay(reader, create_slots).play()


class _Replay:
    def __init__(self, reader: LogReader, create_slots: CreateSlots) -> None:
        header = reader.header
        self._reader, self._header, self._create_slots = reader, header, create_slots
        self._tee = Tee(NoteList())
        try:
            self._band = GeneratorBand(create_slots(header, header.preset, header.parts))
            self._conductor = Conductor(
                self._tee,
                self._band,
                seed=header.seed,
                tonic=header.tonic,
                beats_per_bar=header.beats_per_bar,
                form=header.form,
                sheet=None if header.chords is None else ChordSheet.parse(header.chords),
                rest=RestOptions(header.when_silent, header.silent_bars),
                expression=header.expression,
                role=RoleOptions(header.role, header.trade_bars),
                tempo_rise=header.tempo_rise,
                look_ahead_seconds=header.look_ahead_seconds,
                slice_beats=header.slice_beats,
            )
            self._tape = Tape(header.tunings_by_port(), limits=header.limits, live=header.live)
        except ConfigError as error:
            reader.fail(str(error))
        self._checksum = Checksum()
        self._parts = list(header.parts)
        self._muted: set[str] = set()
        self._start_seconds: float | None = None
        self._last_seconds = -LONGEST_SECONDS  # of what the conductor did
        self._is_stopped = False
        self._checked_notes = 0
        self._differs_at: int | None = None
        self._part: TakeRecord | None = None

    def play(self) -> ReplayResult:
        last = 0.0
        for record in self._reader.records():
            self._check_order(record)
            last = max(last, record.time)
            try:
                self._apply(record)
            except (ConfigError, ArithmeticError) as error:
                self._reader.fail(str(error))
            self._put_on_tape(record)
        if self._start_seconds is None:
            self._reader.fail("the log ends before the music starts; there is nothing to play")
        start, end = (None, None) if self._part is None else (self._part.start_seconds, self._part.end_seconds)
        if end is None:
            self._tape.end(last)
        take = self._tape.pack().cut(start, end)
        return ReplayResult(
            header=self._header,
            midi=encode_take(RecordedMusic(take, tuple(self._parts), self._header.title)),
            tape=self._tape,
            take=take,
            part=self._part,
            start_seconds=self._start_seconds,
            seconds=last - self._start_seconds,
            notes=self._checksum.notes,
            compared_notes=self._checked_notes,
            differs_at=self._differs_at,
            is_torn=self._reader.is_torn,
        )

    def _check_order(self, record: Record) -> None:
        """Refuse what cannot have happened in this order."""
        is_start = isinstance(record, StartRecord)
        if self._is_stopped and not isinstance(record, ChecksumRecord):
            self._reader.fail("something happened after the end; the log is damaged there")
        if is_start and self._start_seconds is not None:
            self._reader.fail("the music starts a second time; the log is damaged there")
        start = record.time if self._start_seconds is None else self._start_seconds
        is_played = isinstance(record, StartRecord | StepRecord | FinishRecord | PanicRecord | StopRecord)
        if (is_played and record.time < self._last_seconds) or record.time > start + LONGEST_SECONDS:
            self._reader.fail(f"time is {record.time:g}; it must go on from {self._last_seconds:g}, for a week at most")
        if not is_played:
            return
        self._last_seconds = record.time
        if self._start_seconds is None and not isinstance(record, StartRecord | StopRecord):
            self._reader.fail("something was played before the start; the log is damaged there")

    def _apply(self, record: Record) -> None:
        match record:
            case StartRecord():
                self._start_seconds = record.time
                self._conductor.start(record.origin_seconds, record.parameters)
            case StepRecord():
                step = self._reader.step
                self._conductor.advance(record.time, step.parameters, step.sync)
            case FinishRecord():
                self._conductor.finish(record.time)
            case PanicRecord():
                self._conductor.panic(record.time, stops_transport=record.stops_transport)
            case RoleRecord():
                self._conductor.set_role(record.role)
            case LimitsRecord():
                self._tee.send(record.limits)
            case ParameterRecord():
                change = ParameterChange(record.player, record.effect, record.parameter, record.value)
                self._band.set_parameter(change)
            case MixerRecord():
                self._conductor.mix(record.time, MixerChange(record.player, record.control, record.value))
            case LockRecord():
                self._conductor.lock(record.time, LockChange(record.name, record.is_on))
            case MuteRecord():
                self._muted.add(record.player)
            case PresetRecord():
                self._band.change(self._create_slots(self._header, record.name, record.parts))
                self._parts += record.parts
                self._muted.clear()
            case ChecksumRecord():
                if (record.notes, record.crc) != (self._checksum.notes, self._checksum.crc):
                    self._differs_at = self._differs_at or self._reader.line
                self._checked_notes = record.notes if self._differs_at is None else self._checked_notes
            case StopRecord():
                self._is_stopped = True
            case TakeRecord():
                self._part = record

    def _put_on_tape(self, record: Record) -> None:
        taken = (command for command in self._tee.take() if not isinstance(command, Expression))  # the log has them
        commands = tuple(self._without_muted(command) for command in taken)
        if isinstance(record, StepRecord | FinishRecord) and record.plays is not None:
            others = (command for command in commands if not isinstance(command, Notes))
            commands = (*others, *record.plays)
        if isinstance(record, StepRecord):
            commands = (*commands, *record.points)
        self._checksum.add(commands)
        on_tape: tuple[TapeCommand, ...] = (
            (Controls(record.changes),) if isinstance(record, ControlRecord) else commands
        )
        if on_tape:
            self._tape.take(record.time, on_tape)

    def _without_muted(self, command: TapeCommand) -> TapeCommand:
        """Return the command without the notes of players that were muted then."""
        if not self._muted or not isinstance(command, Notes):
            return command
        return Notes(tuple(note for note in command.notes if note.part not in self._muted), command.loudness)
