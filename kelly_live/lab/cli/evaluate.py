"""`kelly-live lab evaluate`: the shipped nets on held-out, labelled data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kelly_live.engine.options.click_options import CheckedCommand
from kelly_live.lab.click_options import data_options, measured_set_option

if TYPE_CHECKING:
    from kelly_live.lab.judging.report import EvaluationResult

_READER_CLIPS = "Clips of each data set for the whole live reader."


@click.command("evaluate", cls=CheckedCommand)
@data_options
@measured_set_option
@click.option(
    "--models",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of checkpoints, instead of --set.",
)
@click.option("--reader-clips", type=click.IntRange(0), default=40, show_default=True, help=_READER_CLIPS)
@click.option("--pictures", type=click.Path(path_type=Path, file_okay=False), help="Also draw, into this folder.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")
def command(
    data: Path | None, symbolic: Path | None, cache: Path, most: int, threads: int,
    model_set: str | None, models: Path | None, reader_clips: int, pictures: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Print the goals beside what is measured, and every score.

    Measured on the manifests' `val` parts (speakers and songs never trained on), with n and a 95 % interval: the
    emotion net alone (a clip's prediction is the mean over its windows), the whole live reader (the mean over its hops,
    weighted by confidence), and the confidence on sounds without emotion.

    --data may also be the folder that holds open/, emotion/ and symbolic/ (then no --symbolic): the goals are then
    those of the open set, on its own corpora and on others that it never heard, of either --set.
    """
    import torch

    from kelly_live.core.resources import OPEN_MODELS, RESEARCH_MODELS, find_resources, models_in_use
    from kelly_live.lab.judging.goals import format_goals
    from kelly_live.lab.judging.report import evaluate_shipped
    from kelly_live.lab.training.scores import format_scores
    from kelly_live.lab.training.sources import Sources

    torch.set_num_threads(threads)
    # The goals follow the data: those of the open set are on its own corpora and on others that it never heard.
    goals_of = OPEN_MODELS if data is not None and (data / "open").is_dir() else RESEARCH_MODELS
    sources = Sources(data, symbolic, cache, most, goals_of)
    with models_in_use(models or model_set):
        folder = find_resources("models")
        result = evaluate_shipped(sources, folder, lambda line: click.echo(line, err=True), reader_clips)
    if pictures is not None:
        _draw(result, pictures)
    if as_json:
        click.echo(json.dumps(result.as_dict()))
        return
    click.echo(format_goals(result.rows))
    click.echo(f"\nThe emotion net alone, every score\n\n{format_scores(result.scores)}")
    click.echo(f"\nThe live path\n\n{format_scores(result.live)}\n\nSounds without emotion\n")
    for name, value in result.sounds.items():
        click.echo(f"{name}: {value:.3f}")


def _draw(result: EvaluationResult, folder: Path) -> None:
    """Draw confusion.png, calibration.png and trajectories.png."""
    from kelly_live.core.atomic_write import create_folder, write_atomically
    from kelly_live.lab.judging.chart_data import compute_calibrations, compute_confusions, compute_trajectories
    from kelly_live.lab.plots.evidence import draw_calibration, draw_confusions, draw_trajectories

    create_folder(folder)
    predictions = (result.clips, result.windows, result.answers)
    matrices, reliable = compute_confusions(*predictions), compute_calibrations(*predictions)
    tracks = compute_trajectories(result.reader, result.clips, result.changes)
    for name, picture in (
        ("confusion", draw_confusions(matrices) if matrices else None),
        ("calibration", draw_calibration(reliable) if reliable else None),
        ("trajectories", draw_trajectories(tracks) if tracks else None),
    ):
        if picture is None:
            click.echo(f"no {name}.png: the data have nothing to show in it", err=True)
        else:
            write_atomically(folder / f"{name}.png", picture)
            click.echo(f"wrote {folder / name}.png", err=True)
