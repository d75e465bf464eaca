"""What a process that must be on time asks of its Python: short turns, and no long collection of garbage."""

from __future__ import annotations

import gc
import sys

# How long a thread that computes may keep the interpreter from one that must be on time (Python's own: 5 ms).
SWITCH_SECONDS = 0.0005


def take_turns(seconds: float = SWITCH_SECONDS) -> None:
    """No thread keeps the interpreter for longer than this while another wants it."""
    sys.setswitchinterval(seconds)


def settle() -> None:
    """All that is loaded by now stays for good, and no collection looks at it again. A full one, which stops every
    thread, took 85 ms beside the nets, several times that on a busy machine, and notes were lost to it."""
    gc.collect()
    gc.freeze()
