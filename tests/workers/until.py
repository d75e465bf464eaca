"""Waits in a test for what another thread or process does."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable


def wait_until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait until the condition holds; fail the test if it does not within the time limit."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen within the time limit"
        time.sleep(0.005)


def stop_process(process_id: int) -> None:
    """Suspend a child of this process (SIGSTOP), and return once it stands still."""
    os.kill(process_id, signal.SIGSTOP)
    os.waitpid(process_id, os.WUNTRACED)
