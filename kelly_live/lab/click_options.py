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


def set_option(function: F) -> F:
    """Declare --set as `model_set`: which set of models is trained or measured."""
    from kelly_live.core.resources import MODEL_SETS, OPEN_MODELS

    return click.option(
        "--set", "model_set", type=click.Choice(MODEL_SETS), default=OPEN_MODELS, show_default=True,
        help="Which set of models.",
    )(function)  # fmt: skip


def measured_set_option(function: F) -> F:
    """Declare --set as `model_set`: which set of models is measured; None measures those in use."""
    from kelly_live.core.resources import DEFAULT_MODELS, MODEL_SETS

    return click.option(
        "--set", "model_set", type=click.Choice(MODEL_SETS), help=f"Which set of models. [default: {DEFAULT_MODELS}]"
    )(function)


def set_out_option(name: str) -> Callable[[F], F]:
    """Declare --out, whose default is a name in the folder of the set."""
    return click.option("--out", type=FILE, help=f"The file; its card beside it. [default: models/SET/{name}]")


def choose_out(out: Path | None, model_set: str, name: str) -> Path:
    """Return where a part of a set is written."""
    return out or Path("models") / model_set / name


def require_folders(**folders: Path | None) -> list[Path]:
    """Return the folders that a set is trained from, in order. Raises click.UsageError if one was not named."""
    missing = [f"--{name.replace('_', '-')}" for name, folder in folders.items() if folder is None]
    if missing:
        raise click.UsageError(f"this set needs {' and '.join(missing)}; name the folders")
    return [folder for folder in folders.values() if folder is not None]


def out_option(name: str) -> Callable[[F], F]:
    """Declare --out with a default name."""
    return click.option(
        "--out", type=FILE, default=Path(name), show_default=True, help="Checkpoint; its card beside it."
    )
