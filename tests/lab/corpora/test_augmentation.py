"""Augmentation: bounds of the room, the microphone, noise, gain and clipping."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import sosfreqz

from kelly_live.lab.corpora.augmentation import (
    NOISES,
    StageProbabilities,
    augment,
    compute_gain_control,
    draw_microphone,
    draw_noise,
    draw_room_response,
    measure_active_power,
)

NOTHING = {"room": 0.0, "microphone": 0.0, "noise": 0.0, "gain_control": 0.0, "gain": 0.0, "clipping": 0.0}
ALL = StageProbabilities(1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
SEEDS = st.integers(0, 2**32 - 1)


def select_stages(*stages: str) -> StageProbabilities:
    return StageProbabilities(**NOTHING | dict.fromkeys(stages, 1.0))


def rng_for(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def make_note(n: int = 16_000, seed: int = 0) -> np.ndarray:
    """A third of silence, a third of a buzz, a third of silence."""
    x = np.zeros(n, np.float32)
    t = np.arange(n // 3) / 16_000
    x[n // 3 : n // 3 + len(t)] = sum(np.sin(2 * np.pi * 220 * k * t) / k for k in range(1, 12)) * 0.1
    return x


def to_decibels(ratio: float) -> float:
    return float(10.0 * np.log10(ratio))


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, n=st.integers(0, 9000), level=st.floats(0.0, 1.0), every=st.booleans())
def test_the_result_has_the_same_length_and_is_finite_and_in_range(
    seed: int, n: int, level: float, every: bool
) -> None:
    samples = (level * rng_for(seed).uniform(-1, 1, n)).astype(np.float32)
    before = samples.copy()
    rough = augment(samples, rng_for(seed), ALL if every else StageProbabilities())
    assert rough.shape == samples.shape
    assert rough.dtype == np.float32
    assert np.isfinite(rough).all()
    assert np.abs(rough).max(initial=0.0) <= 1.0
    np.testing.assert_array_equal(samples, before)  # the input is left alone
    np.testing.assert_array_equal(rough, augment(samples, rng_for(seed), ALL if every else StageProbabilities()))


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS)
def test_nothing_sounds_before_the_input_and_there_is_no_delay(seed: int) -> None:
    samples = np.zeros(16_000, np.float32)
    samples[8000] = 0.5
    for stages in (("room",), ("room", "microphone"), ("microphone",)):
        rough = np.abs(augment(samples, rng_for(seed), select_stages(*stages)))
        assert not rough[:7999].max() > 1e-6 * rough.max(), stages  # the transform rounds, it does not ring before
        first = int(np.argmax(rough > 0.05 * rough.max()))
        assert 0 <= first - 8000 <= 16, stages  # within a millisecond
    rough = augment(samples, rng_for(seed), select_stages("room"))
    assert int(np.argmax(np.abs(rough))) == 8000


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS)
def test_room_responses_have_plausible_levels_and_lengths(seed: int) -> None:
    response = draw_room_response(rng_for(seed)).astype(np.float64)
    assert response[0] == 1.0
    assert -3.01 <= to_decibels(1.0 / np.sum(response[1:] ** 2)) <= 12.01
    assert 0.15 * 16_000 - 1 <= len(response) <= 0.8 * 16_000
    # Schroeder's backward integral of the late part: it falls, and is all but gone at the end.
    remaining_energy = np.cumsum(response[::-1] ** 2)[::-1]
    assert to_decibels(remaining_energy[len(remaining_energy) * 9 // 10] / remaining_energy[1]) < -30.0


def test_treble_decays_before_bass() -> None:
    steeper = 0
    for seed in range(20):
        response = draw_room_response(rng_for(seed))
        half = len(response) // 2
        early, late = (np.abs(np.fft.rfft(part, 16_384)) ** 2 for part in (response[half // 4 : half], response[half:]))
        steeper += (late[5000:].sum() / early[5000:].sum()) < (late[100:1000].sum() / early[100:1000].sum())
    assert steeper >= 18


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS)
def test_microphones_are_stable_and_pass_the_middle(seed: int) -> None:
    sections = draw_microphone(rng_for(seed))
    assert all(np.abs(np.roots(section[3:])).max() < 1.0 for section in sections)
    middle, deep = to_decibels(1.0), 10.0
    size = np.abs(sosfreqz(sections, np.array([deep, 1000.0]), fs=16_000)[1]) ** 2
    assert middle - 10.0 < to_decibels(size[1]) < middle + 10.0
    assert to_decibels(size[0]) < -20.0


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, stages=st.sampled_from([("room",), ("microphone",), ("room", "microphone")]))
def test_room_and_microphone_keep_the_energy(seed: int, stages: tuple[str, ...]) -> None:
    samples = make_note()
    assert np.mean(augment(samples, rng_for(seed), select_stages(*stages)) ** 2) == pytest.approx(
        np.mean(samples**2), rel=1e-2
    )


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS)
def test_noise_lies_5_to_35_db_below_the_signal_regardless_of_pauses(seed: int) -> None:
    samples = make_note()
    added = augment(samples, rng_for(seed), select_stages("noise")) - samples
    assert 4.9 <= to_decibels(measure_active_power(samples) / np.mean(added**2)) <= 35.1


def test_silence_gets_a_little_noise_and_stays_far_below_a_voice() -> None:
    levels = [
        to_decibels(np.mean(augment(np.zeros(8000, np.float32), rng_for(s), select_stages("noise")) ** 2))
        for s in range(20)
    ]
    assert min(levels) > -96.0
    assert max(levels) < -64.0


@pytest.mark.parametrize("kind", NOISES)
def test_each_background_goes_through_the_microphone_too(kind: str) -> None:
    telephone = draw_microphone(rng_for(3))
    response = np.abs(sosfreqz(telephone, np.arange(8001), fs=16_000)[1])
    plain_noise, filtered_noise = (draw_noise(kind, 16_000, rng_for(5), s) for s in (None, telephone))
    assert np.isfinite(filtered_noise).all()
    deep = response[:40].max()
    assert deep < 0.5 * response[1000]
    bare_share, share = (
        (np.abs(np.fft.rfft(x)) ** 2)[1:40].sum() / (np.abs(np.fft.rfft(x)) ** 2).sum()
        for x in (plain_noise, filtered_noise)
    )
    assert share < bare_share


def test_babble_moves_and_steady_noise_does_not() -> None:
    def movement(kind: str) -> float:
        frames = np.square(draw_noise(kind, 64_000, rng_for(1))).reshape(-1, 1600).mean(axis=1)
        return float(frames.std() / frames.mean())

    assert movement("babble") > 2.0 * movement("white")


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS)
def test_gain_control_raises_soft_passages_by_at_most_9_db(seed: int) -> None:
    samples = rng_for(seed).standard_normal(64_000).astype(np.float32) * np.float32(0.1)
    samples[32_000:] *= 0.03
    gain = compute_gain_control(samples, rng_for(seed))
    assert to_decibels(float(gain.max()) ** 2) <= 9.01
    assert to_decibels(float(gain.min()) ** 2) >= -9.01
    assert gain[-1] > 1.2 * gain[16_000]
    assert np.abs(np.diff(gain)).max() < 0.01  # no audible step


def test_gain_is_minus_18_to_6_db_and_clipping_keeps_the_peak() -> None:
    samples = make_note()
    gains = [
        to_decibels(np.mean(augment(samples, rng_for(s), select_stages("gain")) ** 2) / np.mean(samples**2))
        for s in range(100)
    ]
    assert -18.1 < min(gains) < -15.0
    assert 3.0 < max(gains) < 6.1
    clipped = augment(samples, rng_for(0), select_stages("clipping"))
    assert np.abs(clipped).max() == pytest.approx(np.abs(samples).max(), rel=1e-4)
    assert np.mean(clipped**2) > np.mean(samples**2)


def test_with_no_stage_drawn_the_sound_is_untouched() -> None:
    np.testing.assert_array_equal(augment(make_note(), rng_for(0), select_stages()), make_note())
