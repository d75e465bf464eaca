"""The ring against a model: everything written is either read once, in order, or counted as dropped."""

import threading
from collections import deque

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelly_live.audio.ring import SpscRing
from kelly_live.core.errors import ConfigError


class CountingProducer:
    """A producer whose n-th frame holds the number n in every channel, stamped n + 1 after it."""

    def __init__(self, ring: SpscRing) -> None:
        self.ring, self.written_frames = ring, 0

    def write(self, frames: int) -> None:
        numbers = np.arange(self.written_frames, self.written_frames + frames, dtype=np.float32)
        self.written_frames += frames
        self.ring.write(np.repeat(numbers[:, None], self.ring.channels, axis=1), float(self.written_frames))


@given(
    capacity=st.integers(1, 12),
    channels=st.integers(1, 3),
    steps=st.lists(st.one_of(st.just("read"), st.integers(0, 30)), max_size=40),
)
def test_against_a_bounded_deque(capacity: int, channels: int, steps: list[str | int]) -> None:
    ring = SpscRing(capacity, channels)
    producer, model, delivered = CountingProducer(ring), deque(maxlen=capacity), 0
    for step in [*steps, "read"]:
        if step != "read":
            model.extend(range(producer.written_frames, producer.written_frames + step))
            producer.write(step)
            continue
        block = ring.read()
        newest_frames = list(model)
        model.clear()
        if block is None:
            assert newest_frames == []
            continue
        assert block.frames.dtype == np.float32
        assert block.frames.tolist() == [[float(n)] * channels for n in newest_frames]
        assert block.time == float(producer.written_frames)
        delivered += len(block.frames)
    assert delivered + ring.dropped_frames == producer.written_frames == ring.published_frames


@given(capacity=st.integers(1, 12), before=st.integers(1, 30), during=st.integers(0, 30))
def test_frames_overwritten_while_they_are_copied_out_are_dropped(capacity: int, before: int, during: int) -> None:
    """The producer writes at the worst moment: after the consumer chose what to copy, before the copy."""

    class InterruptedRing(SpscRing):
        def _copy_out(self, start: int, end: int) -> np.ndarray:
            producer.write(during)
            return super()._copy_out(start, end)

    ring = InterruptedRing(capacity, 1)
    producer = CountingProducer(ring)
    producer.write(before)
    block = ring.read()
    survivors = [] if block is None else block.frames[:, 0].tolist()
    first_frame = max(before - capacity, before + during - capacity, 0)
    assert survivors == [float(n) for n in range(min(first_frame, before), before)]
    assert ring.dropped_frames == before - len(survivors)


def test_a_real_thread_never_tears_a_frame() -> None:
    """A fast producer laps a slow reader again and again; what is read is whole, in order, and adds up."""
    ring = SpscRing(64, 2)
    producer, is_done = CountingProducer(ring), threading.Event()

    def produce() -> None:
        for n in range(20_000):
            producer.write(1 + n % 17)
        is_done.set()

    thread = threading.Thread(target=produce)
    thread.start()
    numbers: list[np.ndarray] = []
    while True:
        last_round = is_done.is_set()
        if (block := ring.read()) is not None:
            assert (block.frames[:, 0] == block.frames[:, 1]).all()
            numbers.append(block.frames[:, 0])
        elif last_round:
            break
    thread.join()
    read = np.concatenate(numbers)
    assert (np.diff(read) >= 1.0).all()
    assert len(read) + ring.dropped_frames == producer.written_frames
    assert read[-1] == producer.written_frames - 1


def test_the_block_is_copied_not_kept() -> None:
    ring, block = SpscRing(4, 1), np.ones((2, 1), np.float32)
    ring.write(block, 0.0)
    block[:] = 9.0
    earlier_block = ring.read()
    assert earlier_block is not None
    assert earlier_block.frames.tolist() == [[1.0], [1.0]]


@pytest.mark.parametrize(("capacity", "channels"), [(0, 1), (1, 0)])
def test_an_impossible_ring_is_refused(capacity: int, channels: int) -> None:
    with pytest.raises(ConfigError, match="at least 1"):
        SpscRing(capacity, channels)
