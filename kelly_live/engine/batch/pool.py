"""Does jobs in processes of this machine, each with a BatchWorker; one that is lost is replaced.

Threads: each process has one here, which hands it a job at a time; the caller's takes what comes back.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable, Iterator
from queue import SimpleQueue

from kelly_live.core.errors import KellyError, WorkerError
from kelly_live.engine.batch.jobs import ComposeJob, Job
from kelly_live.engine.batch.outcome import Outcome
from kelly_live.engine.batch.table import ResultTable
from kelly_live.engine.batch.worker import BatchWorker
from kelly_live.workers.service import ServiceProcess

JOB_SECONDS = 7200.0  # an hour of sound takes minutes; a library that hangs, for ever
_PATIENCE_SECONDS, _LOOK_SECONDS = 1.0, 0.1
TRIES = 2  # of a job whose process is lost: the second tells a damaged file from a process that somebody ended
FACTORY = "kelly_live.engine.batch.worker:create_batch_worker"


class ProcessPool:
    """Does jobs with so many processes at once.

    Args:
        processes: How many.
        factory: What makes the worker in a process, for a test.
    """

    def __init__(self, processes: int, *, factory: str = FACTORY) -> None:
        self._processes, self._factory = processes, factory

    def run(self, work: Iterable[tuple[str, Job]], table: ResultTable) -> Generator[Outcome, None, None]:
        """Do jobs, each with its key, and keep their records in the table; yields what became of each."""
        batch = _Batch(iter(work), table)
        slots = [_Slot(batch, f"batch process {number}", self._factory) for number in range(1, self._processes + 1)]
        for slot in slots:
            slot.start()
        running = len(slots)
        try:
            while running:
                outcome = batch.outcomes.get()
                if isinstance(outcome, Exception):
                    raise outcome
                if outcome is None:
                    running -= 1
                else:
                    yield outcome
        finally:
            batch.stop()
            for slot in slots:
                slot.close()


class _Batch:
    """What the slots share: the jobs that wait, and the outcomes. An error of a slot, and None at its end, come too."""

    def __init__(self, work: Iterator[tuple[str, Job]], table: ResultTable) -> None:
        self.table = table
        self.outcomes: SimpleQueue[Outcome | Exception | None] = SimpleQueue()
        self._work = work
        self._lock = threading.Lock()
        self.is_stopped = False

    def next_job(self) -> tuple[str, Job] | None:
        with self._lock:
            return None if self.is_stopped else next(self._work, None)

    def stop(self) -> None:
        self.is_stopped = True


class _Slot:
    """A process that does jobs, and the thread that hands it them."""

    def __init__(self, batch: _Batch, name: str, factory: str) -> None:
        self._batch, self._name, self._factory = batch, name, factory
        self._service: ServiceProcess | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """End the process, also in the middle of a job, and the thread."""
        while True:  # it may just start another process
            is_over = not self._thread.is_alive()
            if self._service is not None:
                self._service.close(patience_seconds=_PATIENCE_SECONDS if is_over else 0.0)
            if is_over:
                return
            self._thread.join(_LOOK_SECONDS)

    def _run(self) -> None:
        try:
            while (item := self._batch.next_job()) is not None:
                key, job = item
                self._batch.outcomes.put(Outcome(key, job, self._do(key, job)))
        except Exception as error:  # the caller's: it must not wait for ever
            self._batch.outcomes.put(error)
        finally:
            self._batch.outcomes.put(None)

    def _do(self, key: str, job: Job) -> str | None:
        """Do a job; returns why it failed."""
        error: str | None = None
        for _ in range(TRIES):
            service = self._service = self._service or self._start_service(job)
            try:
                service.call("run_into", job, key, str(self._batch.table.record_file(key)), timeout=JOB_SECONDS)
                return None
            except KellyError as problem:
                error = str(problem)
                if self._batch.is_stopped or not (isinstance(problem, WorkerError) and service.is_lost):
                    return error
            service.close()
            self._service = None
        return error

    def _start_service(self, job: Job) -> ServiceProcess:
        preload = () if isinstance(job, ComposeJob) else ("torch",)
        service = ServiceProcess(BatchWorker, name=self._name, preload=preload)
        service.start()
        service.create(self._factory)
        return service
