"""A ring buffer between an audio callback and the consumer: one producer, one consumer, no lock.

Thread contract: `write` is called by exactly one producer (the callback) and only copies; `read` by exactly one
consumer. When the ring is full the OLDEST frames are lost and counted, so a reader that fell behind hears the present.

Why that is safe without a lock: the producer never waits for, or even looks at, the consumer. It announces how far it
is about to write (`_reserved`), copies, then publishes how far it has written (`_published`, one reference to an
immutable pair). The consumer copies what was published, and only then looks at `_reserved`: a frame is whole exactly
if fewer than `capacity` newer frames had been announced by then; the others are thrown away and counted. Each
variable has one writer, and a store of a reference is atomic in CPython, with or without its interpreter lock.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kelly_live.core.errors import ConfigError


@dataclass(frozen=True, slots=True)
class CapturedFrames:
    """Frames float32 `[n, channels]` in order; `time` is the producer's stamp (s) of the newest."""

    frames: np.ndarray
    time: float


class SpscRing:
    """A preallocated ring of float32 [capacity, channels]."""

    def __init__(self, capacity: int, channels: int) -> None:
        if capacity < 1 or channels < 1:
            raise ConfigError(f"a ring of {capacity} frames x {channels} channels; both must be at least 1")
        self.capacity = capacity
        self.channels = channels
        self._storage = np.zeros((capacity, channels), np.float32)
        self._reserved = 0  # producer only
        self._published_state = (0, 0.0)  # producer only: frames written since the start, and the stamp of the last
        self._read = 0  # consumer only
        self._dropped_frames = 0  # consumer only

    @property
    def dropped_frames(self) -> int:
        """Frames that were written but will never be read. Any thread; brought up to date by `read`."""
        return self._dropped_frames

    @property
    def published_frames(self) -> int:
        """Frames written since the start. Any thread."""
        return self._published_state[0]

    @property
    def stamp(self) -> float:
        """The time (s) of the newest write; 0 before the first. Any thread."""
        return self._published_state[1]

    def write(self, block: np.ndarray, time: float) -> None:
        """Copy in a block, float32 `[n, channels]`, stamped `time` (s).

        Thread: the producer's only. Never waits; a full ring is no error.
        """
        start = self._published_state[0]
        end = start + len(block)
        self._reserved = end
        if len(block) > self.capacity:  # only its newest frames can be kept
            block = block[-self.capacity :]
        first = (end - len(block)) % self.capacity
        head = min(len(block), self.capacity - first)
        self._storage[first : first + head] = block[:head]
        self._storage[: len(block) - head] = block[head:]
        self._published_state = (end, time)

    def read(self) -> CapturedFrames | None:
        """Return all frames that are new since the last read and still whole; None if there are none.

        Thread: the consumer's only.
        """
        end, time = self._published_state
        if end == self._read:
            return None
        start = max(self._read, end - self.capacity)
        frames = self._copy_out(start, end)
        torn = min(end, max(start, self._reserved - self.capacity))
        self._dropped_frames += torn - self._read
        self._read = end
        if torn == end:
            return None
        return CapturedFrames(frames[torn - start :], time)

    def _copy_out(self, start: int, end: int) -> np.ndarray:
        first = start % self.capacity
        head = min(end - start, self.capacity - first)
        frames = np.empty((end - start, self.channels), np.float32)
        frames[:head] = self._storage[first : first + head]
        frames[head:] = self._storage[: end - start - head]
        return frames
