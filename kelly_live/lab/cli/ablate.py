"""`kelly-live lab ablate`: whether history, culture and user reach the notes only while they are on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from kelly_live.core.values import MusicParameters, NoteEvent
from kelly_live.engine.options.click_options import INPUT_FILE, CheckedCommand, debug_option

BARS = 8


@click.command("ablate", cls=CheckedCommand)
@click.argument("recording", type=INPUT_FILE, required=False)
@click.option("--pasts", nargs=2, type=click.FloatRange(8.0), default=(16.0, 24.0), show_default=True, help="Seconds.")
@click.option("--now", type=click.FloatRange(0.5), default=12.0, show_default=True, help="End of the window, seconds.")
@click.option("--cultures", nargs=2, default=("klezmer", "mandopop"), show_default=True, help="From, to.")
@click.option("--json", "as_json", is_flag=True, help="One JSON list instead of the table.")
@debug_option
def command(
    recording: Path | None, pasts: tuple[float, float], now: float, cultures: tuple[str, str], as_json: bool,
) -> int:  # fmt: skip
    """Change history, culture and user one at a time; count the notes that differ with it on and off.

    The sound is RECORDING (default: the demo's). The profiles of the two users are learned here: one prefers slower
    and softer music, the other faster and brighter. The exit code is 1 if one of them fails.
    """
    import torch

    from kelly_live.core.emotion_space import create_state
    from kelly_live.core.resources import find_resources
    from kelly_live.lab.judging.ablation import ablate, format_ablations
    from kelly_live.lab.nets.mapper import convert_mapper_to_numpy
    from kelly_live.lab.nets.system import load_system
    from kelly_live.lab.training.windows import read_audio
    from kelly_live.mapping.taste import fit_taste
    from kelly_live.profiles.reaction import PreferenceTarget

    torch.set_num_threads(1)
    samples = read_audio(recording or find_resources("presets") / "demo" / "recording.ogg")
    system = load_system(find_resources("models"))
    net = convert_mapper_to_numpy(system.mapper)
    for user, tempo, major in ((1, 70.0, 0.2), (2, 140.0, 0.9)):
        targets = [PreferenceTarget(create_state(v, a), "tempo", tempo) for v in (-0.5, 0.5) for a in (-0.5, 0.5)]
        targets.append(PreferenceTarget(create_state(), "major", major))
        system.mapper.remember(user, torch.from_numpy(fit_taste(net, targets)))
    ablations = ablate(system, samples, pasts, now, _compose, cultures=cultures, users=(1, 2))
    click.echo(json.dumps([a.as_dict() for a in ablations]) if as_json else format_ablations(ablations))
    return 0 if all(a.holds for a in ablations) else 1


def _compose(parameters: MusicParameters, seed: int) -> Sequence[NoteEvent]:
    """Compose a piece of BARS bars."""
    from kelly_live.engine.build import create_conductor
    from kelly_live.midi.offline import NoteList

    sink = NoteList()
    create_conductor(sink, seed=seed, length_bars=BARS).play_through(parameters)
    return sink.notes
