"""`kelly-live profile rename`: give a profile another name."""

from __future__ import annotations

import click

from kelly_live.engine.options.click_options import CheckedCommand, debug_option, print_line, profile_argument


@click.command("rename", cls=CheckedCommand)
@profile_argument
@click.argument("new_name")
@debug_option
def command(name: str, new_name: str) -> None:
    """Give a profile another name; what it learned, its backup and its being the default go with it."""
    from kelly_live.profiles.store import ProfileStore

    before, after = ProfileStore().rename(name, new_name)
    print_line(f"{before} is called {after} now")
