"""The whole log of a session so far, kept so that a take can begin with it.

Music is made again only from its start.
"""

from __future__ import annotations

import tempfile
from typing import BinaryIO

from kelly_live.core.errors import OutputError
from kelly_live.recording.log_file import LogFile

MAX_BYTES = 256 << 20  # 15 to 25 hours
_CHUNK_BYTES = 1 << 20


class Spool:
    """A temporary file without a name, which is gone with the process. Thread: one, the `record` thread.

    `problem`: why nothing is kept, in a line; None while all of it is.
    """

    def __init__(self) -> None:
        self.problem: str | None = None
        self._file: BinaryIO | None = None
        self._size = 0
        try:
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 (it is closed with the session)
        except OSError as error:
            self._end(f"the session cannot be kept from its start ({error.strerror})")

    def append(self, data: bytes) -> None:
        """Keep more of the log."""
        if self._file is None:
            return
        if self._size + len(data) > MAX_BYTES:
            self._end(f"the session is longer than can be kept ({MAX_BYTES >> 20} MB of log)")
            return
        try:
            self._file.seek(self._size)
            rest = memoryview(data)
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            self._end(f"the session could not be kept from its start ({error.strerror})")
            return
        self._size += len(data)

    def copy_to(self, log: LogFile) -> None:
        """Begin a log with all that is kept. Raises OutputError."""
        if self._file is None:
            raise OutputError(f"{self.problem}; start again with --record")
        self._file.seek(0)
        while data := self._file.read(_CHUNK_BYTES):
            log.append(data)
            log.flush(sync=False)

    def close(self) -> None:
        """Forget it."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _end(self, problem: str) -> None:
        self.problem = problem
        self.close()
