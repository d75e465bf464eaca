"""The commands of `kelly-live lab`: how the models are made and measured. Each command is one file in this folder."""

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
    "bench": "how late, how fast: measured on this machine",
    "map": "how emotion becomes music: measured on held-out pieces, and drawn",
    "judge": "does our music feel as it was meant to? judges that never heard it say",
    "compare": "is our music like people's? distributions, form, loops, and how soon a change is heard",
    "ablate": "do history, culture and user reach the notes, and only where they are on?",
    "follow": "how well, how soon and how surely `--follow` tracks beat and key",
    "simulate-listeners": "how well a profile learns a taste, by simulated listeners",
    "identify": "is what is played in a culture nearest to its own corpus? by the notes alone",
    "measure-cultures": "make the culture presets from their corpora",
    "data": "what a training manifest holds, and what it lacks",
}


class LabGroup(click.Group):
    """Loads a command's module when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the commands in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import the module of a command and return the command. Raises ConfigError without the extra `lab`."""
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
