"""`kelly-live gallery`: two minutes of each emotion and one of each tradition, to hear and to see."""

from __future__ import annotations

from pathlib import Path

import click

from kelly_live.engine.options.click_options import (
    OUTPUT_FILE,
    OUTPUT_FOLDER,
    CheckedCommand,
    debug_option,
    models_option,
    print_line,
    seed_option,
)


@click.command(cls=CheckedCommand)
@click.argument("folder", type=OUTPUT_FOLDER)
@click.option("--only", multiple=True, metavar="NAME", help="Only this emotion, tradition, `emotions` or `traditions`.")
@click.option("--sheet", type=OUTPUT_FILE, help="Also draw one picture of all pieces, as a PNG.")
@seed_option("Same seed, same pieces.")
@models_option
@debug_option
def command(folder: Path, only: tuple[str, ...], sheet: Path | None, seed: int) -> None:
    """Write two minutes of each emotion, and one of each tradition, to FOLDER; open FOLDER/index.html to hear them.

    Each piece is a MIDI file, an MP3 and a piano roll, played by the preset `band`. All of them take three to five
    minutes and 50 MB; `--only happy --only klezmer` takes two pieces.
    """
    from kelly_live.core.atomic_write import create_folder, write_atomically
    from kelly_live.engine.build import check_outputs
    from kelly_live.engine.gallery import GalleryPiece, list_pieces, write_gallery
    from kelly_live.ui.rolls import draw_rolls
    from kelly_live.ui.terminal import progress

    names = list_pieces(only)
    create_folder(folder)
    check_outputs([sheet])
    with progress(len(names), "playing") as bar:

        def report(piece: GalleryPiece) -> None:
            bar.advance()
            print_line(f"{piece.name}: {piece.roll.caption}")

        pieces = write_gallery(folder, names, seed=seed, report=report)
    print_line(f"to hear and see them, open {folder / 'index.html'}")
    if sheet is not None:
        write_atomically(sheet, draw_rolls([piece.roll for piece in pieces]))
        print_line(f"all of them -> {sheet}")
