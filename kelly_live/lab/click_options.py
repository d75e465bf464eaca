"""Options that several of the laboratory's commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from kelly_live.engine.options.click_options import debug_option

F = TypeVar("F", bound=Callable[..., Any])

FOLDER = click.Path(path_type=Path, file_okay=False)
FILE = click.Path(path_type=Path, dir_okay=False)
ANY_PATH = click.Path(path_type=Path)
DEFAULT_CACHE = Path.home() / ".cache" / "kelly-live"


def data_options(function: F) -> F:
    """Declare --data, --symbolic, --cache, --most, --threads and --debug."""
    for option in (
        debug_option,
        click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="CPU threads for torch."),
        click.option("--most", type=click.IntRange(1), default=1000, show_default=True, help="Train clips a data set."),
        click.option("--cache", type=FOLDER, default=DEFAULT_CACHE, show_default=True, help="Features and renderings."),
        click.option("--symbolic", type=FOLDER, help="Folder of a symbolic manifest.jsonl (MIDI, rendered)."),
        click.option("--data", type=FOLDER, help="Folder of an audio manifest.jsonl."),
    ):
        function = option(function)
    return function


def out_option(name: str) -> Callable[[F], F]:
    """Declare --out with a default name."""
    return click.option(
        "--out", type=FILE, default=Path(name), show_default=True, help="Checkpoint; its card beside it."
    )
