"""What a signal that ends the program does: Ctrl-C, SIGTERM, and a closed terminal's SIGHUP.

No exception is raised: out of a signal handler it would surface anywhere, also inside the import of a native library,
which may abort, or in a callback that swallows it. A command that holds nothing but files that are written whole ends
at once: temporary files are deleted, the terminal is put right, and the process exits with 128 and the signal's number.
Worker processes end with their parent. A command that has something to finish says so (`finish_first`), and is asked to
end; a second signal ends it at once, too.

Threads: all in the main one, as Python's signal handlers are, except `delete_at_exit`, which is for any.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import Any

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
REPEAT_SECONDS = (
    1.0  # a signal that comes again so soon is the same one, which a wrapper passed on, or a nervous finger
)

_SHOW_CURSOR = b"\x1b[?25h\n\x1b[J"  # a progress bar may have hidden it, and the rows of a status stand below it


class _State:
    """The process's one state."""

    def __init__(self) -> None:
        self.finish: Callable[[], None] | None = None  # asks the command to end
        self.number: int | None = None  # of the signal that asked
        self.at_seconds = 0.0
        self.is_exiting = False
        self.temporary: set[str] = set()
        self.processes: set[subprocess.Popen[str]] = set()
        self.terminal: list[Any] | None = None  # how stdin was at the start
        self.terminals: list[int] = []  # the descriptors of stdout and stderr that were terminals


_state = _State()


def handle_signals() -> None:
    """Take the signals that end the program, for good. A SIGHUP that is ignored (`nohup`) stays ignored."""
    _state.terminals = [descriptor for descriptor in (1, 2) if os.isatty(descriptor)]
    with contextlib.suppress(ImportError, OSError, ValueError):  # Windows; no stdin
        import termios

        with contextlib.suppress(termios.error):  # no terminal
            _state.terminal = termios.tcgetattr(0)
    for name in SIGNALS:
        number = getattr(signal, name, None)
        if number is None or (name == "SIGHUP" and signal.getsignal(number) is signal.SIG_IGN):
            continue
        signal.signal(number, _on_signal)


@contextlib.contextmanager
def finish_first(finish: Callable[[], None]) -> Iterator[None]:
    """Call `finish` when a signal comes, rather than end the process; it must return at once."""
    before, _state.finish = _state.finish, finish
    try:
        yield
    finally:
        _state.finish = before


@contextlib.contextmanager
def delete_at_exit(path: str | os.PathLike[str]) -> Iterator[None]:
    """Delete a temporary file or folder if a signal ends the process meanwhile."""
    name = os.fspath(path)
    _state.temporary.add(name)
    try:
        yield
    finally:
        _state.temporary.discard(name)


@contextlib.contextmanager
def temporary_folder() -> Iterator[str]:
    """Create a temporary folder, and delete it afterwards, also when a signal ends the process."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder, delete_at_exit(folder):
        yield folder


def run_command(command: Sequence[str], timeout: float | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command and return what it printed; a signal that ends this process ends it, too.

    Raises OSError and `subprocess.TimeoutExpired`, as `subprocess.run`.
    """
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True) as process:
        _state.processes.add(process)
        try:
            output, errors = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
        finally:
            _state.processes.discard(process)
    return subprocess.CompletedProcess(command, process.returncode, output, errors)


def exit_process(code: int) -> None:
    """Exit with this code, or a signal's; skip the ends of native libraries, which may crash."""
    if _state.number is None:
        sys.exit(code)
    _exit_at_once(_state.number)


def _on_signal(number: int, frame: FrameType | None) -> None:
    if _state.is_exiting:
        os._exit(128 + number)
    now = time.monotonic()
    is_first = _state.number is None
    if is_first:
        _state.number, _state.at_seconds = number, now
        if number == getattr(signal, "SIGHUP", None):
            _discard_output()
    if _state.finish is None:
        _exit_at_once(number)
    elif is_first:
        _state.finish()
    elif now - _state.at_seconds > REPEAT_SECONDS:
        _exit_at_once(number)


def _exit_at_once(number: int) -> None:
    _state.is_exiting = True
    for clean_up in (_end_processes, _delete_temporary_files, sys.stdout.flush, sys.stderr.flush, _put_terminal_right):
        with contextlib.suppress(Exception):  # it came in the middle of a write, or of an import that is needed here
            clean_up()
    os._exit(128 + number)


def _end_processes() -> None:
    """End the processes that do not notice the end of their parent: commands, and those of a pool."""
    for process in tuple(_state.processes):
        process.terminate()
    if "multiprocessing.process" in sys.modules:
        for child in sys.modules["multiprocessing.process"].active_children():
            child.kill()


def _delete_temporary_files() -> None:
    for path in tuple(_state.temporary):
        shutil.rmtree(path, ignore_errors=True)
        with contextlib.suppress(OSError):
            os.unlink(path)


def _put_terminal_right() -> None:
    if _state.terminal is not None and os.tcgetpgrp(0) == os.getpgrp():
        import termios

        termios.tcsetattr(0, termios.TCSANOW, _state.terminal)
    if os.isatty(2) and os.environ.get("TERM", "dumb") != "dumb":
        os.write(2, _SHOW_CURSOR)


def _discard_output() -> None:
    """Write nothing more to a terminal that is closed: it would be an error."""
    with contextlib.suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for descriptor in _state.terminals:
            os.dup2(nowhere, descriptor)
