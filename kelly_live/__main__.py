"""`kelly-live` and `python -m kelly_live`.

The signals that end the program are taken before anything that takes long is imported: while a native library loads,
Python's own KeyboardInterrupt may abort the process.
"""

import sys


def main() -> None:
    """Run the command line and exit: 0 done, 1 a KellyError, 2 a usage error, 128 + a signal's number."""
    # A quiet end, for the moment that the next imports take. `signal` itself is one of them: it loads `enum`.
    import _signal  # type: ignore[import-not-found,unused-ignore]

    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    from kelly_live.core.termination import exit_process, handle_signals

    handle_signals()
    from kelly_live.cli import run_program

    exit_process(run_program(sys.argv[1:]))


if __name__ == "__main__":
    main()
