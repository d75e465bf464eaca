"""Any sound in, mono 16 kHz out: pitch, level, length and time are kept, however it is cut."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelly_live.audio.resample import MonoResampler
from kelly_live.core.errors import AudioError
from kelly_live.core.level import rms_dbfs
from tests.audio.tones import frequency_of, tone


def resample(frames: np.ndarray, rate: int, cuts: list[int] | None = None) -> np.ndarray:
    resampler = MonoResampler(rate)
    pieces = [resampler.push(piece) for piece in np.split(frames, cuts or [])]
    return np.concatenate([*pieces, resampler.flush()])


@pytest.mark.parametrize("channels", [1, 2, 8])
@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 44_100, 48_000, 96_000, 192_000])
def test_pitch_level_and_length_are_kept(rate: int, channels: int) -> None:
    samples = resample(tone(440.0, rate, seconds=1.0, channels=channels, amplitude=0.5), rate)
    assert len(samples) == pytest.approx(16_000, abs=1)
    assert frequency_of(samples, 16_000) == pytest.approx(440.0, abs=1.0)
    assert rms_dbfs(samples[1000:-1000]) == pytest.approx(-9.03, abs=0.05)


def test_what_16_khz_cannot_hold_does_not_fold_down() -> None:
    samples = resample(tone(11_000.0, 48_000, seconds=1.0), 48_000)
    assert rms_dbfs(samples[1000:-1000]) < -90.0


@given(cuts=st.lists(st.integers(0, 9_000), max_size=12).map(sorted), rate=st.sampled_from([8_000, 44_100, 48_000]))
def test_cuts_between_blocks_do_not_show(cuts: list[int], rate: int) -> None:
    noise = np.random.default_rng(1).uniform(-1.0, 1.0, (9_000, 2)).astype(np.float32)
    np.testing.assert_array_equal(resample(noise, rate, cuts), resample(noise, rate))


@given(frames=st.integers(1, 50), rate=st.sampled_from([8_000, 44_100, 48_000, 192_000]))
def test_the_shortest_sound_is_still_a_sound(frames: int, rate: int) -> None:
    samples = resample(np.full((frames, 1), 0.5, np.float32), rate)
    assert 1 <= len(samples) <= max(1, -(-frames * 16_000 // rate))
    assert np.isfinite(samples).all()


def test_not_a_number_becomes_silence_and_is_counted() -> None:
    frames = np.zeros((4_800, 2), np.float32)
    frames[100, 0], frames[200, 1], frames[300, 0] = np.nan, np.inf, -np.inf
    resampler = MonoResampler(48_000)
    samples = np.concatenate([resampler.push(frames), resampler.flush()])
    assert resampler.replaced_samples == 3
    assert not samples.any()
    assert np.isnan(frames[100, 0]), "the caller's block must not be changed"


def test_what_is_over_full_scale_is_clipped() -> None:
    samples = resample(tone(440.0, 48_000, seconds=0.2, amplitude=3.0e38), 48_000)
    assert np.abs(samples).max() == 1.0


def test_the_lag_is_what_is_held_back() -> None:
    resampler = MonoResampler(48_000)
    samples = sum(len(resampler.push(np.zeros((128, 1), np.float32))) for _ in range(1_000))
    assert resampler.lag_seconds == pytest.approx(128_000 / 48_000 - samples / 16_000)
    assert 0.0 < resampler.lag_seconds < 0.05


@pytest.mark.parametrize("rate", [0, 999, 768_001])
def test_absurd_rate_is_refused(rate: int) -> None:
    with pytest.raises(AudioError, match="convert the sound"):
        MonoResampler(rate)


@pytest.mark.parametrize(
    ("samples", "level"),
    [([], -120.0), ([0.0] * 10, -120.0), ([1.0, -1.0], 0.0), ([0.1, -0.1], -20.0), ([1e-9], -120.0)],
)
def test_level(samples: list[float], level: float) -> None:
    assert rms_dbfs(np.array(samples, np.float32)) == pytest.approx(level, abs=1e-4)
