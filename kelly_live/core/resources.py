"""Find the sets of models and the presets that are installed with the package.

The models come in sets, a folder each: `open` may be played with at a paid concert, `research` may not, and a folder of
the user's own is a set as well. One set is in use in a process, and in those that it starts: `select_models` chooses
it. Each set's `licences.json` lists its files and their terms (`core/model_licences.py`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from kelly_live.core.errors import ConfigError
from kelly_live.core.wording import escape

_KINDS = ("models", "presets")
OPEN_MODELS, RESEARCH_MODELS = "open", "research"
MODEL_SETS = (OPEN_MODELS, RESEARCH_MODELS)
DEFAULT_MODELS = OPEN_MODELS
MODELS_VARIABLE = "KELLY_LIVE_MODELS"  # a name of MODEL_SETS, a folder, or one file with all nets


def select_models(choice: str | Path | None) -> None:
    """Use a set of models from now on, in this process and those that it starts; None changes nothing.

    `choice`: a name of MODEL_SETS, a folder, or one file with all nets. Raises ConfigError if it is not there.
    """
    if choice is not None:
        _locate_models(str(choice))
        os.environ[MODELS_VARIABLE] = str(choice)


@contextmanager
def models_in_use(choice: str | Path | None) -> Iterator[None]:
    """Use a set of models inside the block, in the whole process; None changes nothing. Raises ConfigError."""
    before = os.environ.get(MODELS_VARIABLE)
    select_models(choice)
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(MODELS_VARIABLE, None)
        else:
            os.environ[MODELS_VARIABLE] = before


def name_models() -> str:
    """Return the set in use: a name of MODEL_SETS, or the path of the user's own."""
    return os.environ.get(MODELS_VARIABLE) or DEFAULT_MODELS


def find_resources(kind: str) -> Path:
    """Return the folder of `kind` ("models": of the set in use, or "presets").

    For presets that is $KELLY_LIVE_PRESETS if it is set, otherwise the folder inside the installed package, otherwise
    (an editable install) that of the checkout. A set of models may also be one file with all nets. Raises ConfigError.
    """
    if kind == "models":
        return _locate_models(name_models())
    override = os.environ.get(f"KELLY_LIVE_{kind.upper()}")
    candidates = [Path(override)] if override else _list_shipped(kind)
    for folder in candidates:
        if folder.is_dir():
            return folder
    raise ConfigError(
        f"the folder {kind!r} is not at {' or '.join(map(str, candidates))}; reinstall kelly-live, "
        f"or set KELLY_LIVE_{kind.upper()} to where it is"
    )


def find_model_set(name: str) -> Path:
    """Return the folder of a shipped set, one of MODEL_SETS. Raises ConfigError if it is not installed."""
    candidates = [root / name for root in _list_shipped("models")]
    for folder in candidates:
        if folder.is_dir():
            return folder
    other = OPEN_MODELS if name == RESEARCH_MODELS else RESEARCH_MODELS
    raise ConfigError(
        f"the models {name!r} are not installed (not at {' or '.join(map(str, candidates))}); "
        f"choose others (--models {other}), or reinstall kelly-live"
    )


def find_model_file(name: str) -> Path:
    """Return a file of the set in use, or of `open` where the set has none of its own.

    The file need not exist: its reader then says so. Raises ConfigError if the set is not there.
    """
    return locate_model_file(find_resources("models"), name)


def locate_model_file(models: Path, name: str) -> Path:
    """Return a file of a set's folder, or of `open` where that has none; also if `models` is one file with all nets."""
    own = models / name
    if own.is_file():
        return own
    shipped = [root / OPEN_MODELS / name for root in _list_shipped("models")]
    return next((path for path in shipped if path.is_file()), own)


def is_shipped(path: Path) -> bool:
    """Return whether a file was installed with the code, and so is trusted like the code."""
    return any(path.resolve().is_relative_to(root) for kind in _KINDS for root in _list_shipped(kind))


def _list_shipped(kind: str) -> list[Path]:
    package = Path(__file__).resolve().parents[1]
    return [package / kind, package.parent / kind]


@lru_cache(maxsize=8)
def _locate_models(choice: str) -> Path:
    if choice in MODEL_SETS:
        return find_model_set(choice)
    path = Path(choice)
    if path.is_dir() or path.is_file():
        return path
    raise ConfigError(
        f"there are no models {escape(choice[:80])!r}: name {' or '.join(MODEL_SETS)}, a folder of checkpoints, or one "
        "file with all nets"
    )
