"""Memory of a process, as the system counts it."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def read_resident_bytes(process_id: int | None = None) -> int | None:
    """Read the resident set of a process (default: this one) now; None where the system does not say."""
    try:
        pages = int(Path(f"/proc/{process_id or 'self'}/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def read_peak_bytes() -> int:
    """Read the peak of this process's resident set; 0 where the system does not say."""
    try:  # not getrusage: on Linux it includes what the parent process held
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) * 1024
    except (OSError, ValueError, IndexError):
        return _read_peak_usage()


def _read_peak_usage() -> int:
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
