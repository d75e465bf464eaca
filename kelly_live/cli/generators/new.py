"""`kelly-live generators new`: the package of a generator of your own, ready to play."""

from __future__ import annotations

from pathlib import Path

import click

from kelly_live.engine.options.click_options import CheckedCommand, debug_option, print_line


@click.command("new", cls=CheckedCommand)
@click.argument("name")
@click.option(
    "--into",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    metavar="FOLDER",
    help="Where the package's folder is made [default: here].",
)
@debug_option
def command(name: str, folder: Path) -> int:
    """Write the package kelly-live-NAME: a bass line that plays at once, with its test. Change it, and hear it."""
    from kelly_live.generators.scaffold import write_package

    files = write_package(name, folder)
    for file in files:
        print_line(f"wrote {file}")
    print_line(f"add it with `kelly-live generators add {files[0]}`, then play it with --with {name}")
    return 0
