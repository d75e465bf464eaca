"""`kelly-live config set`: give an option once for all."""

from __future__ import annotations

import click

from kelly_live.engine.options.click_options import CheckedCommand, debug_option, print_line


@click.command("set", cls=CheckedCommand)
@click.argument("name")
@click.argument("values", nargs=-1, required=True)
@click.option("--for", "table", metavar="COMMAND", help="For this command alone [default: each that has the option].")
@debug_option
@click.pass_context
def command(ctx: click.Context, name: str, values: tuple[str, ...], table: str | None) -> None:
    """Set the option NAME (`midi-out`) to VALUES in your config file; true or false for a switch."""
    from kelly_live.cli.config.checks import read_values
    from kelly_live.engine.options.config_file import store_setting

    name = name.removeprefix("--")
    value = read_values(ctx, name, values, table)
    file = store_setting(name, value, table=table)
    print_line(f"{name} is {', '.join(values)} for {table or 'each command that has it'} (kept in {file})")
