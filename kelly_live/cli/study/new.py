"""`kelly-live study new`: make the sounds and the design of a listening study."""

from __future__ import annotations

from pathlib import Path

import click

from kelly_live.core.values import EMOTIONS
from kelly_live.engine.options.click_options import (
    INPUT_FILE,
    OUTPUT_FOLDER,
    CheckedCommand,
    Number,
    WholeNumber,
    debug_option,
    models_option,
    print_line,
    seed_option,
)

DEFAULT_EMOTIONS = ("happy", "sad", "angry", "fearful", "neutral", "excited")


@click.command("new", cls=CheckedCommand)
@click.argument("folder", type=OUTPUT_FOLDER)
@click.option("--title", default="What does this music express?", show_default=True, help="What listeners read on top.")
@click.option(
    "--emotion", "emotions", multiple=True, type=click.Choice(EMOTIONS), default=DEFAULT_EMOTIONS,
    help=f"An emotion that is meant, and a word to choose. [default: {', '.join(DEFAULT_EMOTIONS)}]",
)  # fmt: skip
@click.option(
    "--pieces", type=WholeNumber(1, 50), default=2, show_default=True, help="Pieces an emotion and condition."
)
@click.option("--baseline/--no-baseline", default=True, show_default=True, help="Also neutral music in the same tempi.")
@click.option("--clips", type=INPUT_FILE, metavar="FILE.csv", help="Also these clips; columns: file,emotion.")
@click.option("--seconds", type=Number(3.0, 120.0), default=20.0, show_default=True, help="How long a sound is.")
@click.option("--listeners", type=WholeNumber(1, 10_000), default=24, show_default=True, help="How many are planned.")
@seed_option("Same seed, same study.")
@models_option
@debug_option
def command(
    folder: Path,
    title: str,
    emotions: tuple[str, ...],
    pieces: int,
    baseline: bool,
    clips: Path | None,
    seconds: float,
    listeners: int,
    seed: int,
) -> None:
    """Make a study in FOLDER: sounds, design, consent text, and the registration, filled in."""
    from kelly_live.lab.study.new import StudyPlan, create_study
    from kelly_live.ui.terminal import progress

    plan = StudyPlan(title, tuple(dict.fromkeys(emotions)), pieces, baseline, clips, seconds, listeners, seed)
    with progress(plan.count_pieces(), "composing") as bar:
        design = create_study(folder, plan, bar.advance)
    print_line(f"{len(design.stimuli)} sounds in {', '.join(design.conditions)} -> {folder}")
    print_line(f"read and register {folder / 'preregistration.md'}, mend {folder / 'consent.txt'}, and then:")
    print_line(f"kelly-live study run {folder}")
