"""`kelly-live gallery`: a minute of each quadrant of the emotion plane, solo and with the band."""

from __future__ import annotations

from pathlib import Path

import click

from kelly_live.engine.options.click_options import (
    OUTPUT_FILE,
    OUTPUT_FOLDER,
    CheckedCommand,
    debug_option,
    print_line,
    seed_option,
)


@click.command(cls=CheckedCommand)
@click.argument("folder", type=OUTPUT_FOLDER)
@click.option("--sheet", type=OUTPUT_FILE, help="Also draw one picture of all eight, as a PNG.")
@seed_option("Same seed, same pieces.")
@debug_option
def command(folder: Path, sheet: Path | None, seed: int) -> None:
    """Write eight pieces of about a minute to FOLDER, each as MIDI, WAV and picture.

    They play the centre of each quadrant of the emotion plane (happy, tense, sad, calm), on solo piano and with the
    band.
    """
    from kelly_live.core.atomic_write import create_folder, write_atomically
    from kelly_live.engine.build import check_outputs
    from kelly_live.engine.gallery import write_gallery
    from kelly_live.ui.rolls import draw_rolls

    create_folder(folder)
    check_outputs([sheet])
    rolls = []
    for path, roll in write_gallery(folder, seed=seed):
        rolls.append(roll)
        print_line(f"{roll.title}: {roll.caption} -> {path}, .wav, .png")
    if sheet is not None:
        write_atomically(sheet, draw_rolls(rolls, "A minute of each emotion, solo and with the band"))
        print_line(f"all of them -> {sheet}")
