"""`kelly-live config`: the options that are given once for all. One file a subcommand."""

from __future__ import annotations

import click

from kelly_live.cli.config import edit, path, set_, show, unset


@click.group("config")
def command() -> None:
    """Keep options in a file, so that they need not be typed each time.

    \b
    kelly-live config set midi-out "IAC Bus"     for every command that has --midi-out
    kelly-live config set --for live follow all  for `kelly-live live` alone
    kelly-live config edit                       in your editor

    What is typed wins. `--config none` leaves the file out.
    """  # noqa: D301 - click needs the backspace itself


for _module in (show, path, edit, set_, unset):
    command.add_command(_module.command)
