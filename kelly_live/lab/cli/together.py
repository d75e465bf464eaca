"""`kelly-live lab together`: how the band plays with a player, all of it in one table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from kelly_live.engine.options.click_options import CheckedCommand, debug_option, print_line
from kelly_live.lab.click_options import DEFAULT_CACHE, FOLDER

PARTS = ("tracking", "chords", "changes", "turns", "stops", "reaction")
_TITLES = {
    "tracking": "tempo and key",
    "chords": "chords",
    "changes": "tempo through changes, and how soon a beat is heard",
    "turns": "space and answers",
    "stops": "rests and endings",
    "reaction": "from the end of a window, or a key, to the first audible difference",
}
_SEEDS = range(3001, 3006)  # on which nothing was chosen


@click.command("together", cls=CheckedCommand)
@click.option("--corpora", type=FOLDER, required=True, help="The folder of the cultures' corpora: POP909 is measured.")
@click.option(
    "--measure",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    multiple=True,
    metavar="FILE.jsonl",
    help="Also track these annotated recordings, as `kelly-live lab follow --measure` does.",
)
@click.option("--only", type=click.Choice(PARTS), multiple=True, help="Measure these parts alone. [default: all]")
@click.option("--cache", type=FOLDER, default=DEFAULT_CACHE, show_default=True, help="Where renderings are kept.")
@debug_option
@click.pass_context
def command(ctx: click.Context, corpora: Path, measure: Sequence[Path], only: Sequence[str], cache: Path) -> None:
    """Print the whole table of playing together: what `lab follow` and `lab bench` measure, and rests and endings.

    It takes an hour or more the first time, as POP909 is rendered.
    """
    from kelly_live.lab.cli import bench, follow

    calls: dict[str, tuple[click.Command, dict[str, Any]]] = {
        "tracking": (follow.command, {"corpora": corpora, "measure": measure, "cache": cache}),
        "chords": (follow.command, {"corpora": corpora, "chords": True, "cache": cache}),
        "changes": (follow.command, {"corpora": corpora, "changes": True, "cache": cache}),
        "turns": (follow.command, {"corpora": corpora, "turns": True, "cache": cache}),
        "reaction": (bench.command, {"only": "control", "device": "cpu"}),
    }
    for part in only or PARTS:
        print_line(f"## {_TITLES[part]}")
        if part == "stops":
            print_stops(_SEEDS)
        else:
            called, arguments = calls[part]
            ctx.invoke(called, **arguments)


def print_stops(seeds: Sequence[int]) -> None:
    """Print how rests are answered, and how the music ends with its input."""
    from kelly_live.engine.options.silence import SilenceOptions
    from kelly_live.lab.judging.stops import format_stops, measure_endings, measure_rests

    silence = SilenceOptions()
    for line in format_stops(measure_rests(seeds, silence), measure_endings(seeds), silence).splitlines():
        print_line(line)
