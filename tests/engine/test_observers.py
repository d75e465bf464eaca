"""Observers see snapshots at a bounded rate; a slow or faulty one is dropped, and the others see on."""

from __future__ import annotations

import logging
import queue
import threading

import pytest

from kelly_live.core.errors import ConfigError
from kelly_live.core.timebase import ManualClock
from kelly_live.engine.observers import MAX_OBSERVERS, SLOW_SECONDS, Observation, Observers
from tests.workers.until import wait_until

PATIENCE_SECONDS = 30.0


class ObserverRun:
    """A clock, the observers, and what one of them saw."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.observers: Observers[int] = Observers(self.clock)

    def publish(self, number: int, *, after: float) -> None:
        self.clock.advance(after)
        self.observers.publish(number)


def wait_until_idle(observation: Observation[int]) -> None:
    """Wait for the callback that is under way to end."""
    wait_until(lambda: not observation.is_busy or not observation.is_open, PATIENCE_SECONDS)


def test_each_due_snapshot_is_received_once_and_in_order() -> None:
    run, received = ObserverRun(), queue.Queue[int]()
    observation = run.observers.observe(received.put, max_hertz=10.0)
    for number in range(6):  # every 50 ms, twice as often as it may be shown
        run.publish(number, after=0.05)
        wait_until_idle(observation)
    assert [received.get(timeout=PATIENCE_SECONDS) for _ in range(3)] == [0, 2, 4]
    assert received.empty()
    observation.close()
    run.publish(7, after=1.0)
    assert not observation.is_open
    assert received.empty()


def test_a_slow_observer_is_dropped_and_holds_up_nobody(caplog: pytest.LogCaptureFixture) -> None:
    run, received, has_been_called, release = ObserverRun(), queue.Queue[int](), threading.Event(), threading.Event()

    def hang(snapshot: int) -> None:
        has_been_called.set()
        release.wait(PATIENCE_SECONDS)

    slow, other = run.observers.observe(hang), run.observers.observe(received.put)
    with caplog.at_level(logging.WARNING):
        run.publish(0, after=0.1)
        assert has_been_called.wait(PATIENCE_SECONDS)
        wait_until_idle(other)
        run.publish(1, after=0.5 * SLOW_SECONDS)
        assert slow.is_open, "it may miss snapshots"
        assert slow.missed_snapshots == 1
        wait_until_idle(other)
        run.publish(2, after=0.5 * SLOW_SECONDS)
        assert not slow.is_open
    assert "an observer was dropped: it took over 1 s" in caplog.text
    assert [received.get(timeout=PATIENCE_SECONDS) for _ in range(3)] == [0, 1, 2]
    release.set()
    run.observers.close()


def test_an_observer_that_raises_is_dropped(caplog: pytest.LogCaptureFixture) -> None:
    run = ObserverRun()

    def fail(snapshot: int) -> None:
        raise ZeroDivisionError("of its own")

    observation = run.observers.observe(fail)
    with caplog.at_level(logging.ERROR):
        run.publish(0, after=0.1)
        wait_until_idle(observation)
    assert not observation.is_open
    assert "it raised an error" in caplog.text


def test_how_many_and_how_often_is_bounded() -> None:
    run = ObserverRun()
    with pytest.raises(ConfigError, match="max_hertz is 0"):
        run.observers.observe(print, max_hertz=0.0)
    observations = [run.observers.observe(lambda snapshot: None) for _ in range(MAX_OBSERVERS)]
    with pytest.raises(ConfigError, match="close one first"):
        run.observers.observe(print)
    observations[0].close()
    run.observers.observe(print)
    run.observers.close()
    assert not any(one.is_open for one in observations)
