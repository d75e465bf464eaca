"""`kelly-live profile import`: read a profile from a file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from kelly_live.engine.options.click_options import INPUT_FILE, CheckedCommand, debug_option, print_line
from kelly_live.engine.profile_actions import count_reactions


@click.command("import", cls=CheckedCommand)
@click.argument("file", type=INPUT_FILE)
@click.option("--as", "name", metavar="NAME", help="Under another name.")
@debug_option
def command(file: Path, name: str | None) -> None:
    """Import a profile that was exported. It is checked whole, and no other profile is replaced."""
    from kelly_live.profiles.profile import from_yaml
    from kelly_live.profiles.store import ProfileStore, read_bounded

    profile = from_yaml(read_bounded(file), str(file))
    profile = profile if name is None else replace(profile, name=name)
    path = ProfileStore().create(profile)
    print_line(f"imported {profile.name} ({path}): {count_reactions(profile)}")
