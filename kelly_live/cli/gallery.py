"""`kelly-live gallery`: a minute of each quadrant of feeling, solo and with the band."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from kelly_live.ui.rolls import Roll

QUADRANTS = {"happy": (0.5, 0.5), "tense": (-0.5, 0.5), "sad": (-0.5, -0.5), "calm": (0.5, -0.5)}
PRESETS = ("solo-piano", "band")
SECONDS = 60.0


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--sheet", type=click.Path(path_type=Path, dir_okay=False), help="Also one picture of all eight, a PNG.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Same seed, same pieces.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def command(folder: Path, sheet: Path | None, seed: int, debug: bool) -> None:
    """Eight pieces of about a minute in FOLDER, each as MIDI, WAV and picture: the centre of each quadrant of feeling
    (happy, tense, sad, calm), on solo piano and with the band.
    """
    from kelly_live.core.atomic_write import create_folder, write_atomically
    from kelly_live.engine.parts import check_outputs
    from kelly_live.ui.rolls import draw_rolls

    create_folder(folder)
    check_outputs([sheet])
    rolls = []
    for name, (valence, arousal) in QUADRANTS.items():
        for preset in PRESETS:
            roll = _play(folder / f"{name}-{preset}", preset, valence, arousal, seed, f"{name}, {preset}")
            rolls.append(roll)
            click.echo(f"{roll.title}: {roll.caption} -> {folder / f'{name}-{preset}.mid'}, .wav, .png")
    if sheet is not None:
        write_atomically(sheet, draw_rolls(rolls, "A minute of each feeling, solo and with the band"))
        click.echo(f"all of them -> {sheet}")


def _play(out: Path, preset: str, valence: float, arousal: float, seed: int, title: str) -> Roll:
    from kelly_live.cli.hosting import HostOptions
    from kelly_live.core.override import state_from
    from kelly_live.core.protocols import Reading
    from kelly_live.engine.parts import create_conductor, create_mapper, write_performance
    from kelly_live.engine.session import compose
    from kelly_live.midi.files import notes_from_messages
    from kelly_live.midi.scheduler_client import OfflineScheduler
    from kelly_live.midi.tuning import DEFAULT_TUNING
    from kelly_live.ui.rolls import Roll

    state = state_from(valence, arousal)
    parameters = create_mapper()(state)
    tempo = parameters.tempo.suggested
    scheduler = OfflineScheduler()
    conductor = create_conductor(
        scheduler, seed=seed, length_bars=4 * max(1, math.ceil(SECONDS * tempo / 60.0 / 16.0)) + 1,
        host=HostOptions((preset,)).host(),
    )  # fmt: skip
    players = conductor.programs()
    scheduler.tune(DEFAULT_TUNING.with_programs((player.channel, player.program) for player in players))
    performance = compose(Reading(state, parameters), conductor, scheduler)
    names = {kind: out.parent / f"{out.name}.{kind}" for kind in ("mid", "wav", "png")}
    write_performance(performance, conductor, title=title, midi=names["mid"], wav=names["wav"], plot=names["png"])
    parts = {player.channel: player.part for player in players}
    notes = notes_from_messages(performance.messages, {player.channel: player.program for player in players})
    return Roll(
        title,
        f"{tempo:.0f} BPM, {conductor.status().tonic} {parameters.mode}, {len(notes)} notes",
        tuple((n.start_seconds, n.end_seconds, n.pitch, n.velocity, parts.get(n.channel, "other")) for n in notes),
        performance.end_seconds,
    )
