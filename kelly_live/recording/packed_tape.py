"""What a tape holds, packed: about 13 bytes a message.

So it can be copied, cut and sent to another process.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable, Iterable, Sequence

import msgspec

from kelly_live.core.commands import Signature
from kelly_live.core.midi_messages import (
    CONTROLLERS,
    SETTING_UP,
    get_channel,
    get_kind,
    note_off,
    tuned_keys,
    tuned_program,
)
from kelly_live.core.timebase import TempoMap, TempoPoint
from kelly_live.core.values import MAIN_PORT
from kelly_live.midi.ports import RecordedMessage
from kelly_live.recording.records import Part

_HEAD = struct.Struct("<dH")


class PackedTape(msgspec.Struct, frozen=True):
    """The messages of every port, and the tempo curve and signatures in the file's beats.

    The main port is the first. Beat 0 falls at `origin_seconds` (monotonic).
    """

    origin_seconds: float
    tempo: tuple[TempoPoint, ...]
    signatures: tuple[Signature, ...]
    ports: dict[str, bytes]

    @property
    def tempo_map(self) -> TempoMap:
        """The whole tempo curve."""
        first, *rest = self.tempo
        tempo_map = TempoMap(self.origin_seconds, first.bpm, max_points=sys.maxsize)
        for point in rest:
            tempo_map.add(point)
        return tempo_map

    def messages(self, port: str = MAIN_PORT) -> list[RecordedMessage]:
        """Return all that was sent there, in order."""
        return unpack_messages(self.ports[port])

    def count_notes(self) -> int:
        """Return how many notes begin, on all ports."""
        return sum(get_kind(message.data) == "note_on" for port in self.ports for message in self.messages(port))

    def cut(self, start_seconds: float | None = None, end_seconds: float | None = None) -> PackedTape:
        """Return the part from a time (s, monotonic) to another, as a tape of its own.

        None: from its start, or to its end. What sounds at the start begins there, and what sounds at the end ends
        there.
        """
        tape = self
        if end_seconds is not None:
            tape = msgspec.structs.replace(tape, ports=_convert(tape.ports, lambda one: _cut_end(one, end_seconds)))
        if start_seconds is None:
            return tape
        before = tape.tempo_map
        beat = before.beat_at(start_seconds)
        first = [point for point in tape.tempo if point.beat <= beat][-1:] or tape.tempo[:1]
        later = [TempoPoint(point.beat - beat, point.bpm) for point in tape.tempo if point.beat > beat]
        in_force = [one for one in tape.signatures if one.beat <= beat][-1:]
        coming = [one for one in tape.signatures if one.beat > beat]
        return PackedTape(
            start_seconds,
            (TempoPoint(0.0, first[0].bpm), *later),
            tuple(msgspec.structs.replace(one, beat=max(0.0, one.beat - beat)) for one in (*in_force, *coming)),
            _convert(tape.ports, lambda one: _cut_start(one, start_seconds)),
        )


class RecordedMusic(msgspec.Struct, frozen=True):
    """A tape, who plays on it, and the title that its files have inside."""

    tape: PackedTape
    parts: tuple[Part, ...]
    title: str

    def cut(self, start_seconds: float | None, end_seconds: float | None = None) -> RecordedMusic:
        """Return a part of it, as PackedTape.cut does."""
        return msgspec.structs.replace(self, tape=self.tape.cut(start_seconds, end_seconds))


def pack_message(seconds: float, data: bytes) -> bytes:
    """Pack one message and when it was sent (s, monotonic)."""
    return _HEAD.pack(seconds, len(data)) + data


def unpack_messages(data: bytes | bytearray) -> list[RecordedMessage]:
    """Return packed messages, in order."""
    messages, at = [], 0
    while at < len(data):
        seconds, length = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        messages.append(RecordedMessage(seconds, bytes(data[at : at + length])))
        at += length
    return messages


def _convert(
    ports: dict[str, bytes], convert: Callable[[Sequence[RecordedMessage]], Iterable[RecordedMessage]]
) -> dict[str, bytes]:
    return {
        name: b"".join(pack_message(one.seconds, one.data) for one in convert(unpack_messages(data)))
        for name, data in ports.items()
    }


def _cut_start(messages: Sequence[RecordedMessage], seconds: float) -> list[RecordedMessage]:
    """Return the messages from a time on.

    Before them comes what sets the receiver up as it is then, and what sounds then.
    """
    before = [message for message in messages if message.seconds < seconds]
    state = [*_list_settings(before), *_find_sounding(before).values()]
    return [*(RecordedMessage(seconds, data) for data in state), *messages[len(before) :]]


def _cut_end(messages: Sequence[RecordedMessage], seconds: float) -> list[RecordedMessage]:
    """Return the messages up to a time, and the ends of what sounds then."""
    before = [message for message in messages if message.seconds <= seconds]
    ends = (note_off(channel, pitch) for channel, pitch in _find_sounding(before))
    return [*before, *(RecordedMessage(seconds, data) for data in ends)]


def _find_sounding(messages: Iterable[RecordedMessage]) -> dict[tuple[int, int], bytes]:
    """Return the note-on of each note that sounds after these messages, by channel and key."""
    sounding: dict[tuple[int, int], bytes] = {}
    for message in messages:
        data, kind = message.data, get_kind(message.data)
        if kind == "note_on":
            sounding[get_channel(data), data[1]] = data
        elif kind == "note_off":
            sounding.pop((get_channel(data), data[1]), None)
        elif _is_silencing(data, kind):
            for key in [key for key in sounding if key[0] == get_channel(data)]:
                del sounding[key]
    return sounding


def _list_settings(messages: Iterable[RecordedMessage]) -> list[bytes]:
    """Return what sets a receiver up as these messages do: of each setting the latest, in their order.

    A registered parameter takes several messages, so all of those are kept.
    """
    latest: dict[tuple[object, ...], bytes] = {}
    for number, message in enumerate(messages):
        data, kind = message.data, get_kind(message.data)
        if (program := tuned_program(data)) is not None:
            key: tuple[object, ...] = ("tuning", program, *tuned_keys(data))
        elif not kind or kind in ("note_on", "note_off") or _is_silencing(data, kind):
            continue
        elif kind == "control_change":
            key = (data[0], data[1], number) if data[1] in SETTING_UP else (data[0], data[1])
        else:
            key = (data[0],)
        latest.pop(key, None)
        latest[key] = data
    return list(latest.values())


def _is_silencing(data: bytes, kind: str) -> bool:
    return kind == "control_change" and data[1] in CONTROLLERS.values()
