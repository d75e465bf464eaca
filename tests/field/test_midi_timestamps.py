"""A driver's intervals, where it keeps some to itself: the time stamps stay with the clock."""

from __future__ import annotations

import random

import pytest

from kelly_live.midi.input_queue import HANDOVER_SECONDS, POLL_SECONDS, TimestampEstimator

TICK_SECONDS = 60.0 / (120.0 * 24.0)


def stamp_ticks(
    kept_at: list[float],
    *,
    seconds: float = 60.0,
    drift: float = 0.0,
    stall_seconds: float = 0.0,
    stand_still: bool = False,
) -> list[float]:
    """Return by how much each tick's stamp is early (s), for a driver that keeps messages at `kept_at`.

    It is polled every POLL_SECONDS, and for `stall_seconds` of each second not at all.
    """
    rng = random.Random(1)
    ticks = [k * TICK_SECONDS for k in range(int(seconds / TICK_SECONDS))]
    events = sorted([(at, True) for at in ticks] + [(at, False) for at in kept_at])
    stamps = TimestampEstimator()
    errors: list[float] = []
    last: float | None = None
    now, empty_at, place = 100.0, 100.0, 0
    while place < len(events):
        now += rng.uniform(POLL_SECONDS, 1.2 * POLL_SECONDS)
        if now % 1.0 < stall_seconds:
            continue
        polled_at = now
        while place < len(events) and 100.0 + events[place][0] <= now:
            at, is_tick = events[place]
            place += 1
            interval = 0.0 if last is None or stand_still else (at - last) * (1.0 + drift)
            last = at
            if is_tick:
                errors.append(100.0 + at - stamps.stamp(interval, now, empty_at))
        empty_at = polled_at
    return errors


@pytest.mark.parametrize("every_seconds", [0.3, 0.05, 0.011])
def test_intervals_that_the_driver_keeps_move_no_stamp(every_seconds: float) -> None:
    """Active Sensing every 300 ms, SysEx now and then: RtMidi's intervals count from those too."""
    kept_at = [k * every_seconds + 0.0005 for k in range(int(60.0 / every_seconds))]
    errors = stamp_ticks(kept_at)
    assert max(map(abs, errors)) < HANDOVER_SECONDS + 2.0 * POLL_SECONDS


def test_without_such_messages_stamps_are_exact_also_where_they_wait() -> None:
    errors = stamp_ticks([], stall_seconds=0.12)
    assert max(map(abs, errors[200:])) < 0.001


@pytest.mark.parametrize("drift", [5e-5, -5e-5, 1e-3])
def test_a_drivers_clock_that_drifts_is_kept_to_ours(drift: float) -> None:
    errors = stamp_ticks([], seconds=300.0, drift=drift)
    assert max(map(abs, errors)) < HANDOVER_SECONDS + 2.0 * POLL_SECONDS


def test_a_drivers_clock_that_stands_is_ours() -> None:
    errors = stamp_ticks([], stand_still=True)
    assert max(map(abs, errors)) < HANDOVER_SECONDS + 2.0 * POLL_SECONDS


def test_a_pause_of_an_hour_costs_nothing() -> None:
    stamps = TimestampEstimator()
    stamps.stamp(0.0, 1.0, 0.999)
    assert stamps.stamp(5.0, 3601.0, 3600.999) == pytest.approx(3601.0, abs=0.004)
