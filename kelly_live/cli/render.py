"""`kelly-live render IN.wav --midi OUT.mid`: the live path on a recording, faster than real time."""

from __future__ import annotations

from pathlib import Path

import click

from kelly_live.engine.options.click_options import (
    INPUT_FILE,
    OUTPUT_FILE,
    CheckedCommand,
    add_options,
    debug_option,
    print_line,
    print_notice,
)
from kelly_live.engine.options.commands import RenderOptions


@click.command(cls=CheckedCommand)
@click.argument("recording", type=INPUT_FILE)
@click.option("--midi", type=OUTPUT_FILE, help="The MIDI file to write.")
@click.option("--wav", type=OUTPUT_FILE, help="Write a WAV, with the built-in synthesiser.")
@click.option("--plot", type=OUTPUT_FILE, help="Draw a picture: emotion over time above a piano roll (PNG).")
@add_options(RenderOptions)
@debug_option
def command(recording: Path, midi: Path | None, wav: Path | None, plot: Path | None, options: RenderOptions) -> None:
    """Accompany RECORDING (WAV, FLAC, OGG/Opus, MP3, or the notes of a MIDI file).

    Same input, seed and version give the same bytes.
    """
    from kelly_live.engine.accompaniment import accompany_recording
    from kelly_live.engine.build import check_outputs, check_suffixes
    from kelly_live.ui.terminal import progress

    paths = [path for path in (midi, wav, plot) if path is not None]
    if not paths:
        raise click.UsageError("say what to write: --midi OUT.mid, --wav OUT.wav or --plot OUT.png")
    check_suffixes(midi=midi, wav=wav, plot=plot)
    check_outputs(paths)
    result = accompany_recording(
        recording, options, print_notice, lambda total: progress(total, "listening and playing")
    )
    result.performance.write_files(midi=midi, wav=wav, plot=plot)
    for line in (*result.describe(), *(f"wrote {path}" for path in paths)):
        print_line(line)
