"""`kelly-live generators`: the players that are there, and those that are added by hand. One file a subcommand."""

from __future__ import annotations

import click

from kelly_live.cli.generators import add, list_, new, remove, show


class ListByDefault(click.Group):
    """Options without a subcommand mean `list`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments, with the subcommand put first."""
        asks_for_help = bool(args) and args[0] in ("-h", "--help")
        if not asks_for_help and (not args or args[0].startswith("-")):
            args = [list_.command.name or "", *args]
        return super().parse_args(ctx, args)


@click.group("generators", cls=ListByDefault)
def command() -> None:
    """List the players that are there, ours and others' (also without a subcommand), and add your own."""


for _module in (list_, show, new, add, remove):
    command.add_command(_module.command)
