"""`kelly-live study run`: ask people, in a browser."""

from __future__ import annotations

from pathlib import Path

import click

from kelly_live.engine.options.click_options import (
    OUTPUT_FOLDER,
    CheckedCommand,
    WholeNumber,
    debug_option,
    print_line,
)

PORT = 8809


@click.command("run", cls=CheckedCommand)
@click.argument("folder", type=OUTPUT_FOLDER)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to serve on: 0.0.0.0 for the room.")
@click.option("--port", type=WholeNumber(0, 65535), default=PORT, show_default=True, help="0: any that is free.")
@debug_option
def command(folder: Path, host: str, port: int) -> None:
    """Serve the study in FOLDER until Ctrl-C; each listener opens the address that is printed.

    Answers go to FOLDER/answers, a CSV file a listener, with nothing that says who he is.
    """
    from kelly_live.lab.study.server import serve_study

    serve_study(folder, host=host, port=port, say=print_line)
