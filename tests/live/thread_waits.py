"""By which clock the threads of a process wait.

By which clock the threads of a process wait, as the kernel tells it (/proc): a wait that is timed by the wall clock
ends early or late when somebody sets that clock.
"""

from __future__ import annotations

import platform
from pathlib import Path

# (futex, clock_nanosleep), by machine; elsewhere nothing is looked at.
_CALLS = {"x86_64": (202, 230), "aarch64": (98, 115)}
_WAIT_BITSET, _BY_WALL_CLOCK, _COMMAND = 9, 0x100, 0x7F  # of futex; only a WAIT_BITSET's time is a moment, not a span
_REALTIME, _ABSOLUTE = 0, 1  # of clock_nanosleep


def waits(process: int) -> tuple[int, list[str]]:
    """How many threads of the process wait just now, and those whose wait is timed by the wall clock."""
    calls = _CALLS.get(platform.machine())
    count, wrong = 0, []
    for task in Path(f"/proc/{process}/task").glob("*"):
        try:
            number, *rest = task.joinpath("syscall").read_text().split()
            name = task.joinpath("comm").read_text().strip()
        except (OSError, ValueError):
            continue  # it has ended, or the system does not tell
        if calls is None or not number.isdigit():
            continue  # it runs
        count += 1
        first, second, _, fourth, *_ = (int(word, 16) for word in rest)
        futex = int(number) == calls[0] and second & _COMMAND == _WAIT_BITSET and fourth and second & _BY_WALL_CLOCK
        sleep = int(number) == calls[1] and (first, second) == (_REALTIME, _ABSOLUTE)
        if futex or sleep:
            wrong.append(f"{name}: {'futex' if futex else 'clock_nanosleep'}")
    return count, wrong
