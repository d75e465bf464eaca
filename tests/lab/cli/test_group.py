"""The group `kelly-live lab`: what it lists, and that each of its commands has help."""

import pytest
from click.testing import CliRunner

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
