"""What the analysis process holds: an emotion reader. Torch is imported by `create_analysis_worker`, in the process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from kelly_live.core.protocols import EmotionReader
from kelly_live.core.values import AudioWindow, EmotionState

FALLBACK_PROBLEM = "the GPU failed; the CPU took over the analysis"


@dataclass(frozen=True, slots=True)
class ReaderDescription:
    """How a reader works: the sample rate that it takes (Hz), its hop (s), and a note for the user, in a line."""

    sample_rate: int
    hop_seconds: float
    note: str | None


@dataclass(frozen=True, slots=True)
class AnalysisResult:
    """The emotion states that a block completed, and what is wrong with the reader, in a line."""

    states: tuple[EmotionState, ...]
    problem: str | None


class AnalysisWorker:
    """The service of the analysis process. Thread: all calls come in turn.

    Args:
        reader: Reads the emotion.
        fallback: Makes another reader, for when this one fails because its GPU is gone.
        note: What the user should know of how the reader works.
    """

    def __init__(
        self, reader: EmotionReader, fallback: Callable[[], EmotionReader] | None = None, note: str | None = None
    ) -> None:
        self._reader = reader
        self._fallback = fallback
        self._note = note
        # Kept for good: what a dead GPU does when it is released is not tried in a performance.
        self._failed: EmotionReader | None = None

    def describe(self) -> ReaderDescription:
        """Return how the reader works."""
        return ReaderDescription(self._reader.sample_rate, self._reader.hop_seconds, self._note)

    def push(self, samples: np.ndarray, sample_rate: int, end_time: float) -> AnalysisResult:
        """Read new mono samples, float32 `[n]`, of which the last arrived at `end_time` (s, monotonic)."""
        states = self._reader.push(AudioWindow(samples, sample_rate, end_time))
        return AnalysisResult(tuple(states), None if self._failed is None else FALLBACK_PROBLEM)

    def restart(self) -> None:
        """Begin anew after a fault: with the fallback if there is one, else with what was heard forgotten."""
        if self._fallback is None:
            self._reader.reset()
            return
        fallback = self._fallback()
        self._failed, self._reader, self._fallback = self._reader, fallback, None

    def close(self) -> None:
        """Nothing is kept."""


def create_analysis_worker(device: str) -> AnalysisWorker:
    """Load the shipped nets onto a device (auto, cpu, cuda, mps).

    Raises:
        KellyError: A net is missing or damaged, or there is no such device.
    """
    from kelly_live.core.resources import find_resources
    from kelly_live.emotion.reader import load_reader
    from kelly_live.workers.realtime import set_switch_interval

    set_switch_interval()  # so that requests are read while the nets compute
    models = find_resources("models")
    # One thread: a hop is too small to share out, and the other cores are the scheduler's and the synth's.
    reader = load_reader(models, device, torch_threads=1)
    fallback = partial(load_reader, models, "cpu") if reader.device.type != "cpu" else None
    return AnalysisWorker(reader, fallback, reader.note)
