"""What the analysis process holds: an emotion reader.

Torch is only imported by `create_analysis_worker`, in the process.
"""

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
    """How a reader works: its sample rate (Hz), its hop (s), and a note for the user, in a line."""

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
        self._failed_reader: EmotionReader | None = None

    def describe(self) -> ReaderDescription:
        """Return how the reader works."""
        return ReaderDescription(self._reader.sample_rate, self._reader.hop_seconds, self._note)

    def push(self, samples: np.ndarray, sample_rate: int, end_time: float) -> AnalysisResult:
        """Read new mono samples, float32 `[n]`, of which the last arrived at `end_time` (s, monotonic)."""
        states = self._reader.push(AudioWindow(samples, sample_rate, end_time))
        return AnalysisResult(tuple(states), None if self._failed_reader is None else FALLBACK_PROBLEM)

    def restart(self) -> None:
        """Begin anew after a fault: with the fallback if there is one, else with what was heard forgotten."""
        if self._fallback is None:
            self._reader.reset()
            return
        fallback = self._fallback()
        self._failed_reader, self._reader, self._fallback = self._reader, fallback, None

    def close(self) -> None:
        """Close the reader."""
        self._reader.close()


def create_analysis_worker(device: str, reader_name: str) -> AnalysisWorker:
    """Load a registered emotion reader onto a device (auto, cpu, cuda, mps).

    Raises:
        KellyError: There is no such reader or device, or the reader does not load.
    """
    from kelly_live.emotion.registry import PlacedReader, require_reader
    from kelly_live.workers.realtime import set_switch_interval

    set_switch_interval()  # so that requests are read while the nets compute
    reader = require_reader(reader_name, device=device)
    if not isinstance(reader, PlacedReader):
        return AnalysisWorker(reader)
    fallback = partial(require_reader, reader_name, device="cpu") if reader.device_type != "cpu" else None
    return AnalysisWorker(reader, fallback, reader.note)
