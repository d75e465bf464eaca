"""`kelly-live config unset`: leave an option to its default again."""

from __future__ import annotations

import click

from kelly_live.engine.options.click_options import CheckedCommand, debug_option, print_line


@click.command("unset", cls=CheckedCommand)
@click.argument("name")
@click.option("--for", "table", metavar="COMMAND", help="In this command's table [default: above all tables].")
@debug_option
def command(name: str, table: str | None) -> None:
    """Remove the option NAME from your config file."""
    from kelly_live.core.errors import ConfigError
    from kelly_live.engine.options.config_file import config_path, load_config, store_setting

    name, file = name.removeprefix("--"), config_path()
    settings = load_config(file) if file.exists() else ()
    if not any(setting.name == name and setting.table == table for setting in settings):
        raise ConfigError(f"{file} does not give {name}; `kelly-live config show` lists what it gives")
    store_setting(name, None, table=table)
    print_line(f"{name} has its default again (removed from {file})")
