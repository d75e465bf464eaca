"""What a process that must be on time asks of the system and of its Python: its turn, short turns for others, and no
long collection of garbage.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Iterator

# How long a thread that computes may keep the interpreter from one that must be on time (Python's own: 5 ms).
SWITCH_SECONDS = 0.0005
STAGE_PRIORITY = 1  # real time, under whatever is audio: it computes a twentieth of the time


def take_turns(seconds: float = SWITCH_SECONDS) -> None:
    """No thread keeps the interpreter for longer than this while another wants it."""
    sys.setswitchinterval(seconds)


@contextlib.contextmanager
def turns_of(seconds: float) -> Iterator[None]:
    """`take_turns` for as long as the context lasts."""
    before = sys.getswitchinterval()
    take_turns(seconds)
    try:
        yield
    finally:
        take_turns(before)


def enable_realtime() -> None:
    """For the process that makes the music, first of all: `take_turns`, and a real-time turn. A thread that waits for
    its turn may hold the interpreter, so all have one, guests too: what this thread starts takes after it.
    """
    take_turns()
    prefer_this_thread(STAGE_PRIORITY)


def prefer_this_thread(priority: int) -> None:
    """Ask for a real-time turn, where the system grants it; go on as an ordinary thread where it does not."""
    if hasattr(os, "sched_setscheduler"):
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(priority))


def disable_realtime() -> None:
    """An ordinary turn again: for a process that computes long."""
    if hasattr(os, "sched_setscheduler"):
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def freeze_gc() -> None:
    """All that is loaded by now stays for good, and no collection looks at it again. A full one, which stops every
    thread, took 85 ms beside the nets, several times that on a busy machine, and notes were lost to it.
    """
    gc.collect()
    gc.freeze()
