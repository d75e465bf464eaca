"""Typed messages between two processes of one program: length-prefixed msgpack frames.

A frame is a header (magic, version, payload length; little-endian) and a msgpack payload. Messages are frozen msgspec
Structs with a tag; their fields may be any frozen dataclass of the program, whose invariants are checked again where
it is decoded. A path travels as its bytes, a NumPy array as its shape and its samples, always float32. Nothing in a
frame can run code.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any, Generic, Protocol, TypeVar, get_origin

import msgspec

from kelly_live.core.errors import KellyError, WorkerError
from kelly_live.core.wording import quote_error

VERSION = 1  # of the header; a payload's own schema is checked by its types
MAX_FRAME_BYTES = 1 << 20

_MAGIC = b"KL"
_HEADER = struct.Struct("<2sBI")

Message = TypeVar("Message")


Received_co = TypeVar("Received_co", covariant=True)


class Codec(Protocol[Received_co]):
    """What a WorkerProcess encodes with and decodes by; both raise WorkerError."""

    def encode(self, message: object) -> bytes:
        """Encode one message."""

    def feed(self, data: bytes) -> Sequence[Received_co]:
        """Take more bytes, however they are cut, and return the messages that they complete."""


def encode_payload(value: object) -> bytes:
    """Encode a value as msgpack, without a header.

    Raises:
        WorkerError: The value holds something that has no schema.
    """
    try:
        return msgspec.msgpack.encode(value, enc_hook=_encode_value)
    except (TypeError, ValueError, OverflowError) as error:
        raise WorkerError(f"a {type(value).__name__} cannot be sent to another process ({error})") from error


def decode_payload(payload: bytes | msgspec.Raw, type_: Any) -> Any:
    """Decode a msgpack payload as a value of `type_`.

    Raises:
        WorkerError: The payload is not such a value.
    """
    try:
        return msgspec.msgpack.decode(payload, type=type_, dec_hook=_decode_value)
    except (msgspec.DecodeError, KellyError, ValueError, RecursionError) as error:
        raise WorkerError(f"a message is damaged ({quote_error(error)})") from error


def encode_frame(message: object, *, max_bytes: int = MAX_FRAME_BYTES) -> bytes:
    """Encode one message as a frame.

    Raises:
        WorkerError: The message holds something that has no schema, or is over `max_bytes` long.
    """
    payload = encode_payload(message)
    if len(payload) > max_bytes:
        name = type(message).__name__
        raise WorkerError(f"a {name} of {len(payload)} bytes is too long; a message has at most {max_bytes} bytes")
    return _HEADER.pack(_MAGIC, VERSION, len(payload)) + payload


class FrameDecoder(Generic[Message]):
    """Turns bytes, however they are cut, into whole messages; keeps an incomplete one.

    Args:
        types: The union of the messages that may come.
        sender: Who sends them, as the subject of an error line.
        max_bytes: The longest payload that is accepted.
    """

    def __init__(self, types: Any, *, sender: str = "the other process", max_bytes: int = MAX_FRAME_BYTES) -> None:
        self._decoder = msgspec.msgpack.Decoder(types, dec_hook=_decode_value)
        self._sender = sender
        self._max_bytes = max_bytes
        self._buffer = bytearray()

    def encode(self, message: object) -> bytes:
        """Encode one message as a frame.

        Raises:
            WorkerError: The message has no schema, or is too long.
        """
        return encode_frame(message, max_bytes=self._max_bytes)

    def feed(self, data: bytes) -> list[Message]:
        """Take more bytes and return the messages that they complete.

        Raises:
            WorkerError: The bytes are no frame, of another version, too long, or no message of the given types.
        """
        self._buffer += data
        messages: list[Message] = []
        while len(self._buffer) >= _HEADER.size:
            magic, version, length = _HEADER.unpack_from(self._buffer)
            if magic != _MAGIC or length > self._max_bytes:
                raise WorkerError(f"{self._sender} sent something else than messages")
            if version != VERSION:
                raise WorkerError(f"{self._sender} speaks version {version}, not {VERSION}")
            end = _HEADER.size + length
            if len(self._buffer) < end:
                break
            payload = bytes(self._buffer[_HEADER.size : end])
            del self._buffer[:end]
            messages.append(self._decode(payload))
        return messages

    def _decode(self, payload: bytes) -> Message:
        try:
            message: Message = self._decoder.decode(payload)
        except (msgspec.DecodeError, KellyError, ValueError, RecursionError) as error:
            raise WorkerError(f"{self._sender} sent a damaged message ({quote_error(error)})") from error
        return message


def _encode_value(value: Any) -> Any:
    """Encode a path as its bytes, a NumPy array as [shape, float32 samples]; NumPy is only imported for an array."""
    if isinstance(value, PurePath):
        return os.fsencode(value)
    import numpy as np

    if not isinstance(value, np.ndarray):
        raise TypeError(f"{type(value).__name__} has no schema")
    samples = np.ascontiguousarray(value, "<f4")
    return value.shape, samples.tobytes()


def _decode_value(type_: Any, value: Any) -> Any:
    """Decode what `_encode_value` encoded; an array can be written to."""
    kind = get_origin(type_) or type_
    if isinstance(kind, type) and issubclass(kind, PurePath):
        return kind(os.fsdecode(msgspec.convert(value, bytes)))
    import numpy as np

    if kind is not np.ndarray:
        raise TypeError(f"{type_} has no schema")
    shape, samples = msgspec.convert(value, tuple[tuple[int, ...], bytes])
    return np.frombuffer(samples, "<f4").astype(np.float32).reshape(shape)
