"""Keep C libraries (PortAudio, ALSA, JACK, mpg123) from writing on the user's terminal.

Thread: any. The redirection affects the whole process and may be entered by several threads at once: the first one
redirects, the last one restores. What any thread writes to stderr meanwhile is lost, so keep the body to one C call.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_STDERR_FD = 2
_lock = threading.Lock()
_depth = 0
_saved_fd: int | None = None


@contextmanager
def guard_stderr() -> Iterator[None]:
    """Redirect file descriptor 2 to the null device inside the block; do nothing if stderr is closed."""
    _enter()
    try:
        yield
    finally:
        _leave()


def _enter() -> None:
    global _depth, _saved_fd
    with _lock:
        _depth += 1
        if _depth > 1:
            return
        try:
            null = os.open(os.devnull, os.O_WRONLY)
        except OSError:  # no file descriptor is left; a line on the terminal is the lesser evil
            return
        try:
            _saved_fd = os.dup(_STDERR_FD)
            os.dup2(null, _STDERR_FD)
        except OSError:  # the program was started with stderr closed, or no descriptor is left
            return
        finally:
            os.close(null)


def _leave() -> None:
    global _depth, _saved_fd
    with _lock:
        _depth -= 1
        if _depth == 0 and _saved_fd is not None:
            os.dup2(_saved_fd, _STDERR_FD)
            os.close(_saved_fd)
            _saved_fd = None
