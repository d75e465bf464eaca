"""Rows of results in a file: JSON lines, or Parquet (Apache Arrow, the extra `batch`)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from kelly_live.core.atomic_write import open_atomically
from kelly_live.core.errors import ConfigError, OutputError
from kelly_live.core.values import EMOTIONS, GEMS

JSON_LINES, PARQUET = ".jsonl", ".parquet"
_GROUP_ROWS = 256  # of a Parquet file; an hour of sound is a row of 14,400 windows


def check_row_file(path: Path) -> None:
    """Refuse a file of another kind. Raises OutputError or ConfigError, if what writes Parquet is not installed."""
    if path.suffix.lower() not in (JSON_LINES, PARQUET):
        raise OutputError(
            f"cannot write {str(path)!r}: results are JSON lines or Parquet; end the name in {JSON_LINES} or {PARQUET}"
        )
    if path.suffix.lower() == PARQUET:
        _import_arrow()


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Read the rows of a file; none if it is not there. Raises OutputError if it holds something else."""
    if not path.exists():
        return
    if not path.is_file():  # a pipe would be waited for
        raise OutputError(f"{str(path)!r} is no file; name another one")
    try:
        yield from (_read_parquet(path) if path.suffix.lower() == PARQUET else _read_json_lines(path))
    except (OSError, ValueError, RecursionError) as error:  # pyarrow's errors are ValueErrors and OSErrors
        reason = " ".join(str(error).split())[:100]
        raise OutputError(f"{str(path)!r} holds no results ({reason}); name another file, or move it away") from error


def write_rows(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write rows in the place of a file, whole or not at all, with few of them in memory. Raises OutputError."""
    with open_atomically(path) as file:
        if path.suffix.lower() == PARQUET:
            _write_parquet(file, rows)
        else:
            for row in rows:
                file.write(json.dumps(row).encode() + b"\n")


def _read_json_lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                row = json.loads(line)
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from error
            if not isinstance(row, dict) or not all(isinstance(row.get(name), str) for name in ("id", "path")):
                raise ValueError(f"line {number} is no result")
            yield row


def _read_parquet(path: Path) -> Iterator[dict[str, Any]]:
    _, parquet = _import_arrow()
    with parquet.ParquetFile(path) as file:
        if not {"id", "path"} <= set(file.schema_arrow.names):
            raise ValueError("it has no columns `id` and `path`")
        for batch in file.iter_batches(_GROUP_ROWS):
            yield from batch.to_pylist()


def _write_parquet(file: Any, rows: Iterable[dict[str, Any]]) -> None:
    arrow, parquet = _import_arrow()
    schema = _build_schema(arrow)
    with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        group: list[dict[str, Any]] = []
        for row in rows:
            group.append(row)
            if len(group) == _GROUP_ROWS:
                writer.write_table(arrow.Table.from_pylist(group, schema))
                group = []
        writer.write_table(arrow.Table.from_pylist(group, schema))


def _build_schema(arrow: Any) -> Any:
    number, text = arrow.float64(), arrow.string()
    dimensions = [(name, number) for name in ("valence", "arousal", "dominance", "confidence")]
    emotions = ("emotions", arrow.struct([(name, number) for name in EMOTIONS]))
    named = [("word", text), *((f"gems_{name}", number) for name in GEMS)]
    windows = ("windows", arrow.list_(arrow.struct([("time", number), emotions, *dimensions, *named])))
    first, last = [("id", text), ("path", text), ("duration", number)], [("damage", text), ("error", text)]
    return arrow.schema([*first, emotions, *dimensions, *named, windows, *last])


def _import_arrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ConfigError(
            "Parquet needs pyarrow, which is not installed: pip install 'kelly-live[batch]', or write FILE.jsonl"
        ) from error
    return pyarrow, pyarrow.parquet
