"""What a process that must be on time asks of the system and of its Python.

Real-time priority for its threads, a short switch interval for the interpreter, and no long garbage collection.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Iterator

# How long a thread that computes may keep the interpreter from one that must be on time (Python's default: 5 ms).
SWITCH_INTERVAL_SECONDS = 0.0005
PLAY_PRIORITY = 1  # real time, below all audio threads: it computes a twentieth of the time


def set_switch_interval(seconds: float = SWITCH_INTERVAL_SECONDS) -> None:
    """Let no thread keep the interpreter for longer than this while another wants it."""
    sys.setswitchinterval(seconds)


@contextlib.contextmanager
def switch_interval(seconds: float) -> Iterator[None]:
    """Set the switch interval for as long as the context lasts."""
    before = sys.getswitchinterval()
    set_switch_interval(seconds)
    try:
        yield
    finally:
        set_switch_interval(before)


def enable_realtime() -> None:
    """Prepare the process that makes the music, before its first thread.

    Sets the switch interval and asks for real-time priority. All threads that are started later inherit it: one that
    had none could hold the interpreter while it waits for its turn.
    """
    set_switch_interval()
    request_realtime_priority(PLAY_PRIORITY)


def request_realtime_priority(priority: int) -> None:
    """Ask for real-time priority for this thread; go on without where the system does not grant it."""
    if hasattr(os, "sched_setscheduler"):
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(priority))


def disable_realtime() -> None:
    """Give this thread the usual priority again: for one that computes long."""
    if hasattr(os, "sched_setscheduler"):
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def freeze_gc() -> None:
    """Keep all that is loaded by now for good, so that no garbage collection looks at it again.

    A full collection, which stops every thread, took 85 ms beside the nets, several times that on a busy machine, and
    notes were lost to it.
    """
    gc.collect()
    gc.freeze()


def unfreeze_gc() -> None:
    """Let garbage collection look at everything again: for a program that goes on after the session."""
    gc.unfreeze()
