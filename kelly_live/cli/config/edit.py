"""`kelly-live config edit`: the config file in an editor."""

from __future__ import annotations

import click

from kelly_live.engine.options.click_options import CheckedCommand, debug_option, print_line


@click.command("edit", cls=CheckedCommand)
@debug_option
@click.pass_context
def command(ctx: click.Context) -> None:
    """Open your config file in your editor ($VISUAL or $EDITOR), and check it afterwards.

    A new file lists every option of `live`, each as a comment.
    """
    from kelly_live.cli.config.checks import build_template, check_file
    from kelly_live.core.atomic_write import create_folder, write_atomically
    from kelly_live.core.wording import plural
    from kelly_live.engine.options.config_file import config_path

    file = config_path()
    if not file.exists():
        create_folder(file.parent, private=True)
        write_atomically(file, build_template(ctx).encode(), private=True)
    click.edit(filename=str(file))
    print_line(f"{file}: {plural(len(check_file(ctx, file)), 'setting')}, all understood")
