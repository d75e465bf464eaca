"""The group `kelly-live lab`: what it lists, and that each of its commands has help."""

import click
import pytest
from click.testing import CliRunner

from kelly_live.engine.options.click_options import CheckedCommand
from kelly_live.lab.cli import COMMANDS, command


def test_help_lists_every_command_with_its_line() -> None:
    help_text = " ".join(CliRunner().invoke(command, ["--help"]).output.split())
    for name, line in COMMANDS.items():
        assert f"{name} {line}" in help_text


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help(name: str) -> None:
    result = CliRunner().invoke(command, [name, "--help"])
    assert result.exit_code == 0, result.output
    assert "--help" in result.output


def test_a_command_that_does_not_exist_is_a_usage_error() -> None:
    result = CliRunner().invoke(command, ["no-such-command"])
    assert result.exit_code == 2
    assert "No such command" in result.output


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_checked(name: str) -> None:
    found = command.get_command(click.Context(command), name)
    commands = found.commands.values() if isinstance(found, click.Group) else [found]
    assert [one for one in commands if not isinstance(one, CheckedCommand)] == []


def test_an_option_that_counts_once_is_given_once() -> None:
    result = CliRunner().invoke(command, ["judge", "--pieces", "1", "--pieces", "2"])
    assert result.exit_code == 2
    assert "--pieces is given 2 times; give it once" in result.output
