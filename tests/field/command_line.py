"""Run the command line in this process, as a user types it."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass

from kelly_live.cli import run_program


@dataclass(frozen=True)
class Result:
    """What a command did: its exit code, and what it printed."""

    code: int
    output: str
    errors: str


def run_command(*arguments: object) -> Result:
    """Run `kelly-live ARGUMENTS`."""
    output, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        code = run_program([str(argument) for argument in arguments])
    return Result(code, output.getvalue(), errors.getvalue())
