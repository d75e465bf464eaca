"""Jobs on a Dask scheduler with two workers, each a process of its own, one of them killed in the middle."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kelly_live.core.errors import ConfigError
from kelly_live.engine.batch.cluster import Cluster
from kelly_live.engine.batch.jobs import Job
from kelly_live.engine.batch.pool import ProcessPool
from kelly_live.engine.batch.run import run_batch
from kelly_live.engine.batch.table import BatchSummary
from tests.engine.batch.composing import compose_job, compose_jobs

pytest.importorskip("distributed")


@contextmanager
def dask(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A process of Dask's own command line, once it has said where it is."""
    process = subprocess.Popen(
        [sys.executable, "-m", "dask", *arguments], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    try:
        assert process.stderr is not None
        assert any("tcp://" in line for line in process.stderr)
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def cluster() -> Iterator[tuple[str, list[int]]]:
    """A scheduler's address and the process ids of its two workers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    options = ("--nthreads", "1", "--no-nanny", "--no-dashboard")
    with (
        dask("scheduler", "--host", "127.0.0.1", "--port", address.rpartition(":")[2], "--no-dashboard"),
        dask("worker", address, *options) as first,
        dask("worker", address, *options) as second,
    ):
        yield address, [first.pid, second.pid]


def test_with_a_worker_killed_nothing_is_lost_or_twice(cluster: tuple[str, list[int]], tmp_path: Path) -> None:
    address, workers = cluster
    jobs = [*compose_jobs(tmp_path / "pieces", 24), compose_job(tmp_path / "pieces", "piece-01")]
    reported: list[str] = []

    def report(job: Job, error: str | None) -> None:
        reported.append(job.path.name)
        if len(reported) == 6:
            os.kill(workers[0], signal.SIGKILL)

    here, there = tmp_path / "here.jsonl", tmp_path / "there.jsonl"
    assert run_batch(jobs, there, Cluster(address), report) == BatchSummary(done=24, skipped=0, failed=0)
    assert sorted(reported) == [f"piece-{number:02d}" for number in range(1, 25)]
    run_batch(jobs, here, ProcessPool(1), lambda job, error: None)
    assert there.read_bytes() == here.read_bytes()


def test_a_scheduler_that_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kelly_live.engine.batch.cluster.CONNECT_SECONDS", 0.5)
    with pytest.raises(ConfigError, match=r"no Dask scheduler answers at 'tcp://127.0.0.1:9' .* start one"):
        run_batch(
            compose_jobs(tmp_path, 1), tmp_path / "r.jsonl", Cluster("tcp://127.0.0.1:9"), lambda job, error: None
        )
