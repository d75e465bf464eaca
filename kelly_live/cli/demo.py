"""`kelly-live demo`: the live path on the bundled recording; no sound card, MIDI or network needed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from kelly_live.engine.options.click_options import (
    OUTPUT_FOLDER,
    CheckedCommand,
    add_options,
    debug_option,
    print_line,
    print_notice,
    seed_option,
)
from kelly_live.engine.options.commands import RenderOptions

SEED = 12  # begins in the recording's key, before the band has heard it


@click.command(cls=CheckedCommand)
@click.option(
    "--out",
    type=OUTPUT_FOLDER,
    default=Path("kelly-live-demo"),
    show_default=True,
    help="The folder for the results; it is created if it does not exist.",
)
@seed_option(default=SEED)  # part of the options, with a default of its own
@add_options(RenderOptions, only=("culture", "profile", "models", "device"))
@debug_option
def command(out: Path, options: RenderOptions) -> None:
    """Play along with the bundled recording, as with --follow all.

    Writes a WAV of both, a MIDI file of the band, and a picture.
    """
    from kelly_live.core.atomic_write import create_folder
    from kelly_live.core.resources import find_resources
    from kelly_live.engine.accompaniment import accompany_recording
    from kelly_live.engine.build import check_outputs
    from kelly_live.sync import TRACKABLE
    from kelly_live.ui.terminal import progress

    create_folder(out, "name another with --out")
    midi, wav, plot = paths = [out / f"demo.{kind}" for kind in ("mid", "wav", "png")]
    check_outputs(paths)
    recording = find_resources("presets") / "demo" / "recording.ogg"
    print_line(f"listening to {recording}")
    result = accompany_recording(
        recording,
        replace(options, follow=TRACKABLE),
        print_notice,
        lambda total: progress(total, "listening and playing"),
    )
    result.performance.write_files(midi=midi, plot=plot)
    result.performance.write_mix(wav, recording)
    for line in (*result.describe(), *(f"wrote {path}" for path in paths)):
        print_line(line)
    print_line(f"hear both, the piano and the band that joins it: {wav}")
