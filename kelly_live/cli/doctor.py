"""`kelly-live doctor`: what works here, as a report to paste."""

from __future__ import annotations

import click

from kelly_live.engine.options.click_options import CheckedCommand, debug_option, print_line


@click.command(cls=CheckedCommand)
@click.option("--names", is_flag=True, help="Name ports and inputs too; they may say who you are.")
@debug_option
def command(names: bool) -> int:
    """Check what a session needs, and print a report to paste; nothing private is in it. Exits 1 if something fails."""
    from kelly_live.core.wording import plural
    from kelly_live.engine.diagnosis import diagnose

    faults = 0
    for finding in diagnose(with_names=names):
        faults += finding.is_fault
        print_line(finding.describe())
    if faults:
        print_line(f"{plural(faults, 'thing')} to mend, marked !!")
    return 1 if faults else 0
