"""Open a CSV file with a head line, so that what is wrong with it is said in one way."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kelly_live.core.errors import ConfigError


@contextmanager
def open_csv(file: Path, rows: str, remedy: str = "check the file") -> Iterator[csv.DictReader[str]]:
    """Open the `rows` of a file in UTF-8, with or without a byte order mark; read them inside the block.

    Raises ConfigError that ends with `remedy`, also for what comes to light while they are read.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            yield csv.DictReader(text)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no CSV file in UTF-8"
        raise ConfigError(f"cannot read the {rows} in {str(file)!r} ({reason}); {remedy}") from error
