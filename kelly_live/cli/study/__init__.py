"""`kelly-live study`: ask people what they hear. One file a subcommand."""

from __future__ import annotations

import click

from kelly_live.cli.study import analyse, new, run


@click.group("study")
def command() -> None:
    """Ask people what they hear in the music: make a listening study, run it in a browser, analyse the answers."""


for _module in (new, run, analyse):
    command.add_command(_module.command)
