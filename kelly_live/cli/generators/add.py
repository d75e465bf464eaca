"""`kelly-live generators add`: a generator that is no package of this environment, or of any language."""

from __future__ import annotations

import click

from kelly_live.engine.options.click_options import CheckedCommand, debug_option, print_line


@click.command("add", cls=CheckedCommand)
@click.argument("place", metavar="PATH|PACKAGE")
@click.option(
    "--python", metavar="PATH", help="The Python of the environment that it runs in, as /its/venv/bin/python."
)
@click.option(
    "--memory", type=click.IntRange(32, 1 << 20), metavar="MB", help="How much it may hold [default: 1536], on Linux."
)
@debug_option
def command(place: str, python: str | None, memory: int | None) -> int:
    """Add a generator or a note effect: a Python file (or FILE.py:CLASS), a program in any language, or a package.

    It is started once, to hear what it is called. One of the same name is replaced. It runs in a process of its own,
    with your rights: add only what you trust.
    """
    from kelly_live.generators.added import add_generators
    from kelly_live.generators.descriptor import Descriptor

    for added, descriptor in add_generators(place, python, memory):
        is_generator = isinstance(descriptor, Descriptor)
        use = f"play it with --with {added.name}" if is_generator else f"use it with --effect PLAYER={added.name}"
        print_line(f"added {added.name}: {descriptor.help or added.kind}; {use}")
    return 0
