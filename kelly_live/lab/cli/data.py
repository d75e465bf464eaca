"""`kelly-live lab data`: what the data sets hold."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from kelly_live.engine.options.click_options import CheckedCommand, debug_option


@click.group("data")
def command() -> None:
    """Look at the data that the nets learn from."""


@command.command("report", cls=CheckedCommand)
@click.argument("manifest", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of lines.")
@debug_option
def report(manifest: Path, as_json: bool) -> None:
    """Report how diverse the clips of MANIFEST (JSON Lines) are, and what to collect next."""
    from kelly_live.lab.corpora.diversity import DatasetDiversityManager

    manager = DatasetDiversityManager(manifest)
    weights = manager.get_sampling_weights()
    if as_json:
        advice = [asdict(r) for r in manager.recommend_data_collection()]
        click.echo(json.dumps({"report": manager.analyze_diversity().as_dict(), "recommendations": advice}))
        return
    for line in manager.format_report():
        click.echo(line)
    click.echo(f"{'sampling weights':28} {weights.min():.3f} to {weights.max():.3f}, mean {weights.mean():.3f}")
