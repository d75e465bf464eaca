"""`kelly-live lab measure-cultures`: the shipped culture presets, made from their corpora."""

from __future__ import annotations

from pathlib import Path

import click

from kelly_live.engine.options.click_options import CheckedCommand, debug_option


@click.command("measure-cultures", cls=CheckedCommand)
@click.argument("corpora", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The folder to write presets to.")
@click.option("--only", multiple=True, metavar="NAME", help="Only this preset; may be given again.")
@debug_option
def command(corpora: Path, out: Path, only: tuple[str, ...]) -> None:
    """Measure every preset from the archives in CORPORA (a folder with INDEX.tsv) and write it as YAML."""
    from kelly_live.lab.cultures.measure import measure_all

    measure_all(corpora, out, only, lambda line: click.echo(line, err=True))
