"""A process that writes a take's MIDI file while the session plays on.

It takes a second or so for four minutes of music. In the session's process it would hold the interpreter that the band
plays in. The process is made for one file.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from kelly_live.core.atomic_write import write_atomically
from kelly_live.recording.packed_tape import RecordedMusic
from kelly_live.workers.realtime import disable_realtime
from kelly_live.workers.service import ServiceProcess

_CHUNK_BYTES = 1 << 19
_NICENESS = 10
_ADD_SECONDS, _WRITE_SECONDS = 60.0, 600.0


class TakeService:
    """Takes a tape piece by piece, and writes it. Thread: its process's."""

    def __init__(self) -> None:
        self._ports: dict[str, bytearray] = {}

    def add(self, port: str, data: bytes) -> None:
        """Take a piece of a port's packed messages."""
        self._ports.setdefault(port, bytearray()).extend(data)

    def write(self, path: Path | None, music: RecordedMusic, start_seconds: float | None, end_seconds: float) -> int:
        """Write a part of the music as a MIDI file; return how many notes it has.

        Its tape is filled with what was added. `path` None: only count them. Raises OutputError.
        """
        from kelly_live.recording.take import encode_take

        take = _fill(music, {name: bytes(data) for name, data in self._ports.items()}).cut(start_seconds, end_seconds)
        if path is not None:
            write_atomically(path, encode_take(take), private=True)
        return take.tape.count_notes()

    def close(self) -> None:
        """Do nothing: no file is open."""


def create_take_service() -> TakeService:
    """Return the service; in its process."""
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    return TakeService()


def write_take_beside(path: Path | None, music: RecordedMusic, start_seconds: float | None, end_seconds: float) -> int:
    """Call TakeService.write in another process, and wait for it. Raises KellyError.

    Thread: one of its own, which loses the session's priority, and so does the process.
    """
    disable_realtime()
    service = ServiceProcess(TakeService, name="the writer of the take")
    try:
        service.start()
        service.create(f"{__name__}:create_take_service")
        for port, data in music.tape.ports.items():
            for start in range(0, max(1, len(data)), _CHUNK_BYTES):
                service.call("add", port, data[start : start + _CHUNK_BYTES], timeout=_ADD_SECONDS)
        arguments = (path, _fill(music, {}), start_seconds, end_seconds)
        return int(service.call("write", *arguments, timeout=_WRITE_SECONDS))
    finally:
        service.close()


def _fill(music: RecordedMusic, ports: dict[str, bytes]) -> RecordedMusic:
    """Return the music with these packed messages on its tape."""
    return msgspec.structs.replace(music, tape=msgspec.structs.replace(music.tape, ports=ports))
