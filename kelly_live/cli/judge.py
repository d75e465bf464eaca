"""`kelly-live judge`: does our music feel as it was meant to? Judged by ears that never heard it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kelly_live.cli.train import DEFAULT_CACHE, FILE, FOLDER

if TYPE_CHECKING:
    from kelly_live.protocols import Mapper
    from kelly_live.training.closed_loop import Composer

PIECE_SECONDS = 30.0  # about the length of the clips that the judges learned from
SHORTEST_BARS = 4


@click.command("judge")
@click.option("--symbolic", type=FOLDER, required=True, help="Folder of a symbolic manifest.jsonl with EMOPIA in it.")
@click.option("--cache", type=FOLDER, default=DEFAULT_CACHE, show_default=True, help="Renderings, and what was heard.")
@click.option("--pieces", type=click.IntRange(1), default=40, show_default=True, help="Pieces a quadrant.")
@click.option("--grid-pieces", type=click.IntRange(1), default=8, show_default=True, help="Pieces a place of the grid.")
@click.option("--mapper", type=FILE, help="Judge another mapper's checkpoint than the shipped one.")
@click.option("--workers", type=click.IntRange(1, 64), default=2, show_default=True, help="Processes that listen.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of tables.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def command(
    symbolic: Path, cache: Path, pieces: int, grid_pieces: int, mapper: Path | None, workers: int, as_json: bool,
    debug: bool,
) -> None:  # fmt: skip
    """Compose at the centre of each quadrant and over a 5 x 5 grid, render with a soundfont that nothing was trained
    on, and ask two judges, fitted on EMOPIA's train part, what they feel: beside what they say of people's own playing
    (EMOPIA's val part)."""
    from kelly_live.config import resource_root
    from kelly_live.errors import ConfigError
    from kelly_live.training.closed_loop import close_the_loop
    from kelly_live.training.render import HELD_OUT_SOUNDFONT, SOUNDFONTS

    for soundfont in (*SOUNDFONTS, HELD_OUT_SOUNDFONT):  # before the long listening, not after it
        if not soundfont.is_file():
            raise ConfigError(
                f"the soundfont {soundfont} is missing, and the judges hear music rendered with it; apt install "
                "fluid-soundfont-gm musescore-general-soundfont-small timgm6mb-soundfont"
            )
    models = resource_root("models")
    loop = close_the_loop(
        symbolic, cache, models / "emotion.safetensors", composer(_mapper(mapper)),
        pieces=pieces, grid_pieces=grid_pieces, workers=workers, say=lambda line: click.echo(line, err=True),
    )  # fmt: skip
    click.echo(json.dumps(loop.as_dict()) if as_json else loop.tables())


def _mapper(checkpoint: Path | None) -> Mapper:
    from kelly_live.cli.parts import make_mapper

    if checkpoint is None:
        return make_mapper()
    from kelly_live.analysis.mapping import LearnedMapper
    from kelly_live.nets.mapper import load_net

    return LearnedMapper(load_net(checkpoint))


def composer(mapper: Mapper) -> Composer:
    """(valence, arousal, seed) to about half a minute of music as MIDI files: `band`, as a user hears it, and `piano`,
    the same notes without percussion, all on the one instrument that the judges know."""
    from kelly_live.cli.parts import make_conductor
    from kelly_live.midi.client import OfflineScheduler
    from kelly_live.midi.files import midi_bytes
    from kelly_live.midi.messages import channel_of
    from kelly_live.protocols import Reading
    from kelly_live.session import compose
    from kelly_live.steering import state_from

    def composed(valence: float, arousal: float, seed: int) -> dict[str, bytes]:
        state = state_from(valence, arousal)
        parameters = mapper(state)
        scheduler = OfflineScheduler()
        bars = max(SHORTEST_BARS, round(PIECE_SECONDS * parameters.tempo.suggested / 60.0 / 4.0))
        conductor = make_conductor(scheduler, seed=seed, length_bars=bars)
        played = compose(Reading(state, parameters), conductor, scheduler)
        programs = {player.channel: player.program for player in conductor.programs()}
        pitched = [message for message in played.messages if channel_of(message.data) != 10]
        return {
            "band": midi_bytes(played.messages, played.tempo_map, programs=programs),
            "piano": midi_bytes(pitched, played.tempo_map, programs=dict.fromkeys(programs, 0)),
        }

    return composed
