"""The file of a log, which outlasts a full disk.

What waits for the disk is kept in memory, up to a bound, and written when there is room again. Thread: `record` for all
calls but the properties, which any thread may read.
"""

from __future__ import annotations

import errno
import logging
import os
from pathlib import Path

from kelly_live.core.atomic_write import suggest_remedy
from kelly_live.core.errors import OutputError

MAX_PENDING_BYTES = 8 << 20  # lines that wait for a full disk: about half an hour
_CHUNK_BYTES = 1 << 16

_log = logging.getLogger(__name__)


class LogFile:
    """A new file that lines are appended to.

    Raises OutputError if there is one already, or none can be made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._pending = bytearray()
        self._has_unsynced_data = False
        self._problem: str | None = None
        self._is_ended = False
        self._file = _open_new(path)

    @property
    def problem(self) -> str | None:
        """What is wrong, in a few words for the status line; None while all is well."""
        return self._problem

    @property
    def is_ended(self) -> bool:
        """Whether nothing more is kept."""
        return self._is_ended

    def append(self, lines: bytes) -> None:
        """Add whole lines to what the next `flush` writes; none once it has ended."""
        if not self._is_ended:
            self._pending += lines

    def flush(self, *, sync: bool) -> None:
        """Write what waits; `sync`: wait for the disk. A full disk is a problem, not an error."""
        try:
            while self._pending:
                self._has_unsynced_data = True
                del self._pending[: os.write(self._file, self._pending[:_CHUNK_BYTES])]
            if sync and self._has_unsynced_data:
                _sync_to_disk(self._file)
                self._has_unsynced_data = False
                if not self._is_ended:
                    self._set_problem(None)
        except OSError as error:
            self._set_problem(f"not recording: {error.strerror}")
            if len(self._pending) > MAX_PENDING_BYTES:
                self._is_ended = True
                self._set_problem(f"recording ended: {error.strerror}")
                self._pending.clear()

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _set_problem(self, problem: str | None) -> None:
        if problem != self._problem:
            _log.warning("the recording %s: %s", self.path, problem or "goes on")
        self._problem = problem


def _sync_to_disk(file: int) -> None:
    """Wait until what was written is on the disk; a pipe or a device has none. Raises OSError."""
    try:
        os.fsync(file)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise


def _open_new(path: Path) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_BINARY", 0)
    try:
        return os.open(path, flags, 0o600)  # what somebody played is theirs
    except (OSError, ValueError) as error:
        number = error.errno if isinstance(error, OSError) else None
        reason = os.strerror(number) if number else str(error)
        raise OutputError(f"cannot write {str(path)!r} ({reason}): {suggest_remedy(number)}") from error
