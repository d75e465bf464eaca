"""Find the checkpoints and presets that are installed with the package."""

from __future__ import annotations

import os
from pathlib import Path

from kelly_live.core.errors import ConfigError

_KINDS = ("models", "presets")


def find_resources(kind: str) -> Path:
    """Return the folder of `kind` ("models" or "presets").

    That is $KELLY_LIVE_MODELS or $KELLY_LIVE_PRESETS if it is set (for models also one file with all nets), otherwise
    the folder inside the installed package, otherwise (an editable install) that of the checkout. Raises ConfigError.
    """
    override = os.environ.get(f"KELLY_LIVE_{kind.upper()}")
    package = Path(__file__).resolve().parents[1]
    candidates = [Path(override)] if override else [package / kind, package.parent / kind]
    for folder in candidates:
        if folder.is_dir() or (kind == "models" and folder.is_file()):
            return folder
    raise ConfigError(
        f"the folder {kind!r} is not at {' or '.join(map(str, candidates))}; reinstall kelly-live, "
        f"or set KELLY_LIVE_{kind.upper()} to where it is"
    )


def find_resource_file(kind: str, name: str) -> Path:
    """Return a file of `kind`: the one in the folder of `find_resources`, or the shipped one where that has none.

    Raises ConfigError.
    """
    own = find_resources(kind) / name
    package = Path(__file__).resolve().parents[1]
    for path in (own, package / kind / name, package.parent / kind / name):
        if path.is_file():
            return path
    raise ConfigError(f"there is no {name} in {own.parent}; reinstall kelly-live")


def is_shipped(path: Path) -> bool:
    """Return whether a file was installed with the code, and so is trusted like the code."""
    package = Path(__file__).resolve().parents[1]
    return any(path.resolve().is_relative_to(root / kind) for root in (package, package.parent) for kind in _KINDS)
