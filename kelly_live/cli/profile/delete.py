"""`kelly-live profile delete`: delete a profile."""

from __future__ import annotations

import click

from kelly_live.engine.options.click_options import CheckedCommand, debug_option, print_line, profile_argument


@click.command("delete", cls=CheckedCommand)
@profile_argument
@click.option("--yes", is_flag=True, help="Do not ask.")
@debug_option
def command(name: str, yes: bool) -> None:
    """Delete a profile and all that it learned."""
    from kelly_live.profiles.store import ProfileStore

    store = ProfileStore()
    name = store.find(name)
    if not yes:
        click.confirm(f"delete {name} and all that it learned?", abort=True)
    print_line(f"deleted {store.delete(name)}")
