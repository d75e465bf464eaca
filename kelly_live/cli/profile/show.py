"""`kelly-live profile show`: what a profile has learned."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from kelly_live.engine.options.click_options import (
    OUTPUT_FILE,
    CheckedCommand,
    debug_option,
    print_json,
    print_line,
    print_notice,
    profile_argument,
)
from kelly_live.engine.profile_actions import (
    count_reactions,
    describe_calibration,
    describe_profile,
    describe_settings,
    load_net,
)


@click.command("show", cls=CheckedCommand, short_help="Show what a profile has learned.")
@profile_argument
@click.option("--plot", type=OUTPUT_FILE, help="Also draw a picture (PNG): the base and yours, for each emotion.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of lines.")
@debug_option
def command(name: str, plot: Path | None, as_json: bool) -> None:
    """Show what it has learned: for each emotion, how it differs from the base, and how sure that is."""
    from kelly_live.engine.build import check_outputs
    from kelly_live.mapping.profile_taste import list_differences
    from kelly_live.profiles.store import ProfileStore

    check_outputs([plot])
    profile = ProfileStore().load(name)
    differences = list_differences(load_net(), profile)
    if plot is not None:
        from kelly_live.core.atomic_write import write_atomically
        from kelly_live.ui.person import Mark, draw_person

        marks = [Mark(one.emotion, one.parameter, one.base, one.own, one.spread, one.known) for one in differences]
        write_atomically(plot, draw_person(marks, f"{profile.name}: {count_reactions(profile)}"), private=True)
        print_notice(f"wrote {plot}")
    if as_json:
        answer = {
            "name": profile.name,
            "created": profile.created,
            "culture": profile.culture,
            "culture_strength": profile.culture_strength,
            "preset": profile.preset,
            "settings": describe_settings(profile),
            "input_at_rest": describe_calibration(profile),
            "calibrate": profile.calibrate,
            "reactions": profile.count,
            "learned_from": profile.learned_from,
            "differences": [asdict(one) | {"change": one.change} for one in differences],
        }
        print_json(answer)
        return
    for line in describe_profile(profile, differences):
        print_line(line)
