"""What a process that must be on time asks of the system and of its Python.

Real-time priority for its threads, a short switch interval for the interpreter, and no long garbage collection.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

# How long a thread that computes may keep the interpreter from one that must be on time (Python's default: 5 ms).
SWITCH_INTERVAL_SECONDS = 0.0005
TIMER_MILLISECONDS = 1
_LOAD_WINDOWS_LIBRARY = getattr(ctypes, "WinDLL", None)
PLAY_PRIORITY = 1  # real time, below all audio threads: it computes a twentieth of the time

_sessions: list[float] = []  # of this process: the switch interval before each began


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
    """Prepare the process that makes the music, before the first thread of a session.

    Sets the switch interval, and asks for a fine timer and real-time priority. All threads that are started later
    inherit it: one that had none could hold the interpreter while it waits for its turn. `end_session` undoes it.
    """
    _sessions.append(sys.getswitchinterval())
    set_switch_interval()
    request_timer_period()
    request_realtime_priority(PLAY_PRIORITY)


def end_session() -> None:
    """Give this thread the usual priority again, and the program its interpreter, once no other session needs it."""
    disable_realtime()
    interval_before = _sessions[0]
    _sessions.pop()  # all but the first entry say that another session had begun
    if not _sessions:
        set_switch_interval(interval_before)
        gc.unfreeze()


def request_timer_period(load: Callable[[str], Any] | None = _LOAD_WINDOWS_LIBRARY) -> None:
    """Ask Windows for timers of 1 ms instead of 15.6 ms while this process lives.

    `load` loads one of its libraries; None: another system, whose timers are fine.
    """
    if load is not None:
        with contextlib.suppress(OSError):
            load("winmm").timeBeginPeriod(TIMER_MILLISECONDS)


def request_realtime_priority(priority: int) -> None:
    """Ask for real-time priority for this thread; go on without where the system does not grant it.

    Linux only: macOS has no such call (and its thread policies are not asked for), Windows neither.
    """
    if hasattr(os, "sched_setscheduler"):
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(priority))


def is_realtime_granted() -> bool | None:
    """Return whether the system grants this process real-time priority; None where it is not asked for."""
    if not hasattr(os, "sched_setscheduler"):
        return None
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(PLAY_PRIORITY))
    except OSError:
        return False
    disable_realtime()
    return True


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
