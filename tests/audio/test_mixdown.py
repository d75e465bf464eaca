"""A recording and a band in one sound: both are heard, each as loud as the other, and it does not clip."""

import numpy as np
import pytest

from kelly_live.audio.mixdown import mix_down
from kelly_live.audio.synth import PEAK, SAMPLE_RATE


def tone(hertz: float, seconds: float, level: float) -> np.ndarray:
    return (level * np.sin(2.0 * np.pi * hertz * np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE)).astype(
        np.float32
    )


def level_at(sound: np.ndarray, hertz: float) -> float:
    return float(2.0 * np.abs(np.mean(sound * np.exp(-2j * np.pi * hertz * np.arange(sound.size) / SAMPLE_RATE))))


def test_the_quiet_one_is_as_loud_as_the_other_and_the_sum_does_not_clip() -> None:
    mix = mix_down(tone(440.0, 1.0, 0.01), np.stack([tone(1000.0, 1.0, 0.8)] * 2))
    assert np.max(np.abs(mix)) == pytest.approx(PEAK, rel=1e-5)
    for side in mix:
        assert level_at(side, 440.0) == pytest.approx(level_at(side, 1000.0), rel=0.01)


def test_the_longer_one_sounds_to_its_end() -> None:
    mix = mix_down(tone(440.0, 1.0, 0.5), np.stack([tone(1000.0, 3.0, 0.5)] * 2))
    assert mix.shape == (2, 3 * SAMPLE_RATE)
    assert level_at(mix[0, 2 * SAMPLE_RATE :], 1000.0) > 0.1
    assert level_at(mix[0, 2 * SAMPLE_RATE :], 440.0) < 0.01


def test_silence_stays_silence() -> None:
    assert not mix_down(np.zeros(100, np.float32), np.zeros((2, 50), np.float32)).any()
