"""The session log: JSON Lines, a header and then what happened.

Each record has its time in monotonic seconds. Records are tagged msgspec structs; the values in them are those of the
program, so a log is read by the same types that it was written from. What decides over the notes is exact and complete:
`start`, `step`, `control`, `panic`, `role`, `parameter`, `preset`, `finish`, `stop`. The rest is there to be read. A
step holds only the parameters that changed. A line that was torn by a crash is no part of the log; anything else that
does not fit is refused with its line number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeAlias

import msgspec
from msgspec import Meta

from kelly_live.core.commands import DEFAULT_TUNING, Expression, Notes, Tuning
from kelly_live.core.errors import ConfigError
from kelly_live.core.sync_state import SyncState
from kelly_live.core.values import EMOTIONS, MAX_BAR_BEATS, MAX_SEED, ControlChange, EmotionState, MusicParameters
from kelly_live.music.chord_sheet import MAX_SHEET_CHARACTERS
from kelly_live.music.conductor import LOOK_AHEAD_SECONDS, SLICE_BEATS
from kelly_live.music.rest_options import RestOptions
from kelly_live.music.role_options import MAX_TRADE_BARS, RoleOptions

FORMAT = 2
MAX_LINE_BYTES = 1 << 20
MAX_SECONDS, MAX_BEATS = 1e9, 10**7  # a monotonic clock's after 30 years, and a session's after weeks
MAX_LOOK_AHEAD_SECONDS = 2.0  # the conductor's own and the largest latency are well under 1 s
MIN_SLICE_BEATS = 1 / 64
MAX_TEXT = 4096  # characters of a name, setting or reason
MAX_PARTS = 1000  # parts, plug-ins or settings: more than all ports of a studio have channels
NO_SYNC = SyncState()
_READABLE_DIGITS = 3  # of what is logged to be read

# Every number of a log is bounded, so that no damaged or foreign file can keep a replay busy.
Channel: TypeAlias = Annotated[int, Meta(ge=1, le=16)]
Program: TypeAlias = Annotated[int, Meta(ge=0, le=127)]
Count: TypeAlias = Annotated[int, Meta(ge=0, le=2**53)]
Share: TypeAlias = Annotated[float, Meta(ge=0.0, le=1.0)]
Axis: TypeAlias = Annotated[float, Meta(ge=-1.0, le=1.0)]
Beat: TypeAlias = Annotated[float, Meta(gt=-MAX_BEATS, lt=MAX_BEATS)]
Text: TypeAlias = Annotated[str, Meta(max_length=MAX_TEXT)]
SentNotes: TypeAlias = tuple[Notes, ...] | None


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Who plays on a channel (1-16) of a port ("": the main one), with which General MIDI program (0-127).

    `sends_program`: the port is sent the program. `is_plug_in`: the part's player answers from a process of its own
    when it can, which no replay can repeat, so its notes are in the log.
    """

    name: Text
    channel: Channel
    program: Program
    port: Text = ""
    sends_program: bool = False
    is_plug_in: bool = False


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What was chosen before the first note.

    `created`: date and time (UTC). `tonic`: a pitch class. `preset`: the host preset that begins, `extra` the
    generators beside every preset, `effects` behind players and `settings` of both as typed. `live`: it was played
    against the clock. `beats_per_bar`, `form` and `chords` (a sheet): fixed by hand; None: the tradition's (or 4), the
    groove's, and the band's own. `when_silent` and `silent_bars`: what the band did when the player rested, and after
    how long; `role` and `trade_bars`: its role beside him as it began, and how long a turn was. `expression`: loudness
    and brightness went out between the onsets too. `models`: the set that was played with; None: before there were
    sets, which was `research`. `options`: the command line's other choices, to be read.
    """

    version: Text
    created: Text
    seed: Annotated[int, Meta(ge=0, le=MAX_SEED)]
    tonic: Annotated[int, Meta(ge=0, le=11)]
    preset: Text
    parts: Annotated[tuple[Part, ...], Meta(max_length=MAX_PARTS)]
    extra: Annotated[tuple[Text, ...], Meta(max_length=MAX_PARTS)] = ()
    effects: Annotated[tuple[Text, ...], Meta(max_length=MAX_PARTS)] = ()
    settings: Annotated[tuple[Text, ...], Meta(max_length=MAX_PARTS)] = ()
    tuning: Tuning = DEFAULT_TUNING
    live: bool = True
    look_ahead_seconds: Annotated[float, Meta(ge=0.0, le=MAX_LOOK_AHEAD_SECONDS)] = LOOK_AHEAD_SECONDS
    slice_beats: Annotated[float, Meta(ge=MIN_SLICE_BEATS, le=1.0)] = SLICE_BEATS
    beats_per_bar: Annotated[int, Meta(ge=1, le=MAX_BAR_BEATS)] | None = None
    form: Text | None = None
    chords: Annotated[str, Meta(max_length=MAX_SHEET_CHARACTERS)] | None = None
    when_silent: Text = RestOptions().when_silent
    silent_bars: Annotated[int, Meta(ge=1, le=MAX_BEATS)] = RestOptions().bars
    expression: bool = False
    role: Text = RoleOptions().role
    trade_bars: Annotated[int, Meta(ge=1, le=MAX_TRADE_BARS)] = RoleOptions().trade_bars
    title: Text = "Kelly Live"
    culture: Text | None = None
    culture_strength: Share | None = None
    profile: Text | None = None
    models: Text | None = None
    options: Annotated[tuple[tuple[Text, Text], ...], Meta(max_length=MAX_PARTS)] = ()

    def tunings_by_port(self) -> dict[str, Tuning]:
        """Return how cents are sent, by port: each knows the programs that its parts begin with."""
        ports = {part.port for part in self.parts} | {""}
        return {port: self.tuning.with_programs(part for part in self.parts if part.port == port) for port in ports}


class LogRecord(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="event"
):
    """The base of all records; a subclass's tag is its name in the log."""

    time: float

    def __post_init__(self) -> None:
        _require_time(self.time, "time")


class StartRecord(LogRecord, frozen=True, kw_only=True, tag="start"):
    """The music started: beat 0 falls at `origin_seconds`."""

    origin_seconds: float
    parameters: MusicParameters

    def __post_init__(self) -> None:
        _require_time(self.time, "time")
        _require_time(self.origin_seconds, "origin_seconds")


class StepRecord(LogRecord, frozen=True, kw_only=True, tag="step"):
    """The conductor created its next slices.

    `changes` are the parameters that are new since the record before, by name, and `sync` what the band is synchronised
    to, if that is new. `plays` are the notes that it sent, lot by lot, where a plug-in was among the players, and
    `points` what it sent of the expression.
    """

    changes: dict[str, Any] = {}
    sync: SyncState | None = None
    plays: SentNotes = None
    points: tuple[Expression, ...] = ()

    def __post_init__(self) -> None:
        _require_time(self.time, "time")
        _require_beats(self.plays)
        for point in self.points:
            if not abs(point.beat) < MAX_BEATS:
                raise ConfigError(f"an expression lies at beat {point.beat:g}; no session does")


class FinishRecord(LogRecord, frozen=True, kw_only=True, tag="finish"):
    """The conductor was asked for its closing bar; `plays` as in a step."""

    plays: SentNotes = None

    def __post_init__(self) -> None:
        _require_time(self.time, "time")
        _require_beats(self.plays)


class ControlRecord(LogRecord, frozen=True, kw_only=True, tag="control"):
    """Controller values were sent."""

    changes: tuple[ControlChange, ...]


class PanicRecord(LogRecord, frozen=True, kw_only=True, tag="panic"):
    """Every note was ended; the band plays on at the next bar.

    `stops_transport`: the transport starts anew, too.
    """

    stops_transport: bool = False


class RoleRecord(LogRecord, frozen=True, kw_only=True, tag="role"):
    """The band was given another role, which it takes at the next bar line."""

    role: Text


class ParameterRecord(LogRecord, frozen=True, kw_only=True, tag="parameter"):
    """A parameter of a player, or of an effect behind it, was given a value, to which it moves."""

    player: Text
    effect: Text | None = None
    parameter: Text
    value: bool | int | float | Text


class PresetRecord(LogRecord, frozen=True, kw_only=True, tag="preset"):
    """In the next step, at a bar line, the band changes to another host preset."""

    name: Text
    parts: Annotated[tuple[Part, ...], Meta(max_length=MAX_PARTS)]


class MuteRecord(LogRecord, frozen=True, kw_only=True, tag="mute"):
    """A player failed, and is silent from the next step on."""

    player: Text
    reason: Text


class StopRecord(LogRecord, frozen=True, kw_only=True, tag="stop"):
    """The end; what had not been sent by then never was."""


class ChecksumRecord(LogRecord, frozen=True, kw_only=True, tag="checksum"):
    """How many notes have been handed over by now, and a checksum (CRC-32) of all that was."""

    notes: Count
    crc: Annotated[int, Meta(ge=0, lt=2**32)]


class EmotionRecord(LogRecord, frozen=True, kw_only=True, tag="emotion"):
    """The emotion of the audio that ends at `audio_seconds`, rounded. To be read.

    `probabilities` are over EMOTIONS.
    """

    audio_seconds: Annotated[float, Meta(gt=-MAX_SECONDS, lt=MAX_SECONDS)]
    emotion: Text
    valence: Axis
    arousal: Axis
    dominance: Axis
    confidence: Share
    probabilities: Annotated[tuple[Share, ...], Meta(max_length=len(EMOTIONS))]


class ActionRecord(LogRecord, frozen=True, kw_only=True, tag="action"):
    """The performer did something, with `source` ("key", "midi"), in this bar (from 0). To be read."""

    name: Text
    source: Text
    bar: Annotated[int, Meta(gt=-MAX_BEATS, lt=MAX_BEATS)]
    value: Text | None = None


class TempoRecord(LogRecord, frozen=True, kw_only=True, tag="tempo"):
    """The tempo from `beat` on. To be read."""

    beat: Beat
    bpm: Annotated[float, Meta(gt=0.0, le=1000.0)]


class CounterRecord(LogRecord, frozen=True, kw_only=True, tag="counters"):
    """Counters that have moved, since the start. To be read.

    `dropped` notes came too late and were never sent, although they are in the recording; `late` messages left late;
    `windows` of input and `overflows` were lost; `skipped_beats` were not played.
    """

    dropped: Count
    late: Count
    windows: Count
    overflows: Count
    skipped_beats: Annotated[float, Meta(ge=0.0, lt=MAX_BEATS)]


Record: TypeAlias = (
    StartRecord | StepRecord | FinishRecord | ControlRecord | PanicRecord | RoleRecord | ParameterRecord | PresetRecord
    | MuteRecord | StopRecord | ChecksumRecord | EmotionRecord | ActionRecord | TempoRecord | CounterRecord
)  # fmt: skip

_DECODER: msgspec.json.Decoder[Record] = msgspec.json.Decoder(Record)
_PARAMETERS = tuple(field.name for field in fields(MusicParameters))


@dataclass(frozen=True, slots=True)
class Step:
    """What the conductor is given for a step: the whole parameters, and what the band is synchronised to."""

    parameters: MusicParameters
    sync: SyncState = NO_SYNC


def create_emotion_record(time: float, state: EmotionState) -> EmotionRecord:
    """Return a state as the log has it, to the digits that are worth reading."""
    return EmotionRecord(
        time=time,
        audio_seconds=round(state.time, _READABLE_DIGITS),
        emotion=state.emotion,
        valence=round(state.valence, _READABLE_DIGITS),
        arousal=round(state.arousal, _READABLE_DIGITS),
        dominance=round(state.dominance, _READABLE_DIGITS),
        confidence=round(state.confidence, _READABLE_DIGITS),
        probabilities=tuple(round(p, _READABLE_DIGITS) for p in state.probabilities),
    )


def encode_header(header: Header) -> bytes:
    """Return the first line of a log, with its end."""
    return msgspec.json.encode({"log": "kelly-live", "format": FORMAT, **msgspec.to_builtins(header)}) + b"\n"


def encode_record(record: Record) -> bytes:
    """Return a record as one line, with its end."""
    return msgspec.json.encode(record) + b"\n"


class StepEncoder:
    """Creates step records that hold only what changed; one encoder a log, in order."""

    def __init__(self) -> None:
        self._parameters: MusicParameters | None = None
        self._sync = NO_SYNC

    def begin(self, parameters: MusicParameters) -> None:
        """Count from a start record with these parameters."""
        self._parameters, self._sync = parameters, NO_SYNC

    def encode(
        self, time: float, step: Step, plays: SentNotes = None, points: tuple[Expression, ...] = ()
    ) -> StepRecord:
        """Return the record of a step."""
        changes = self._list_changes(step.parameters)
        sync = step.sync if step.sync != self._sync else None
        self._parameters, self._sync = step.parameters, step.sync
        return StepRecord(time=time, changes=changes, sync=sync, plays=plays, points=points)

    def _list_changes(self, parameters: MusicParameters) -> dict[str, Any]:
        before = self._parameters
        if parameters is before:
            return {}
        return {
            name: msgspec.to_builtins(getattr(parameters, name))
            for name in _PARAMETERS
            if before is None or getattr(parameters, name) != getattr(before, name)
        }


class LogReader:
    """A log, line by line. Raises ConfigError naming file and line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.is_torn = False  # whether the last line was cut off
        self.line = 0
        self._parameters: dict[str, Any] = {}
        self._step: Step | None = None
        self._lines = self._read()
        first = next(self._lines, None)
        if first is None:
            self.fail("the file is empty; it must begin with a log's header")
        self.header = self._decode_header(first)

    def records(self) -> Iterator[Record]:
        """Yield what happened, in order. After a step or a start, `step` is what the conductor was given."""
        for line in self._lines:
            record = self._decode(line)
            if isinstance(record, StartRecord):
                self._parameters = msgspec.to_builtins(record.parameters)
                self._step = Step(record.parameters)
            elif isinstance(record, StepRecord):
                self._step = self._apply(record)
            yield record

    @property
    def step(self) -> Step:
        """What the conductor was given at the latest step."""
        if self._step is None:
            self.fail("something was played before the start; the log is damaged there")
        return self._step

    def fail(self, rule: str) -> NoReturn:
        """Raise a ConfigError for the present line."""
        raise ConfigError(f"{self.path} line {self.line}: {rule}")

    def _read(self) -> Iterator[bytes]:
        try:
            if not self.path.is_file():
                raise ConfigError(f"{self.path} is not a file; name the .jsonl of a recording")
            with self.path.open("rb") as file:
                while data := file.readline(MAX_LINE_BYTES):
                    self.line += 1
                    # A power cut leaves half a line, or a tail of zeros where the system had promised the space.
                    if not data.endswith(b"\n"):
                        if len(data) == MAX_LINE_BYTES and data.strip(b"\0"):
                            self.fail(f"is over {MAX_LINE_BYTES >> 10} kB; the log is damaged there")
                        self.is_torn = True
                        return
                    yield data
        except OSError as error:
            raise ConfigError(f"{self.path} cannot be read ({error.strerror}); check its name and rights") from error

    def _decode_header(self, line: bytes) -> Header:
        try:
            fields = msgspec.json.decode(line)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            self._fail_decoding(error)
        if not isinstance(fields, dict) or fields.pop("log", None) != "kelly-live":
            self.fail("this is no log of kelly-live; name the .jsonl of a recording")
        number = fields.pop("format", None)
        if isinstance(number, int) and number > FORMAT:
            self.fail(f"format {number} is newer than what this version reads ({FORMAT}); update kelly-live")
        if isinstance(number, int) and number < FORMAT:
            version = str(fields.get("version"))[:20]
            self.fail(f"format {number} is older than what this version reads ({FORMAT}); use kelly-live {version}")
        if number != FORMAT:
            self.fail(f"format is {str(number)[:20]}; it must be {FORMAT}")
        try:
            return msgspec.convert(fields, Header)
        except (msgspec.ValidationError, ConfigError) as error:
            self._fail_decoding(error)

    def _decode(self, line: bytes) -> Record:
        try:
            return _DECODER.decode(line)
        except (msgspec.DecodeError, ConfigError, ValueError, RecursionError) as error:
            self._fail_decoding(error)

    def _fail_decoding(self, error: Exception) -> NoReturn:
        reason = " ".join(str(error).split())[:200]
        if isinstance(error, msgspec.ValidationError | ConfigError):
            self.fail(f"{reason}; the log is damaged there")
        self.fail(f"is not JSON ({reason}); the log is damaged there")

    def _apply(self, record: StepRecord) -> Step:
        """Return the whole parameters after what this record changes."""
        step = self.step
        parameters = step.parameters
        if record.changes:
            if unknown_names := record.changes.keys() - set(_PARAMETERS):
                self.fail(f"there is no parameter {min(unknown_names)[:40]!r}; the log is damaged there")
            self._parameters |= record.changes
            try:
                parameters = msgspec.convert(self._parameters, MusicParameters)
            except (msgspec.ValidationError, ConfigError) as error:
                self._fail_decoding(error)
        sync = step.sync if record.sync is None else record.sync
        beat = sync.beat
        if beat is not None and not (abs(beat.beat_seconds) < MAX_SECONDS and abs(beat.beat_number or 0) < MAX_BEATS):
            self.fail(f"a beat is at {beat.beat_seconds:g} s, number {beat.beat_number}; the log is damaged there")
        return Step(parameters, sync)


def _require_time(seconds: float, name: str) -> None:
    if not abs(seconds) < MAX_SECONDS:
        raise ConfigError(f"{name} is {seconds:g}; no clock shows that")


def _require_beats(plays: SentNotes) -> None:
    for note in (note for command in plays or () for note in command.notes):
        if not (abs(note.onset_beats) < MAX_BEATS and note.duration_beats < MAX_BEATS):
            raise ConfigError(f"a note lies at beat {note.onset_beats:g} for {note.duration_beats:g}; no session does")
