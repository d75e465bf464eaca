"""The child's end of a WorkerProcess: typed messages in on stdin, and out on stdout.

A child ends with its parent: when the parent closes its end, or is gone, `receive` ends, and a process that has not
ended a while after that is ended by force.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

from kelly_live.workers.framing import MAX_FRAME_BYTES, FrameDecoder, encode_frame

FAREWELL_SECONDS = 15.0  # to finish, once the parent is gone
# Ctrl-C and Ctrl-Z reach the whole process group; what they mean is the parent's business.
TERMINAL_SIGNALS = ("SIGINT", "SIGTSTP")
END_SIGNALS = ("SIGTERM", "SIGHUP")

_CHUNK_BYTES = 1 << 16

Received = TypeVar("Received")


def ignore_signals(*names: str) -> None:
    """Ignore these signals, where the system has them. Thread: the main one."""
    for name in names:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)


class ParentConnection(Generic[Received]):
    """The two pipes to the parent. Threads: one calls `receive`, any may call `send`.

    Args:
        receives: The union of the messages that the parent may send.
        farewell_seconds: How long the process may live after its parent.
        blocking: Whether `send` waits for a parent that does not read. If not, a message that finds the pipe full is
            dropped whole.
        silent: Whether what libraries print is thrown away, stderr too. If not, it goes to stderr.
    """

    def __init__(
        self,
        receives: Any,
        *,
        farewell_seconds: float = FAREWELL_SECONDS,
        blocking: bool = True,
        silent: bool = False,
        max_frame_bytes: int = MAX_FRAME_BYTES,
    ) -> None:
        self._decoder: FrameDecoder[Received] = FrameDecoder(receives, sender="the parent", max_bytes=max_frame_bytes)
        self._max_frame_bytes = max_frame_bytes
        self._farewell_seconds = farewell_seconds
        self._lock = threading.Lock()  # held while a message is written
        self._rest = b""  # of a message that a full pipe took in part
        # Nothing else may write to the pipe, so stdout itself goes elsewhere.
        self._pipe = os.dup(1)
        if silent:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1)
            os.dup2(nowhere, 2)
            os.close(nowhere)
        else:
            os.dup2(2, 1)
        if not blocking:
            # Windows pipes can't be non-blocking before Python 3.12; there, a stopped parent may hold `send` up.
            with contextlib.suppress(AttributeError, OSError):
                os.set_blocking(self._pipe, False)

    def receive(self) -> Iterator[Received]:
        """Yield the parent's messages until it closes its end or is gone.

        The process must end then, and is ended if it takes longer than its farewell.

        Raises:
            WorkerError: Something else than messages came.
        """
        try:
            while data := self._read():
                yield from self._decoder.feed(data)
        finally:  # after garbage, too, nothing more can be read
            timer = threading.Timer(self._farewell_seconds, os._exit, (1,))
            timer.daemon = True
            timer.start()

    def send(self, message: object) -> bool:
        """Write a message to the parent, and return whether it was taken: whole, or not at all.

        Raises:
            WorkerError: The message has no schema, or is too long.
        """
        frame = encode_frame(message, max_bytes=self._max_frame_bytes)
        with self._lock, contextlib.suppress(OSError):  # the parent reads no more; the end of stdin says so too
            self._rest = self._write(self._rest)
            if self._rest:
                return False
            rest = self._write(frame)
            # A message of which a part was taken must be completed before the next one.
            self._rest = rest if len(rest) < len(frame) else b""
            return len(rest) < len(frame)
        return False

    def _write(self, data: bytes) -> bytes:
        """Write as much as the pipe takes, and return the rest: nothing, if it blocks."""
        with contextlib.suppress(BlockingIOError):
            while data:
                data = data[os.write(self._pipe, data) :]
        return data

    def _read(self) -> bytes:
        with contextlib.suppress(OSError):
            return os.read(0, _CHUNK_BYTES)
        return b""
