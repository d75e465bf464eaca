"""The child's end of a WorkerProcess: typed messages in on stdin, and out on stdout.

A child ends with its parent: when the parent closes its end, or is gone, `receive` ends; when it takes nothing for too
long, `send` says so from then on. A process that has not ended a while after either is ended by force.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

from kelly_live.workers.framing import MAX_FRAME_BYTES, FrameDecoder, encode_frame

FAREWELL_SECONDS = 15.0  # to finish, once the parent is gone
WRITE_SECONDS = 30.0  # a parent that takes nothing for so long is given up; a short Ctrl-Z must cost nothing
GIVEN_UP_EXIT_CODE = 75  # EX_TEMPFAIL: the parent, if it runs again, says what happened
# Ctrl-C, Ctrl-Z and a closed terminal reach the whole process group; what they mean is the parent's business.
TERMINAL_SIGNALS = ("SIGINT", "SIGTSTP", "SIGHUP")
END_SIGNALS = ("SIGTERM",)

_CHUNK_BYTES = 1 << 16
_LOOK_SECONDS = 0.01  # between two tries to write to a full pipe

Received = TypeVar("Received")


def ignore_signals(*names: str) -> None:
    """Ignore these signals, where the system has them. Thread: the main one.

    The parent holds Ctrl-C back from a child until then; from here on, processes of the child's own may get it again.
    """
    for name in names:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


class ParentConnection(Generic[Received]):
    """The two pipes to the parent. Threads: one calls `receive`, any may call `send`.

    Args:
        receives: The union of the messages that the parent may send.
        farewell_seconds: How long the process may live after its parent.
        blocking: Whether `send` waits for a parent that does not read. If not, a message that finds the pipe full is
            dropped whole.
        write_seconds: A parent that takes nothing from a full pipe for so long is given up. Counted while this process
            runs, so that its own suspension is not the parent's fault.
        silent: Whether what libraries print is thrown away, stderr too. If not, it goes to stderr.
    """

    def __init__(
        self,
        receives: Any,
        *,
        farewell_seconds: float = FAREWELL_SECONDS,
        blocking: bool = True,
        write_seconds: float = WRITE_SECONDS,
        silent: bool = False,
        max_frame_bytes: int = MAX_FRAME_BYTES,
    ) -> None:
        self._decoder: FrameDecoder[Received] = FrameDecoder(receives, sender="the parent", max_bytes=max_frame_bytes)
        self._max_frame_bytes = max_frame_bytes
        self._farewell_seconds = farewell_seconds
        self._looks = max(1, round(write_seconds / _LOOK_SECONDS)) if blocking else 0
        self._lock = threading.Lock()  # held while a message is written; over the next two
        self._rest = b""  # of a message that a full pipe took in part
        self._is_given_up = False
        # Nothing else may write to the pipe, so stdout itself goes elsewhere.
        self._pipe = os.dup(1)
        if silent:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1)
            os.dup2(nowhere, 2)
            os.close(nowhere)
        else:
            os.dup2(2, 1)
        # Windows pipes can't be non-blocking before Python 3.12; there, a stopped parent may hold `send` up.
        with contextlib.suppress(AttributeError, OSError):
            os.set_blocking(self._pipe, False)

    @property
    def exit_code(self) -> int:
        """What the process should end with: 0, or GIVEN_UP_EXIT_CODE."""
        return GIVEN_UP_EXIT_CODE if self._is_given_up else 0

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
            self._begin_farewell()

    def send(self, message: object) -> bool:
        """Write a message to the parent, and return whether it was taken: whole, or not at all.

        It waits at most `write_seconds` for the parent. One that takes nothing in that time is given up: nothing is
        sent to it any more, and this process must end, as if the parent were gone.

        Raises:
            WorkerError: The message has no schema, or is too long.
        """
        frame = encode_frame(message, max_bytes=self._max_frame_bytes)
        with self._lock, contextlib.suppress(OSError):  # the parent reads no more; the end of stdin says so too
            if self._is_given_up:
                return False
            self._rest = self._write(self._rest)
            if self._rest:
                return False
            rest = self._write(frame)
            # A message of which a part was taken must be completed before the next one.
            self._rest = rest if len(rest) < len(frame) else b""
            return len(rest) < len(frame) and not self._is_given_up
        return False

    def _write(self, data: bytes) -> bytes:
        """Write as much as the parent takes in time, and return the rest."""
        looks = 0
        while data:
            try:
                data = data[os.write(self._pipe, data) :]
                looks = 0
            except BlockingIOError:
                # Looks are counted, not seconds: however long this process was suspended, that is one look.
                if looks >= self._looks:
                    self._give_up()
                    break
                looks += 1
                time.sleep(_LOOK_SECONDS)
        return data

    def _give_up(self) -> None:
        """End a wait in vain: for good if `send` waits at all, until the next message if it does not."""
        if self._looks > 0:
            self._is_given_up = True
            self._begin_farewell()

    def _begin_farewell(self) -> None:
        timer = threading.Timer(self._farewell_seconds, os._exit, (self.exit_code or 1,))
        timer.daemon = True
        timer.start()

    def _read(self) -> bytes:
        with contextlib.suppress(OSError):
            return os.read(0, _CHUNK_BYTES)
        return b""
