"""What the C libraries under the MIDI back ends need around them: one libjack, no surprise server, no chatter."""

from __future__ import annotations

import ctypes
import os
import sys
from functools import cache


@cache
def prepare_jack() -> None:
    """Call before a back end is imported. Listing ports must not start a sound server; and the wheels bundle a libjack
    of their own age, which the running server may refuse ("protocol mismatch"): the system's one, loaded first and
    globally, is what their symbols then bind to."""
    os.environ.setdefault("JACK_NO_START_SERVER", "1")
    if sys.platform.startswith("linux"):
        try:
            ctypes.CDLL("libjack.so.0", mode=ctypes.RTLD_GLOBAL)
        except OSError:
            return  # no JACK on this system: nothing to agree with


def hush_forever() -> None:
    """For the scheduler process, where JACK's threads may print at any time: file descriptor 2 goes nowhere, while
    Python's own sys.stderr keeps the terminal."""
    sys.stderr.flush()
    kept = os.dup(2)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    os.close(null)
    sys.stderr = os.fdopen(kept, "w", buffering=1, errors="backslashreplace")
