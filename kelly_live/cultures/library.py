"""Finds culture presets by name, in the user's own folder first, then in the shipped one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

from kelly_live.core import preset_library
from kelly_live.core.errors import ConfigError
from kelly_live.core.resources import find_resources
from kelly_live.cultures.preset import CulturePreset, Mode, load_preset_file

LISTING_COMMAND = "kelly-live cultures"
PLAIN = "western"  # the base mapping as it is: id 0, "none"
# The order is the adapter's ids (from 1): never reorder, only append.
CULTURES = (
    "turkish-makam", "persian-dastgah", "arab-maqam", "moroccan-al-ala", "hindustani", "carnatic", "chinese-han-folk",
    "jingju", "mandopop", "japanese-minyo", "korean-jeongak", "javanese-gamelan", "irish-traditional", "swedish-polska",
    "klezmer", "german-folk", "british-american-ballad", "jazz-swing", "cuban-son", "georgian-vocal",
)  # fmt: skip
Notify: TypeAlias = Callable[[str], None]
_log = logging.getLogger(__name__)
_LONGEST = 2 * preset_library.MAX_NAME + 1


@dataclass(frozen=True, slots=True)
class CultureChoice:
    """A preset and the chosen mode, or None where the emotion chooses among its modes."""

    preset: CulturePreset
    mode: Mode | None


@dataclass(frozen=True, slots=True)
class CultureFile:
    """A preset's file with its preset, or with the problem that keeps it from being used.

    `is_own`: it lies in the user's folder.
    """

    name: str
    path: Path
    is_own: bool
    preset: CulturePreset | None
    problem: str | None


def list_culture_ids() -> tuple[str, ...]:
    """List the shipped cultures; a name's place from 1 is its id for the adapter."""
    return CULTURES


def get_culture_id(name: str) -> int:
    """Return the adapter's id of a preset: 0 (no change) for the plain default and for a user's own."""
    return CULTURES.index(name) + 1 if name in CULTURES else 0


def user_folder() -> Path:
    """Return the folder of the user's own presets; it need not exist."""
    return preset_library.user_folder("cultures")


def list_folders() -> tuple[Path, ...]:
    """List the folders of presets in the order of search; raises ConfigError if one is missing."""
    return user_folder(), find_resources("presets") / "cultures"


def find_culture(name: str, folders: Sequence[Path] | None = None, notify: Notify = _log.warning) -> Path:
    """Return the file of the preset called `name`; raises ConfigError if there is none.

    `notify` is told if a file of that name was left out, and another is used.
    """
    presets = preset_library.find_presets(list_folders() if folders is None else folders)
    return presets.choose(name, "culture", LISTING_COMMAND, notify)


def load_culture(name: str, folders: Sequence[Path] | None = None, notify: Notify = _log.warning) -> CulturePreset:
    """Load the preset called `name`; raises ConfigError if there is none, or if it breaks a rule."""
    return load_preset_file(find_culture(name, folders, notify))


def choose_culture(
    selection: str, folders: Sequence[Path] | None = None, notify: Notify = _log.warning
) -> CultureChoice:
    """Find the culture that was typed as `NAME` or `NAME:MODE`; raises ConfigError."""
    if len(selection) > _LONGEST:
        raise ConfigError(
            f"the culture {selection[:40]!r}… is too long; give NAME or NAME:MODE as `{LISTING_COMMAND}` shows"
        )
    name, colon, mode_name = selection.partition(":")
    preset = load_culture(name, folders, notify)
    if not colon:
        return CultureChoice(preset, None)
    if not preset.modes:
        raise ConfigError(f"{preset.name} has no modes of its own; give --culture {preset.name}")
    names = tuple(mode.name for mode in preset.modes)
    full_name = preset_library.resolve_name(
        mode_name, names, f"mode of {preset.name}", f"{LISTING_COMMAND} {preset.name}"
    )
    return CultureChoice(preset, preset.mode(full_name))


def list_left_out(folders: Sequence[Path] | None = None) -> tuple[tuple[Path, str], ...]:
    """List what lies in the folders and is no preset: path and reason."""
    return preset_library.find_presets(list_folders() if folders is None else folders).left_out


def list_names() -> list[str]:
    """List the names of the presets, in the shipped order first, without reading them."""
    return sorted(preset_library.find_presets(list_folders()).files, key=_rank)


def list_cultures(folders: Sequence[Path] | None = None) -> tuple[CultureFile, ...]:
    """List every preset, in the shipped order first; also those that cannot be used, with the reason."""
    searched = list_folders() if folders is None else tuple(folders)
    culture_files = []
    for name, path in preset_library.find_presets(searched).files.items():
        preset, problem = None, None
        try:
            preset = load_preset_file(path)
        except ConfigError as error:
            problem = str(error)
        culture_files.append(CultureFile(name, path, path.parent != searched[-1], preset, problem))
    return tuple(sorted(culture_files, key=lambda file: _rank(file.name)))


def _rank(name: str) -> tuple[int, str]:
    order = (*CULTURES, PLAIN)
    return (order.index(name) if name in order else len(order), name)


def describe_cultures() -> dict[str, Any]:
    """Describe every preset, what was left out, and the user's folder, as values for JSON."""
    rows = [
        {
            "name": one.name,
            "id": get_culture_id(one.name),
            "own": one.is_own,
            "path": str(one.path),
            "problem": one.problem,
            "preset": None if one.preset is None else asdict(one.preset),
        }
        for one in list_cultures()
    ]
    left_out = [{"path": str(path), "problem": reason} for path, reason in list_left_out()]
    return {"cultures": rows, "left_out": left_out, "user_folder": str(user_folder())}
