"""Set up the program's log: a rotating file, and messages on stderr with --debug.

Every module logs to a logger of its own name under `kelly_live`. No thread that logs waits for a disk or a terminal:
records go into a bounded queue, and a thread of the listener writes them. A record that finds the queue full is
dropped, and the next one that is written says how many were.

The file is in the platform's log folder, readable by its owner alone, at most FILE_BYTES and BACKUPS older files of
that size. Where it cannot be written, the program goes on without, and says so with --debug.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import logging.handlers
import os
import queue
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kelly_live.core.atomic_write import create_folder
from kelly_live.core.errors import OutputError
from kelly_live.core.wording import escape, plural

if TYPE_CHECKING:
    from logging import _SysExcInfoType as ExceptionInfo

ROOT = "kelly_live"
FILE_NAME = "kelly-live.log"
FILE_BYTES = 1 << 20
BACKUPS = 3
QUEUE_RECORDS = 1000  # some minutes of a program in trouble
CLOSE_SECONDS = 2.0  # for each of: room in a full queue, and the writing of what waits
_FORMAT = "%(asctime)s.%(msecs)03d %(levelname)s %(name)s: %(message)s"
_DATE_FORMAT = "%Y-%m-%d %H:%M:%S"


def find_log_file() -> Path:
    """Return the path of the log file; it need not exist."""
    import platformdirs

    return platformdirs.user_log_path("kelly-live", appauthor=False) / FILE_NAME


class DroppingQueueHandler(logging.handlers.QueueHandler):
    """Puts records into a bounded queue without waiting.

    Records that find it full are counted, and the next one that fits says how many.
    """

    def __init__(self, records: queue.Queue[logging.LogRecord | None]) -> None:
        """Hand over to this queue."""
        super().__init__(records)
        self.dropped_records = 0
        # The queue makes one text of message and traceback; in there only that can be told apart.
        self.setFormatter(EscapingFormatter())

    def enqueue(self, record: logging.LogRecord) -> None:
        """Put a record into the queue, or drop and count it. The handler's lock is held."""
        try:
            if self.dropped_records:
                loss = f"{plural(self.dropped_records, 'record')} dropped: the log could not be written in time"
                self.queue.put_nowait(logging.LogRecord(ROOT, logging.WARNING, __file__, 0, loss, None, None))
                self.dropped_records = 0
            self.queue.put_nowait(record)
        except queue.Full:
            self.dropped_records += 1


class EscapingFormatter(logging.Formatter):
    """Formats a record as printable text: names in it cannot fake a line or control the terminal that shows it."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # the library's name
        """Return the record's line."""
        return escape(super().formatMessage(record))

    def formatException(self, ei: ExceptionInfo) -> str:  # noqa: N802  # the library's name
        """Return a traceback, whose lines stay lines."""
        return "\n".join(map(escape, super().formatException(ei).split("\n")))


class PrivateRotatingFileHandler(logging.handlers.RotatingFileHandler):
    """A rotating file that only its owner can read; records lost to a full disk are counted."""

    lost_records = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record; after the first one that is written again, say how many were lost."""
        before = self.lost_records
        super().emit(record)
        if before and self.lost_records == before:
            self.lost_records = 0
            text = f"the disk was full: {before} records of this log are lost"
            super().emit(logging.LogRecord(ROOT, logging.WARNING, __file__, 0, text, None, None))

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # the library's name
        """Count a record that could not be written; the terminal belongs to the performer."""
        self.lost_records += 1

    def close(self) -> None:
        """Close the file; what a full disk still refuses is lost."""
        with contextlib.suppress(OSError):
            super().close()

    def _open(self):  # type: ignore[no-untyped-def]  # the library's own return type is private
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        if hasattr(os, "fchmod"):
            os.fchmod(descriptor, 0o600)  # an older file may have had other rights
        return os.fdopen(descriptor, self.mode, encoding=self.encoding, errors=self.errors)


class PatientListener(logging.handlers.QueueListener):
    """Writes what is queued; its end waits for room in a full queue, but not for ever for a disk that hangs."""

    def __init__(self, records: queue.Queue[logging.LogRecord | None], handlers: Sequence[logging.Handler]) -> None:
        """Write to these handlers, from `start` on."""
        super().__init__(records, *handlers, respect_handler_level=True)
        self._records = records

    def enqueue_sentinel(self) -> None:
        """Queue the library's mark of the end; its own way gives up at once if the queue is full."""
        with contextlib.suppress(queue.Full):
            self._records.put(None, timeout=CLOSE_SECONDS)

    def stop(self) -> None:
        """Write what waits, and end the thread; one that hangs is left behind. Safe to call twice."""
        self.enqueue_sentinel()
        if self._thread is not None:
            self._thread.join(CLOSE_SECONDS)

    @property
    def has_ended(self) -> bool:
        """Whether nothing is written any more."""
        return self._thread is None or not self._thread.is_alive()


class LogSetup:
    """The handlers of a program, until `close`. Thread: the main one."""

    def __init__(self, handlers: list[logging.Handler], level: int) -> None:
        """Send the records of `kelly_live` to these handlers, through the queue."""
        records: queue.Queue[logging.LogRecord | None] = queue.Queue(QUEUE_RECORDS)
        self.handler = DroppingQueueHandler(records)
        self._handlers = handlers
        self._logger = logging.getLogger(ROOT)
        self._level_before, self._propagate_before = self._logger.level, self._logger.propagate
        self._listener = PatientListener(records, handlers)
        self._logger.setLevel(level)
        self._logger.propagate = False
        self._logger.addHandler(self.handler)
        self._listener.start()
        atexit.register(self.close)
        self._is_closed = False

    def close(self) -> None:
        """Write what waits, and leave logging as it was. Safe to call twice."""
        if self._is_closed:
            return
        self._is_closed = True
        atexit.unregister(self.close)
        self._logger.removeHandler(self.handler)
        self._logger.setLevel(self._level_before)
        self._logger.propagate = self._propagate_before
        self._listener.stop()
        if self._listener.has_ended:  # a handler that hangs holds the lock that its `close` asks for
            for handler in self._handlers:
                handler.close()


def set_up_logging(*, debug: bool, file: Path | None = None, to_file: bool = True) -> LogSetup:
    """Log warnings and what the session says to a file, and with `debug` everything to stderr too.

    `file`: instead of `find_log_file()`. Without `to_file` no file is opened.
    """
    formatter = logging.Formatter(_FORMAT, _DATE_FORMAT)
    handlers: list[logging.Handler] = []
    problem: Exception | None = None
    path = find_log_file() if file is None else file
    if to_file:
        try:
            handlers.append(_open_file(path))
        except (OSError, OutputError) as error:
            problem = error
    if debug:
        handlers.append(logging.StreamHandler(sys.stderr))
    for handler in handlers:
        handler.setFormatter(formatter)
    setup = LogSetup(handlers, logging.DEBUG if debug else logging.INFO)
    if problem is not None:
        logging.getLogger(__name__).debug("no log file: %s: %s", path, problem)
    return setup


def _open_file(path: Path) -> logging.Handler:
    """Open the rotating file; raises OSError or OutputError."""
    create_folder(path.parent, private=True)
    handler = PrivateRotatingFileHandler(
        path, maxBytes=FILE_BYTES, backupCount=BACKUPS, encoding="utf-8", errors="backslashreplace"
    )
    handler.setLevel(logging.INFO)
    return handler
