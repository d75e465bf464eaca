"""`kelly-live lab judge`: does our music feel as it was meant to? Judged by ears that never heard it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kelly_live.engine.options.click_options import debug_option
from kelly_live.lab.cli.train import DEFAULT_CACHE, FILE, FOLDER

if TYPE_CHECKING:
    from kelly_live.core.protocols import Mapper
    from kelly_live.lab.judging.across_cultures import CultureComparison
    from kelly_live.lab.judging.closed_loop import ClosedLoopResult, Composer

PIECE_SECONDS = 30.0  # about the length of the clips that the judges learned from
SHORTEST_BARS = 4
_PROGRAM = 0xC  # the upper half of a program change's first byte


@click.command("judge")
@click.option("--symbolic", type=FOLDER, required=True, help="Folder of a symbolic manifest.jsonl with EMOPIA in it.")
@click.option("--cache", type=FOLDER, default=DEFAULT_CACHE, show_default=True, help="Renderings, and what was heard.")
@click.option("--pieces", type=click.IntRange(1), default=40, show_default=True, help="Pieces a quadrant.")
@click.option("--grid-pieces", type=click.IntRange(1), default=8, show_default=True, help="Pieces a place of the grid.")
@click.option("--cultures", metavar="NAMES", help="Judge traditions beside the plain music instead: `all`, or a,b,c.")
@click.option(
    "--culture-pieces",
    type=click.IntRange(1),
    default=12,
    show_default=True,
    help="With --cultures: pieces a quadrant in each tradition.",
)
@click.option("--mapper", type=FILE, help="Judge another mapper's checkpoint than the shipped one.")
@click.option("--workers", type=click.IntRange(1, 64), default=2, show_default=True, help="Processes that listen.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")
@debug_option
def command(
    symbolic: Path, cache: Path, pieces: int, grid_pieces: int, cultures: str | None, culture_pieces: int,
    mapper: Path | None, workers: int, as_json: bool,
) -> None:  # fmt: skip
    """Compose at the centre of each quadrant and over a 5 x 5 grid, render with a soundfont that nothing was trained
    on, and ask two judges, fitted on EMOPIA's train part, what they feel: beside what they say of people's own playing
    (EMOPIA's val part).

    With --cultures: the same emotions in each tradition, on the piano, and how often it is heard as meant, and as the
    plain music of the same emotion and seed is heard.
    """
    from kelly_live.core.errors import ConfigError
    from kelly_live.core.resources import find_resources
    from kelly_live.lab.corpora.rendering import HELD_OUT_SOUNDFONT, SOUNDFONTS
    from kelly_live.lab.judging.across_cultures import judge_cultures
    from kelly_live.lab.judging.closed_loop import evaluate_closed_loop

    names = _cultures(cultures)
    if cultures is not None and mapper is not None:
        raise ConfigError(
            "--cultures judges the shipped mapper, whose blend with a tradition it is; leave --mapper out"
        )

    for soundfont in (*SOUNDFONTS, HELD_OUT_SOUNDFONT):  # before the long listening, not after it
        if not soundfont.is_file():
            raise ConfigError(
                f"the soundfont {soundfont} is missing, and the judges hear music rendered with it; apt install "
                "fluid-soundfont-gm musescore-general-soundfont-small timgm6mb-soundfont"
            )
    models = find_resources("models")
    net = models / "emotion.safetensors"

    def log(line: str) -> None:
        click.echo(line, err=True)

    judged: CultureComparison | ClosedLoopResult
    if names:
        judged = judge_cultures(
            symbolic, cache, net, composer(_mapper(None)), {name: composer(_in_culture(name)) for name in names},
            pieces=culture_pieces, plain_pieces=pieces, workers=workers, log=log,
        )  # fmt: skip
    else:
        judged = evaluate_closed_loop(
            symbolic, cache, net, composer(_mapper(mapper)),
            pieces=pieces, grid_pieces=grid_pieces, workers=workers, log=log,
        )  # fmt: skip
    click.echo(json.dumps(judged.as_dict()) if as_json else judged.format_tables())


def _mapper(checkpoint: Path | None) -> Mapper:
    from kelly_live.engine.build import create_mapper

    if checkpoint is None:
        return create_mapper()
    from kelly_live.lab.nets.mapper import load_net
    from kelly_live.mapping.mapper import LearnedMapper

    return LearnedMapper(load_net(checkpoint))


def _cultures(typed: str | None) -> list[str]:
    """The shipped traditions that were asked for, in their order; none without a wish. Raises ConfigError."""
    from kelly_live.cultures.library import CULTURES, choose_culture

    if typed is None:
        return []
    if typed.strip().lower() == "all":
        return list(CULTURES)
    return list(dict.fromkeys(choose_culture(name).preset.name for name in typed.split(",")))


def _in_culture(name: str) -> Mapper:
    from kelly_live.engine.build import create_mapper
    from kelly_live.engine.options.culture import CultureOptions

    return create_mapper(CultureOptions(name, 1.0))


def composer(mapper: Mapper) -> Composer:
    """(valence, arousal, seed) to about half a minute of music as MIDI files: `band`, as a user hears it, and `piano`,
    the same notes without percussion, all on the one instrument that the judges know. In tune, by bends, where a
    tradition's tones are none of 12-TET's.
    """
    from kelly_live.core.commands import DEFAULT_TUNING
    from kelly_live.core.midi_messages import channel_of, program_change
    from kelly_live.core.override import state_from
    from kelly_live.core.protocols import Reading
    from kelly_live.engine.build import create_conductor
    from kelly_live.engine.session import compose
    from kelly_live.midi.files import midi_bytes
    from kelly_live.midi.offline import OfflineScheduler
    from kelly_live.midi.ports import RecordedMessage
    from kelly_live.music.style.metre import choose_metre

    def on_piano(message: RecordedMessage) -> RecordedMessage:
        """The same; a channel that a tuning lent to a part is a piano too."""
        channel = channel_of(message.data)
        return replace(message, data=program_change(channel, 0)) if message.data[0] >> 4 == _PROGRAM else message

    def composed(valence: float, arousal: float, seed: int) -> dict[str, bytes]:
        state = state_from(valence, arousal)
        parameters = mapper(state)
        scheduler = OfflineScheduler()
        metre = choose_metre(parameters.style, seed)
        per_bar = 4.0 if metre is None else metre.bar_beats
        bars = max(SHORTEST_BARS, round(PIECE_SECONDS * parameters.tempo.suggested / 60.0 / per_bar))
        conductor = create_conductor(scheduler, seed=seed, length_bars=bars)
        scheduler.send(DEFAULT_TUNING.with_programs(conductor.slots))
        played = compose(Reading(state, parameters), conductor, scheduler)
        programs = {player.channel: player.program for player in conductor.slots}
        pitched = [on_piano(message) for message in played.messages if channel_of(message.data) != 10]
        return {
            "band": midi_bytes(played.messages, played.tempo_map, programs=programs),
            "piano": midi_bytes(pitched, played.tempo_map, programs=dict.fromkeys(programs, 0)),
        }

    return composed
