"""What can't be run here: other systems' clocks and timers, by fakes of their calls."""

from __future__ import annotations

import time
from types import SimpleNamespace

from kelly_live.core.timebase import choose_clock
from kelly_live.workers.realtime import TIMER_MILLISECONDS, request_timer_period


def test_on_windows_the_clock_is_the_one_of_high_resolution() -> None:
    assert choose_clock("win32") is time.perf_counter
    assert choose_clock("linux") is choose_clock("darwin") is time.monotonic


def test_windows_is_asked_for_a_fine_timer_and_others_are_not() -> None:
    calls: list[tuple[str, int]] = []

    def load(name: str) -> SimpleNamespace:
        return SimpleNamespace(timeBeginPeriod=lambda milliseconds: calls.append((name, milliseconds)))

    request_timer_period(load)
    assert calls == [("winmm", TIMER_MILLISECONDS)]
    request_timer_period(None)


def test_a_windows_without_that_library_goes_on() -> None:
    def load(name: str) -> SimpleNamespace:
        raise OSError(f"no {name}")

    request_timer_period(load)
