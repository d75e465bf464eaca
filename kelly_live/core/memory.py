"""The memory that a process may use, asked before the nets are loaded.

A native library that finds no memory aborts the process; only what is asked before can be said in a line.
"""

from __future__ import annotations

import sys

from kelly_live.core.errors import ModelError

NETS_BYTES = 1_400_000_000  # torch and the nets on a CPU: 900 MB of address space were too little, 1500 MB enough


def check_memory() -> None:
    """Refuse to load the nets under a limit (`ulimit -v`) that is too low for them. Raises ModelError."""
    if sys.platform == "win32":
        return
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < NETS_BYTES:
        raise ModelError(
            f"there is not enough memory: this process may use {limit / 1e6:.0f} MB, and the nets need "
            f"{NETS_BYTES / 1e6:.0f} MB; raise the limit (`ulimit -v`)"
        )
