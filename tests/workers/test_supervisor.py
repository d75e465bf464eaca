"""A part that is lost is restored with back-off: given these losses at these times, these tries."""

from __future__ import annotations

import threading

import pytest

from kelly_live.core.errors import AudioError
from kelly_live.core.timebase import ManualClock, MonotonicClock
from kelly_live.workers.supervisor import Supervisor
from tests.workers.until import wait_until


class Part:
    """A part that can be lost, its supervisor, and what the supervisor did when."""

    def __init__(self, clock: ManualClock | MonotonicClock | None = None, **options: float) -> None:
        self.clock = clock or ManualClock()
        self.fault: str | None = None
        self.is_restorable = True
        self.events: list[tuple[str, float]] = []
        self.supervisor = Supervisor(
            "the part", check=self._check, restore=self._restore, release=self._release, clock=self.clock,
            **{"watch_seconds": 0.125, **options},
        )  # fmt: skip

    def _check(self) -> str | None:
        return self.fault

    def _release(self, problem: str) -> None:
        self.events.append(("release", self.clock.now()))

    def _restore(self) -> bool:
        self.events.append(("restore", self.clock.now()))
        if self.is_restorable:
            self.fault = None
        elif len(self.events) % 2:
            raise AudioError("not yet")
        return self.is_restorable

    def run_until(self, seconds: float) -> None:
        assert isinstance(self.clock, ManualClock)
        while self.clock.now() < seconds:
            self.clock.advance(0.125)
            self.supervisor.step()


def test_a_loss_is_noticed_at_the_next_look_and_restored_at_once() -> None:
    part = Part()
    part.run_until(1.0)
    part.fault = "unplugged"
    part.run_until(1.25)
    assert part.events == [("release", 1.125), ("restore", 1.125)]
    assert part.supervisor.problem is None


def test_tries_back_off_up_to_the_limit_and_begin_anew_after_the_next_loss() -> None:
    part = Part(retry_seconds=1.0, retry_limit_seconds=4.0)
    part.fault, part.is_restorable = "unplugged", False
    part.run_until(15.0)
    tries = [0.125, 1.125, 3.125, 7.125, 11.125]
    assert part.events == [("release", 0.125), *(("restore", seconds) for seconds in tries)]
    assert part.supervisor.problem == "unplugged"
    part.is_restorable = True
    part.run_until(15.125)
    assert part.supervisor.problem is None
    part.events.clear()
    part.fault, part.is_restorable = "unplugged again", False
    part.run_until(16.5)
    assert part.events == [("release", 15.25), ("restore", 15.25), ("restore", 16.25)]
    assert part.supervisor.problem == "unplugged again"


def test_the_first_try_can_be_delayed() -> None:
    part = Part(delay_seconds=1.0)
    part.fault = "unplugged"
    part.run_until(2.0)
    assert part.events == [("release", 0.125), ("restore", 1.125)]


def test_a_wake_looks_at_once_but_tries_no_sooner() -> None:
    part = Part(watch_seconds=10.0, retry_seconds=1.0)
    part.fault, part.is_restorable = "unplugged", False
    part.run_until(1.0)
    assert part.events == []
    part.supervisor.wake()
    part.run_until(1.125)
    assert part.events == [("release", 1.125), ("restore", 1.125)]
    part.supervisor.wake()
    part.run_until(2.0)
    assert len(part.events) == 2


def test_its_thread_does_the_same_and_ends_when_it_is_stopped() -> None:
    part = Part(MonotonicClock(), watch_seconds=60.0)
    part.supervisor.start()
    part.fault = "unplugged"
    part.supervisor.wake()
    wait_until(lambda: len(part.events) == 2 and part.supervisor.problem is None)
    assert part.supervisor.stop()
    assert part.supervisor.stop()
    assert not part.supervisor.is_running


def test_stopping_waits_for_a_try_only_so_long() -> None:
    part, goes_on = Part(MonotonicClock(), watch_seconds=0.0), threading.Event()
    part.supervisor._restore = goes_on.wait  # type: ignore[assignment]
    part.fault = "unplugged"
    part.supervisor.start()
    wait_until(lambda: part.supervisor.problem)
    assert not part.supervisor.stop(0.05)
    assert part.supervisor.is_stopping
    goes_on.set()
    assert part.supervisor.stop(20.0)


@pytest.mark.parametrize("method", ["_check", "_restore"])
def test_what_no_part_should_raise_is_reported_and_the_part_released(method: str) -> None:
    part = Part(MonotonicClock(), watch_seconds=0.0)
    setattr(part.supervisor, method, lambda: 1 / 0)
    part.fault = "unplugged"
    part.supervisor.start()
    wait_until(lambda: not part.supervisor.is_running)
    assert part.supervisor.problem == "the part is lost (division by zero); start kelly-live again to have it back"
    assert part.events[-1][0] == "release"


def test_a_supervisor_that_was_never_started_can_be_stopped() -> None:
    assert Part().supervisor.stop()
