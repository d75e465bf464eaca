"""`kelly-live profile reset`: forget what was learned."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kelly_live.core.values import EMOTIONS
from kelly_live.engine.options.click_options import CheckedCommand, debug_option, print_line, profile_argument
from kelly_live.engine.profile_actions import count_reactions, load_net

if TYPE_CHECKING:
    from kelly_live.profiles.profile import Profile


@click.command("reset", cls=CheckedCommand, short_help="Forget everything that was said and learned.")
@profile_argument
@click.option(
    "--emotion", type=click.Choice(EMOTIONS, case_sensitive=False), help="Only what was said in this emotion."
)
@debug_option
def command(name: str, emotion: str | None) -> None:
    """Forget what was said and learned, the input at rest too: back to the base mapping, to the byte.

    The settings of `profile set` stay: culture, preset, keys.
    """
    from kelly_live.mapping.profile_taste import learn_profile
    from kelly_live.profiles.store import ProfileStore

    def forget(profile: Profile) -> Profile:
        rest = profile.forget(emotion)
        return learn_profile(load_net(), rest) if rest.reactions and profile.embedding is not None else rest

    profile = ProfileStore().update(name, forget)
    scope = "everything" if emotion is None else f"what was said in {emotion}"
    print_line(f"{profile.name} has forgotten {scope}: {count_reactions(profile)}")
