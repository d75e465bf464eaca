"""Typed messages with a program in any language: one JSON object a line, in UTF-8.

The other end of the pipe may be anything, so a line is bounded, and whatever is no message is refused with its start.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import msgspec

from kelly_live.core.errors import KellyError, WorkerError
from kelly_live.core.wording import escape, quote_error

MAX_LINE_BYTES = 1 << 18
_SHOWN = 60  # characters of a line that is no message

Message = TypeVar("Message")


class JsonLines(Generic[Message]):
    """Encodes messages as lines, and decodes bytes, however they are cut; keeps an incomplete line.

    Args:
        types: The union of the messages that may come: msgspec Structs with a tag.
        sender: Who sends them, as the subject of an error line.
        max_bytes: The longest line that is accepted; what is sent may be longer.
    """

    def __init__(self, types: Any, *, sender: str, max_bytes: int = MAX_LINE_BYTES) -> None:
        self._decoder = msgspec.json.Decoder(types)
        self._sender = sender
        self._max_bytes = max_bytes
        self._buffer = bytearray()

    def encode(self, message: object) -> bytes:
        """Encode one message as a line.

        Raises:
            WorkerError: The message holds something that JSON cannot.
        """
        try:
            return msgspec.json.encode(message) + b"\n"
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise WorkerError(f"a {type(message).__name__} cannot be sent as JSON ({quote_error(error)})") from error

    def feed(self, data: bytes) -> list[Message]:
        """Take more bytes and return the messages that they complete; empty lines are none.

        Raises:
            WorkerError: A line is too long or no message of the given types.
        """
        self._buffer += data
        *lines, rest = self._buffer.split(b"\n")
        if max(map(len, (*lines, rest))) > self._max_bytes:
            raise WorkerError(f"{self._sender} sent a line of over {self._max_bytes} bytes; no message is that long")
        self._buffer = rest
        return [self._decode(bytes(line)) for line in lines if line.strip()]

    def _decode(self, line: bytes) -> Message:
        try:
            message: Message = self._decoder.decode(line)
        except (msgspec.DecodeError, KellyError, ValueError, RecursionError) as error:
            shown = escape(line[:_SHOWN].decode(errors="replace"))
            raise WorkerError(f"{self._sender} sent {shown!r}, which is no message ({quote_error(error)})") from error
        return message
