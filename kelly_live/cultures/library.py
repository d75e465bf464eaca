"""Finds culture presets: the user's own folder first, then the shipped one; `NAME` and `NAME:MODE` as typed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kelly_live.core import preset_library as shelves
from kelly_live.core.errors import ConfigError
from kelly_live.core.resources import find_resources
from kelly_live.cultures.preset import CulturePreset, Mode, load_file

LISTING_COMMAND = "kelly-live cultures"
PLAIN = "western"  # the base mapping as it is: id 0, "none"
# The order is the adapter's ids (from 1): never reorder, only append.
CULTURES = (
    "turkish-makam", "persian-dastgah", "arab-maqam", "moroccan-al-ala", "hindustani", "carnatic", "chinese-han-folk",
    "jingju", "mandopop", "japanese-minyo", "korean-jeongak", "javanese-gamelan", "irish-traditional", "swedish-polska",
    "klezmer", "german-folk", "british-american-ballad", "jazz-swing", "cuban-son", "georgian-vocal",
)  # fmt: skip
_LONGEST = 2 * shelves.MAX_NAME + 1


@dataclass(frozen=True, slots=True)
class Choice:
    """A preset and the mode asked for, or None where the emotion is to choose among its modes."""

    preset: CulturePreset
    mode: Mode | None


@dataclass(frozen=True, slots=True)
class Shelved:
    """A file on the shelf: its preset, or the problem that keeps it from being used. `own`: from the user's folder."""

    name: str
    path: Path
    own: bool
    preset: CulturePreset | None
    problem: str | None


def culture_ids() -> tuple[str, ...]:
    """The shipped traditions; a name's place from 1 is its id for the adapter."""
    return CULTURES


def culture_id(name: str) -> int:
    """The adapter's id of a preset: 0 ("none": unchanged) for the plain default and for a user's own."""
    return CULTURES.index(name) + 1 if name in CULTURES else 0


def user_folder() -> Path:
    """Where a user's own presets lie; it need not exist."""
    return shelves.user_folder("cultures")


def preset_folders() -> tuple[Path, ...]:
    """Where presets are looked for, in this order. Raises ConfigError if the shipped ones are missing."""
    return user_folder(), find_resources("presets") / "cultures"


def load_culture(name: str, folders: Sequence[Path] | None = None) -> CulturePreset:
    """The preset called `name`. Raises ConfigError: no such name (with near ones), or a preset that breaks a rule."""
    shelf = shelves.find_presets(preset_folders() if folders is None else folders)
    return load_file(shelf[shelves.resolve_name(name, tuple(shelf), "culture", LISTING_COMMAND)])


def choose_culture(typed: str, folders: Sequence[Path] | None = None) -> Choice:
    """`NAME` or `NAME:MODE`, as typed. Raises ConfigError."""
    if len(typed) > _LONGEST:
        raise ConfigError(
            f"the culture {typed[:40]!r}… is too long; give NAME or NAME:MODE as `{LISTING_COMMAND}` shows"
        )
    name, colon, mode_name = typed.partition(":")
    preset = load_culture(name, folders)
    if not colon:
        return Choice(preset, None)
    if not preset.modes:
        raise ConfigError(f"{preset.name} has no modes of its own; give --culture {preset.name}")
    names = tuple(mode.name for mode in preset.modes)
    found = shelves.resolve_name(mode_name, names, f"mode of {preset.name}", f"{LISTING_COMMAND} {preset.name}")
    return Choice(preset, preset.mode(found))


def list_cultures(folders: Sequence[Path] | None = None) -> tuple[Shelved, ...]:
    """Every preset by name, also those that cannot be used, with the reason; the shipped order first."""
    given = preset_folders() if folders is None else tuple(folders)
    listed = []
    for name, path in shelves.find_presets(given).items():
        preset, problem = None, None
        try:
            preset = load_file(path)
        except ConfigError as error:
            problem = str(error)
        listed.append(Shelved(name, path, path.parent != given[-1], preset, problem))
    order = (*CULTURES, PLAIN)
    return tuple(sorted(listed, key=lambda one: (order.index(one.name) if one.name in order else len(order), one.name)))
