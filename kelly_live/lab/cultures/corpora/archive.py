"""Files of a corpus, read from its .tar.xz one after the other, in memory."""

from __future__ import annotations

import lzma
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

from kelly_live.core.errors import ConfigError

MAX_FILE_BYTES = 200 * 1024 * 1024


def read_files(corpora: Path, name: str, is_wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    """Yield (path inside the corpus, content) of each wanted file, in the archive's order.

    Raises:
        ConfigError: The corpus is missing or damaged.
    """
    archive = corpora / f"{name}.tar.xz"
    try:
        with tarfile.open(archive, "r:xz") as tar:
            for member in tar:
                inside = member.name.removeprefix("./").removeprefix(f"{name}/")
                if not member.isfile() or not is_wanted(inside):
                    continue
                if member.size > MAX_FILE_BYTES:
                    raise ConfigError(f"{archive} holds {inside} of {member.size} bytes; leave it out")
                file = tar.extractfile(member)
                if file is not None:
                    yield inside, file.read()
    except (OSError, tarfile.TarError, lzma.LZMAError, EOFError) as error:
        raise ConfigError(f"{archive} cannot be read ({error}); name the folder of the corpora") from error


def read_file(corpora: Path, name: str, path: str) -> bytes:
    """Read one file of a corpus.

    Raises:
        ConfigError: The corpus or the file is missing.
    """
    for _, data in read_files(corpora, name, lambda inside: inside == path):
        return data
    raise ConfigError(f"{corpora / name}.tar.xz has no {path}; take the corpus that INDEX.tsv names")
