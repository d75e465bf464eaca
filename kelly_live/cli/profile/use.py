"""`kelly-live profile use`: make a profile the default."""

from __future__ import annotations

import click

from kelly_live.engine.options.click_options import CheckedCommand, debug_option, print_line, profile_argument


@click.command("use", cls=CheckedCommand, short_help="Make a profile the default.")
@profile_argument
@debug_option
def command(name: str) -> None:
    """Make it the default of every command that plays; `none` for no default."""
    from kelly_live.profiles.store import ProfileStore

    profile_name = ProfileStore().use(None if name.strip().casefold() == "none" else name)
    print_line(
        "no profile is used unless --profile names one"
        if profile_name is None
        else f"{profile_name} is used by default"
    )
