"""Write files so that a reader finds the old file or the new one, never a part of one."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from kelly_live.core.errors import OutputError
from kelly_live.core.termination import delete_at_exit

_REMEDIES = {
    errno.ENOENT: "the folder does not exist: make it, or name another",
    errno.ENOTDIR: "a part of the path is a file, not a folder: name another",
    errno.EISDIR: "that is a folder: add a file name",
    errno.EACCES: "you may not write there: name another folder, or change its rights",
    errno.EPERM: "you may not write there: name another folder, or change its rights",
    errno.EROFS: "that file system is read-only: name another folder",
    errno.ENOSPC: "the disk is full: free some space, or name another disk",
    errno.EDQUOT: "your disk quota is used up: free some space, or name another disk",
    errno.EFBIG: "the file would be larger than the system allows: name another disk",
    errno.ENAMETOOLONG: "the name is too long: shorten it",
}


def create_folder(path: Path, remedy: str = "name another", *, private: bool = False) -> None:
    """Create a folder and its parents unless they exist. Raises OutputError that ends with `remedy`.

    With `private` only the user may enter what is created.
    """
    try:
        if private:
            for folder in (*reversed(path.parents), path):
                if not folder.exists():
                    folder.mkdir(mode=0o700, exist_ok=True)
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {str(path)!r} ({error.strerror}); {remedy}") from error


def write_atomically(path: Path, data: bytes, *, private: bool = False) -> None:
    """Write `data` to a temporary file beside `path`, then rename it into place. Otherwise as `open_atomically`."""
    with open_atomically(path, private=private) as file:
        file.write(data)


@contextlib.contextmanager
def open_atomically(path: Path, *, private: bool = False) -> Iterator[BinaryIO]:
    """Open a temporary file beside `path` to write to; when the block ends well, it is renamed into place.

    A link is followed; a device or pipe is written to directly. With `private` only the user may read the file,
    whatever the old file's rights were. Raises OutputError; the old file is then unchanged and no temporary file is
    left.
    """
    if "\0" in str(path):
        raise OutputError(f"cannot write {str(path)!r} (embedded null byte): {suggest_remedy(None)}")
    try:
        with _open(Path(os.path.realpath(path)), private) as file:
            yield file
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise OutputError(f"cannot write {str(path)!r} ({reason}): {suggest_remedy(error.errno)}") from error


def suggest_remedy(number: int | None) -> str:
    """Return what the user can do if a file cannot be written for this reason (an errno)."""
    return _REMEDIES.get(number or 0, "name another file")


@contextlib.contextmanager
def _open(path: Path, private: bool) -> Iterator[BinaryIO]:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        mode = None
    if mode is not None:
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not os.access(path, os.W_OK):  # a rename would replace even a file that is write-protected
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        if not stat.S_ISREG(mode):
            with path.open("wb") as file:
                yield file
            return
    temporary = path.with_name(f".kelly-live-{secrets.token_hex(8)}")
    with delete_at_exit(temporary), _open_beside(path, temporary, mode, private) as file:
        yield file


@contextlib.contextmanager
def _open_beside(path: Path, temporary: Path, mode: int | None, private: bool) -> Iterator[BinaryIO]:
    # O_EXCL: never into an existing file. 0o666: the user's umask decides, as for any new file.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    descriptor = os.open(temporary, flags, 0o600 if private else 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if mode is not None and not private:
            os.chmod(temporary, stat.S_IMODE(mode))
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
