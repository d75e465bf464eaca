"""What `analyze`, `render` and `compose` share when they are given many files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from kelly_live.core.termination import exit_process, finish_first
from kelly_live.core.wording import plural
from kelly_live.engine.batch.cluster import Cluster
from kelly_live.engine.batch.jobs import Job, name_job
from kelly_live.engine.batch.pool import ProcessPool
from kelly_live.engine.batch.run import run_batch
from kelly_live.engine.options.click_options import print_line, print_notice
from kelly_live.ui.terminal import progress

TABLE = "results.jsonl"  # in a folder of pieces


def do_jobs(jobs: Sequence[Job], table: Path, *, processes: int, cluster: str | None) -> int:
    """Do the jobs that the table lacks, say what failed and how it went, and return the exit code.

    Raises KellyError; what was done until then is kept.
    """
    executor = ProcessPool(min(processes, len(jobs))) if cluster is None else Cluster(cluster)
    done = 0

    def stop() -> None:
        line = f"kelly-live: stopped: {done} of {plural(len(jobs), 'file')} done; the same command goes on from there\n"
        os.write(2, b"\n" * os.isatty(2) + line.encode())  # a signal may have come in the middle of a print
        exit_process(1)

    with progress(len(jobs), plural(len(jobs), "file")) as bar, finish_first(stop):

        def report(job: Job, error: str | None) -> None:
            nonlocal done
            bar.advance()
            done += error is None
            if error is not None:
                print_notice(error if name_job(job) in error else f"{name_job(job)}: {error}")

        summary = run_batch(jobs, table, executor, report)
    before = f", {summary.skipped} {'was' if summary.skipped == 1 else 'were'} done before" if summary.skipped else ""
    failed = f", {summary.failed} failed" if summary.failed else ""
    print_line(f"{plural(summary.done, 'file')} done{before}{failed} -> {table}")
    return 1 if summary.failed else 0
