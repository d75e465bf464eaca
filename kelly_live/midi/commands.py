"""What the parent and the scheduler process say to each other: small framed msgpack messages, versioned.

A frame is magic, version, payload length (little-endian), payload. No pickle: nothing in a frame can run code, and
whatever does not fit the schema raises MidiError.
"""

from __future__ import annotations

import struct
from typing import Generic, TypeVar

import msgspec

from kelly_live.core.commands import Notes, SinkCommand
from kelly_live.core.errors import KellyError, MidiError
from kelly_live.midi.reports import Report

VERSION = 4
NOTES_PER_FRAME = 256

_MAGIC = b"KL"
_HEADER = struct.Struct("<2sBI")
_MAX_PAYLOAD = 1 << 16

Message = TypeVar("Message")


def encode(message: SinkCommand | Report) -> bytes:
    """Encode one message as a frame."""
    payload = msgspec.msgpack.encode(message)
    if len(payload) > _MAX_PAYLOAD:
        raise MidiError(f"a {type(message).__name__} of {len(payload)} bytes; a frame holds {_MAX_PAYLOAD}: split it")
    return _HEADER.pack(_MAGIC, VERSION, len(payload)) + payload


def split_notes(command: Notes) -> list[Notes]:
    """Split into commands that each fit a frame."""
    notes = command.notes
    return [Notes(notes[i : i + NOTES_PER_FRAME]) for i in range(0, len(notes), NOTES_PER_FRAME)]


class Decoder(Generic[Message]):
    """Bytes in, whole messages out; keeps what is left over for the next call. Raises MidiError on garbage."""

    def __init__(self, kind: type[Message]) -> None:
        self._decoder = msgspec.msgpack.Decoder(kind)
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """Take bytes; return the messages that they complete."""
        self._buffer += data
        messages: list[Message] = []
        while len(self._buffer) >= _HEADER.size:
            magic, version, length = _HEADER.unpack_from(self._buffer)
            if magic != _MAGIC or length > _MAX_PAYLOAD:
                raise MidiError("the scheduler's pipe carries something else; nothing but kelly-live may write to it")
            if version != VERSION:
                raise MidiError(f"the scheduler's pipe speaks version {version}, not {VERSION}; restart kelly-live")
            end = _HEADER.size + length
            if len(self._buffer) < end:
                break
            payload = bytes(self._buffer[_HEADER.size : end])
            del self._buffer[:end]
            try:
                messages.append(self._decoder.decode(payload))
            except (msgspec.MsgspecError, KellyError, ValueError) as error:
                raise MidiError(
                    f"the scheduler's pipe carries a damaged message ({error}); restart kelly-live"
                ) from error
        return messages
