"""Look up YAML presets by name; presets in the user's folder take precedence over the shipped ones."""

from __future__ import annotations

import difflib
import errno
import os
import re
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kelly_live.core.errors import ConfigError
from kelly_live.core.name_matching import matches
from kelly_live.core.safe_yaml import MAX_BYTES

NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*", re.ASCII)  # no dot or slash: a name cannot leave its folder
MAX_NAME = 48  # characters
_MAX_SUGGESTIONS = 5
_SUFFIX = ".yaml"


def user_folder(kind: str) -> Path:
    """Return the folder of the user's own presets of this kind; it need not exist."""
    import platformdirs

    return platformdirs.user_data_path("kelly-live", appauthor=False) / kind


@dataclass(frozen=True, slots=True)
class FoundPresets:
    """The preset files of some folders by name, and what was left out there: path and reason."""

    files: dict[str, Path]
    left_out: tuple[tuple[Path, str], ...]

    def choose(self, query: str, kind: str, listing: str, notify: Callable[[str], None]) -> Path:
        """Return the file of the preset that was typed (`resolve_name`). Raises ConfigError.

        If a file of that name was left out, `notify` is told that another folder's is used instead.
        """
        key = query.strip().casefold()
        try:
            name = resolve_name(query, tuple(self.files), kind, listing)
        except ConfigError:
            for path, reason in self.left_out:
                if path.stem.casefold() == key:
                    raise ConfigError(f"no {kind} is called {query[:MAX_NAME]!r}: {path} {reason}") from None
            raise
        for path, reason in self.left_out:
            if path.stem == name:
                notify(f"{path} {reason}; until then {self.files[name]} is used")
        return self.files[name]


def find_presets(folders: Sequence[Path]) -> FoundPresets:
    """Find the preset files; of two with one name, the one in the earlier folder.

    Only plain files of a bounded size, directly in a folder and with a plain name, count; a link may not lead out of
    the folder. Anything else there that looks like a preset is left out, and stops nothing.
    """
    files: dict[str, Path] = {}
    left_out: list[tuple[Path, str]] = []
    for folder in folders:
        try:
            real_folder = os.path.realpath(folder, strict=True)
            paths = sorted(folder / name for name in os.listdir(folder))
        except FileNotFoundError:
            if folder.is_symlink():
                left_out.append((folder, "is a link to nothing; remove it, or make the folder"))
            continue
        except OSError as error:
            left_out.append((folder, f"cannot be read ({_explain(error)}); check what it is, and its rights"))
            continue
        for file in paths:
            if file.name.startswith(".") or file.suffix.lower() not in (_SUFFIX, ".yml"):
                continue
            problem = _find_problem(file, real_folder)
            if problem is None:
                files.setdefault(file.stem, file)
            else:
                left_out.append((file, problem))
    return FoundPresets(files, tuple(left_out))


def _find_problem(file: Path, folder: str) -> str | None:
    """Return why a file in `folder` is no preset, with the remedy; None if it may be one."""
    if file.suffix != _SUFFIX or not NAME.fullmatch(file.stem) or len(file.stem) > MAX_NAME:
        return f"is not named as a preset; call it NAME{_SUFFIX}, NAME of 1 to {MAX_NAME} of a-z, 0-9, single hyphens"
    try:
        target = os.path.realpath(file, strict=True)
        status = os.stat(target)
    except OSError as error:
        return f"cannot be read ({_explain(error)}); remove or repair it"
    if os.path.dirname(target) != folder:
        return "is a link out of its folder; copy the file there instead"
    if not stat.S_ISREG(status.st_mode):
        return "is not a file; remove it, or rename it"
    if status.st_size > MAX_BYTES:
        return f"is over {MAX_BYTES // 1024} kB; no preset is that long: shorten it"
    if not os.access(target, os.R_OK):
        return "may not be read; check its rights"
    return None


def _explain(error: OSError) -> str:
    return "a link that leads to itself" if error.errno == errno.ELOOP else error.strerror or str(error)


def resolve_name(query: str, names: Sequence[str], kind: str, listing: str) -> str:
    """Return the one of `names` that was typed.

    It is equal but for case, or the only one that contains the typed words. Raises ConfigError with the nearest names.
    """
    key = query.strip().casefold().replace("_", "-").replace(" ", "-")
    if key in names:
        return key
    matching = [name for name in names if key and matches(key.replace("-", " "), name)]
    if len(matching) == 1:
        return matching[0]
    if matching:
        suggestions = ", ".join(matching[:_MAX_SUGGESTIONS]) + (" …" if len(matching) > _MAX_SUGGESTIONS else "")
        raise ConfigError(
            f"{kind} {query[:MAX_NAME]!r} is ambiguous: {suggestions}; give the whole name (see `{listing}`)"
        )
    similar_names = difflib.get_close_matches(key, names, n=_MAX_SUGGESTIONS, cutoff=0.5)
    hint = f"did you mean {' or '.join(similar_names)}?" if similar_names else f"there are {len(names)}"
    raise ConfigError(f"no {kind} is called {query[:MAX_NAME]!r}; {hint} (see `{listing}`)")
