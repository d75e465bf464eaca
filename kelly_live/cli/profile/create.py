"""`kelly-live profile create`: make a profile."""

from __future__ import annotations

import click

from kelly_live.engine.options.click_options import CheckedCommand, Number, debug_option, print_line
from kelly_live.engine.profile_actions import resolve_culture


@click.command("create", cls=CheckedCommand)
@click.argument("name")
@click.option("--culture", metavar="NAME[:MODE]", help="Play as in this tradition unless another is asked for.")
@click.option(
    "--culture-strength",
    type=Number(0.0, 1.0),
    default=1.0,
    show_default=True,
    help="How closely it is followed, 0 to 1.",
)
@debug_option
def command(name: str, culture: str | None, culture_strength: float) -> None:
    """Create a profile; it plays the base mapping until it learns."""
    from datetime import UTC, datetime

    from kelly_live.profiles.profile import new_profile
    from kelly_live.profiles.store import ProfileStore

    culture = None if culture is None else resolve_culture(culture)
    path = ProfileStore().create(new_profile(name, datetime.now(UTC), culture, culture_strength))
    print_line(f"created {name} ({path}); teach it while it plays: `kelly-live --profile {name}`")
