"""Read a list of pieces to compose: a CSV file, whose columns are named after the options of `compose`."""

from __future__ import annotations

import csv
from collections.abc import Callable, Collection, Iterator
from pathlib import Path, PurePath
from typing import TypeVar

from kelly_live.core.csv_rows import open_csv
from kelly_live.core.errors import ConfigError, KellyError
from kelly_live.core.numbers import parse_switch
from kelly_live.core.wording import escape

Options = TypeVar("Options")

NAME = "name"
MAX_PIECES = 1_000_000
MAX_NAME_BYTES = 200  # file systems allow 255, and an ending follows


def read_pieces(
    file: Path, read_options: Callable[[list[str]], Options], columns: Collection[str], switches: Collection[str]
) -> Iterator[tuple[str, Options]]:
    """Read the pieces of a list, as (name, options); the column `name` may be left out.

    Args:
        file: In UTF-8, with a head line. An empty cell leaves the option at its default.
        read_options: Turns command-line arguments into options; raises KellyError.
        columns: The options that a column may give, without dashes.
        switches: Those of them that are switches: a cell says yes or no.

    Raises:
        ConfigError: The file cannot be read, or a line breaks a rule; the line is named.
    """
    with open_csv(file, "pieces") as rows:
        yield from _read(file, rows, read_options, columns, switches)


def _read(
    file: Path,
    rows: csv.DictReader[str],
    read_options: Callable[[list[str]], Options],
    columns: Collection[str],
    switches: Collection[str],
) -> Iterator[tuple[str, Options]]:
    unknown = [name for name in rows.fieldnames or () if name not in (NAME, *columns)]
    if unknown or not rows.fieldnames:
        raise ConfigError(
            f"{file}, line 1: {escape(str(unknown[0] if unknown else ''))[:40]!r} is no column; "
            f"name them {NAME}, {', '.join(columns)}"
        )
    twice = next((name for name in rows.fieldnames if rows.fieldnames.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(f"{file}, line 1: there are two columns {twice}; leave one out")
    names: set[str] = set()
    number = 0
    for number, row in enumerate(rows, 1):
        place = f"{file}, line {rows.line_num}"
        if number > MAX_PIECES:
            raise ConfigError(f"{place}: a list has at most {MAX_PIECES} pieces; cut it in two")
        if None in row or None in row.values():
            raise ConfigError(f"{place}: it has not as many cells as line 1; mend the commas")
        name = _check_name(row.pop(NAME, "") or f"{number:04d}", names, place)
        try:
            yield name, read_options(_list_arguments(row, switches))
        except KellyError as error:
            raise ConfigError(f"{place}: {error}") from error
    if not number:
        raise ConfigError(f"{file} has no piece below its head line; write one a line")


def _check_name(name: str, names: set[str], place: str) -> str:
    """Return a name that is new, printable, and stays below the folder of results. Raises ConfigError."""
    path = PurePath(name)
    if not name.isprintable() or any(len(part.encode()) > MAX_NAME_BYTES for part in path.parts):
        raise ConfigError(
            f"{place}: the name {escape(name)[:40]!r} is no name for a file; write printable characters on one line, "
            f"{MAX_NAME_BYTES} bytes at most"
        )
    if path.is_absolute() or ".." in path.parts or not path.name:
        raise ConfigError(f"{place}: the name {escape(name)[:40]!r} leads out of the folder; name the piece otherwise")
    folded = path.as_posix().casefold()  # on macOS and Windows A and a are one file
    if folded in names:
        raise ConfigError(f"{place}: there is a piece {escape(name)[:40]!r} already; name each one otherwise")
    names.add(folded)
    return name


def _list_arguments(row: dict[str, str], switches: Collection[str]) -> list[str]:
    arguments = []
    for column, cell in row.items():
        if not (text := cell.strip()):
            continue
        if column not in switches:
            arguments.append(f"--{column}={text}")
            continue
        is_on = parse_switch(text)
        if is_on is None:
            raise ConfigError(f"{column} is {escape(text)[:40]!r}; it is a switch: say yes or no")
        arguments.append(f"--{column}" if is_on else f"--no-{column}")
    return arguments
