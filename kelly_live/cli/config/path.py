"""`kelly-live config path`: where the config file is."""

from __future__ import annotations

import click

from kelly_live.engine.options.click_options import CheckedCommand, debug_option, print_line


@click.command("path", cls=CheckedCommand)
@debug_option
def command() -> None:
    """Print the path of your config file, which need not exist."""
    from kelly_live.engine.options.config_file import config_path

    print_line(str(config_path()))
