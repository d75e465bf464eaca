"""Where the checkpoints and presets that travel with the package are found."""

from __future__ import annotations

import os
from pathlib import Path

from kelly_live.core.errors import ConfigError

_KINDS = ("models", "presets")


def find_resources(kind: str) -> Path:
    """The folder of `models` or `presets`: $KELLY_LIVE_MODELS / _PRESETS if set (models: or one file of them all), else
    inside the installed package, else (an editable install) the checkout it lies in. Raises ConfigError.
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


def is_shipped(path: Path) -> bool:
    """Whether a file came with the code, and is trusted as the code is."""
    package = Path(__file__).resolve().parents[1]
    return any(path.resolve().is_relative_to(home / kind) for home in (package, package.parent) for kind in _KINDS)
