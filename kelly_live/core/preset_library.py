"""Look up YAML presets by name; presets in the user's folder take precedence over the shipped ones."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path

from kelly_live.core.errors import ConfigError
from kelly_live.core.name_matching import matches

NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*", re.ASCII)  # no dot or slash: a name cannot leave its folder
MAX_NAME = 48  # characters
_MAX_SUGGESTIONS = 5


def user_folder(kind: str) -> Path:
    """Return the folder of the user's own presets of this kind; it need not exist."""
    import platformdirs

    return platformdirs.user_data_path("kelly-live", appauthor=False) / kind


def find_presets(folders: Sequence[Path]) -> dict[str, Path]:
    """Return the preset files by name; of two with one name, the one in the earlier folder.

    Only files directly in a folder and with a plain name count; a link may not lead out of the folder. Raises
    ConfigError.
    """
    presets: dict[str, Path] = {}
    for folder in folders:
        try:
            files = sorted(folder.glob("*.yaml"))
            home = folder.resolve()
            inside = [file for file in files if file.resolve().parent == home]
        except OSError as error:
            raise ConfigError(f"{folder} cannot be read ({error.strerror}); check its rights") from error
        for file in inside:
            if NAME.fullmatch(file.stem) and len(file.stem) <= MAX_NAME:
                presets.setdefault(file.stem, file)
    return presets


def resolve_name(typed: str, names: Sequence[str], kind: str, listing: str) -> str:
    """Return the one of `names` that was typed.

    It is equal but for case, or the only one that contains the typed words. Raises ConfigError with the nearest names.
    """
    wanted = typed.strip().casefold().replace("_", "-").replace(" ", "-")
    if wanted in names:
        return wanted
    matching = [name for name in names if wanted and matches(wanted.replace("-", " "), name)]
    if len(matching) == 1:
        return matching[0]
    if matching:
        listed = ", ".join(matching[:_MAX_SUGGESTIONS]) + (" …" if len(matching) > _MAX_SUGGESTIONS else "")
        raise ConfigError(f"{kind} {typed[:MAX_NAME]!r} is ambiguous: {listed}; give the whole name (see `{listing}`)")
    near = difflib.get_close_matches(wanted, names, n=_MAX_SUGGESTIONS, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {len(names)}"
    raise ConfigError(f"no {kind} is called {typed[:MAX_NAME]!r}; {hint} (see `{listing}`)")
