"""`kelly-live config show`: what the config file gives."""

from __future__ import annotations

import click

from kelly_live.engine.options.click_options import CheckedCommand, debug_option, print_line


@click.command("show", cls=CheckedCommand)
@debug_option
@click.pass_context
def command(ctx: click.Context) -> None:
    """List the settings of your config file, and check each."""
    from kelly_live.cli.config.checks import check_file
    from kelly_live.engine.options.config_file import config_path

    file = config_path()
    if not file.exists():
        print_line(f'no config file yet; kelly-live config set midi-out "IAC Bus" makes {file}')
        return
    print_line(str(file))
    for setting in check_file(ctx, file):
        values = setting.value if isinstance(setting.value, list) else [setting.value]
        text = ", ".join(str(value).lower() if isinstance(value, bool) else str(value) for value in values)
        print_line(f"  {setting.name} = {text}  ({setting.table or 'each command that has it'}; line {setting.line})")
