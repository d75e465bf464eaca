"""The answers of a study: one CSV file a listener, and nothing in it that says who he is."""

from __future__ import annotations

import csv
import errno
import io
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, fields
from io import FileIO
from pathlib import Path

from kelly_live.core.atomic_write import create_folder
from kelly_live.core.csv_rows import open_csv
from kelly_live.core.errors import ConfigError, OutputError

FOLDER = "answers"


@dataclass(frozen=True, slots=True)
class Answer:
    """A row: what a listener answered to one trial, and what it was.

    `valence` and `arousal` in [-1, 1]. `seconds`: from the start of the sound to the answer. `plays`: how often it was
    heard. The headphone check has a row a tone trial, with the tone chosen (1 to 3) as `emotion`.
    """

    listener: str
    number: int
    position: int
    kind: str
    stimulus: str
    condition: str
    intended: str
    intended_valence: float
    intended_arousal: float
    emotion: str
    valence: float
    arousal: float
    seconds: float
    plays: int


COLUMNS = tuple(field.name for field in fields(Answer))
_TYPES = {field.name: {"int": int, "float": float}.get(str(field.type), str) for field in fields(Answer)}


def append_answer(folder: Path, answer: Answer) -> None:
    """Add a row to a listener's file, and bring it to the disk. Raises OutputError."""
    path = folder / FOLDER / f"{answer.listener}.csv"
    create_folder(path.parent)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    try:
        with path.open("ab+", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            if size == 0:
                writer.writerow(COLUMNS)
            else:
                file.seek(size - 1)
                text.write("" if file.read(1) == b"\n" else "\n")  # a row that a crash cut short spoils no other
            writer.writerow([getattr(answer, name) for name in COLUMNS])
            _write_whole(file, size, text.getvalue().encode())
    except OSError as error:
        raise OutputError(f"cannot write {path} ({error.strerror}); free some space, or check your rights") from error


def _write_whole(file: FileIO, size: int, data: bytes) -> None:
    """Add data to a file of this size and bring it to the disk.

    If that fails, nothing of it stays. Raises OSError.
    """
    try:
        if file.write(data) != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(file.fileno())
    except OSError:
        os.truncate(file.fileno(), size)
        raise


def list_listeners(folder: Path) -> list[str]:
    """List the listeners who have answered anything."""
    return sorted(path.stem for path in (folder / FOLDER).glob("*.csv") if not path.is_fifo())


def read_answers(folder: Path) -> Iterator[Answer]:
    """Read the answers of all listeners. Raises ConfigError naming file and line."""
    for listener in list_listeners(folder):
        path = folder / FOLDER / f"{listener}.csv"
        with open_csv(path, "answers", "move it away") as rows:
            yield from _read_rows(path, rows)


def _read_rows(path: Path, rows: csv.DictReader[str]) -> Iterator[Answer]:
    missing = [name for name in COLUMNS if name not in (rows.fieldnames or COLUMNS)]
    if missing:
        raise ConfigError(
            f"{path}, line 1: there is no column {missing[0]}; restore the line of columns, or move it away"
        )
    for row in rows:
        try:
            answer = Answer(**{name: _TYPES[name](row[name]) for name in COLUMNS})
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(f"{path}, line {rows.line_num}: it is no answer ({error}); delete the line") from error
        if not all(math.isfinite(one) for one in (answer.valence, answer.arousal, answer.seconds)):
            raise ConfigError(
                f"{path}, line {rows.line_num}: it is no answer (a number is not finite); delete the line"
            )
        if not all(-1.0 <= one <= 1.0 for one in (answer.valence, answer.arousal)):
            raise ConfigError(
                f"{path}, line {rows.line_num}: it is no answer (a place is outside -1 to 1); delete the line"
            )
        yield answer
