"""`kelly-live render IN.wav --midi OUT.mid`: the live path on recordings, faster than real time."""

from __future__ import annotations

from pathlib import Path

import click

from kelly_live.engine.options.click_options import (
    INPUT_FILE,
    OUTPUT_FILE,
    OUTPUT_FOLDER,
    CheckedCommand,
    add_options,
    batch_options,
    debug_option,
    files_option,
    formats_option,
    print_line,
    print_notice,
)
from kelly_live.engine.options.commands import RenderOptions


@click.command(cls=CheckedCommand)
@click.argument("recordings", nargs=-1, type=INPUT_FILE)
@click.option("--midi", type=OUTPUT_FILE, help="The MIDI file to write.")
@click.option("--wav", type=OUTPUT_FILE, help="Write a WAV, with the built-in synthesiser.")
@click.option("--plot", type=OUTPUT_FILE, help="Draw a picture: emotion over time above a piano roll (PNG).")
@click.option("--into", type=OUTPUT_FOLDER, help="Write the music to many recordings into this folder.")
@formats_option
@files_option
@batch_options
@add_options(RenderOptions)
@debug_option
def command(
    recordings: tuple[Path, ...],
    midi: Path | None,
    wav: Path | None,
    plot: Path | None,
    into: Path | None,
    formats: tuple[str, ...],
    list_file: Path | None,
    jobs: int,
    cluster: str | None,
    options: RenderOptions,
) -> int:
    """Accompany RECORDINGS (WAV, FLAC, OGG/Opus, MP3, or the notes of a MIDI file).

    Same input, seed and version give the same bytes. Many, or those of folders, go --into a folder; a run that is
    stopped goes on where it was when it is started again.
    """
    if into is not None:
        return _render_into(into, recordings, list_file, formats, options, jobs, cluster)
    if len(recordings) != 1 or list_file is not None:
        raise click.UsageError("say which recording: one, or several --into FOLDER")
    _render(recordings[0], options, midi=midi, wav=wav, plot=plot)
    return 0


def _render_into(
    into: Path,
    recordings: tuple[Path, ...],
    list_file: Path | None,
    formats: tuple[str, ...],
    options: RenderOptions,
    jobs: int,
    cluster: str | None,
) -> int:
    from kelly_live.core.atomic_write import create_folder
    from kelly_live.engine.batch.command import TABLE, do_jobs
    from kelly_live.engine.batch.inputs import find_inputs, name_places
    from kelly_live.engine.batch.jobs import RenderJob, check_targets
    from kelly_live.engine.batch.table import find_written

    inputs = find_inputs(recordings, list_file=list_file, notes=True, written=find_written(into / TABLE))
    places = name_places(inputs)
    create_folder(into)
    renders = [RenderJob(one.path, options, into / place, formats) for one, place in zip(inputs, places, strict=True)]
    check_targets(renders)
    return do_jobs(renders, into / TABLE, processes=jobs, cluster=cluster)


def _render(recording: Path, options: RenderOptions, *, midi: Path | None, wav: Path | None, plot: Path | None) -> None:
    from kelly_live.engine.accompaniment import accompany_recording
    from kelly_live.engine.build import check_outputs, check_suffixes
    from kelly_live.ui.terminal import progress

    paths = [path for path in (midi, wav, plot) if path is not None]
    if not paths:
        raise click.UsageError("say what to write: --midi OUT.mid, --wav OUT.wav or --plot OUT.png")
    check_suffixes(midi=midi, wav=wav, plot=plot)
    check_outputs(paths, source=recording)
    result = accompany_recording(
        recording, options, print_notice, lambda total: progress(total, "listening and playing")
    )
    result.performance.write_files(midi=midi, wav=wav, plot=plot)
    for line in (*result.describe(), *(f"wrote {path}" for path in paths)):
        print_line(line)
