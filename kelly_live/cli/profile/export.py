"""`kelly-live profile export`: write a profile to a file."""

from __future__ import annotations

from pathlib import Path

import click

from kelly_live.engine.options.click_options import (
    OUTPUT_FILE,
    CheckedCommand,
    debug_option,
    print_line,
    profile_argument,
)
from kelly_live.engine.profile_actions import count_reactions


@click.command("export", cls=CheckedCommand)
@profile_argument
@click.argument("file", type=OUTPUT_FILE)
@debug_option
def command(name: str, file: Path) -> None:
    """Write a profile to FILE, to keep or to take elsewhere. It holds numbers and times only, no audio."""
    from kelly_live.core.atomic_write import write_atomically
    from kelly_live.profiles.profile import to_yaml
    from kelly_live.profiles.store import ProfileStore

    profile = ProfileStore().load(name)
    write_atomically(file, to_yaml(profile), private=True)
    print_line(f"wrote {file}: {count_reactions(profile)}")
