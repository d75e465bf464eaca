"""The table of a batch's results, which a crash does not lose.

Until all jobs are done, each one's record is a file of its own in the folder `TABLE.partial`; then they are written
into the table in the order of the jobs. So a run that was killed and resumed makes the same bytes as one that was not.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from filelock import FileLock, Timeout

from kelly_live.core.atomic_write import create_folder, write_atomically
from kelly_live.core.errors import OutputError
from kelly_live.engine.batch.jobs import Job, list_targets, name_job
from kelly_live.engine.batch.rows import check_row_file, read_rows, write_rows
from kelly_live.engine.batch.worker import encode_record

_TARGETS = "targets"  # beside the records: which files the run writes


@dataclass(frozen=True, slots=True)
class BatchSummary:
    """How a batch went: how many jobs were done now, how many before, and how many failed."""

    done: int
    skipped: int
    failed: int


class ResultTable:
    """A table of results, and the folder of what is done of it. A context manager; one process may hold it.

    Rows of an earlier run stay where they are; a row of the same path is replaced. Raises OutputError, ConfigError.
    """

    def __init__(self, path: Path) -> None:
        check_row_file(path)
        self.path = path
        self.folder = _name_folder(path)
        self._lock = FileLock(self.folder / "lock", timeout=0)
        self._done_keys: set[str] = set()  # of the rows that the table has already

    def __enter__(self) -> ResultTable:
        """Lock the table and read which jobs it holds."""
        create_folder(self.folder)
        try:
            self._lock.acquire()
        except Timeout as error:
            raise OutputError(
                f"another run writes {str(self.path)!r}; wait until it has ended, or name another file"
            ) from error
        except OSError as error:
            raise OutputError(
                f"cannot lock {str(self.path)!r} ({error.strerror}); check your rights to {str(self.folder)!r}"
            ) from error
        try:
            self._done_keys = {row["id"] for row in read_rows(self.path) if _is_done(row)}
        except BaseException:
            self._release()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release()

    def _release(self) -> None:
        self._lock.release()
        if not any(self.folder.glob("*.json")):  # nothing to go on from
            shutil.rmtree(self.folder, ignore_errors=True)

    def is_done(self, key: str, job: Job) -> bool:
        """Return whether a job was done before, and its files are there."""
        if any(not target.is_file() for target in list_targets(job).values()):
            return False
        if key in self._done_keys:
            return True
        record = _read_record(self.record_file(key))
        return record is not None and _is_done(record)

    def record_file(self, key: str) -> Path:
        """Return where the record of a job is kept until the batch is done."""
        return self.folder / f"{key}.json"

    def store_record(self, key: str, record: dict[str, Any]) -> None:
        """Keep a record. Raises OutputError."""
        write_atomically(self.record_file(key), encode_record(key, record))

    def begin(self, jobs: Iterable[Job]) -> None:
        """Keep which files the jobs are about to write, for `find_written`. Raises OutputError."""
        own, targets = self.folder.resolve(), list[str]()
        for target in (target.resolve() for job in jobs for target in list_targets(job).values()):
            if own in target.parents:
                raise OutputError(f"{str(target)!r} lies in a folder that is deleted at the end; name it otherwise")
            targets.append(str(target))
        if targets:
            write_atomically(self.folder / _TARGETS, json.dumps(targets).encode())

    def finish(self, jobs: Mapping[str, Job]) -> None:
        """Write the table, the new rows in the order of the jobs by their keys, and let go of the records.

        Raises OutputError.
        """
        files = {name_job(job): file for key, job in jobs.items() if (file := self.record_file(key)).is_file()}
        if files or not self.path.exists():
            write_rows(self.path, self._merge(files))
        for file in files.values():
            file.unlink(missing_ok=True)

    def _merge(self, files: Mapping[str, Path]) -> Iterator[dict[str, Any]]:
        """Yield the rows that the table has, those with a new record replaced, and then the other new ones."""
        replaced = set[str]()
        for row in read_rows(self.path):
            file = files.get(row["path"])
            replaced.add(row["path"])
            yield row if file is None else _require_record(file)
        yield from (_require_record(file) for path, file in files.items() if path not in replaced)


def find_written(path: Path) -> frozenset[Path]:
    """Find the files that earlier runs with the table at `path` wrote, or began to; resolved.

    Raises OutputError.
    """
    folder = _name_folder(path)
    records = [*read_rows(path), *map(_read_record, folder.glob("*.json"))]
    maps = [record.get("files") for record in records if record is not None]
    names = [name for files in maps if isinstance(files, dict) for name in files.values()]
    targets = _read_json(folder / _TARGETS)
    names += targets if isinstance(targets, list) else []
    return frozenset(Path(name).resolve() for name in names if isinstance(name, str) and "\0" not in name)


def _name_folder(path: Path) -> Path:
    return path.with_name(path.name + ".partial")


def _is_done(row: dict[str, Any]) -> bool:
    return row.get("error") is None


def _read_record(file: Path) -> dict[str, Any] | None:
    """Return a record; None where there is none, or a damaged one, whose job is then done again."""
    record = _read_json(file)
    return record if isinstance(record, dict) and {"id", "path"} <= record.keys() else None


def _require_record(file: Path) -> dict[str, Any]:
    record = _read_record(file)
    if record is None:
        raise OutputError(f"the record {str(file)!r} is damaged; delete it, and give the same command again")
    return record


def _read_json(file: Path) -> Any:
    try:
        return json.loads(file.read_bytes()) if file.is_file() else None
    except (OSError, ValueError, RecursionError):
        return None
