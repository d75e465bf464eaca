"""Starts another's program under limits, and leaves nothing of it behind: `launcher.py PARENT MEMORY PROGRAM…`.

It runs as a process between this program and that one, from this file alone, so that it costs 10 MB and starts in
20 ms. The program gets a session of its own, ordinary priority, `MEMORY` bytes at most, a bounded number of threads and
no core dump. When it ends, or SIGTERM comes, or the process PARENT is gone, whatever it started is killed. So is what
has left its process group, where the system has child subreapers (Linux). Then the launcher ends as the program did:
with its exit code or by its signal.

Thread: it has one, as a fork needs.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Sequence

LOOK_SECONDS = 0.25  # between two looks whether the parent is there
NOT_STARTED_EXIT_CODE = 127  # as a shell has it
MORE_THREADS = 256  # than its user has now; the system counts all of a user's, and root's not at all
NICENESS = 5  # behind what plays, where that was granted no real-time priority

_END_SECONDS = 2.0
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


def main(arguments: Sequence[str]) -> None:
    """Run the program and end as it did."""
    parent, memory_bytes, program = int(arguments[0]), int(arguments[1]), list(arguments[2:])
    for name in ("SIGINT", "SIGTSTP", "SIGHUP"):  # what the terminal sends is the parent's business
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    wake_up, wake_up_write = os.pipe()
    os.set_blocking(wake_up_write, False)
    signal.set_wakeup_fd(wake_up_write)
    requests: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: requests.append(number))
    signal.signal(signal.SIGCHLD, lambda number, _: None)
    _call_prctl(_PR_SET_CHILD_SUBREAPER, 1)
    child = os.fork()
    if child == 0:
        _become(program, memory_bytes)
    for number in (0, 1):  # the other ends must see the program's own end
        os.close(number)
    status: int | None = None
    while status is None and not requests and os.getppid() == parent:
        if select.select([wake_up], [], [], LOOK_SECONDS)[0]:
            os.read(wake_up, 64)
        status = _reap(child)
    _end_all(child)
    _end_as(status)


def _become(program: list[str], memory_bytes: int) -> None:
    """Turn this process into the program, under its limits. Does not return."""
    try:
        os.setsid()
        _call_prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGINT, signal.SIGTSTP, signal.SIGHUP, signal.SIGTERM, signal.SIGCHLD, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # held back while this process was started
        with contextlib.suppress(AttributeError, OSError):
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        with contextlib.suppress(OSError):
            os.nice(NICENESS)
        _limit(resource.RLIMIT_CORE, 0)
        # What is written to counts, not what is reserved: torch and the like reserve far more than they use.
        _limit(resource.RLIMIT_DATA if sys.platform == "linux" else resource.RLIMIT_AS, memory_bytes)
        if sys.platform == "linux":
            _limit(resource.RLIMIT_NPROC, _count_threads(os.getuid()) + MORE_THREADS)
        os.execvp(program[0], program)
    except OSError as error:
        os.write(2, f"{program[0]} cannot be started: {error.strerror}\n".encode(errors="replace"))
    finally:
        os._exit(NOT_STARTED_EXIT_CODE)


def _limit(kind: int, most: int) -> None:
    """Lower a limit; one that the system does not take stays as it is."""
    _, hard = resource.getrlimit(kind)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(kind, (most, most))


def _count_threads(user: int) -> int:
    """Count the threads that a user has now."""
    count = 0
    for name in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if name.isdigit() and os.stat(f"/proc/{name}").st_uid == user:
                count += os.stat(f"/proc/{name}/task").st_nlink - 2
    return count


def _call_prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _reap(child: int) -> int | None:
    """Take notice of every process that has ended; return the status of `child` if it was among them."""
    status = None
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            status = ended[1] if ended[0] == child else status
    return status


def _end_all(child: int) -> None:
    """Kill the program and all that it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)
    deadline = time.monotonic() + _END_SECONDS
    while time.monotonic() < deadline:
        children = _list_children()
        for process in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        _reap(child)
        if not children:
            return
        time.sleep(0.002)


def _list_children() -> list[int]:
    """List this process's children; those whose parents have ended are among them on Linux."""
    if sys.platform != "linux":
        return []
    children = []
    own = str(os.getpid())
    for name in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if name.isdigit() and _read_parent(name) == own:
                children.append(int(name))
    return children


def _read_parent(process: str) -> str:
    with open(f"/proc/{process}/stat", encoding="utf-8", errors="replace") as file:
        return file.read().rpartition(")")[2].split()[1]


def _end_as(status: int | None) -> None:
    """End with the program's exit code, or by its signal. Does not return."""
    if status is not None and os.WIFSIGNALED(status):
        _limit(resource.RLIMIT_CORE, 0)
        number = os.WTERMSIG(status)
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(0 if status is None else os.WEXITSTATUS(status))


if __name__ == "__main__":
    main(sys.argv[1:])
