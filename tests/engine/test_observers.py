"""Observers see snapshots at a bounded rate; a slow or faulty one is dropped, and the others see on."""

from __future__ import annotations

import logging
import queue
import threading

import pytest

from kelly_live.core.errors import ConfigError
from kelly_live.core.timebase import ManualClock
from kelly_live.engine.observers import MAX_OBSERVERS, SLOW_SECONDS, Observation, Observers

PATIENCE_SECONDS = 30.0


class Stage:
    """A clock, the observers, and what one of them saw."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.observers: Observers[int] = Observers(self.clock)

    def publish(self, number: int, *, after: float) -> None:
        self.clock.advance(after)
        self.observers.publish(number)


def wait_until_idle(observation: Observation[int]) -> None:
    """Wait for the callback that is under way to end."""
    with observation._changed:
        pass
    deadline = threading.Event()
    for _ in range(int(PATIENCE_SECONDS / 0.001)):
        with observation._changed:
            if observation._busy_since is None or observation._closed:
                return
        deadline.wait(0.001)
    raise AssertionError("the observer is still busy")


def test_each_snapshot_that_is_due_is_seen_once_and_in_order() -> None:
    stage, seen = Stage(), queue.Queue[int]()
    observation = stage.observers.observe(seen.put, max_hertz=10.0)
    for number in range(6):  # every 50 ms, twice as often as it may be shown
        stage.publish(number, after=0.05)
        wait_until_idle(observation)
    assert [seen.get(timeout=PATIENCE_SECONDS) for _ in range(3)] == [0, 2, 4]
    assert seen.empty()
    observation.close()
    stage.publish(7, after=1.0)
    assert not observation.is_open
    assert seen.empty()


def test_a_slow_observer_is_dropped_and_holds_up_nobody(caplog: pytest.LogCaptureFixture) -> None:
    stage, seen, called, release = Stage(), queue.Queue[int](), threading.Event(), threading.Event()

    def hang(snapshot: int) -> None:
        called.set()
        release.wait(PATIENCE_SECONDS)

    slow, other = stage.observers.observe(hang), stage.observers.observe(seen.put)
    with caplog.at_level(logging.WARNING):
        stage.publish(0, after=0.1)
        assert called.wait(PATIENCE_SECONDS)
        wait_until_idle(other)
        stage.publish(1, after=0.5 * SLOW_SECONDS)
        assert slow.is_open, "it may miss snapshots"
        assert slow.missed == 1
        wait_until_idle(other)
        stage.publish(2, after=0.5 * SLOW_SECONDS)
        assert not slow.is_open
    assert "an observer was dropped: it took over 1 s" in caplog.text
    assert [seen.get(timeout=PATIENCE_SECONDS) for _ in range(3)] == [0, 1, 2]
    release.set()
    stage.observers.close()


def test_an_observer_that_raises_is_dropped(caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage()

    def fail(snapshot: int) -> None:
        raise ZeroDivisionError("of its own")

    observation = stage.observers.observe(fail)
    with caplog.at_level(logging.ERROR):
        stage.publish(0, after=0.1)
        wait_until_idle(observation)
    assert not observation.is_open
    assert "it raised an error" in caplog.text


def test_how_many_and_how_often_is_bounded() -> None:
    stage = Stage()
    with pytest.raises(ConfigError, match="max_hertz is 0"):
        stage.observers.observe(print, max_hertz=0.0)
    opened = [stage.observers.observe(lambda snapshot: None) for _ in range(MAX_OBSERVERS)]
    with pytest.raises(ConfigError, match="close one first"):
        stage.observers.observe(print)
    opened[0].close()
    stage.observers.observe(print)
    stage.observers.close()
    assert not any(one.is_open for one in opened)
