"""`kelly-live lab map`: how emotion becomes music, measured on held-out pieces and drawn."""

from __future__ import annotations

import json
from pathlib import Path

import click

from kelly_live.engine.options.click_options import CheckedCommand, debug_option
from kelly_live.lab.click_options import DEFAULT_CACHE, FOLDER, measured_set_option, require_folders


@click.command("map", cls=CheckedCommand)
@measured_set_option
@click.option("--symbolic", type=FOLDER, help="Folder of a symbolic manifest.jsonl (labelled MIDI): EMOPIA, VGMIDI.")
@click.option("--open-data", type=FOLDER, help="Or folder of the open data, with openscore/ in it.")
@click.option("--corpora", type=FOLDER, help="With --open-data: folder of pop909-index.tar.xz.")
@click.option("--cues", type=FOLDER, help="Folder of listeners' ratings of film music, to check directions by.")
@click.option("--cache", type=FOLDER, default=DEFAULT_CACHE, show_default=True, help="Where measurements are kept.")
@click.option("--models", type=FOLDER, help="Folder of checkpoints, instead of the set's.")
@click.option("--pictures", type=FOLDER, help="Also draw mapper.png, into this folder.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")
@debug_option
def command(
    model_set: str | None, symbolic: Path | None, open_data: Path | None, corpora: Path | None, cues: Path | None,
    cache: Path, models: Path | None, pictures: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Measure and draw the mapper of a set, on what was held out of labelled music (`open` learned from --open-data).

    Prints the likelihood of held-out music against the corpus-wide distribution and a rule table, how many published
    directions hold, and what is played at the eight emotions and the quadrants' middles.
    """
    from dataclasses import asdict

    import torch

    from kelly_live.core.resources import find_resources, models_in_use
    from kelly_live.lab.training.mapper import evaluate_mapper, evaluate_open_mapper, load_trained
    from kelly_live.lab.training.mapper_plane import compute_parameters, format_states_table, list_states

    torch.set_num_threads(1)
    with models_in_use(model_set):
        checkpoint = (models or find_resources("models")) / "mapper.safetensors"
    if symbolic is None:
        open_folder, pop909_folder = require_folders(open_data=open_data, corpora=corpora)
        evaluation = evaluate_open_mapper(open_folder, pop909_folder, cache, checkpoint, cues)
    else:
        evaluation = evaluate_mapper(symbolic, cache / "symbolic", checkpoint, cues)
    net, _ = load_trained(checkpoint)
    if pictures is not None:
        click.echo(f"wrote {_draw(checkpoint, pictures)}", err=True)
    if as_json:
        states = list_states()
        values = compute_parameters(net, list(states.values()))
        answer = {
            "scores": [asdict(row) for row in evaluation.scores],
            "directions": [asdict(line) | {"holds": line.holds} for line in evaluation.directions],
            "directions_that_hold": [evaluation.held_count, len(evaluation.directions)],
            "played": {name: {k: float(v[i]) for k, v in values.items()} for i, name in enumerate(states)},
        }
        click.echo(json.dumps(answer))
        return
    click.echo(evaluation.format_table())
    click.echo(f"\nWhat is played\n\n{format_states_table(net)}")


def _draw(checkpoint: Path, folder: Path) -> Path:
    """Draw mapper.png in `folder`.

    Raises:
        OutputError: The file cannot be written.
    """
    from kelly_live.core.atomic_write import create_folder, write_atomically
    from kelly_live.core.values import EMOTION_VAD
    from kelly_live.lab.nets.mapper import load_net
    from kelly_live.lab.plots.plane import Panel, draw_plane
    from kelly_live.lab.training.mapper_plane import SHOWN, compute_plane

    create_folder(folder)
    plane = compute_plane(load_net(checkpoint))
    picture = draw_plane(
        [Panel(name, unit, plane[name]) for name, unit in SHOWN.items()],
        {name: place[:2] for name, place in EMOTION_VAD.items()},
        "How emotion becomes music",
        "what the mapper plays at each valence and arousal, dominance following from them; dots: the emotions' anchors",
    )
    path = folder / "mapper.png"
    write_atomically(path, picture)
    return path
