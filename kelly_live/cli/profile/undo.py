"""`kelly-live profile undo`: take the last reaction back."""

from __future__ import annotations

import click

from kelly_live.engine.options.click_options import CheckedCommand, debug_option, print_line, profile_argument
from kelly_live.engine.profile_actions import count_reactions, load_net


@click.command("undo", cls=CheckedCommand)
@profile_argument
@debug_option
def command(name: str) -> None:
    """Take the last reaction of a profile back, and learn it anew from the others."""
    from kelly_live.mapping.profile_taste import learn_profile
    from kelly_live.profiles.store import ProfileStore

    net = load_net()
    profile = ProfileStore().update(name, lambda profile: learn_profile(net, profile.without_last_reaction()))
    print_line(f"{profile.name}: the last reaction is taken back; {count_reactions(profile)}")
