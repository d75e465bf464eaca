"""`kelly-live study analyse`: what people heard."""

from __future__ import annotations

from pathlib import Path

import click

from kelly_live.engine.options.click_options import OUTPUT_FOLDER, CheckedCommand, debug_option, print_line


@click.command("analyse", cls=CheckedCommand)
@click.argument("folder", type=OUTPUT_FOLDER)
@debug_option
def command(folder: Path) -> None:
    """Print hit rates, slopes, contrasts and confusion of the study in FOLDER, and write them to FOLDER/results.md."""
    from kelly_live.core.atomic_write import write_atomically
    from kelly_live.lab.study.analysis import analyze_answers
    from kelly_live.lab.study.answers import read_answers
    from kelly_live.lab.study.design import load_design
    from kelly_live.lab.study.report import REPORT, write_report

    design = load_design(folder)
    report = write_report(design, analyze_answers(design, list(read_answers(folder))))
    write_atomically(folder / REPORT, report.encode())
    for line in report.splitlines():
        print_line(line)
