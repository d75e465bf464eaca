"""Workers for the tests of AnalysisProxy: what the analysis process holds in them."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

from kelly_live.core.errors import ConfigError, ModelError
from kelly_live.core.values import AudioWindow, EmotionState
from kelly_live.engine.analysis_worker import AnalysisWorker
from tests.fakes import state


class ScriptedReader:
    """Returns one state a block, happier with each since the last reset; obeys orders in the first sample."""

    sample_rate = 16_000
    hop_seconds = 0.25

    def __init__(self) -> None:
        self._blocks = 0

    def push(self, block: AudioWindow) -> Sequence[EmotionState]:
        if block.samples[0] == 1.0:
            raise ConfigError("the block is odd")
        if block.samples[0] == 2.0:
            time.sleep(60.0)
        self._blocks += 1
        return [state(valence=0.1 * self._blocks, time=block.end_time)]

    def reset(self) -> None:
        self._blocks = 0

    def close(self) -> None:
        """Nothing is held."""


def create(device: str, reader_name: str) -> AnalysisWorker:
    """Create a worker; the device is a file that notes each try, and names the tries that fail."""
    tries = Path(device)
    number = len(tries.read_text()) if tries.exists() else 0
    tries.write_text("x" * (number + 1))
    with open(f"{device}.pids", "a") as file:
        print(os.getpid(), file=file)
    failing = Path(f"{device}.failing")
    if failing.exists() and str(number) in failing.read_text():
        raise ModelError("the nets are gone")
    return AnalysisWorker(ScriptedReader(), ScriptedReader if Path(f"{device}.gpu").exists() else None, "note")
