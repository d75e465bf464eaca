"""Import one module in a process of its own: `-m kelly_live.core.plugin_probe MODULE`.

It prints SURVIVED, and after it what the import raises to end the process (`sys.exit`, KeyboardInterrupt), in one line.
Without SURVIVED the import has ended it. What the module prints is dropped. The process ends with its parent, which
holds the other end of its stdin.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading

from kelly_live.core.plugins import SURVIVED, PluginError, guard_call


def probe(module: str) -> str:
    """Return what the import raises to end the process, "" for anything else."""
    try:
        with guard_call():
            importlib.import_module(module)
    except PluginError as error:
        return str(error)
    except Exception:  # it is raised again where the module is imported for use
        return ""
    return ""


def main(module: str) -> None:
    """Probe a module, report, and end without running what it left behind."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is the parent's business
    report = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.write(report, (SURVIVED + probe(module)).encode(errors="backslashreplace"))
    os._exit(0)


def _end_with_parent() -> None:
    while os.read(0, 1):
        continue
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1])
