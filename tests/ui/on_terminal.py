"""A terminal with a program on it, for the tests that press keys."""

from __future__ import annotations

import contextlib
import os
import signal
import struct
import sys
import time
from collections.abc import Callable


class OnTerminal:
    """Python with these arguments on a pseudo-terminal, 200 columns wide, as from a shell."""

    def __init__(self, *arguments: str) -> None:
        import fcntl
        import pty
        import termios

        self.pid, self.ours = pty.fork()
        if self.pid == 0:
            os.execv(sys.executable, [sys.executable, *arguments])
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, struct.pack("4H", 24, 200, 0, 0))
        self.output = ""

    def type(self, keys: bytes) -> None:
        os.write(self.ours, keys)

    def wait_for(self, text: str, seconds: float = 20.0) -> None:
        """Until it has said this. Raises AssertionError."""
        import select

        deadline = time.monotonic() + seconds
        while text not in self.output:
            assert time.monotonic() < deadline, f"{text!r} is not in {self.output!r}"
            if select.select([self.ours], [], [], 0.1)[0]:
                try:
                    self.output += os.read(self.ours, 4096).decode(errors="replace")
                except OSError as gone:
                    raise AssertionError(f"it ended; {text!r} is not in {self.output!r}") from gone
        self.output = self.output.split(text, 1)[1]

    def modes(self) -> str:
        import termios

        cooked = termios.ICANON | termios.ECHO
        return "cooked" if termios.tcgetattr(self.ours)[3] & cooked == cooked else "raw"

    def wait_until(self, is_true: Callable[[], bool], condition: str) -> None:
        deadline = time.monotonic() + 20.0
        while not is_true():
            assert time.monotonic() < deadline, condition
            time.sleep(0.01)

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.ours)
