"""A port that leads nowhere and records when each message left, to measure timing.

Imports nothing heavy: the scheduler process loads it.
"""

from __future__ import annotations

import contextlib
import struct
from pathlib import Path
from typing import NamedTuple

from kelly_live.core.timebase import read_clock

_RECORD = struct.Struct("<dB3s")
CAPACITY_MESSAGES = 1_000_000  # half an hour of clock and dense notes; later ones are not kept


class TracedMessage(NamedTuple):
    """A message of up to 3 bytes (longer ones are cut), and when `send` was called, seconds, monotonic."""

    seconds: float
    data: bytes


class TracingPort:
    """A MidiOut that stamps each message; `close` writes them to `path`."""

    name = "trace"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._records = bytearray(CAPACITY_MESSAGES * _RECORD.size)  # all of it now: nothing is allocated later
        self._end = 0

    def send(self, message: bytes) -> None:
        """Stamp a message."""
        if self._end < len(self._records):
            _RECORD.pack_into(self._records, self._end, read_clock(), min(3, len(message)), message[:3])
            self._end += _RECORD.size

    def close(self) -> None:
        """Write the stamps to the file, unless its folder is gone: then nobody will read it."""
        with contextlib.suppress(FileNotFoundError):
            self._path.write_bytes(memoryview(self._records)[: self._end])


def read_trace(path: Path) -> list[TracedMessage]:
    """Return all that a TracingPort kept, in the order of sending."""
    return [TracedMessage(seconds, data[:length]) for seconds, length, data in _RECORD.iter_unpack(path.read_bytes())]
