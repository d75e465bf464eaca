"""Receive actions as OSC: `/kelly/do/ACTION [VALUE]`, over UDP, by default from this machine only.

Any program may send here, so packets are read by a reader that supports only what it must: plain messages and flat
bundles, at most one argument. What it does not support, and what comes too fast, is thrown away and counted.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections import deque
from typing import TypeAlias

from kelly_live.control.osc_address import OscAddress
from kelly_live.core.errors import ConfigError

PREFIX = "/kelly/do/"
MESSAGES_PER_SECOND = 100
MAX_PACKET_BYTES = 2048
MAX_TEXT_BYTES = 64
CAPACITY = 256

Value: TypeAlias = "float | str | bool | None"
_BUNDLE = b"#bundle\x00"


class OscInput:
    """Receives at `address` (port 0: a free one). Raises ConfigError if the port is taken.

    Threads: its own receives; `poll` is for one other.
    """

    def __init__(self, address: OscAddress) -> None:
        self.refused = 0
        self._waiting: deque[tuple[str, Value]] = deque()
        self._allowance = float(MESSAGES_PER_SECOND)
        self._socket = socket.socket(address.family, socket.SOCK_DGRAM)
        try:
            self._socket.bind((address.host, address.port))
        except OSError as error:
            self._socket.close()
            raise ConfigError(f"cannot receive OSC at {address} ({error.strerror}); take another port") from error
        self.address = address._replace(port=self._socket.getsockname()[1])
        self._socket.settimeout(0.2)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="osc-in", daemon=True)
        self._thread.start()

    def poll(self) -> list[tuple[str, Value]]:
        """Return what came in since the last call: (action, value), unchecked."""
        return [self._waiting.popleft() for _ in range(len(self._waiting))]

    def close(self) -> None:
        """Stop receiving. Safe to call twice."""
        self._closing.set()
        self._thread.join(1.0)
        self._socket.close()

    def _run(self) -> None:
        last = time.monotonic()
        while not self._closing.is_set():
            try:
                packet = self._socket.recv(MAX_PACKET_BYTES + 1)
            except TimeoutError:
                continue
            except OSError:  # Windows reports here that an earlier packet did not arrive
                self._closing.wait(0.01)
                continue
            now = time.monotonic()
            self._allowance = min(MESSAGES_PER_SECOND, self._allowance + (now - last) * MESSAGES_PER_SECOND)
            last = now
            self._take(packet)

    def _take(self, packet: bytes) -> None:
        try:
            messages = read_packet(packet)
        except ValueError:
            self.refused += 1
            return
        for address, value in messages:
            if self._allowance < 1.0 or len(self._waiting) >= CAPACITY or not address.startswith(PREFIX):
                self.refused += 1
                continue
            self._allowance -= 1.0
            self._waiting.append((address.removeprefix(PREFIX), value))


def read_packet(packet: bytes) -> list[tuple[str, Value]]:
    """Read the messages of a packet: (address, its argument or None). Raises ValueError."""
    if len(packet) > MAX_PACKET_BYTES:
        raise ValueError(f"over {MAX_PACKET_BYTES} bytes")
    if not packet.startswith(_BUNDLE):
        return [_read_message(packet)]
    messages, at = [], len(_BUNDLE) + 8  # the time tag is ignored: bundles are obeyed at once
    while at < len(packet):
        if at + 4 > len(packet):
            raise ValueError("a torn bundle")
        (size,) = struct.unpack_from(">I", packet, at)
        at += 4
        if size == 0 or size % 4 or at + size > len(packet):
            raise ValueError("a torn bundle")
        messages.append(_read_message(packet[at : at + size]))
        at += size
    return messages


def _read_message(data: bytes) -> tuple[str, Value]:
    address, at = _read_text(data, 0)
    if not address.startswith("/"):
        raise ValueError("no address")
    if at == len(data):
        return address, None  # some senders leave out an empty list of types
    types, at = _read_text(data, at)
    value: Value = None
    match types:
        case ",f" | ",i" | ",d" | ",h" if len(data) == at + (8 if types in (",d", ",h") else 4):
            number = struct.unpack_from({",f": ">f", ",i": ">i", ",d": ">d", ",h": ">q"}[types], data, at)[0]
            value = float(number)
            at = len(data)
        case ",s":
            value, at = _read_text(data, at)
        case ",T" | ",F":
            value = types == ",T"
        case "," | ",N" | ",I":
            pass
        case _:
            raise ValueError(f"types {types!r}")
    if at != len(data):
        raise ValueError("more than its types say")
    return address, value


def _read_text(data: bytes, at: int) -> tuple[str, int]:
    """A string that ends with 1 to 4 zeros, and where the next thing begins."""
    end = data.find(b"\x00", at)
    if end < 0 or end - at > MAX_TEXT_BYTES:
        raise ValueError("an endless text")
    after = (end // 4 + 1) * 4
    if after > len(data) or data[end:after].strip(b"\x00"):
        raise ValueError("a torn text")
    return data[at:end].decode("ascii"), after  # UnicodeDecodeError is a ValueError
