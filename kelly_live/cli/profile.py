"""`kelly-live profile`: what one person means by each feeling: made, taught, told, and kept on their own disk."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kelly_live.cli.profile_settings import at_rest, calibrate_command, culture_name, described, set_command
from kelly_live.core.values import EMOTIONS
from kelly_live.engine.options.click_options import INPUT_FILE, OUTPUT_FILE, debug_option
from kelly_live.profiles.reaction import DISLIKE, LIKE, RANGES, WORDS

if TYPE_CHECKING:
    from kelly_live.mapping.net import MapperNet
    from kelly_live.mapping.profile_taste import Difference
    from kelly_live.profiles.profile import Profile

JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object instead of lines.")
EMOTION = click.Choice(EMOTIONS, case_sensitive=False)
STRENGTH = click.FloatRange(0.0, 1.0)
# parameter -> (unit, digits, more, less): how a difference is told
_TOLD = {
    "tempo": (" BPM", 0, "faster", "slower"),
    "register": (" notes", 1, "higher", "lower"),
    "level": (" of full velocity", 2, "louder", "softer"),
    "density": (" notes a beat", 2, "busier", "sparser"),
    "major": (" of major", 2, "brighter", "darker"),
}


@click.group("profile")
def command() -> None:
    """Teach it what you mean by a feeling. Profiles stay in your own data folder, readable by you alone."""


command.add_command(set_command)
command.add_command(calibrate_command)


@command.command()
@click.argument("name")
@click.option("--culture", metavar="NAME[:MODE]", help="Play as in this tradition unless another is asked for.")
@click.option("--culture-strength", type=STRENGTH, default=1.0, show_default=True, help="How far it is followed.")
@debug_option
def create(name: str, culture: str | None, culture_strength: float) -> None:
    """Make a profile; it plays the base mapping until it is taught."""
    from datetime import UTC, datetime

    from kelly_live.profiles.profile import new_profile
    from kelly_live.profiles.store import Store

    culture = None if culture is None else culture_name(culture)
    path = Store().create(new_profile(name, datetime.now(UTC), culture, culture_strength))
    click.echo(f"made {name} ({path}); teach it while it plays: `kelly-live --profile {name}`")


@command.command("list")
@JSON
@debug_option
def list_profiles(as_json: bool) -> None:
    """The profiles, the default one marked with *."""
    from kelly_live.profiles.store import Store

    store = Store()
    rows, default, aside = store.listed(), store.default(), store.kept_aside()
    if as_json:
        listed = [
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
        found = {"profiles": listed, "folder": str(store.folder), "kept_aside": [str(path) for path in aside]}
        click.echo(json.dumps(found, ensure_ascii=False))
        return
    for row in rows:
        mark = "*" if row.name == default else " "
        if row.profile is None:
            click.echo(f"{mark} {row.name:24} cannot be used: {row.problem}")
        else:
            click.echo(f"{mark} {row.name:24} {_reactions(row.profile)}, made {row.profile.created[:10]}")
    for path in aside:
        click.echo(f"  damaged and kept aside: {path.name}")
    click.echo(f"profiles: {store.folder}")


@command.command()
@click.argument("name")
@click.option("--plot", type=OUTPUT_FILE, help="Also as a picture (PNG): the base and yours, for each feeling.")
@JSON
@debug_option
def show(name: str, plot: Path | None, as_json: bool) -> None:
    """What it has learned: for each feeling, how it differs from the base, and how sure."""
    from kelly_live.engine.build import check_outputs
    from kelly_live.mapping.profile_taste import list_differences
    from kelly_live.profiles.store import Store

    check_outputs([plot])
    profile = Store().load(name)
    found = list_differences(_net(), profile)
    if plot is not None:
        from kelly_live.core.atomic_write import write_atomically
        from kelly_live.ui.person import Mark, draw_person

        marks = [Mark(one.emotion, one.parameter, one.base, one.own, one.spread, one.known) for one in found]
        write_atomically(plot, draw_person(marks, f"{profile.name}: {_reactions(profile)}"))
        click.echo(f"wrote {plot}", err=True)
    if as_json:
        answer = {
            "name": profile.name,
            "created": profile.created,
            "culture": profile.culture,
            "culture_strength": profile.culture_strength,
            "preset": profile.preset,
            "settings": described(profile),
            "input_at_rest": at_rest(profile),
            "calibrate": profile.calibrate,
            "reactions": profile.count,
            "learned_from": profile.learned_from,
            "differences": [asdict(one) | {"change": one.change} for one in found],
        }
        click.echo(json.dumps(answer, ensure_ascii=False))
        return
    click.echo(f"{profile.name}: {_reactions(profile)}")
    if (settings := described(profile)) != "nothing set":
        click.echo(settings)
    if profile.embedding is None:
        click.echo("nothing is learned yet: it plays the base mapping")
        return
    for emotion in EMOTIONS:
        said = sum(one.count for one in profile.reactions if one.state.emotion == emotion)
        click.echo(f"your {emotion} ({said} of these): {told(found, emotion)}")


@command.command()
@click.argument("name")
@debug_option
def use(name: str) -> None:
    """Make it the default of every command that plays; `none` for no default."""
    from kelly_live.profiles.store import Store

    used = Store().use(None if name.strip().casefold() == "none" else name)
    click.echo("no profile is used unless --profile names one" if used is None else f"{used} is used by default")


@command.command()
@click.argument("name")
@click.option("--emotion", type=EMOTION, help="In which feeling.")
@click.option("--valence", type=click.FloatRange(-1.0, 1.0), help="Or where: displeasure -1 ... 1 pleasure.")
@click.option("--arousal", type=click.FloatRange(-1.0, 1.0), help="Calm -1 ... 1 excited.")
@click.option("--wish", "wishes", multiple=True, metavar="WHAT=VALUE", help=f"WHAT: {', '.join(RANGES)}.")
@click.option(
    "--say",
    "said",
    multiple=True,
    metavar="WORDS",
    help=f"Of what the profile plays there: {', '.join((LIKE, DISLIKE, *WORDS))}.",
)
@click.option("--no-learn", is_flag=True, help="Only note it; `learn` learns later.")
@debug_option
def rate(
    name: str, emotion: str | None, valence: float | None, arousal: float | None, wishes: Sequence[str],
    said: Sequence[str], no_learn: bool,
) -> None:  # fmt: skip
    """Say what you would have: `--emotion sad --wish tempo=60`, `--emotion happy --say too-busy`.

    A word wants at least one step beyond what is played: tempo 15 %, register 4 notes and major .2 (dark, bright),
    density 41 %, level .1. A like weighs .3 of a wish for all of what is played; a dislike as much, half the way back
    to the base.
    """
    from datetime import UTC, datetime

    from kelly_live.core.emotion_space import relax_state, state_from
    from kelly_live.mapping.profile_taste import learn_profile, list_differences, play_for_profile
    from kelly_live.profiles.reaction import KINDS, WISH, reaction
    from kelly_live.profiles.store import Store

    if emotion is None and (valence is None or arousal is None):
        raise click.UsageError("say where: --emotion NAME, or --valence V --arousal A")
    if not wishes and not said:
        raise click.UsageError("say what: --wish WHAT=VALUE or --say WORDS")
    words = ["-".join(text.lower().replace("-", " ").split()) for text in said]
    for word in words:
        if word not in KINDS or word == WISH:
            raise click.UsageError(f"--say {word!r}: say one of {', '.join((LIKE, DISLIKE, *WORDS))}")
    wanted = [_wish(text) for text in wishes]
    state, net = relax_state(state_from(valence, arousal, emotion=emotion)), _net()
    before: list[Difference] = []

    def heard(profile: Profile) -> Profile:
        (asked,) = play_for_profile(net, profile, [state])
        before.extend(list_differences(net, profile))
        now = datetime.now(UTC)
        for parameter, value in wanted:
            profile = profile.heard(reaction(now, WISH, state, asked, parameter, value))
        for word in words:
            profile = profile.heard(reaction(now, word, state, asked))
        return profile if no_learn else learn_profile(net, profile)

    profile = Store().update(name, heard)
    click.echo(f"{profile.name}: {_reactions(profile)}")
    if not no_learn:
        _changed(before, list_differences(net, profile))


@command.command("learn")
@click.argument("name")
@debug_option
def learn_again(name: str) -> None:
    """Learn from all reactions anew, and tell what changed."""
    from kelly_live.mapping.profile_taste import learn_profile, list_differences
    from kelly_live.profiles.store import Store

    net = _net()
    before: list[Difference] = []

    def learned(profile: Profile) -> Profile:
        before.extend(list_differences(net, profile))
        return learn_profile(net, profile)

    profile = Store().update(name, learned)
    click.echo(f"{profile.name}: {_reactions(profile)}")
    _changed(before, list_differences(net, profile))


@command.command()
@click.argument("name")
@click.option("--emotion", type=EMOTION, help="Only what was said in this feeling.")
@debug_option
def reset(name: str, emotion: str | None) -> None:
    """Forget what was said and learned, the input at rest too: back to the base mapping, to the byte.

    What was `set` stays: culture, preset, keys.
    """
    from kelly_live.mapping.profile_taste import learn_profile
    from kelly_live.profiles.store import Store

    def forgotten(profile: Profile) -> Profile:
        rest = profile.without(emotion)
        return learn_profile(_net(), rest) if rest.reactions and profile.embedding is not None else rest

    profile = Store().update(name, forgotten)
    what = "everything" if emotion is None else f"what was said in {emotion}"
    click.echo(f"{profile.name} has forgotten {what}: {_reactions(profile)}")


@command.command()
@click.argument("name")
@click.argument("file", type=OUTPUT_FILE)
@debug_option
def export(name: str, file: Path) -> None:
    """Write a profile to FILE, to keep or to take elsewhere. It holds numbers and times only, no audio."""
    from kelly_live.core.atomic_write import write_atomically
    from kelly_live.profiles.profile import to_yaml
    from kelly_live.profiles.store import Store

    profile = Store().load(name)
    write_atomically(file, to_yaml(profile), private=True)
    click.echo(f"wrote {file}: {_reactions(profile)}")


@command.command("import")
@click.argument("file", type=INPUT_FILE)
@click.option("--as", "name", metavar="NAME", help="Under another name.")
@debug_option
def import_profile(file: Path, name: str | None) -> None:
    """Take in a profile that was exported; everything in it is checked, and none that is there is replaced."""
    from kelly_live.profiles.profile import from_yaml
    from kelly_live.profiles.store import Store, read_bounded

    profile = from_yaml(read_bounded(file), str(file))
    profile = profile if name is None else replace(profile, name=name)
    path = Store().create(profile)
    click.echo(f"took in {profile.name} ({path}): {_reactions(profile)}")


@command.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@debug_option
def delete(name: str, yes: bool) -> None:
    """Delete a profile and all that it learned."""
    from kelly_live.profiles.store import Store

    store = Store()
    name = store.find(name)
    if not yes:
        click.confirm(f"delete {name} and all that it learned?", abort=True)
    click.echo(f"deleted {store.delete(name)}")


def told(found: Sequence[Difference], emotion: str) -> str:
    """One emotion's differences in words: those that are at least as large as their doubt, with it."""
    said = []
    for one in found:
        unit, digits, more, less = _TOLD[one.parameter]
        if one.emotion == emotion and abs(one.change) > max(one.spread, 0.5 * 10.0**-digits):
            word = more if one.change > 0.0 else less
            change = f"{one.change:+.{digits}f} ± {one.spread:.{digits}f}{unit}"
            said.append(f"{word} ({change}; {one.known:.0%} known)")
    return ", ".join(said) or "not surely different from the base"


def _changed(before: Sequence[Difference], after: Sequence[Difference]) -> None:
    """Tell what a person's music became, where it can be read."""
    from kelly_live.mapping.profile_taste import describe_change

    def own(found: Sequence[Difference], emotion: str) -> list[float]:
        return [one.own for one in found if one.emotion == emotion]

    lines = {emotion: describe_change(own(before, emotion), own(after, emotion)) for emotion in EMOTIONS}
    for emotion, text in lines.items():
        if text:
            click.echo(f"  {emotion}: {text}")
    if not any(lines.values()):
        click.echo("  nothing changed that could be heard")


def _wish(text: str) -> tuple[str, float]:
    name, _, number = text.partition("=")
    try:
        return name.strip().lower(), float(number)
    except ValueError:
        raise click.UsageError(f"--wish {text!r}: give WHAT=VALUE, such as tempo=60") from None


def _reactions(profile: Profile) -> str:
    count = f"{profile.count} reaction{'' if profile.count == 1 else 's'}"
    open_count = profile.count - profile.learned_from
    return count if open_count == 0 else f"{count}, {open_count} of them not learned from yet"


def _net() -> MapperNet:
    from kelly_live.core.resources import find_resources
    from kelly_live.mapping.net import load_mapper_net

    return load_mapper_net(find_resources("models"))
