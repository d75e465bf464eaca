"""`kelly-live lab read`: a composed piece as a score that a musician can check."""

from __future__ import annotations

import click

from kelly_live.engine.options.click_options import CheckedCommand, add_options, debug_option, print_notice
from kelly_live.engine.options.commands import ComposeOptions


@click.command("read", cls=CheckedCommand)
@add_options(ComposeOptions)
@debug_option
def command(options: ComposeOptions) -> None:
    """Print a piece as a score: form, phrases, cadences, chords as roman numerals, and the melody.

    The options are those of `kelly-live compose`, and so are the notes.
    """
    from kelly_live.engine.composition import compose_piece
    from kelly_live.engine.score_reading import format_score

    click.echo(format_score(compose_piece(options, print_notice)))
