"""The profiles on disk: one private YAML file each, in the user's data folder.

Every change is made under one lock between processes and written beside the old file. A file that breaks the rules is
kept aside under another name, never overwritten.
"""

from __future__ import annotations

import contextlib
import difflib
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from kelly_live.core.atomic_write import create_folder, write_atomically
from kelly_live.core.errors import ConfigError, OutputError
from kelly_live.core.safe_yaml import MAX_BYTES
from kelly_live.profiles.profile import NewerFormatError, Profile, check_name, from_yaml, to_yaml

LISTING_COMMAND = "kelly-live profile list"
_PATIENCE_SECONDS = 5.0
_DEFAULT = ".default"  # holds the name of the profile that is used unless another is asked for
_NEAR = 5


@dataclass(frozen=True, slots=True)
class ListedProfile:
    """A file of the folder: its profile, or the problem that keeps it from being used."""

    name: str
    path: Path
    profile: Profile | None
    problem: str | None


def user_folder() -> Path:
    """Where the user's profiles lie; it need not exist."""
    import platformdirs

    return platformdirs.user_data_path("kelly-live", appauthor=False) / "profiles"


class ProfileStore:
    """The profiles of one folder, the user's own by default. Any thread, any number of processes."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = user_folder() if folder is None else folder

    def path(self, name: str) -> Path:
        """Return the file of a profile; raises ConfigError for a name that is none."""
        return self.folder / f"{check_name(name)}.yaml"

    def names(self) -> tuple[str, ...]:
        """Return the names in use, sorted."""
        names = []
        with contextlib.suppress(FileNotFoundError):
            for file in self._listing():
                with contextlib.suppress(ConfigError):  # not a profile's name: not ours
                    if file.suffix == ".yaml":
                        names.append(check_name(file.stem))
        return tuple(sorted(names))

    def find(self, query: str) -> str:
        """Return the name of a profile, ignoring case. Raises ConfigError with similar names."""
        key, names = query.strip().casefold(), self.names()
        if key in names:
            return key
        similar_names = difflib.get_close_matches(key[:100], names, n=_NEAR, cutoff=0.5)
        hint = f"did you mean {' or '.join(similar_names)}?" if similar_names else f"there are {len(names)}"
        make = "`kelly-live profile create NAME` makes one"
        raise ConfigError(f"no profile is called {query[:48]!r}; {hint} (see `{LISTING_COMMAND}`; {make})")

    def load(self, query: str) -> Profile:
        """Load a profile.

        Raises ConfigError if there is none, or if it is damaged; the damaged file is then renamed.
        """
        return self._read(self.find(query))

    def read(self, query: str) -> bytes:
        """Read the file of a profile. Raises ConfigError."""
        return self._bytes(self.find(query))

    def list_profiles(self) -> tuple[ListedProfile, ...]:
        """List every profile by name, also damaged ones with the reason; renames no file."""
        rows = []
        for name in self.names():
            try:
                rows.append(ListedProfile(name, self.path(name), self._parse_profile(name, self._bytes(name)), None))
            except ConfigError as error:
                rows.append(ListedProfile(name, self.path(name), None, str(error)))
        return tuple(rows)

    def list_damaged(self) -> tuple[Path, ...]:
        """Return the damaged files that were renamed."""
        if not self.folder.is_dir():
            return ()
        return tuple(sorted(file for file in self._listing() if ".damaged-" in file.name))

    def create(self, profile: Profile) -> Path:
        """Write a new profile. Raises ConfigError if the name exists."""
        with self._hold_lock():
            path = self.path(profile.name)
            if os.path.lexists(path):
                raise ConfigError(
                    f"there is a profile {profile.name!r} already; choose another name, or delete it first"
                )
            write_atomically(path, to_yaml(profile), private=True)
        return path

    def update(self, query: str, change: Callable[[Profile], Profile]) -> Profile:
        """Read, change and write one profile, while no other process can."""
        with self._hold_lock():
            before = self.load(query)
            after = change(before)
            if after != before:
                write_atomically(self.path(after.name), to_yaml(after), private=True)
        return after

    def back_up(self, name: str) -> Path:
        """Copy a profile as it is now into one file beside it, in place of the last copy. Raises ConfigError."""
        with self._hold_lock():
            path = self._backup_path(name)
            write_atomically(path, self._bytes(self.find(name)), private=True)
        return path

    def _backup_path(self, name: str) -> Path:
        return self.folder / f"{check_name(name)}.backup.yaml"  # a name that no profile can have

    def rename(self, query: str, new_name: str) -> tuple[str, str]:
        """Rename a profile, with its backup and as the default; return both names. Raises ConfigError."""
        with self._hold_lock():
            profile, after = self.load(query), check_name(new_name)
            before = profile.name
            if os.path.lexists(self.path(after)):
                raise ConfigError(f"there is a profile {after!r} already; choose another name, or delete it first")
            write_atomically(self.path(after), to_yaml(replace(profile, name=after)), private=True)
            self.path(before).unlink()
            with contextlib.suppress(FileNotFoundError):
                self._backup_path(before).replace(self._backup_path(after))
            if self.default() == before:
                self._set_default(after)
        return before, after

    def delete(self, query: str) -> str:
        """Remove a profile, also one that cannot be read, and as the default; return its name."""
        with self._hold_lock():
            name = self.find(query)
            self.path(name).unlink(missing_ok=True)
            self._backup_path(name).unlink(missing_ok=True)
            if self.default() == name:
                self._set_default(None)
        return name

    def default(self) -> str | None:
        """Return the name that `use` set, if any."""
        try:
            return check_name(read_bounded(self.folder / _DEFAULT)[:200].decode("ascii", "replace").strip())
        except ConfigError:
            return None

    def use(self, query: str | None) -> str | None:
        """Make a profile the default, or none."""
        with self._hold_lock():
            name = None if query is None else self.find(query)
            self._set_default(name)
        return name

    def _set_default(self, name: str | None) -> None:
        if name is None:
            (self.folder / _DEFAULT).unlink(missing_ok=True)
        else:
            write_atomically(self.folder / _DEFAULT, f"{name}\n".encode(), private=True)

    def _listing(self) -> list[Path]:
        try:
            return list(self.folder.iterdir())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise ConfigError(f"{self.folder} cannot be read ({error.strerror}); check its rights") from error

    def _bytes(self, name: str) -> bytes:
        """Read a file. Raises ConfigError for a link, a pipe or a file that is too large."""
        return read_bounded(self.path(name), follow_links=False)

    def _parse_profile(self, name: str, data: bytes) -> Profile:
        profile = from_yaml(data, str(self.path(name)))
        if profile.name != name:
            raise ConfigError(f"{self.path(name)} says that it is {profile.name!r}; a profile is named as its file")
        return profile

    def _read(self, name: str) -> Profile:
        data = self._bytes(name)
        try:
            return self._parse_profile(name, data)
        except NewerFormatError:
            raise
        except ConfigError as error:
            try:
                new_path = self._set_aside(name)
            except OSError:
                raise ConfigError(f"the profile {name!r} is damaged ({error}); move it away") from error
            raise ConfigError(
                f"the profile {name!r} is damaged and was kept as {new_path.name} ({error}); repair that and "
                f"`kelly-live profile import` it, or create a new one"
            ) from error

    def _set_aside(self, name: str) -> Path:
        path, stamp = self.path(name), datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        for number in range(1000):
            new_path = path.with_name(f"{name}.damaged-{stamp}{f'-{number}' if number else ''}.yaml")
            try:
                os.link(path, new_path)  # fails where the name is taken, so that nothing is overwritten
            except FileExistsError:
                continue
            except OSError:  # a file system without hard links
                if new_path.exists():
                    continue
                path.rename(new_path)
                return new_path
            path.unlink(missing_ok=True)
            return new_path
        raise OutputError(f"{self.folder} has a thousand damaged profiles of this second; clear it")

    @contextlib.contextmanager
    def _hold_lock(self) -> Iterator[None]:
        try:
            create_folder(self.folder, "check its rights", private=True)
            if os.name == "posix" and stat.S_IMODE(self.folder.stat().st_mode) & 0o077:
                self.folder.chmod(0o700)
            lock = FileLock(self.folder / ".lock", timeout=_PATIENCE_SECONDS, mode=0o600)
            with lock:
                yield
        except Timeout as error:
            raise ConfigError("another kelly-live is changing the profiles; try again when it is done") from error
        except OSError as error:
            raise OutputError(f"cannot write in {self.folder} ({error.strerror}); check its rights") from error


def read_bounded(path: Path, *, follow_links: bool = True) -> bytes:
    """A small plain file's bytes. Raises ConfigError."""
    try:
        if not stat.S_ISREG((path.stat() if follow_links else path.lstat()).st_mode):
            raise ConfigError(f"{path} is not a plain file; a profile must be one")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"{path} cannot be read ({reason}); check its name and rights") from error
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{path} is over {MAX_BYTES // 1024} kB; a profile is smaller")
    return data
