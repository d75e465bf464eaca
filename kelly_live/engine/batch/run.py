"""Run a batch: leave out what is done, do the rest, and write the table."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Protocol

from kelly_live.core.errors import KellyError
from kelly_live.engine.batch.jobs import Job, identify_job, list_targets, name_job
from kelly_live.engine.batch.outcome import Outcome
from kelly_live.engine.batch.table import BatchSummary, ResultTable


class Executor(Protocol):
    """What does jobs: a ProcessPool or a Cluster."""

    def run(self, work: Iterable[tuple[str, Job]], table: ResultTable) -> Generator[Outcome, None, None]:
        """Do jobs, each with its key, and keep their records in the table; yields what became of each."""


def run_batch(
    jobs: Sequence[Job], path: Path, executor: Executor, report: Callable[[Job, str | None], None]
) -> BatchSummary:
    """Do the jobs that the table at `path` lacks, and write it.

    `report` is told of each job, and why it failed. A job that failed has a row with `path` and `error`, and is tried
    again by the next run. Raises KellyError; what was done until then is kept.
    """
    with ResultTable(path) as table:
        outcomes: dict[str, Outcome] = {}
        work: dict[str, Job] = {}
        jobs_by_key: dict[str, Job] = {}
        for job in jobs:
            key, error = _identify(job)
            jobs_by_key[key] = job
            if error is not None or table.is_done(key, job):
                outcomes[key] = Outcome(key, job, error)
                report(job, error)
            else:
                work[key] = job
        skipped = sum(outcome.error is None for outcome in outcomes.values())
        table.begin(work.values())
        for outcome in outcomes.values():
            _store_failure(outcome, table)
        with closing(executor.run(work.items(), table)) as coming:
            for outcome in coming:
                outcomes[outcome.key] = outcome
                report(outcome.job, outcome.error)
                _store_failure(outcome, table)  # at once: where the disk is full, the other jobs are not begun
        failed = sum(outcome.error is not None for outcome in outcomes.values())
        table.finish(jobs_by_key)
    return BatchSummary(len(outcomes) - skipped - failed, skipped, failed)


def _store_failure(outcome: Outcome, table: ResultTable) -> None:
    """Keep why a job failed, if it did, and what it wrote all the same. Raises OutputError."""
    if outcome.error is not None:
        left = {name: str(file) for name, file in list_targets(outcome.job).items() if file.is_file()}
        record = {"path": name_job(outcome.job), "error": outcome.error}
        table.store_record(outcome.key, record | ({"files": left} if left else {}))


def _identify(job: Job) -> tuple[str, str | None]:
    """Return a job's key and, if its file cannot be read, why."""
    try:
        return identify_job(job), None
    except KellyError as error:
        return hashlib.blake2b(name_job(job).encode(), digest_size=16).hexdigest(), str(error)
