"""`kelly-live lab measure-cultures`: makes the shipped presets from the corpora."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("measure-cultures")
@click.argument("corpora", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The folder to write presets to.")
@click.option("--only", multiple=True, metavar="NAME", help="Only this preset; may be given again.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def command(corpora: Path, out: Path, only: tuple[str, ...], debug: bool) -> None:
    """Measure every preset from the archives in CORPORA (a folder with INDEX.tsv) and write it as YAML."""
    from kelly_live.lab.cultures.measure import measure_all

    measure_all(corpora, out, only, lambda line: click.echo(line, err=True))
