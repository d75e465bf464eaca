"""What the C libraries under the MIDI back ends need around them: one libjack, no surprise server, no chatter."""

from __future__ import annotations

import ctypes
import os
import sys
from functools import cache

_JACK_NO_START_SERVER = 0x01  # jack/types.h, JackOptions


@cache
def prepare_jack() -> ctypes.CDLL | None:
    """Call before a back end is imported. Listing ports must not start a sound server; and the wheels bundle a libjack
    of their own age, which the running server may refuse ("protocol mismatch"): the system's one, loaded first and
    globally, is what their symbols then bind to. None where the system has no libjack."""
    os.environ.setdefault("JACK_NO_START_SERVER", "1")
    if not sys.platform.startswith("linux"):
        return None
    try:
        return ctypes.CDLL("libjack.so.0", mode=ctypes.RTLD_GLOBAL)
    except OSError:
        return None


class JackWatch:
    """Knows when the JACK server has died. The back ends do not: they list the ports of a dead server from its shared
    memory, and take messages until a buffer is full and then wait forever. It is a JACK client without ports."""

    def __init__(self, name: str) -> None:
        self.server_gone = False
        self.period_seconds = 0.0  # how coarsely it hands over what comes in
        self._library = prepare_jack()
        self._client: ctypes.c_void_p | None = None
        if self._library is None:
            return
        self._library.jack_client_open.restype = ctypes.c_void_p
        client = self._library.jack_client_open(name.encode(), _JACK_NO_START_SERVER, None)
        if not client:
            self.server_gone = True
            return
        self._client = ctypes.c_void_p(client)
        frames, rate = (self._library[name] for name in ("jack_get_buffer_size", "jack_get_sample_rate"))
        frames.restype = rate.restype = ctypes.c_uint32
        self.period_seconds = frames(self._client) / max(1, rate(self._client))
        # Kept on self: the library calls it from a thread of its own for as long as the client lives.
        self._on_shutdown = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(self._shutdown)
        self._library.jack_on_shutdown(self._client, self._on_shutdown, None)

    def _shutdown(self, _: object) -> None:
        self.server_gone = True

    def close(self) -> None:
        if self._client is not None and self._library is not None:
            self._library.jack_client_close(self._client)
            self._client = None


def hush_forever() -> None:
    """For the scheduler process, where JACK's threads may print at any time: file descriptor 2 goes nowhere, while
    Python's own sys.stderr keeps the terminal."""
    sys.stderr.flush()
    kept = os.dup(2)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    os.close(null)
    sys.stderr = os.fdopen(kept, "w", buffering=1, errors="backslashreplace")
