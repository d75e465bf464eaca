"""`kelly-live profile learn`: learn from all reactions again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kelly_live.engine.options.click_options import CheckedCommand, debug_option, print_line, profile_argument
from kelly_live.engine.profile_actions import count_reactions, describe_changes, load_net

if TYPE_CHECKING:
    from kelly_live.mapping.profile_taste import Difference
    from kelly_live.profiles.profile import Profile


@click.command("learn", cls=CheckedCommand)
@profile_argument
@debug_option
def command(name: str) -> None:
    """Learn from all reactions again, and say what changed."""
    from kelly_live.mapping.profile_taste import learn_profile, list_differences
    from kelly_live.profiles.store import ProfileStore

    net = load_net()
    before: list[Difference] = []

    def learn(profile: Profile) -> Profile:
        before.extend(list_differences(net, profile))
        return learn_profile(net, profile)

    profile = ProfileStore().update(name, learn)
    print_line(f"{profile.name}: {count_reactions(profile)}")
    for line in describe_changes(before, list_differences(net, profile)):
        print_line(line)
