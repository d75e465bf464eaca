"""A shelf of YAML presets: the user's own folder before the shipped one, and a name as it was typed."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path

from kelly_live.core.errors import ConfigError
from kelly_live.core.name_matching import matches

NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*", re.ASCII)  # no dot or slash: never leaves its folder
MAX_NAME = 48
_NEAR = 5


def user_folder(kind: str) -> Path:
    """Where a user's own presets of this kind lie; it need not exist."""
    import platformdirs

    return platformdirs.user_data_path("kelly-live", appauthor=False) / kind


def find_presets(folders: Sequence[Path]) -> dict[str, Path]:
    """Name -> file, the first folder winning. Only plain names directly in a folder; a link may not lead out of it.
    Raises ConfigError.
    """
    shelf: dict[str, Path] = {}
    for folder in folders:
        try:
            files = sorted(folder.glob("*.yaml"))
            home = folder.resolve()
            inside = [file for file in files if file.resolve().parent == home]
        except OSError as error:
            raise ConfigError(f"{folder} cannot be read ({error.strerror}); check its rights") from error
        for file in inside:
            if NAME.fullmatch(file.stem) and len(file.stem) <= MAX_NAME:
                shelf.setdefault(file.stem, file)
    return shelf


def resolve_name(typed: str, names: Sequence[str], kind: str, listing: str) -> str:
    """The one of `names` that was meant: itself, ignoring case, or the only one that has the typed words.

    Raises ConfigError with the nearest names.
    """
    wanted = typed.strip().casefold().replace("_", "-").replace(" ", "-")
    if wanted in names:
        return wanted
    holding = [name for name in names if wanted and matches(wanted.replace("-", " "), name)]
    if len(holding) == 1:
        return holding[0]
    if holding:
        listed = ", ".join(holding[:_NEAR]) + (" …" if len(holding) > _NEAR else "")
        raise ConfigError(f"{kind} {typed[:MAX_NAME]!r} is ambiguous: {listed}; give the whole name (see `{listing}`)")
    near = difflib.get_close_matches(wanted, names, n=_NEAR, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {len(names)}"
    raise ConfigError(f"no {kind} is called {typed[:MAX_NAME]!r}; {hint} (see `{listing}`)")
