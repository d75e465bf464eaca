"""Does jobs on a Dask cluster (`dask.distributed`, the extra `batch`).

The workers need the same version of kelly-live and the same models, and see the files under the same paths. Dask gives
the jobs of a worker that is lost to another one; a job's key is its key there, so that none is done twice.
"""

from __future__ import annotations

import importlib
import json
import threading
from collections.abc import Generator, Iterable
from functools import lru_cache
from itertools import islice
from typing import Any

import msgspec

from kelly_live import __version__
from kelly_live.core.errors import ConfigError, KellyError, WorkerError
from kelly_live.core.resources import models_in_use, name_models
from kelly_live.core.wording import quote_error
from kelly_live.engine.batch.jobs import Job, digest_models
from kelly_live.engine.batch.outcome import Outcome
from kelly_live.engine.batch.table import ResultTable
from kelly_live.engine.batch.worker import BatchWorker
from kelly_live.workers.framing import decode_payload, encode_payload

CONNECT_SECONDS = 10.0
JOBS_PER_THREAD = 2  # that the cluster holds at once, so that a worker finds its next job there
_lock = threading.Lock()  # in a worker: one job at a time, whatever its number of threads


class Cluster:
    """The workers of a Dask scheduler, "tcp://HOST:8786"."""

    def __init__(self, address: str) -> None:
        self._address = address

    def run(self, work: Iterable[tuple[str, Job]], table: ResultTable) -> Generator[Outcome, None, None]:
        """Do jobs, each with its key, and keep their records in the table; yields what became of each.

        Raises ConfigError: the scheduler does not answer, or a worker has another version or other models.
        """
        distributed = _import_distributed()
        client = _connect(distributed, self._address)
        waiting = iter(work)
        try:
            threads = _check_workers(client)
            jobs: dict[str, Job] = {}

            def submit(count: int) -> list[Any]:
                new = list(islice(waiting, count))
                jobs.update(new)
                return [
                    client.submit(run_job, encode_payload(job), name_models(), key=key, pure=False) for key, job in new
                ]

            futures = distributed.as_completed(submit(JOBS_PER_THREAD * threads))
            for future in futures:
                key = future.key
                job = jobs.pop(key)
                yield Outcome(key, job, _store(future, key, table))
                future.release()
                for new in submit(1):
                    futures.add(new)
        finally:
            client.close()


def run_job(payload: bytes, models: str) -> bytes:
    """Do an encoded job on a worker of the cluster; returns {"record": …} or {"error": line} as JSON."""
    with _lock, models_in_use(models):
        try:
            return json.dumps({"record": _worker().run(decode_payload(payload, Job))}).encode()
        except KellyError as error:
            return json.dumps({"error": str(error)}).encode()


def describe_worker(models: str) -> tuple[str, str]:
    """Return the version and the digest of the models of the process that calls it."""
    with _lock, models_in_use(models):
        return __version__, digest_models()


@lru_cache(maxsize=1)
def _worker() -> BatchWorker:
    return BatchWorker()


def _store(future: Any, key: str, table: ResultTable) -> str | None:
    """Keep a job's record; returns why there is none."""
    try:
        answer: dict[str, Any] = msgspec.json.decode(future.result(), type=dict[str, Any])
    except Exception as error:  # whatever the job raised, or that its worker was lost again and again
        return f"{type(error).__name__}: {quote_error(error)}"
    if "error" in answer:
        return str(answer["error"])
    table.store_record(key, answer["record"])
    return None


def _import_distributed() -> Any:
    try:
        return importlib.import_module("distributed")
    except ImportError as error:
        raise ConfigError(
            "--on needs dask.distributed, which is not installed: pip install 'kelly-live[batch]'"
        ) from error


def _connect(distributed: Any, address: str) -> Any:
    try:
        return distributed.Client(address, timeout=CONNECT_SECONDS)
    except (OSError, ValueError) as error:  # its TimeoutError is an OSError
        raise ConfigError(
            f"no Dask scheduler answers at {address!r} ({quote_error(error)}); start one with `dask scheduler`, and "
            "workers with `dask worker ADDRESS --nthreads 1`"
        ) from error


def _check_workers(client: Any) -> int:
    """Return how many threads the workers have. Raises ConfigError, WorkerError."""
    workers = client.scheduler_info(n_workers=-1)["workers"]
    if not workers:
        raise ConfigError("the Dask scheduler has no workers; start some with `dask worker ADDRESS --nthreads 1`")
    own = (__version__, digest_models())
    try:
        others = client.run(describe_worker, name_models())
    except Exception as error:  # kelly-live is not there, or has no such models
        raise WorkerError(
            f"the workers cannot do the jobs ({quote_error(error)}); install kelly-live {__version__} and its models "
            "where they run"
        ) from error
    for name, other in others.items():
        if tuple(other) != own:
            raise ConfigError(
                f"the worker {name} has kelly-live {other[0]} with models {other[1]}, here are {own[0]} and {own[1]}; "
                "install the same on both"
            )
    return sum(worker["nthreads"] for worker in workers.values())
