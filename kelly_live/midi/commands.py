"""What the parent and the scheduler process say to each other: small framed binary messages, versioned.

A frame is magic, version, kind, payload length, payload; all little-endian. No pickle: nothing in a frame can run
code, and whatever does not fit the tables here raises MidiError.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from kelly_live.core.errors import ConfigError, MidiError
from kelly_live.core.protocols import SchedulerHealth
from kelly_live.core.timebase import TempoPoint
from kelly_live.core.values import ControlChange, NoteEvent
from kelly_live.midi.tuning import TUNINGS, Tuning

VERSION = 3
NOTES_PER_FRAME = 256
CONTROLS_PER_FRAME = 256
MAX_TEXT_BYTES = 1000  # keeps a report under PIPE_BUF (4096), so that a non-blocking write is all or nothing

_MAGIC = b"KL"
_HEADER = struct.Struct("<2sBBI")
_NOTE = struct.Struct("<dd3BfB")
_NO_PROGRAM = 255
_PAIR = struct.Struct("<dd")
_TRIPLE = struct.Struct("<ddd")
_BYTES = struct.Struct("<BB")
_CONTROL = struct.Struct("<BBB")
_FLAG = struct.Struct("<?")
_HEALTH = struct.Struct("<4Q3d?")
_MAX_PAYLOAD = max(NOTES_PER_FRAME * _NOTE.size, _HEALTH.size + MAX_TEXT_BYTES)


@dataclass(frozen=True, slots=True)
class Start:
    """To the scheduler: beat 0 falls at `origin_seconds` (monotonic); the music begins at `first_beat`."""

    origin_seconds: float
    bpm: float
    first_beat: float = 0.0


@dataclass(frozen=True, slots=True)
class Play:
    """To the scheduler: notes to send. `part` and `port` do not travel."""

    notes: tuple[NoteEvent, ...]


@dataclass(frozen=True, slots=True)
class Control:
    """To the scheduler: controllers' new values."""

    changes: tuple[ControlChange, ...]


@dataclass(frozen=True, slots=True)
class Hush:
    """To the scheduler: end whatever sounds on these channels, whoever began it."""

    channels: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Pause:
    """To the scheduler: cancel and silence, and wait for the next Start."""


@dataclass(frozen=True, slots=True)
class Stop:
    """To the scheduler: cancel, silence, close, exit."""


@dataclass(frozen=True, slots=True)
class Ready:
    """From the scheduler: the port is open."""

    name: str
    is_virtual: bool


@dataclass(frozen=True, slots=True)
class Failed:
    """From the scheduler: it cannot go on, and why, in one line."""

    message: str


Message = Start | Tuning | TempoPoint | Play | Control | Hush | Pause | Stop | Ready | Failed | SchedulerHealth


class _Kind(IntEnum):
    START = 1
    TEMPO = 2
    PLAY = 3
    STOP = 4
    READY = 5
    FAILED = 6
    HEALTH = 7
    TUNE = 8
    CONTROL = 9
    PAUSE = 10
    HUSH = 11


def encode(message: Message) -> bytes:
    """One frame. A Play holds at most NOTES_PER_FRAME notes; long texts are cut to MAX_TEXT_BYTES."""
    match message:
        case Start(origin_seconds, bpm, first_beat):
            kind, payload = _Kind.START, _TRIPLE.pack(origin_seconds, bpm, first_beat)
        case Tuning(mode, semitones, programs):
            head = _BYTES.pack(TUNINGS.index(mode), semitones or 0)
            kind, payload = _Kind.TUNE, head + b"".join(_BYTES.pack(*pair) for pair in programs)
        case TempoPoint(beat, bpm):
            kind, payload = _Kind.TEMPO, _PAIR.pack(beat, bpm)
        case Play(notes):
            if len(notes) > NOTES_PER_FRAME:
                raise MidiError(f"{len(notes)} notes in one frame; it holds at most {NOTES_PER_FRAME}: split them")
            kind, payload = _Kind.PLAY, b"".join(map(_pack_note, notes))
        case Control(changes):
            if len(changes) > CONTROLS_PER_FRAME:
                raise MidiError(f"{len(changes)} controls in one frame; it holds at most {CONTROLS_PER_FRAME}")
            packed = [_CONTROL.pack(change.channel, change.controller, change.value) for change in changes]
            kind, payload = _Kind.CONTROL, b"".join(packed)
        case Hush(channels):
            kind, payload = _Kind.HUSH, bytes(channels)
        case Pause():
            kind, payload = _Kind.PAUSE, b""
        case Stop():
            kind, payload = _Kind.STOP, b""
        case Ready(name, is_virtual):
            kind, payload = _Kind.READY, _FLAG.pack(is_virtual) + _pack_text(name)
        case Failed(text):
            kind, payload = _Kind.FAILED, _pack_text(text)
        case SchedulerHealth() as h:
            counters = (h.sent, h.late, h.dropped, h.sounding)
            lateness = (h.worst_late_seconds, h.p50_late_seconds, h.p99_late_seconds)
            kind, payload = _Kind.HEALTH, _HEALTH.pack(*counters, *lateness, h.error is not None)
            payload += _pack_text(h.error or "")
    return _HEADER.pack(_MAGIC, VERSION, kind, len(payload)) + payload


def encode_notes(notes: Sequence[NoteEvent]) -> list[tuple[int, bytes]]:
    """As many frames as the notes need, each with its number of notes."""
    chunks = [tuple(notes[i : i + NOTES_PER_FRAME]) for i in range(0, len(notes), NOTES_PER_FRAME)]
    return [(len(chunk), encode(Play(chunk))) for chunk in chunks]


class Decoder:
    """Bytes in, whole messages out; keeps what is left over for the next call. Raises MidiError on garbage."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        self._buffer += data
        messages: list[Message] = []
        while len(self._buffer) >= _HEADER.size:
            magic, version, kind, length = _HEADER.unpack_from(self._buffer)
            if magic != _MAGIC or length > _MAX_PAYLOAD:
                raise MidiError("the scheduler's pipe carries something else; nothing but kelly-live may write to it")
            if version != VERSION:
                raise MidiError(f"the scheduler's pipe speaks version {version}, not {VERSION}; restart kelly-live")
            end = _HEADER.size + length
            if len(self._buffer) < end:
                break
            payload = bytes(self._buffer[_HEADER.size : end])
            del self._buffer[:end]
            messages.append(_decode(kind, payload))
        return messages


def _decode(kind: int, payload: bytes) -> Message:
    try:
        return _READERS[_Kind(kind)](payload)
    except (struct.error, ValueError, ConfigError) as error:
        raise MidiError(f"the scheduler's pipe carries a damaged message ({error}); restart kelly-live") from error


def _pack_note(note: NoteEvent) -> bytes:
    program = _NO_PROGRAM if note.program is None else note.program
    return _NOTE.pack(
        note.onset_beats, note.duration_beats, note.pitch, note.velocity, note.channel, note.cents, program
    )  # fmt: skip


def _pack_text(text: str) -> bytes:
    return text.encode("utf-8", "replace")[:MAX_TEXT_BYTES]


def _text(payload: bytes) -> str:
    return payload.decode("utf-8", "ignore")


def _pair(payload: bytes) -> tuple[float, float]:
    first, bpm = _PAIR.unpack(payload)
    if not (math.isfinite(first) and math.isfinite(bpm) and bpm > 0.0):
        raise ValueError(f"{first}, {bpm} BPM")
    return first, bpm


def _read_notes(payload: bytes) -> Play:
    return Play(
        tuple(
            NoteEvent(
                onset,
                duration,
                pitch,
                velocity,
                channel,
                "",
                cents,
                program=None if program == _NO_PROGRAM else program,
            )
            for onset, duration, pitch, velocity, channel, cents, program in _NOTE.iter_unpack(payload)
        )
    )


def _read_tuning(payload: bytes) -> Tuning:
    (mode, semitones), *programs = _BYTES.iter_unpack(payload)
    if mode >= len(TUNINGS):
        raise ValueError(f"tuning number {mode}")
    return Tuning(TUNINGS[mode], semitones or None, tuple((channel, program) for channel, program in programs))


def _read_start(payload: bytes) -> Start:
    *_, first_beat = _TRIPLE.unpack(payload)
    if not math.isfinite(first_beat):
        raise ValueError(f"beat {first_beat}")
    return Start(*_pair(payload[: _PAIR.size]), first_beat)


def _read_hush(payload: bytes) -> Hush:
    if not all(1 <= channel <= 16 for channel in payload):
        raise ValueError("a channel is not in 1..16")
    return Hush(tuple(payload))


def _read_controls(payload: bytes) -> Control:
    return Control(tuple(ControlChange(*numbers) for numbers in _CONTROL.iter_unpack(payload)))


def _read_bare(message: Message) -> Callable[[bytes], Message]:
    def read(payload: bytes) -> Message:
        if payload:
            raise ValueError(f"{len(payload)} bytes after a {type(message).__name__.lower()}")
        return message

    return read


def _read_health(payload: bytes) -> SchedulerHealth:
    *numbers, failed = _HEALTH.unpack_from(payload)
    sent, late, dropped, sounding, worst, p50, p99 = numbers
    error = _text(payload[_HEALTH.size :]) if failed else None
    return SchedulerHealth(sent, late, dropped, sounding, worst, p50, p99, error)


_READERS: dict[_Kind, Callable[[bytes], Message]] = {
    _Kind.START: _read_start,
    _Kind.TEMPO: lambda payload: TempoPoint(*_pair(payload)),
    _Kind.PLAY: _read_notes,
    _Kind.CONTROL: _read_controls,
    _Kind.HUSH: _read_hush,
    _Kind.PAUSE: _read_bare(Pause()),
    _Kind.STOP: _read_bare(Stop()),
    _Kind.READY: lambda payload: Ready(_text(payload[1:]), _FLAG.unpack_from(payload)[0]),
    _Kind.FAILED: lambda payload: Failed(_text(payload)),
    _Kind.HEALTH: _read_health,
    _Kind.TUNE: _read_tuning,
}
