"""`kelly-live evaluate`: the shipped nets measured on held-out, labelled data."""

from __future__ import annotations

import json
from pathlib import Path

import click

from kelly_live.cli.train import data_options


@click.command("evaluate")
@data_options
@click.option("--models", type=click.Path(path_type=Path, file_okay=False), help="Default: the shipped ones.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
def command(
    data: Path | None, symbolic: Path | None, cache: Path, most: int, threads: int, debug: bool,
    models: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Scores on the manifests' `val` parts (speakers and songs never trained on), with n and a 95 % interval, the
    confidence on sounds that feel nothing, and the time of a hop."""
    import torch

    from kelly_live.config import resource_root
    from kelly_live.training.evaluation import table
    from kelly_live.training.pipeline import Sources, evaluate_shipped

    torch.set_num_threads(threads)
    models = models or resource_root("models")
    result = evaluate_shipped(Sources(data, symbolic, cache, most), models, say=lambda line: click.echo(line, err=True))
    if as_json:
        scores = [score.as_dict() for score in result.scores]
        click.echo(json.dumps({"scores": scores, "sounds": result.sounds, "hop_milliseconds": result.hop_milliseconds}))
        return
    click.echo(table(result.scores))
    for name, value in (*result.sounds.items(), ("median ms a hop, one CPU thread", result.hop_milliseconds)):
        click.echo(f"{name}: {value:.3f}")
