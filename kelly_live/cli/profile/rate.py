"""`kelly-live profile rate`: say what the music should be like."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from kelly_live.core.numbers import parse_number
from kelly_live.core.values import EMOTIONS
from kelly_live.engine.options.click_options import (
    CheckedCommand,
    Number,
    debug_option,
    print_line,
    profile_argument,
    usage_errors,
)
from kelly_live.engine.profile_actions import count_reactions, describe_changes, load_net
from kelly_live.profiles.reaction import DISLIKE, LIKE, RANGES, WORDS

if TYPE_CHECKING:
    from kelly_live.mapping.profile_taste import Difference
    from kelly_live.profiles.profile import Profile


@click.command("rate", cls=CheckedCommand, short_help="Say what the music should be like.")
@profile_argument
@click.option("--emotion", type=click.Choice(EMOTIONS, case_sensitive=False), help="In which emotion.")
@click.option("--valence", type=Number(-1.0, 1.0), help="Or where: displeasure -1 ... 1 pleasure.")
@click.option("--arousal", type=Number(-1.0, 1.0), help="Calm -1 ... 1 excited.")
@click.option(
    "--target", "--wish", "target_texts", multiple=True, metavar="WHAT=VALUE", help=f"WHAT: {', '.join(RANGES)}."
)
@click.option(
    "--say",
    "sayings",
    multiple=True,
    metavar="WORDS",
    help=f"Of what the profile plays there: {', '.join((LIKE, DISLIKE, *WORDS))}.",
)
@click.option("--no-learn", is_flag=True, help="Only note it; `profile learn` learns later.")
@debug_option
def command(
    name: str, emotion: str | None, valence: float | None, arousal: float | None, target_texts: Sequence[str],
    sayings: Sequence[str], no_learn: bool,
) -> None:  # fmt: skip
    """Say what you prefer: `--emotion sad --target tempo=60`, `--emotion happy --say too-busy`.

    A word asks for at least one step from what is played: tempo 15 %, register 4 notes and major .2 (dark, bright),
    density 41 %, level .1. A like counts as .3 of a target for everything that is played; a dislike counts as
    much, half-way back to the base.
    """
    from datetime import UTC, datetime

    from kelly_live.core.emotion_space import create_state, relax_state
    from kelly_live.mapping.profile_taste import learn_profile, list_differences, play_for_profile
    from kelly_live.profiles.reaction import KINDS, PREFERENCE, create_reaction
    from kelly_live.profiles.store import ProfileStore

    if emotion is None and (valence is None or arousal is None):
        raise click.UsageError("say where: --emotion NAME, or --valence V --arousal A")
    if not target_texts and not sayings:
        raise click.UsageError("say what: --target WHAT=VALUE or --say WORDS")
    words = ["-".join(text.lower().replace("-", " ").split()) for text in sayings]
    for word in words:
        if word not in KINDS or word == PREFERENCE:
            raise click.UsageError(f"--say {word!r}: say one of {', '.join((LIKE, DISLIKE, *WORDS))}")
    targets = [_parse_target(text) for text in target_texts]
    state, net = relax_state(create_state(valence, arousal, emotion=emotion)), load_net()
    before: list[Difference] = []

    def rate(profile: Profile) -> Profile:
        (values,) = play_for_profile(net, profile, [state])
        before.extend(list_differences(net, profile))
        now = datetime.now(UTC)
        with usage_errors():
            reactions = [create_reaction(now, PREFERENCE, state, values, *target) for target in targets]
        for reaction in reactions:
            profile = profile.with_reaction(reaction)
        for word in words:
            profile = profile.with_reaction(create_reaction(now, word, state, values))
        return profile if no_learn else learn_profile(net, profile)

    profile = ProfileStore().update(name, rate)
    print_line(f"{profile.name}: {count_reactions(profile)}")
    if not no_learn:
        for line in describe_changes(before, list_differences(net, profile)):
            print_line(line)


def _parse_target(text: str) -> tuple[str, float]:
    name, _, number = text.partition("=")
    value = parse_number(number)
    if math.isnan(value):
        raise click.UsageError(f"--target {text[:60]!r}: give WHAT=VALUE, such as tempo=60")
    return name.strip().lower(), value
