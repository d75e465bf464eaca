"""`kelly-live profile list`: the profiles."""

from __future__ import annotations

import click

from kelly_live.engine.options.click_options import CheckedCommand, debug_option, print_json, print_line
from kelly_live.engine.profile_actions import count_reactions


@click.command("list", cls=CheckedCommand)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of lines.")
@debug_option
def command(as_json: bool) -> None:
    """List the profiles; * marks the default."""
    from kelly_live.profiles.store import ProfileStore

    store = ProfileStore()
    rows, default, damaged_files = store.list_profiles(), store.default(), store.list_damaged()
    if as_json:
        entries = [
            {
                "name": row.name,
                "path": str(row.path),
                "default": row.name == default,
                "problem": row.problem,
                "reactions": None if row.profile is None else row.profile.count,
                "learned_from": None if row.profile is None else row.profile.learned_from,
            }
            for row in rows
        ]
        result = {"profiles": entries, "folder": str(store.folder), "kept_aside": [str(path) for path in damaged_files]}
        print_json(result)
        return
    for row in rows:
        mark = "*" if row.name == default else " "
        if row.profile is None:
            print_line(f"{mark} {row.name:24} cannot be used: {row.problem}")
        else:
            print_line(f"{mark} {row.name:24} {count_reactions(row.profile)}, created {row.profile.created[:10]}")
    for path in damaged_files:
        print_line(f"  damaged and kept aside: {path.name}")
    print_line(f"profiles: {store.folder}")
