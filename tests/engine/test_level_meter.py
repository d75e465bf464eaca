"""The level of an audio input, and what is said about it."""

import numpy as np
import pytest

from kelly_live.audio.sources import ScriptedSource, ToneSource
from kelly_live.core.timebase import ManualClock
from kelly_live.engine.level_meter import Level, measure_level


def test_a_sine_is_3_db_softer_than_its_peak() -> None:
    level = measure_level(ToneSource(440.0, ManualClock(), amplitude=0.5, seconds=1.0), ManualClock(), 4.0)
    assert level.peak_dbfs == pytest.approx(-6.02, abs=0.05)
    assert level.loudest_dbfs == pytest.approx(-9.03, abs=0.05)


def test_one_loud_moment_counts() -> None:
    samples = np.zeros(32_000, np.float32)
    samples[16_000] = 1.0
    assert measure_level(ScriptedSource(samples, ManualClock()), ManualClock(), 4.0).peak_dbfs == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("level", "advice"),
    [
        (Level(-120.0, -120.0), "nothing was heard"),
        (Level(-62.0, -70.0), "quiet; turn the input up, or give --gain-db 40"),
        (Level(-45.0, -55.0), "or give --gain-db 25"),
        (Level(-12.0, -20.0), "good"),
        (Level(-0.2, -6.0), "it clips; turn the input down"),
    ],
)
def test_what_is_said_says_what_to_do(level: Level, advice: str) -> None:
    assert advice in level.describe()
    assert level.is_heard == (advice != "nothing was heard")
