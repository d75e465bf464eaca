"""What a room and a cheap microphone may do to a sound, and what they may not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import sosfreqz

from kelly_live.lab.corpora.augmentation import (
    NOISES,
    Chances,
    background,
    gain_control,
    microphone,
    room_response,
    roughen,
    sounding_power,
)

NOTHING = {"room": 0.0, "microphone": 0.0, "noise": 0.0, "gain_control": 0.0, "gain": 0.0, "clipping": 0.0}
ALL = Chances(1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
SEEDS = st.integers(0, 2**32 - 1)


def only(*stages: str) -> Chances:
    return Chances(**NOTHING | dict.fromkeys(stages, 1.0))


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def note(n: int = 16_000, seed: int = 0) -> np.ndarray:
    """A third of silence, a third of a buzz, a third of silence."""
    x = np.zeros(n, np.float32)
    t = np.arange(n // 3) / 16_000
    x[n // 3 : n // 3 + len(t)] = sum(np.sin(2 * np.pi * 220 * k * t) / k for k in range(1, 12)) * 0.1
    return x


def decibels(ratio: float) -> float:
    return float(10.0 * np.log10(ratio))


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, n=st.integers(0, 9000), level=st.floats(0.0, 1.0), every=st.booleans())
def test_whatever_comes_in_the_same_length_comes_out_finite_and_in_range(
    seed: int, n: int, level: float, every: bool
) -> None:
    samples = (level * rng(seed).uniform(-1, 1, n)).astype(np.float32)
    before = samples.copy()
    rough = roughen(samples, rng(seed), ALL if every else Chances())
    assert rough.shape == samples.shape
    assert rough.dtype == np.float32
    assert np.isfinite(rough).all()
    assert np.abs(rough).max(initial=0.0) <= 1.0
    np.testing.assert_array_equal(samples, before)  # the input is left alone
    np.testing.assert_array_equal(rough, roughen(samples, rng(seed), ALL if every else Chances()))


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS)
def test_nothing_sounds_before_the_sound_and_it_starts_on_time(seed: int) -> None:
    samples = np.zeros(16_000, np.float32)
    samples[8000] = 0.5
    for stages in (("room",), ("room", "microphone"), ("microphone",)):
        rough = np.abs(roughen(samples, rng(seed), only(*stages)))
        assert not rough[:7999].max() > 1e-6 * rough.max(), stages  # the transform rounds, it does not ring before
        first = int(np.argmax(rough > 0.05 * rough.max()))
        assert 0 <= first - 8000 <= 16, stages  # within a millisecond
    rough = roughen(samples, rng(seed), only("room"))
    assert int(np.argmax(np.abs(rough))) == 8000


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS)
def test_rooms_are_as_dry_and_as_long_as_rooms_are(seed: int) -> None:
    response = room_response(rng(seed)).astype(np.float64)
    assert response[0] == 1.0
    assert -3.01 <= decibels(1.0 / np.sum(response[1:] ** 2)) <= 12.01
    assert 0.15 * 16_000 - 1 <= len(response) <= 0.8 * 16_000
    # Schroeder's backward integral of the late part: it falls, and is all but gone at the end.
    left = np.cumsum(response[::-1] ** 2)[::-1]
    assert decibels(left[len(left) * 9 // 10] / left[1]) < -30.0


def test_treble_dies_before_bass() -> None:
    steeper = 0
    for seed in range(20):
        response = room_response(rng(seed))
        half = len(response) // 2
        early, late = (np.abs(np.fft.rfft(part, 16_384)) ** 2 for part in (response[half // 4 : half], response[half:]))
        steeper += (late[5000:].sum() / early[5000:].sum()) < (late[100:1000].sum() / early[100:1000].sum())
    assert steeper >= 18


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS)
def test_microphones_are_stable_and_pass_the_middle(seed: int) -> None:
    sections = microphone(rng(seed))
    assert all(np.abs(np.roots(section[3:])).max() < 1.0 for section in sections)
    middle, deep = decibels(1.0), 10.0
    size = np.abs(sosfreqz(sections, np.array([deep, 1000.0]), fs=16_000)[1]) ** 2
    assert middle - 10.0 < decibels(size[1]) < middle + 10.0
    assert decibels(size[0]) < -20.0


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, stages=st.sampled_from([("room",), ("microphone",), ("room", "microphone")]))
def test_room_and_microphone_keep_the_energy(seed: int, stages: tuple[str, ...]) -> None:
    samples = note()
    assert np.mean(roughen(samples, rng(seed), only(*stages)) ** 2) == pytest.approx(np.mean(samples**2), rel=1e-2)


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS)
def test_noise_lies_5_to_35_db_below_what_sounds_whatever_the_pauses(seed: int) -> None:
    samples = note()
    added = roughen(samples, rng(seed), only("noise")) - samples
    assert 4.9 <= decibels(sounding_power(samples) / np.mean(added**2)) <= 35.1


def test_silence_gets_a_little_noise_and_stays_far_below_a_voice() -> None:
    levels = [decibels(np.mean(roughen(np.zeros(8000, np.float32), rng(s), only("noise")) ** 2)) for s in range(20)]
    assert min(levels) > -96.0
    assert max(levels) < -64.0


@pytest.mark.parametrize("kind", NOISES)
def test_each_background_goes_through_the_microphone_too(kind: str) -> None:
    telephone = microphone(rng(3))
    response = np.abs(sosfreqz(telephone, np.arange(8001), fs=16_000)[1])
    bare, heard = (background(kind, 16_000, rng(5), s) for s in (None, telephone))
    assert np.isfinite(heard).all()
    deep = response[:40].max()
    assert deep < 0.5 * response[1000]
    bare_share, share = (
        (np.abs(np.fft.rfft(x)) ** 2)[1:40].sum() / (np.abs(np.fft.rfft(x)) ** 2).sum() for x in (bare, heard)
    )
    assert share < bare_share


def test_babble_moves_and_steady_noise_does_not() -> None:
    def movement(kind: str) -> float:
        frames = np.square(background(kind, 64_000, rng(1))).reshape(-1, 1600).mean(axis=1)
        return float(frames.std() / frames.mean())

    assert movement("babble") > 2.0 * movement("white")


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS)
def test_gain_control_lifts_what_is_soft_by_at_most_9_db(seed: int) -> None:
    samples = rng(seed).standard_normal(64_000).astype(np.float32) * np.float32(0.1)
    samples[32_000:] *= 0.03
    gain = gain_control(samples, rng(seed))
    assert decibels(float(gain.max()) ** 2) <= 9.01
    assert decibels(float(gain.min()) ** 2) >= -9.01
    assert gain[-1] > 1.2 * gain[16_000]
    assert np.abs(np.diff(gain)).max() < 0.01  # no step that could be heard


def test_gain_is_minus_18_to_6_db_and_clipping_keeps_the_peak() -> None:
    samples = note()
    gains = [decibels(np.mean(roughen(samples, rng(s), only("gain")) ** 2) / np.mean(samples**2)) for s in range(100)]
    assert -18.1 < min(gains) < -15.0
    assert 3.0 < max(gains) < 6.1
    clipped = roughen(samples, rng(0), only("clipping"))
    assert np.abs(clipped).max() == pytest.approx(np.abs(samples).max(), rel=1e-4)
    assert np.mean(clipped**2) > np.mean(samples**2)


def test_with_no_stage_drawn_the_sound_is_untouched() -> None:
    np.testing.assert_array_equal(roughen(note(), rng(0), only()), note())
