"""The load that a live session puts on the machine: the emotion net, hop after hop without a pause."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from kelly_live.core.resources import find_resources
from kelly_live.core.values import AudioWindow


@contextmanager
def computing(really: bool = True) -> Iterator[None]:
    """In a thread of this process, on one core. Raises ModelError."""
    if not really:
        yield
        return
    import torch

    from kelly_live.emotion.reader import load_reader

    torch.set_num_threads(1)
    reader = load_reader(find_resources("models"), "cpu")
    samples = int(reader.sample_rate * reader.hop_seconds)
    noise = np.random.default_rng(1).normal(0.0, 0.1, samples).astype(np.float32)
    stopping = threading.Event()

    def compute() -> None:
        hops = 0
        while not stopping.is_set():
            hops += 1
            reader.push(AudioWindow(noise, reader.sample_rate, hops * reader.hop_seconds))

    thread = threading.Thread(target=compute, name="compute", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()
