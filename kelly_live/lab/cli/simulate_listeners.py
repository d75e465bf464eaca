"""`kelly-live lab simulate-listeners`: how well a profile learns the taste of simulated listeners."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kelly_live.engine.options.click_options import INPUT_FILE, OUTPUT_FILE, CheckedCommand, debug_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kelly_live.lab.judging.simulated_listeners import TasteLearning


@click.command("simulate-listeners", cls=CheckedCommand)
@click.option("--listeners", type=click.IntRange(2, 10_000), default=60, show_default=True, help="Listeners of a kind.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Same seed, same listeners.")
@click.option("--emotify", type=INPUT_FILE, help="Also print what real listeners agree on: emotify_listeners.csv.")
@click.option("--picture", type=OUTPUT_FILE, help="Also draw the curve (PNG).")
@click.option(
    "--bench", is_flag=True, help="Only measure the costs of learning, up to 10 000 reactions; half a minute."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")
@debug_option
def command(listeners: int, seed: int, emotify: Path | None, picture: Path | None, bench: bool, as_json: bool) -> None:
    """Measure how well tastes of simulated listeners are learned: held-out preferences (minutes)."""
    from kelly_live.core.resources import find_resources
    from kelly_live.engine.build import check_outputs
    from kelly_live.lab.judging import simulated_listeners as simulated
    from kelly_live.mapping.net import load_mapper_net

    check_outputs([picture])
    net = load_mapper_net(find_resources("models"))
    if bench:
        from kelly_live.lab.bench.learning import format_table, measure_learning

        costs = measure_learning(net, seed)
        click.echo(json.dumps({"learning": [asdict(row) for row in costs]}) if as_json else format_table(costs))
        return
    agreement = None if emotify is None else simulated.read_like_agreement(emotify)
    rows = [row for kind in simulated.POPULATIONS for row in simulated.simulate(net, kind, listeners, seed)]
    spillovers = simulated.measure_spillovers(net, seed)
    if picture is not None:
        _draw(rows, picture)
        click.echo(f"wrote {picture}", err=True)
    if as_json:
        answer = {
            "learned": [asdict(row) | _format_estimates(row) for row in rows],
            "spills": [asdict(row) for row in spillovers],
            "emotify": None if agreement is None else asdict(agreement),
        }
        click.echo(json.dumps(answer))
        return
    click.echo(simulated.format_learning(rows))
    click.echo(f"\n{simulated.format_spillovers(spillovers)}")
    if agreement is not None:
        click.echo(
            f"\nEmotify: {agreement.ratings} ratings of {agreement.tracks} tracks, {agreement.liked:.0%} liked, "
            f"{agreement.disliked:.0%} disliked; two listeners of a track agree on {agreement.agreement:.3f}, "
            f"chance {agreement.chance:.3f}"
        )


def _format_estimates(row: TasteLearning) -> dict[str, dict[str, float]]:
    return {name: getattr(row, name)._asdict() for name in ("agreement", "over_none", "over_mean")}


def _draw(rows: Sequence[TasteLearning], picture: Path) -> None:
    from kelly_live.core.atomic_write import write_atomically
    from kelly_live.lab.plots.learning import Curve, draw_learning

    curves = []
    for kind in dict.fromkeys(row.population for row in rows):
        population_rows = [row for row in rows if row.population == kind]
        agreement = tuple((row.agreement.value, row.agreement.low, row.agreement.high) for row in population_rows)
        without = population_rows[0].agreement.value - population_rows[0].over_none.value
        others = tuple(row.agreement.value - row.over_mean.value for row in population_rows)
        curves.append(Curve(kind, tuple(row.reactions for row in population_rows), agreement, without, others))
    write_atomically(picture, draw_learning(curves))
