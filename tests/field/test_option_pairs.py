"""Options that contradict each other, or have no effect alone, are refused or said, in every command."""

from __future__ import annotations

import itertools
from pathlib import Path

import click
import pytest

from kelly_live.cli import COMMANDS, root
from kelly_live.core.errors import ConfigError
from kelly_live.engine.options.click_options import CheckedCommand
from kelly_live.engine.options.commands import LiveOptions
from kelly_live.engine.options.external_io import ControllerOptions
from kelly_live.engine.options.host import HostOptions
from kelly_live.engine.options.override import OverrideOptions
from kelly_live.engine.options.rules import RULES
from tests.field.command_line import run_command

PERFORMING = [name for name in COMMANDS if name != "lab"]
VALUES = {
    "--emotion": "sad", "--valence": "0.5", "--arousal": "0.5", "--dominance": "0.5", "--culture": "klezmer",
    "--cc": "valence=20", "--play-in-range": "C2-B3", "--chords": "| C |",
    "--arc": str(Path(__file__).parents[2] / "examples" / "scene.csv"), "--length": "1:00", "--morph-to": "happy",
    "--goal": "calm",
}  # fmt: skip


def _list_commands() -> list[tuple[tuple[str, ...], click.Command]]:
    named_commands: list[tuple[tuple[str, ...], click.Command]] = []
    for name in PERFORMING:
        command = root.get_command(click.Context(root), name)  # type: ignore[attr-defined]
        if isinstance(command, click.Group):
            named_commands += [((name, inner), one) for inner, one in command.commands.items()]
        else:
            named_commands.append(((name,), command))
    return named_commands


ALL = _list_commands()
OPTIONS = [
    (path, option)
    for path, command in ALL
    for option in command.params
    if isinstance(option, click.Option) and not option.multiple and (option.secondary_opts or not option.is_flag)
]


def _type_option(option: click.Option) -> list[str]:
    flag = option.opts[0]
    if option.is_flag:
        return [flag]
    if isinstance(option.type, click.Choice):
        return [flag, str(option.type.choices[0])]
    if isinstance(option.type, click.IntRange | click.FloatRange):
        low = option.type.min if option.type.min is not None else 1
        return [flag, f"{max(low, 0 if option.type.max is None else min(low, option.type.max)):g}"]
    return [flag, VALUES.get(flag, "x")]


def _type_arguments(command: click.Command) -> list[str]:
    required = [param for param in command.params if param.required]
    return [text for one in required for text in ([one.opts[0], "x"] if isinstance(one, click.Option) else ["x=1"])]


def test_every_command_is_checked() -> None:
    assert [path for path, command in ALL if not isinstance(command, CheckedCommand)] == []


@pytest.mark.parametrize(("path", "option"), OPTIONS, ids=lambda one: getattr(one, "name", None) or " ".join(one))
def test_an_option_that_counts_once_is_given_once(path: tuple[str, ...], option: click.Option) -> None:
    command = dict(ALL)[path]
    option_words = _type_option(option)
    result = run_command(*path, *_type_arguments(command), *option_words, *option_words)
    assert result.code == 2
    assert f"{option.opts[0]} is given {3 if option.required else 2} times" in result.errors


def _list_cases() -> list[tuple[tuple[str, ...], list[str], str]]:
    cases = []
    for path, command in ALL:
        options = {one.opts[0]: one for one in command.params if isinstance(one, click.Option)}
        for rule in RULES:
            if rule.flag not in options:
                continue
            option_words = _type_option(options[rule.flag])
            needs = [flag for flag in rule.needs if flag in options]
            if needs and not options[needs[0]].required:
                cases.append((path, option_words, f"{rule.flag} has no effect without {needs[0]}"))
                option_words = [*option_words, *_type_option(options[needs[0]])]
            for other in sorted(set(rule.excludes) & set(options)):
                other_words = [] if options[other].required else _type_option(options[other])  # typed for each command
                cases.append((path, [*option_words, *other_words], "do not go together"))
    return cases


@pytest.mark.parametrize(("path", "option_words", "complaint"), _list_cases(), ids=lambda one: None)
def test_a_rule_holds_in_every_command_that_has_the_option(
    path: tuple[str, ...], option_words: list[str], complaint: str
) -> None:
    result = run_command(*path, *_type_arguments(dict(ALL)[path]), *option_words)
    assert result.code == 2
    assert complaint in result.errors


@pytest.mark.parametrize("arguments", [["--list", "panic"], ["--forget", "panic", "freeze"]])
def test_learn_does_one_thing(arguments: list[str]) -> None:
    assert "do not go together" in run_command("learn", *arguments).errors


@pytest.mark.parametrize(
    ("option_words", "code", "complaint"),
    [
        (["--with", "no-such-player"], 2, "there is no generator 'no-such-player'"),
        (["--with", "bass"], 0, "--with bass adds nothing"),
        (["--set", "chords.voicing=open", "--set", "chords.voicing=close"], 2, "--set chords.voicing is given 2 times"),
        (["--set", "nobody.voicing=open"], 2, "there is no player 'nobody'"),
        (["--morph-to", "happy", "--morph-bars", "2"], 0, "it ends on the way"),
        (["--bend-range", "48", "--tuning", "mts"], 2, "--bend-range has no meaning"),
        (["--device", "cuda"], 1, "device 'cuda' was asked for"),
    ],
)
def test_what_has_no_effect_is_said(tmp_path: Path, option_words: list[str], code: int, complaint: str) -> None:
    if "cuda" in option_words and __import__("torch").cuda.is_available():
        pytest.skip("there is one here")
    result = run_command("compose", "--emotion", "sad", "--bars", "1", "--midi", tmp_path / "a.mid", *option_words)
    assert result.code == code
    assert complaint in result.errors
    assert (tmp_path / "a.mid").exists() == (code == 0)


def test_a_rule_holds_where_a_value_is_made() -> None:
    for axis in ("valence", "arousal", "dominance"):
        with pytest.raises(ConfigError, match="do not go together"):
            OverrideOptions(emotion="sad", **{axis: 0.5})  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="no effect without --morph-to"):
        OverrideOptions(morph_bars=4)
    with pytest.raises(ConfigError, match="no effect without --cc"):
        ControllerOptions(channel=5)
    with pytest.raises(ConfigError, match="given 2 times"):
        LiveOptions(host=HostOptions(settings=("chords.voicing=open", "chords.voicing=close")))


def test_the_table_is_consistent() -> None:
    assert len({rule.flag for rule in RULES}) == len(RULES)
    pairs = [(rule.flag, other) for rule in RULES for other in rule.excludes]
    assert not [pair for pair in itertools.permutations(pairs, 2) if pair[0] == pair[1][::-1]]


@pytest.mark.parametrize("path", [path for path, _ in ALL], ids=" ".join)
def test_every_command_has_help(path: tuple[str, ...]) -> None:
    result = run_command(*path, "--help")
    assert (result.code, result.errors) == (0, "")
    assert "Usage:" in result.output
