"""`kelly-live profile set`: change what goes with a profile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kelly_live.engine.options.click_options import (
    CheckedCommand,
    debug_option,
    print_line,
    profile_argument,
    usage_errors,
)
from kelly_live.engine.profile_actions import apply_setting, describe_settings

if TYPE_CHECKING:
    from kelly_live.profiles.profile import Profile


@click.command("set", cls=CheckedCommand)
@profile_argument
@click.argument("settings", nargs=-1, required=True, metavar="KEY=VALUE...")
@debug_option
def command(name: str, settings: tuple[str, ...]) -> None:
    """Change the settings of a profile.

    KEY is culture (NAME[:MODE]), strength (0..1), preset (NAME), calibrate (on, off), keys.K (ACTION [VALUE]), such as
    keys.x=panic or keys.1="emotion sad", or limits.L, such as limits.velocity=80 (docs/limits.md).

    `none` removes a culture, preset or limit; `keys.K=none` disables a key, `keys.K=default` resets it. `kelly-live
    learn --list` shows all actions.
    """
    from kelly_live.profiles.store import ProfileStore

    changes = [_parse_setting(text) for text in settings]

    def change(profile: Profile) -> Profile:
        with usage_errors():
            for key, value in changes:
                profile = apply_setting(profile, key, value)
        return profile

    profile = ProfileStore().update(name, change)
    print_line(f"{profile.name}: {describe_settings(profile)}")


def _parse_setting(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not value.strip():
        raise click.UsageError(f"{text!r}: write KEY=VALUE, such as preset=strings or keys.x=panic")
    return key.strip(), value.strip()
