"""Read OSC 1.0 packets: messages, bundles in bundles, time tags, and address patterns.

Any program may send them, so all is bounded: bytes, texts, depth, alternatives.
"""

from __future__ import annotations

import fnmatch
import re
import struct
from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeAlias

MAX_PACKET_BYTES = 2048
MAX_TEXT_BYTES = 64
MAX_ARGUMENTS = 16
MAX_DEPTH = 8
MAX_ALTERNATIVES = 64

Value: TypeAlias = "float | str | bool | None"
_BUNDLE = b"#bundle\x00"
_NTP_TO_UNIX = 2_208_988_800  # seconds from 1900 to 1970
_NUMBERS = {"f": ">f", "i": ">i", "d": ">d", "h": ">q"}
_CONSTANTS: dict[str, Value] = {"T": True, "F": False, "N": None, "I": None}
_SKIPPED_BYTES = {"c": 4, "r": 4, "m": 4, "t": 8}  # a character, a colour, a MIDI message, a time
_BRACKETS = "[]"  # around an array, whose values are read as if there were none


class Message(NamedTuple):
    """An OSC message.

    `arguments`: its values, () if it has none; Nil and Impulse are None. `unix_seconds`: when it is due, by the wall
    clock; None: at once.
    """

    address: str
    arguments: tuple[Value, ...] = ()
    unix_seconds: float | None = None


def raise_error(reason: str) -> None:
    """Raise the reason as a ValueError."""
    raise ValueError(reason)


def read_packet(packet: bytes, refuse: Callable[[str], None] = raise_error) -> list[Message]:
    """Read the messages of a packet, in order.

    `refuse` is called with the reason of each message of a bundle that cannot be read; the others are read. Raises
    ValueError if the packet itself is no OSC.
    """
    if len(packet) > MAX_PACKET_BYTES:
        raise ValueError(f"over {MAX_PACKET_BYTES} bytes")
    return _read_element(packet, None, 0, refuse)


def match_address(pattern: str, addresses: Iterable[str]) -> list[str]:
    """Return the addresses that a pattern means, in order. Raises ValueError."""
    parts = [[re.compile(fnmatch.translate(part)) for part in one.split("/")] for one in _expand_braces(pattern)]
    return [
        address
        for address in addresses
        if any(
            len(one) == address.count("/") + 1
            and all(part.match(text) for part, text in zip(one, address.split("/"), strict=True))
            for one in parts
        )
    ]


def _expand_braces(pattern: str) -> list[str]:
    """Write out `{one,other}`."""
    texts, patterns = [], [pattern]
    while patterns:
        text = patterns.pop()
        before, brace, rest = text.partition("{")
        if not brace:
            texts.append(text)
            continue
        inside, closing_brace, after = rest.partition("}")
        if not closing_brace:
            raise ValueError("a brace is not closed")
        patterns += [f"{before}{word}{after}" for word in inside.split(",")]
        if len(patterns) + len(texts) > MAX_ALTERNATIVES:
            raise ValueError(f"over {MAX_ALTERNATIVES} alternatives")
    return texts


def _read_element(data: bytes, due_seconds: float | None, depth: int, refuse: Callable[[str], None]) -> list[Message]:
    if not data.startswith(_BUNDLE):
        return [_read_message(data, due_seconds)]
    at = len(_BUNDLE) + 8
    if depth == MAX_DEPTH or len(data) < at:
        raise ValueError("bundles too deep" if depth == MAX_DEPTH else "a torn bundle")
    (tag,) = struct.unpack_from(">Q", data, len(_BUNDLE))
    if tag > 1:  # 1 is "at once"; what is in a bundle is never due before it
        bundle_seconds = tag / 2**32 - _NTP_TO_UNIX
        due_seconds = bundle_seconds if due_seconds is None else max(due_seconds, bundle_seconds)
    messages: list[Message] = []
    while data[at:].strip(b"\x00"):
        start = at + 4
        at = start + int.from_bytes(data[at:start])
        if at > len(data):
            refuse("a torn bundle")
            break
        try:
            messages += _read_element(data[start:at], due_seconds, depth + 1, refuse)
        except ValueError as error:
            refuse(str(error))
    return messages


def _read_message(data: bytes, due_seconds: float | None) -> Message:
    address, at = _read_text(data, 0)
    if not address.startswith("/"):
        raise ValueError("no address")
    if at == len(data):
        return Message(address, (), due_seconds)  # some senders leave out an empty list of types
    types, at = _read_text(data, at)
    if not types.startswith(",") or len(types) > MAX_ARGUMENTS + 1:
        raise ValueError(f"types {types!r}")
    arguments: list[Value] = []
    for kind in types[1:]:
        if kind in _NUMBERS:
            form = _NUMBERS[kind]
            if at + struct.calcsize(form) > len(data):
                raise ValueError("less than its types say")
            arguments.append(float(struct.unpack_from(form, data, at)[0]))
            at += struct.calcsize(form)
        elif kind in ("s", "S"):
            text, at = _read_text(data, at, MAX_PACKET_BYTES)
            arguments.append(text)
        elif kind in _CONSTANTS:
            arguments.append(_CONSTANTS[kind])
        elif kind in _SKIPPED_BYTES or kind == "b":  # no action takes one, but a button may send any
            at += _SKIPPED_BYTES[kind] if kind != "b" else _blob_bytes(data, at)
            arguments.append(f"type {kind}")
        elif kind not in _BRACKETS:
            raise ValueError(f"types {types!r}")
    if at > len(data) or data[at:].strip(b"\x00"):  # some senders pad what they send with zeros
        raise ValueError("more or less than its types say")
    return Message(address, tuple(arguments), due_seconds)


def _blob_bytes(data: bytes, at: int) -> int:
    """Return the bytes that a blob and its length take up."""
    if at + 4 > len(data):
        raise ValueError("less than its types say")
    (size,) = struct.unpack_from(">I", data, at)
    return 4 + int(size + 3) // 4 * 4


def _read_text(data: bytes, at: int, longest: int = MAX_TEXT_BYTES) -> tuple[str, int]:
    """Return a text that ends with 1 to 4 zeros, and where the next thing begins."""
    end = data.find(b"\x00", at)
    if end < 0 or end - at > longest:
        raise ValueError("an endless text")
    after = (end // 4 + 1) * 4
    if after > len(data) or data[end:after].strip(b"\x00"):
        raise ValueError("a torn text")
    return data[at:end].decode("utf-8", errors="replace"), after
