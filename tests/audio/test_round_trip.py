"""Clicks of known arrival times in synthetic sound: this latency is measured, or this line says why none is."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kelly_live.audio.round_trip import HeardSound, RoundTrip, measure_round_trip
from kelly_live.core.errors import AudioError
from kelly_live.core.values import AudioWindow

RATE = 16_000
TIMES = (1.0, 2.0, 3.15, 4.22, 5.45, 6.47, 7.58, 8.58)
SECONDS = 10.0
ORIGIN = 500.0  # of the sound, on the clock


def click(amplitude: float = 0.3) -> np.ndarray:
    """A stick: a knock of 1.7 kHz that dies away in some 20 ms."""
    t = np.arange(round(0.1 * RATE)) / RATE
    return amplitude * np.exp(-t / 0.005) * np.cos(2.0 * np.pi * 1700.0 * t)


def sound(delays: dict[float, float], *, sample: np.ndarray | None = None, noise: float = 1e-4) -> np.ndarray:
    """The clicks of these times, each so many seconds later, in a quiet room."""
    samples = np.random.default_rng(1).normal(0.0, noise, round(SECONDS * RATE))
    for seconds, delay in delays.items():
        one = click() if sample is None else sample
        start = round((seconds + delay) * RATE)
        samples[start : start + len(one)] += one[: len(samples) - start]
    return samples.astype(np.float32)


def in_time(delay: float) -> dict[float, float]:
    return dict.fromkeys(TIMES, delay)


def windows(samples: np.ndarray, *, late: float = 0.0, drift: float = 0.0) -> list[AudioWindow]:
    """Blocks of 21 ms, each stamped up to `late` s after its end; the sound's clock runs `drift` too slowly."""
    size, late_by = 341, np.random.default_rng(2)
    starts = range(0, len(samples), size)
    return [
        AudioWindow(
            samples[start : start + size],
            RATE,
            ORIGIN + min(start + size, len(samples)) / RATE * (1.0 + drift) + late * late_by.random(),
        )
        for start in starts
    ]


def measure(heard: list[AudioWindow]) -> RoundTrip:
    return measure_round_trip(HeardSound(heard), [ORIGIN + t for t in TIMES], source="Mic", output="Synth")


def refusal(heard: list[AudioWindow]) -> str:
    with pytest.raises(AudioError) as caught:
        measure(heard)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("delay", [0.0005, 0.0123, 0.0871, 0.4, 0.7])
def test_clicks_that_come_so_much_later_have_that_latency(delay: float) -> None:
    trip = measure(windows(sound(in_time(delay))))
    assert trip.seconds == pytest.approx(delay, abs=0.0003)
    assert trip.spread < 0.0003
    assert (len(trip.latencies), trip.sent, trip.lost, trip.is_clipped) == (8, 8, 0, False)


def test_stamps_that_are_late_and_a_sound_card_that_runs_slowly_change_little() -> None:
    trip = measure(windows(sound(in_time(0.05)), late=0.008, drift=2e-5))
    assert trip.seconds == pytest.approx(0.05, abs=0.001)
    assert trip.spread < 0.002


def test_sound_that_the_input_loses_moves_no_later_click() -> None:
    """400 ms are lost between two clicks: all later samples stand that much earlier in what is left."""
    heard = windows(sound(in_time(0.05)))
    trip = measure([window for window in heard if not 501.1 <= window.end_time < 501.5])
    assert trip.seconds == pytest.approx(0.05, abs=0.0003)
    assert (len(trip.latencies), trip.spread < 0.0005) == (8, True)


@pytest.mark.parametrize("level", [0.004, 0.03, 0.3, 0.95])
def test_a_soft_click_and_a_loud_one_have_the_same_latency(level: float) -> None:
    trip = measure(windows(sound(in_time(0.05), sample=click(level))))
    assert trip.seconds == pytest.approx(0.05, abs=0.0003)


def test_hum_and_an_offset_are_not_heard_as_clicks() -> None:
    t = np.arange(round(SECONDS * RATE)) / RATE
    hum = 0.2 + 0.2 * np.sin(2.0 * np.pi * 50.0 * t) + 0.05 * np.sin(2.0 * np.pi * 100.0 * t)
    trip = measure(windows(sound(in_time(0.05)) + hum.astype(np.float32)))
    assert trip.seconds == pytest.approx(0.05, abs=0.0003)


def test_an_echo_does_not_move_the_first_sound() -> None:
    direct, echo = sound(in_time(0.05), noise=1e-4), sound(in_time(0.05 + 0.015), sample=click(0.2), noise=1e-4)
    assert measure(windows(direct + echo)).seconds == pytest.approx(0.05, abs=0.0003)


def test_lost_clicks_and_other_sounds_are_counted_and_left_out() -> None:
    delays = in_time(0.06)
    del delays[TIMES[3]]
    trip = measure(windows(sound(delays | {TIMES[5]: 0.3})))  # one swallowed, one knock on the table instead
    assert trip.seconds == pytest.approx(0.06, abs=0.0003)
    assert (len(trip.latencies), trip.sent, trip.lost) == (6, 8, 1)


def test_an_overdriven_input_is_told() -> None:
    clipped = np.clip(sound(in_time(0.05), sample=click(3.0)), -1.0, 1.0)
    trip = measure(windows(clipped))
    assert trip.is_clipped
    assert trip.seconds == pytest.approx(0.05, abs=0.0005)


def test_silence_asks_for_the_wiring() -> None:
    line = refusal(windows(sound({}, noise=0.0)))
    assert "'Mic' stays silent while clicks play into 'Synth'" in line
    assert "--audio-in" in line


def test_a_room_without_clicks_asks_for_the_synth() -> None:
    line = refusal(windows(sound({}, noise=0.002)))
    assert "0 of 8 clicks stand out in 'Mic' (the room is at -54 dBFS)" in line


def test_a_loud_room_is_told() -> None:
    assert "the room is too loud" in refusal(windows(sound(in_time(0.05), noise=0.2)))


def test_sounds_that_come_whenever_are_no_clicks() -> None:
    delays = dict(zip(TIMES, (0.05, 0.3, 0.12, 0.6, 0.02, 0.4, 0.22, 0.5), strict=True))
    assert "came back at different times, 20 to 600 ms" in refusal(windows(sound(delays)))


def test_a_metronome_in_the_room_is_not_taken_for_the_clicks() -> None:
    ticks = {0.5 * i: 0.05 for i in range(19)}
    assert "of 8 clicks stand out in 'Mic'" in refusal(windows(sound(ticks)))


def test_a_sound_that_goes_round_for_ever_is_told() -> None:
    t = np.arange(round(8.5 * RATE)) / RATE
    howl = 0.5 * np.minimum(1.0, t / 0.2) * np.sin(2.0 * np.pi * 900.0 * t)
    line = refusal(windows(sound({TIMES[0]: 0.05}, sample=howl)))
    assert "do not die away in 'Mic'" in line
    assert "monitoring" in line


def test_no_sound_at_all_is_one_line() -> None:
    with pytest.raises(AudioError, match="no sound at all"):
        HeardSound([])


def test_a_take_that_ends_early_loses_its_last_clicks_only() -> None:
    trip = measure(windows(sound(in_time(0.05))[: math.floor(7.0 * RATE)]))
    assert (len(trip.latencies), trip.lost) == (6, 2)
