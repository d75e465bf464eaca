"""`kelly-live compose`: music for an emotion that is named; no audio is heard."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kelly_live.core.errors import OptionError
from kelly_live.core.limits import RANGES
from kelly_live.core.wording import plural
from kelly_live.engine.options.click_options import (
    INPUT_FILE,
    OUTPUT_FILE,
    OUTPUT_FOLDER,
    CheckedCommand,
    add_options,
    batch_options,
    debug_option,
    device_option,
    formats_option,
    print_line,
    print_notice,
)
from kelly_live.engine.options.commands import ComposeOptions
from kelly_live.engine.options.limits import LimitsOptions

if TYPE_CHECKING:
    from kelly_live.core.protocols import Reading
    from kelly_live.engine.performance import Performance


_ONE_PIECE = ("--midi", "--wav", "--plot")


class ComposeCommand(CheckedCommand):
    """Composes one piece or, with --pieces, those of a list, which have options of their own."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Make the context of the command that the arguments are for; what contradicts --pieces is told by this one."""
        flags = {one.partition("=")[0] for one in args}
        if "--pieces" in flags and flags.isdisjoint(_ONE_PIECE):
            return compose_pieces.make_context(info_name, args, parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


@click.command(cls=ComposeCommand)
@add_options(ComposeOptions)
@click.option("--midi", type=OUTPUT_FILE, required=True, help="The MIDI file to write.")
@click.option("--wav", type=OUTPUT_FILE, help="Also write a WAV, with the built-in synthesiser.")
@click.option("--plot", type=OUTPUT_FILE, help="Also draw a picture (PNG).")
@click.option(
    "--pieces",
    metavar="FILE.csv",
    expose_value=False,
    help="Compose the pieces of a list instead; `compose --pieces FILE --help` shows its options.",
)
@click.option(
    "--video",
    type=INPUT_FILE,
    help="Last as long as this video; where ffmpeg is installed, also copy it with the music.",
)
@device_option(expose_value=False)
@debug_option
def command(options: ComposeOptions, midi: Path, wav: Path | None, plot: Path | None, video: Path | None) -> None:
    """Compose for --emotion NAME, or for --valence V --arousal A [--dominance D], or along an --arc FILE.

    --morph-to moves on from there.
    """
    from kelly_live.engine.build import check_outputs, check_suffixes
    from kelly_live.engine.composition import compose_piece
    from kelly_live.engine.score_reading import describe_sections
    from kelly_live.engine.video import choose_mix, read_duration

    mix = None
    if video is not None:
        mix = choose_mix(video)
        options = options if options.length is not None else replace(options, length=read_duration(video))
    check_suffixes(midi=midi, wav=wav, plot=plot)
    check_outputs([midi, wav, plot, mix])
    performance = compose_piece(options, print_notice)
    performance.write_files(midi=midi, wav=wav, plot=plot)
    if video is not None:
        _mix_video(performance, video, wav, mix)
    way, key = "", " to ".join(performance.keys)
    if options.override.morph_to is not None:
        last = _describe(performance.readings[-1])
        way = f", in {plural(options.override.morph_bars, 'bar')} to {last}"
    first_line = _describe(performance.readings[0])
    if options.arc is not None:
        way = f", to {_describe(performance.readings[-1])}"
    print_line(f"{plural(performance.bars, 'bar')} of {first_line}{way}, {key}, {performance.end_seconds:.1f} s")
    for hit in performance.hits:
        print_line(hit.describe())
    sections = describe_sections(performance.phrases)
    if sections:
        print_line(f"form: {sections}")
    for path in filter(None, (midi, wav, plot, mix)):
        print_line(f"wrote {path}")


def _mix_video(performance: Performance, video: Path, wav: Path | None, mix: Path | None) -> None:
    """Copy a video with the music, where that can be done."""
    from kelly_live.core.termination import temporary_folder
    from kelly_live.engine.video import write_mix

    if mix is None:
        print_notice("ffmpeg is not installed, so the video is not copied with the music; --wav has it alone")
        return
    with temporary_folder() as folder:
        sound = wav
        if sound is None:
            performance.write_wav(sound := Path(folder) / "music.wav")
        write_mix(video, sound, mix)


def _describe(reading: Reading) -> str:
    state = reading.state
    place = f"V {state.valence:+.2f} A {state.arousal:+.2f} D {state.dominance:+.2f}"
    return f"{state.emotion} ({place}): {reading.parameters.tempo.suggested:.0f} BPM"


@click.command(cls=CheckedCommand)
@add_options(ComposeOptions)
def _piece(options: ComposeOptions) -> ComposeOptions:
    return options


@click.command(cls=CheckedCommand)
@click.option("--pieces", type=INPUT_FILE, required=True, metavar="FILE.csv", help="The list: a piece a line.")
@click.option("--into", type=OUTPUT_FOLDER, required=True, help="The folder to write into.")
@formats_option
@batch_options
@add_options(LimitsOptions, only=tuple(RANGES))
@debug_option
def compose_pieces(
    pieces: Path, into: Path, formats: tuple[str, ...], jobs: int, cluster: str | None, options: LimitsOptions
) -> int:
    """Compose the pieces of a list: a CSV file, with a column for each option of `compose` that it gives.

    The column `name` says what a piece's files are called. Of the config file only the limits count, so that the same
    list gives the same pieces. A run that is stopped goes on where it was when it is started again.
    """
    from kelly_live.core.atomic_write import create_folder
    from kelly_live.engine.batch.command import TABLE, do_jobs
    from kelly_live.engine.batch.jobs import ComposeJob
    from kelly_live.engine.batch.pieces import read_pieces

    params = [one for one in _piece.params if isinstance(one, click.Option)]
    columns = [one.opts[0].removeprefix("--") for one in params]
    switches = [one.opts[0].removeprefix("--") for one in params if one.is_flag]
    rows = list(read_pieces(pieces, _read_piece, columns, switches))
    create_folder(into)
    jobs_ = [
        ComposeJob(Path(name), replace(piece, limits=piece.limits.combine(options)), into / name, formats)
        for name, piece in rows
    ]
    return do_jobs(jobs_, into / TABLE, processes=jobs, cluster=cluster)


def _read_piece(arguments: list[str]) -> ComposeOptions:
    try:
        options: ComposeOptions = _piece.main(arguments, "compose", standalone_mode=False)
    except click.UsageError as error:
        raise OptionError(error.format_message()) from error
    return options
