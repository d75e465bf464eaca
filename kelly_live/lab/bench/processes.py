"""Time that processes have worked, as Linux counts it in /proc."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from kelly_live.core.errors import ConfigError


def check_process_times() -> None:
    """Raise ConfigError where the system does not say how long a process has worked."""
    if not Path("/proc/self/stat").exists():
        raise ConfigError("what a process costs is read from /proc, which only Linux has; measure it there")


def list_family(process_id: int) -> list[int]:
    """List a process and all that it started."""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and (stat := _read_stat(int(name))):
            parents[int(name)] = int(stat[1])
    family = [process_id]
    for one in family:
        family += [child for child, parent in parents.items() if parent == one]
    return family


def find_module(process_id: int, module: str) -> list[int]:
    """List the processes that a process started, directly or not, and that run this Python module."""
    return [one for one in list_family(process_id)[1:] if module in _read_command(one)]


def read_cpu_seconds(process_ids: Sequence[int]) -> float:
    """Read how long the processes have worked, in seconds; one that has ended counts as 0."""
    ticks = sum(int(stat[11]) + int(stat[12]) for process_id in process_ids if (stat := _read_stat(process_id)))
    return ticks / os.sysconf("SC_CLK_TCK")


def _read_stat(process_id: int) -> list[str]:
    """Read the fields of /proc/PID/stat from the state on; none if the process has ended."""
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _read_command(process_id: int) -> list[str]:
    try:
        return Path(f"/proc/{process_id}/cmdline").read_text().split("\0")
    except OSError:
        return []
