"""Audio sources that need no device, behind the AudioSource protocol: a file, or generated sound.

Thread contract: the consumer (analysis) thread calls everything but `health` and `close`, which any thread may.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from kelly_live.audio.decode import AudioFile
from kelly_live.audio.resample import ANALYSIS_RATE
from kelly_live.core.errors import AudioError, ConfigError
from kelly_live.core.input_mix import ALL_CHANNELS, MAX_MINUTES, InputMix
from kelly_live.core.level import SILENCE_DBFS, rms_dbfs
from kelly_live.core.protocols import AudioHealth
from kelly_live.core.timebase import Clock
from kelly_live.core.values import AudioWindow


class BlockSource:
    """Blocks that are known beforehand, delivered one a `read`; `end_time` is the start plus the position.

    With `realtime`, each comes when it is due by the clock, never early; a late reader gets all, one after the other.
    Otherwise they come at once, and the clock is not touched.
    """

    def __init__(self, clock: Clock, *, realtime: bool, sample_rate: int, block_seconds: float) -> None:
        if not block_seconds > 0.0:
            raise ConfigError(f"the block size is {block_seconds} s; it must be over 0")
        self.sample_rate = sample_rate
        self._clock = clock
        self._realtime = realtime
        self._block_seconds = block_seconds
        self._blocks: Iterator[np.ndarray] = iter(())
        self._next: np.ndarray | None = None  # one block ahead, so that `is_finished` is known with the last one
        self._origin = 0.0
        self._delivered = 0
        self._level = SILENCE_DBFS
        self._busy = threading.Lock()  # `close` from another thread waits for the block that is being made

    def _open(self) -> Iterator[np.ndarray]:
        raise NotImplementedError

    @property
    def is_finished(self) -> bool:
        """Whether all blocks are delivered."""
        return self._next is None

    def start(self) -> None:
        """Open, and read the first block.

        Raises:
            AudioError: There is no sound.
        """
        self._blocks = self._open()
        self._next = next(self._blocks, None)
        self._origin = self._clock.now()
        self._delivered = 0

    def read(self, timeout: float) -> AudioWindow | None:
        """Return the next block, or None if it is not due within `timeout` s, or all are delivered."""
        if self._next is None:
            return None
        due_time = self._origin + (self._delivered + len(self._next)) / self.sample_rate
        if self._realtime:
            self._clock.sleep_until(min(due_time, self._clock.now() + timeout))
            if self._clock.now() < due_time:
                return None
        samples = self._next
        with self._busy:
            self._next = next(self._blocks, None)
        self._delivered += len(samples)
        self._level = rms_dbfs(samples)
        return AudioWindow(samples, self.sample_rate, due_time)

    def health(self) -> AudioHealth:
        """Return the level; nothing is ever lost."""
        return AudioHealth(self._level, overflows=0, dropped_seconds=0.0)

    def close(self) -> None:
        """End. Safe to call twice."""
        with self._busy:
            self._blocks, self._next = iter(()), None
            self._release()

    def _release(self) -> None:
        """Release what this kind of source has opened."""


class FileSource(BlockSource):
    """A sound file as a source; `damage` and `replaced_samples` are complete once it is finished."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        clock: Clock,
        *,
        realtime: bool,
        sample_rate: int = ANALYSIS_RATE,
        block_seconds: float = 0.05,
        mix: InputMix = ALL_CHANNELS,
        max_minutes: float = MAX_MINUTES,
    ) -> None:
        super().__init__(clock, realtime=realtime, sample_rate=sample_rate, block_seconds=block_seconds)
        self._mix, self._max_minutes = mix, max_minutes
        self.path = Path(path)
        self.name = self.path.name
        self._file: AudioFile | None = None

    @property
    def duration_seconds(self) -> float | None:
        """The duration that the header promises; None before the start."""
        return self._file.duration_seconds if self._file else None

    @property
    def damage(self) -> str | None:
        """How the sound breaks off early, or None."""
        return self._file.damage if self._file else None

    @property
    def replaced_samples(self) -> int:
        """NaN and infinite samples so far, now 0."""
        return self._file.replaced_samples if self._file else 0

    def _open(self) -> Iterator[np.ndarray]:
        if self._file is not None:
            self._file.close()
        self._file = AudioFile(self.path, mix=self._mix, max_minutes=self._max_minutes)
        return self._file.blocks(self.sample_rate, self._block_seconds)

    def _release(self) -> None:
        if self._file is not None:
            self._file.close()


class ScriptedSource(BlockSource):
    """Given samples, float32 `[n]` at `sample_rate`, for tests and demos.

    Then it ends, or fails with `failure`, as a device that is pulled out does.
    """

    def __init__(
        self,
        samples: np.ndarray,
        clock: Clock,
        *,
        realtime: bool = False,
        sample_rate: int = ANALYSIS_RATE,
        block_seconds: float = 0.05,
        failure: AudioError | None = None,
    ) -> None:
        super().__init__(clock, realtime=realtime, sample_rate=sample_rate, block_seconds=block_seconds)
        self._samples = np.asarray(samples, np.float32)
        self._failure = failure

    @property
    def is_finished(self) -> bool:
        """Whether all blocks are delivered, and no failure follows."""
        return super().is_finished and self._failure is None

    def read(self, timeout: float) -> AudioWindow | None:
        """Return the next block; raise the failure after the last."""
        if self._next is None and self._failure is not None:
            raise self._failure
        return super().read(timeout)

    def _open(self) -> Iterator[np.ndarray]:
        size = max(1, round(self._block_seconds * self.sample_rate))
        return (self._samples[start : start + size] for start in range(0, len(self._samples), size))


class RepeatingSource(BlockSource):
    """Given samples, float32 `[n]` at `sample_rate`, repeated for `seconds`."""

    def __init__(
        self,
        samples: np.ndarray,
        clock: Clock,
        *,
        seconds: float,
        realtime: bool = False,
        sample_rate: int = ANALYSIS_RATE,
        block_seconds: float = 0.05,
    ) -> None:
        super().__init__(clock, realtime=realtime, sample_rate=sample_rate, block_seconds=block_seconds)
        self._samples, self._seconds = np.asarray(samples, np.float32), seconds

    def _open(self) -> Iterator[np.ndarray]:
        size = max(1, round(self._block_seconds * self.sample_rate))
        for start in range(0, round(self._seconds * self.sample_rate), size):
            yield self._samples.take(range(start, start + size), mode="wrap")


class ToneSource(BlockSource):
    """A sine of `hz` at `amplitude` (0-1), for `seconds`; None: without end, which needs `realtime`."""

    def __init__(
        self,
        hz: float,
        clock: Clock,
        *,
        amplitude: float = 0.5,
        seconds: float | None = None,
        realtime: bool = False,
        sample_rate: int = ANALYSIS_RATE,
        block_seconds: float = 0.05,
    ) -> None:
        super().__init__(clock, realtime=realtime, sample_rate=sample_rate, block_seconds=block_seconds)
        self._hz, self._amplitude, self._seconds = hz, amplitude, seconds

    def _open(self) -> Iterator[np.ndarray]:
        size = max(1, round(self._block_seconds * self.sample_rate))
        end = None if self._seconds is None else round(self._seconds * self.sample_rate)
        start = 0
        while end is None or start < end:
            stop = start + size if end is None else min(end, start + size)
            phase = 2.0 * np.pi * self._hz * np.arange(start, stop) / self.sample_rate
            yield (self._amplitude * np.sin(phase)).astype(np.float32)
            start = stop


class SilenceSource(ToneSource):
    """Silence, for `seconds` or without end."""

    def __init__(self, clock: Clock, *, seconds: float | None = None, realtime: bool = False) -> None:
        super().__init__(0.0, clock, amplitude=0.0, seconds=seconds, realtime=realtime)
