"""The event log: JSON Lines, a header and then what happened, each with its time in monotonic seconds.

What decides over the notes is exact and complete (`start`, `step`, `control`, `panic`, `preset`, `finish`, `stop`); the
rest is there to be read. Of the parameters a step tells only what has changed. A line that was torn by a crash is no
part of the log; anything else that does not fit is refused with its line number.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from kelly_live.core.commands import DEFAULT_TUNING, Tuning
from kelly_live.core.errors import ConfigError
from kelly_live.core.values import ControlChange, MusicParameters, NoteEvent, SyncState
from kelly_live.music.conductor import LOOK_AHEAD_SECONDS, SLICE_BEATS
from kelly_live.recording.plain import plain, typed

FORMAT = 1
MAX_LINE_BYTES = 1 << 20
MOST_SECONDS, MOST_BEATS = 1e9, 10**7  # a monotonic clock's after 30 years, and a session's after weeks
NO_LEAD = SyncState()

Plays: TypeAlias = "tuple[tuple[NoteEvent, ...], ...] | None"


@dataclass(frozen=True, slots=True)
class Part:
    """Who plays on a channel (1-16) of a port ("": the main one), with which General MIDI program (0-127), and whether
    the port is told it. `guest`: it answers from a thread of its own when it can, so that its notes are logged.
    """

    part: str
    channel: int
    program: int
    port: str = ""
    sent_program: bool = False
    guest: bool = False


@dataclass(frozen=True, slots=True)
class Header:
    """What was chosen before the first note: `tonic` a pitch class; `preset` the host preset that begins, `extra` the
    generators beside every preset, `settings` of players as typed; `live`: it was played against the clock; `options`:
    the command line's other choices, to be read.
    """

    version: str
    made: str
    seed: int
    tonic: int
    preset: str
    parts: tuple[Part, ...]
    extra: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    tuning: Tuning = DEFAULT_TUNING
    live: bool = True
    look_ahead_seconds: float = LOOK_AHEAD_SECONDS
    slice_beats: float = SLICE_BEATS
    title: str = "Kelly Live"
    culture: str | None = None
    culture_strength: float | None = None
    profile: str | None = None
    options: tuple[tuple[str, str], ...] = ()

    def tunings(self) -> dict[str, Tuning]:
        """How cents are sent, by port: each knows the programs that its parts begin with."""
        ports = {part.port for part in self.parts} | {""}
        return {port: self.tuning.with_programs(part for part in self.parts if part.port == port) for port in ports}


@dataclass(frozen=True, slots=True)
class Started:
    """Beat 0 falls at `origin_seconds`."""

    time: float
    origin_seconds: float
    parameters: MusicParameters


@dataclass(frozen=True, slots=True)
class Stepped:
    """The conductor made its next slices, with these parameters and this lead in force. `plays`: the notes that it
    handed over, lot by lot, where a guest was among the players.
    """

    time: float
    parameters: MusicParameters
    lead: SyncState = NO_LEAD
    plays: Plays = None


@dataclass(frozen=True, slots=True)
class Finished:
    """The conductor was asked for its closing bar; `plays` as in a step."""

    time: float
    plays: Plays = None


@dataclass(frozen=True, slots=True)
class Controlled:
    """Controllers were sent."""

    time: float
    changes: tuple[ControlChange, ...]


@dataclass(frozen=True, slots=True)
class Panicked:
    """Every note ended; the band plays on at the next bar."""

    time: float


@dataclass(frozen=True, slots=True)
class PresetTaken:
    """In the next step, at a bar line, the band changes to another host preset."""

    time: float
    name: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Muted:
    """A player failed, and is silent from the next step on."""

    time: float
    player: str
    reason: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """The end; what had not been sent by then never was."""

    time: float


@dataclass(frozen=True, slots=True)
class Sum:
    """How many notes have been handed over by now, and a checksum (CRC-32) of all that was."""

    time: float
    notes: int
    crc: int


@dataclass(frozen=True, slots=True)
class Felt:
    """What was felt, by audio that ends at `audio` seconds; `probabilities` over EMOTIONS. To be read: rounded."""

    time: float
    audio: float
    emotion: str
    valence: float
    arousal: float
    dominance: float
    confidence: float
    probabilities: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Acted:
    """The performer did something, with `source` ("key", "midi"), in this bar (from 0). To be read."""

    time: float
    action: str
    source: str
    bar: int
    value: str | None = None


@dataclass(frozen=True, slots=True)
class TempoTold:
    """From `beat` on. To be read."""

    time: float
    beat: float
    bpm: float


@dataclass(frozen=True, slots=True)
class Counted:
    """Counters that have moved, since the start: `dropped` notes came too late and were never sent, although they are
    in the recording; `late` messages left late; `windows` of input and `overflows` were lost. To be read.
    """

    time: float
    dropped: int
    late: int
    windows: int
    overflows: int
    skipped_beats: float


@dataclass(frozen=True, slots=True)
class Fault:
    """Something failed. To be read."""

    time: float
    what: str


Record: TypeAlias = (
    Started | Stepped | Finished | Controlled | Panicked | PresetTaken | Muted | Stopped | Sum
    | Felt | Acted | TempoTold | Counted | Fault
)  # fmt: skip

_EVENTS: dict[str, type[Any]] = {
    "start": Started, "step": Stepped, "finish": Finished, "control": Controlled, "panic": Panicked,
    "preset": PresetTaken, "muted": Muted, "stop": Stopped, "sum": Sum, "felt": Felt, "action": Acted,
    "tempo": TempoTold, "counted": Counted, "fault": Fault,
}  # fmt: skip
_NAMES = {kind: name for name, kind in _EVENTS.items()}
_PARAMETERS = tuple(field.name for field in fields(MusicParameters))


def header_line(header: Header) -> bytes:
    return _line({"log": "kelly-live", "format": FORMAT, **plain(header)})


class Writer:
    """Records to lines. It remembers the parameters and the lead, so that only changes are written."""

    def __init__(self) -> None:
        self._parameters: MusicParameters | None = None
        self._lead = NO_LEAD

    def line(self, record: Record) -> bytes:
        """The record as one line of JSON, with its end."""
        told = {"event": _NAMES[type(record)], "time": record.time}
        if isinstance(record, Stepped):
            if (changed := self._changed(record.parameters)) != {}:
                told["parameters"] = changed
            if record.lead != self._lead:
                self._lead = record.lead
                told["lead"] = plain(record.lead)
            if record.plays is not None:
                told["plays"] = plain(record.plays)
        elif isinstance(record, Started):
            self._parameters, self._lead = record.parameters, NO_LEAD
            told |= {"origin_seconds": record.origin_seconds, "parameters": _whole(record.parameters)}
        else:
            told |= plain(record)
        return _line(told)

    def _changed(self, parameters: MusicParameters) -> dict[str, Any]:
        before, self._parameters = self._parameters, parameters
        if parameters is before:
            return {}
        if before is None:
            return _whole(parameters)
        pairs = ((name, getattr(before, name), getattr(parameters, name)) for name in _PARAMETERS)
        return {name: plain(after) for name, old, after in pairs if old != after}


class Reader:
    """A log, line by line. Raises ConfigError naming file and line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.torn = False  # whether the last line was cut off
        self.line = 0
        self._parameters: dict[str, Any] = {}
        self._asked_last: MusicParameters | None = None
        self._lead = NO_LEAD
        self._lines = self._read()
        first = next(self._lines, None)
        if first is None:
            self.fail("the file is empty; it must begin with a log's header")
        if first.pop("log", None) != "kelly-live":
            self.fail("this is no log of kelly-live; name the .jsonl of a recording")
        found = first.pop("format", None)
        if isinstance(found, int) and found > FORMAT:
            self.fail(f"format {found} is newer than what this version reads ({FORMAT}); update kelly-live")
        if found != FORMAT:
            self.fail(f"format is {str(found)[:20]}; it must be {FORMAT}")
        try:
            self.header = typed(Header, first)
        except ConfigError as error:
            self.fail(str(error))

    def records(self) -> Iterator[Record]:
        """What happened, in order."""
        for told in self._lines:
            yield self._record(told)

    def fail(self, rule: str) -> NoReturn:
        """Raises ConfigError for the present line."""
        raise ConfigError(f"{self.path} line {self.line}: {rule}")

    def _read(self) -> Iterator[dict[str, Any]]:
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
                        self.torn = True
                        return
                    yield self._object(data)
        except OSError as error:
            raise ConfigError(f"{self.path} cannot be read ({error.strerror}); check its name and rights") from error

    def _object(self, data: bytes) -> dict[str, Any]:
        try:
            told = json.loads(data, parse_constant=self._no_number)
        except (ValueError, RecursionError) as error:
            self.fail(f"is not JSON ({' '.join(str(error).split())[:80]}); the log is damaged there")
        if not isinstance(told, dict):
            self.fail("is not a record; the log is damaged there")
        return told

    def _no_number(self, text: str) -> NoReturn:
        raise ValueError(f"{text} is no number")

    def _record(self, told: dict[str, Any]) -> Record:
        name = told.pop("event", None)
        kind = _EVENTS.get(name) if isinstance(name, str) else None
        if kind is None:
            self.fail(f"no event is called {str(name)[:40]!r}; the log is damaged there")
        try:
            if kind is Started:
                self._parameters, self._lead = {}, NO_LEAD
                return Started(_time(told), _seconds(told, "origin_seconds"), self._asked(told))
            if kind is Stepped:
                if "lead" in told:
                    self._lead = _lead(told.pop("lead"))
                lots = tuple[tuple[NoteEvent, ...], ...]
                plays = typed(lots, told.pop("plays")) if "plays" in told else None
                return Stepped(_time(told), self._asked(told), self._lead, plays)
            _seconds(dict(told), "time")
            record: Record = typed(kind, told)
            return record
        except ConfigError as error:
            self.fail(str(error))

    def _asked(self, told: dict[str, Any]) -> MusicParameters:
        """The parameters after what this record changes."""
        changed = told.pop("parameters", {})
        if not isinstance(changed, dict):
            raise ConfigError("the parameters must be a map")
        if changed or self._asked_last is None:
            self._parameters |= changed
            self._asked_last = typed(MusicParameters, self._parameters)
        return self._asked_last


def _lead(told: Any) -> SyncState:
    """A lead whose numbers a conductor can count with."""
    lead = typed(SyncState, told)
    pulse = lead.beat
    if pulse is not None and not (abs(pulse.beat_seconds) < MOST_SECONDS and abs(pulse.beat_number or 0) < MOST_BEATS):
        raise ConfigError(f"a pulse is at {pulse.beat_seconds:g} s, beat {pulse.beat_number}; nothing plays there")
    return lead


def _time(told: dict[str, Any]) -> float:
    return _seconds(told, "time")


def _seconds(told: dict[str, Any], name: str) -> float:
    seconds = typed(float, told.pop(name, None), name)
    if abs(seconds) >= MOST_SECONDS:
        raise ConfigError(f"{name} is {seconds:g}; no clock says so")
    return seconds


def rounded(record: Felt) -> Felt:
    """To the digits that are worth reading."""
    return replace(
        record,
        audio=round(record.audio, 3),
        valence=round(record.valence, 3),
        arousal=round(record.arousal, 3),
        dominance=round(record.dominance, 3),
        confidence=round(record.confidence, 3),
        probabilities=tuple(round(p, 3) for p in record.probabilities),
    )


def _whole(parameters: MusicParameters) -> dict[str, Any]:
    return {name: plain(getattr(parameters, name)) for name in _PARAMETERS}


def _line(told: dict[str, Any]) -> bytes:
    return json.dumps(told, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode() + b"\n"
