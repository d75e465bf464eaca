"""An EmotionReader in a process of its own, so that the nets never keep the music waiting.

Threads: `push` and `reset` belong to the one that listens, `open` and `close` to any. A supervisor's thread brings
another process when this one is lost; meanwhile `push` raises WorkerError.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

from kelly_live.core.errors import WorkerError
from kelly_live.core.timebase import Clock, MonotonicClock
from kelly_live.core.values import AudioWindow, EmotionState
from kelly_live.emotion.registry import DEFAULT_READER
from kelly_live.engine.analysis_worker import AnalysisResult, AnalysisWorker, ReaderDescription
from kelly_live.workers.service import ServiceProcess
from kelly_live.workers.supervisor import Supervisor

RETRY_SECONDS = 1.0
RETRY_LIMIT_SECONDS = 30.0  # each try loads the nets, which takes a core for seconds
_PRELOAD = ("torch",)  # takes longer than all else at the start
_PUSH_SECONDS = 10.0  # a hop takes .03; a driver that hangs, for ever
_DESCRIBE_SECONDS = 10.0
_FACTORY = "kelly_live.engine.analysis_worker:create_analysis_worker"


class AnalysisProxy:
    """An EmotionReader for life: a process that dies or hangs is replaced by another.

    Args:
        clock: Times the tries to replace a lost process.
        factory: What makes the worker in the process, for a test.
    """

    def __init__(self, clock: Clock | None = None, *, factory: str = _FACTORY) -> None:
        self.sample_rate = 0
        self.hop_seconds = 0.0
        self.note: str | None = None
        self.problem: str | None = None
        self._factory = factory
        self._device = "auto"
        self._reader_name = DEFAULT_READER
        self._supervisor = Supervisor(
            "the analysis",
            check=self._find_loss,
            restore=self._restore,
            clock=clock or MonotonicClock(),
            retry_seconds=RETRY_SECONDS,
            retry_limit_seconds=RETRY_LIMIT_SECONDS,
        )
        self._lock = threading.Lock()  # held for moments: over the next three
        self._service = self._new_service()
        self._successor: ServiceProcess | None = None  # while it loads
        self._is_closed = False

    @property
    def process_id(self) -> int | None:
        """The id of the present analysis process; None before `start`."""
        return self._service.process_id

    def start(self) -> None:
        """Start the process, which loads the libraries while this one goes on.

        Raises:
            WorkerError: The system cannot start it.
        """
        self._service.start()

    def open(self, device: str, *, reader_name: str = DEFAULT_READER) -> None:
        """Load a reader onto a device (auto, cpu, cuda, mps), and watch the process from now on.

        Raises:
            KellyError: The reader cannot be loaded, or the process is lost.
        """
        self._device, self._reader_name = device, reader_name
        self._create(self._service)
        self._supervisor.start()

    def push(self, block: AudioWindow) -> Sequence[EmotionState]:
        """Feed new samples (any number), and return one state for each hop that they completed.

        Raises:
            WorkerError: The process is lost, or did not answer and was ended; another one is on its way.
            KellyError: What the reader raised.
        """
        try:
            result: AnalysisResult = self._service.call(
                "push", block.samples, block.sample_rate, block.end_time, timeout=_PUSH_SECONDS
            )
        except WorkerError:
            self._supervisor.wake()
            raise
        self.problem = result.problem
        return result.states

    def reset(self) -> None:
        """Forget all audio so far; a reader that was not on the CPU moves there."""
        if self._service.is_lost:
            self._supervisor.wake()
        else:
            self._service.call("restart", timeout=_PUSH_SECONDS)

    def close(self) -> None:
        """End the process, and one that is on its way. Safe to call twice."""
        with self._lock:
            self._is_closed = True
            services = [self._service, self._successor]
        for service in services:
            if service is not None:
                service.close()
        self._supervisor.stop()

    def _new_service(self) -> ServiceProcess:
        return ServiceProcess(AnalysisWorker, name="the analysis", preload=_PRELOAD)

    def _create(self, service: ServiceProcess) -> None:
        service.create(self._factory, self._device, self._reader_name)
        description: ReaderDescription = service.call("describe", timeout=_DESCRIBE_SECONDS)
        self.sample_rate, self.hop_seconds = description.sample_rate, description.hop_seconds
        self.note = description.note

    def _find_loss(self) -> str | None:
        """Supervisor: say why the process is lost, or None."""
        return self._service.error

    def _restore(self) -> bool:
        """Supervisor: load another process, and put it in the place of the lost one. Raises KellyError."""
        successor = self._new_service()
        with self._lock:
            if self._is_closed:
                return False
            self._successor = successor
        try:
            successor.start()
            self._create(successor)
            with self._lock:
                if self._is_closed:
                    return False
                old_service, self._service = self._service, successor
        finally:
            self._successor = None
            if self._service is not successor:
                successor.close()
        old_service.close()
        return True
