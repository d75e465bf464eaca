"""`kelly-live generators remove`: forget a generator that was added by hand."""

from __future__ import annotations

import click

from kelly_live.engine.options.click_options import CheckedCommand, debug_option, print_line


@click.command("remove", cls=CheckedCommand)
@click.argument("name")
@debug_option
def command(name: str) -> int:
    """Forget a generator that was added; its file or package stays."""
    from kelly_live.generators.added import remove_generator

    remove_generator(name)
    print_line(f"removed {name}")
    return 0
