"""The session log: JSON Lines, a header and then what happened.

Each record has its time in monotonic seconds. Records are tagged msgspec structs; the values in them are those of the
program, so a log is read by the same types that it was written from. What decides over the notes is exact and complete:
`start`, `step`, `control`, `panic`, `role`, `limits`, `parameter`, `mixer`, `lock`, `preset`, `finish`, `stop`. The
rest is there to be read. A step holds only the parameters that changed. A line that was torn by a crash is no part of
the log; anything else that does not fit is refused with its line number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from kelly_live.core.commands import Expression
from kelly_live.core.errors import ConfigError
from kelly_live.core.sync_state import SyncState
from kelly_live.core.values import EmotionState, MusicParameters
from kelly_live.recording.records import (
    MAX_BEATS,
    MAX_SECONDS,
    EmotionRecord,
    Feeling,
    Header,
    Record,
    SentNotes,
    StartRecord,
    StepRecord,
)

FORMAT = 2
MAX_LINE_BYTES = 1 << 20
NO_SYNC = SyncState()
_READABLE_DIGITS = 3  # of what is logged to be read

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


def create_feeling(state: EmotionState) -> Feeling:
    """Return where a state lies, to the digits that are worth reading."""
    axes = (round(value, _READABLE_DIGITS) for value in (state.valence, state.arousal, state.dominance))
    return Feeling(state.emotion, *axes)


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
