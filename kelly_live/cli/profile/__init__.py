"""`kelly-live profile`: what one person means by each emotion. One file a subcommand."""

from __future__ import annotations

import click

from kelly_live.cli.profile import (
    calibrate,
    create,
    delete,
    export,
    import_,
    learn,
    list_,
    rate,
    rename,
    reset,
    set_,
    show,
    undo,
    use,
)


@click.group("profile")
def command() -> None:
    """Teach it what you mean by an emotion. Profiles stay in your own data folder, readable by you alone."""


for _module in (create, list_, show, use, rate, learn, reset, undo, export, import_, rename, delete, set_, calibrate):
    command.add_command(_module.command)
