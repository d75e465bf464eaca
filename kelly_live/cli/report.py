"""`kelly-live report LOG`: what a session was, as JSON and as a picture."""

from __future__ import annotations

from pathlib import Path

import click

from kelly_live.engine.options.click_options import (
    INPUT_FILE,
    OUTPUT_FILE,
    CheckedCommand,
    debug_option,
    print_line,
    print_notice,
)


@click.command(cls=CheckedCommand)
@click.argument("log", type=INPUT_FILE)
@click.option("--json", type=OUTPUT_FILE, help="The JSON file to write [default: none, only print].")
@click.option("--picture", type=OUTPUT_FILE, help="The picture (PNG) to write.")
@debug_option
def command(log: Path, json: Path | None, picture: Path | None) -> None:
    """Report a session from its LOG of --record or --log: feeling, music, and who steered.

    The log is played again to count its notes. The report says what the program heard and did, and nothing about the
    people who listened.
    """
    from kelly_live.engine.build import check_outputs, check_suffixes
    from kelly_live.engine.session_report import load_report, write_report
    from kelly_live.recording.report import describe_report

    check_outputs([json, picture], source=log)
    check_suffixes(plot=picture)
    report = load_report(log, print_notice)
    for line in (*describe_report(report), *write_report(report, json, picture)):
        print_line(line)
