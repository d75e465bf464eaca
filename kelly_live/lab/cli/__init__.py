"""The command group `kelly-live lab`, which makes and measures the models: a file for each command."""

from __future__ import annotations

import importlib
import importlib.util

import click

from kelly_live.core.errors import ConfigError

LIBRARIES = ("librosa", "scipy", "sklearn")  # what the extra `lab` installs

# name -> one line for the list of commands; the module of the same name (`-` as `_`) holds `command`.
COMMANDS = {
    "train": "train the nets from labelled data",
    "evaluate": "measure the shipped nets on labelled data",
    "bench": "measure lateness, speed and memory on this machine",
    "map": "measure and draw how the mapper turns emotion into music",
    "judge": "ask judges which emotion they hear in our music",
    "arcs": "measure hit points along random arcs, and the course that judges hear",
    "compare": "compare our music with people's: distributions, form, repeats, reaction time",
    "read": "print a composed piece as a score: form, chords, cadences, melody",
    "ablate": "check that history, culture and user reach the notes only while they are on",
    "follow": "measure how well `--follow` tracks beat and key, and train its model",
    "together": "measure all of playing together: tempo, key, chords, turns, rests, endings, reaction",
    "simulate-listeners": "measure how well a profile learns the taste of simulated listeners",
    "identify": "recognise the culture of composed pieces by their notes",
    "measure-cultures": "make the culture presets from their corpora",
    "data": "report what a training manifest holds and lacks",
}


class LabGroup(click.Group):
    """A group that loads the module of a command when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the commands in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import the module of a command and return the command.

        Raises:
            ConfigError: The extra `lab` is not installed.
        """
        if name not in COMMANDS:
            return None
        missing = [library for library in LIBRARIES if importlib.util.find_spec(library) is None]
        if missing:
            raise ConfigError(
                f"`kelly-live lab` needs libraries that are not installed ({', '.join(missing)}); "
                'install them: pip install "kelly-live[lab]"'
            )
        module = importlib.import_module(f"kelly_live.lab.cli.{name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of commands without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LabGroup)
def command() -> None:
    """Make and measure the models. Needs `pip install "kelly-live[lab]"`."""
