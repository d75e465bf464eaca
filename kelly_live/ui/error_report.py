"""What the program prints about the error that ended a command, and the exit code that goes with it."""

from __future__ import annotations

import errno
import logging
import sys
import traceback

from kelly_live.core.errors import KellyError
from kelly_live.core.wording import escape
from kelly_live.ui.terminal import discard_rest

_log = logging.getLogger(__name__)


def report_error(error: Exception, *, debug: bool) -> int:
    """Print an error as one line on stderr, and return the exit code.

    Args:
        error: What ended the command.
        debug: Whether the traceback of an error of ours, or of a bug, is printed instead.
    """
    if isinstance(error, KellyError):
        if debug:
            traceback.print_exception(error)
        else:
            _print_line(escape(str(error)))
        return error.exit_code
    if isinstance(error, BrokenPipeError):
        # The reader of our output (head, less) has gone: not an error, but Python would complain while flushing.
        discard_rest(sys.stdout)
        return 0
    if isinstance(error, MemoryError):
        _print_line(
            "there is not enough memory; kelly-live needs about 1 GB: close other programs, or raise the limit "
            "(`ulimit -v`)"
        )
    elif isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EIO) and error.filename is None:
        discard_rest(sys.stdout)
        _print_line(f"cannot print the result ({error.strerror}): send the output elsewhere")
    else:
        _log.error("unexpected error", exc_info=error)
        if debug:
            traceback.print_exception(error)
        else:
            _print_line(
                f"unexpected {type(error).__name__}: {escape(str(error))}; "
                "this is a bug: run again with --debug and report what it prints"
            )
    return 1


def _print_line(text: str) -> None:
    print(f"kelly-live: {text}", file=sys.stderr)
