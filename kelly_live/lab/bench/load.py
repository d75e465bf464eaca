"""Loads to measure beside: the nets of a live session, and a loop that spins on every core."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import numpy as np

from kelly_live.core.values import AudioWindow
from kelly_live.workers.child import ParentConnection
from kelly_live.workers.process import WorkerProcess, module_command


@contextmanager
def stress_nets() -> Iterator[None]:
    """Run the nets hop after hop without a pause, in a thread of this process on one core.

    Raises:
        ModelError: A checkpoint is missing or damaged.
    """
    from kelly_live.emotion.reader import create_reader

    reader = create_reader("cpu")
    samples = int(reader.sample_rate * reader.hop_seconds)
    noise = np.random.default_rng(1).normal(0.0, 0.1, samples).astype(np.float32)
    stopping = threading.Event()

    def compute() -> None:
        hops = 0
        while not stopping.is_set():
            hops += 1
            reader.push(AudioWindow(noise, reader.sample_rate, hops * reader.hop_seconds))

    thread = threading.Thread(target=compute, name="stress-nets", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


@contextmanager
def stress_cores() -> Iterator[list[int]]:
    """Spin on every core, in a process a core, and yield the process ids.

    The processes end with this one, however it ends.

    Raises:
        WorkerError: A process cannot be started.
    """
    with ExitStack() as stack:
        process_ids = []
        for core in range(os.cpu_count() or 1):
            worker = WorkerProcess[None](
                module_command("kelly_live.lab.bench.load"),
                name=f"load process {core + 1}",
                receives=None,
                on_message=lambda message: None,
            )
            stack.callback(worker.close)
            worker.start()
            process_ids.append(worker.process_id or 0)
        yield process_ids


def main() -> None:
    """Spin until the parent closes its end of the pipe or is gone. Runs in a load process."""

    def spin() -> None:
        while True:
            pass

    connection: ParentConnection[None] = ParentConnection(None)
    threading.Thread(target=spin, name="spin", daemon=True).start()
    for _ in connection.receive():
        pass  # nothing is ever sent: what counts is the end


if __name__ == "__main__":
    main()
