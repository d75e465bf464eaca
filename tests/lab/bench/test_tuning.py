"""Pitch errors of a real synthesiser; the measurement itself is checked on tones of known pitch."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kelly_live.core.commands import Tuning
from kelly_live.core.values import NoteEvent
from kelly_live.lab.bench.tuning import SAMPLE_RATE, SOUND_FONT, create_score, measure_cents, measure_tuning


def tone(hertz: float, seconds: float = 1.0) -> np.ndarray:
    """Four partials, the third the loudest."""
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return np.asarray(
        sum(a * np.sin(2 * np.pi * hertz * k * time) for k, a in ((1, 0.1), (2, 0.2), (3, 0.4), (4, 0.1)))
    )


@given(st.integers(31, 100), st.floats(-200.0, 200.0))
@settings(max_examples=50, deadline=None)
def test_a_tenth_of_a_cent_is_measured(pitch: int, cents: float) -> None:
    sound = tone(440.0 * 2.0 ** ((pitch - 69 + cents / 100.0) / 12.0))
    assert measure_cents([sound], [NoteEvent(0.0, 1.0, pitch, 80, 3, "")])[0] == pytest.approx(cents, abs=0.1)


def test_silence_is_not_a_pitch() -> None:
    assert np.isnan(measure_cents([np.zeros(SAMPLE_RATE)], [NoteEvent(0.0, 1.0, 60, 80, 3, "")])[0])


def test_the_score_has_quarter_tones_and_commas_all_over_the_keyboard() -> None:
    heights = [100.0 * note.pitch + note.cents for note in create_score()]
    assert len(heights) == 24
    assert min(heights) < 3600 < 9600 < max(heights)
    assert all(height % 100.0 == pytest.approx(50.0) for height in heights[1::2])
    commas = [height / (1200.0 / 53.0) for height in heights[::2]]
    assert all(comma == pytest.approx(round(comma), abs=1e-6) for comma in commas)
    assert len({round(comma) % 53 for comma in commas}) >= 10


@pytest.fixture
def fluidsynth() -> None:
    if shutil.which("fluidsynth") is None or not SOUND_FONT.exists():
        reason = "needs fluidsynth and FluidR3_GM.sf2: apt install fluidsynth fluid-soundfont-gm"
        if os.environ.get("KELLY_LIVE_REQUIRE_LIVE") == "1":
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.mark.usefixtures("fluidsynth")
@pytest.mark.parametrize(
    "tuning",
    [Tuning("bend", 2), Tuning("bend", 48), Tuning("mpe"), Tuning("mts")],
    ids=lambda t: f"{t.mode}{t.bend_range}",
)
def test_a_real_synth_sounds_the_planned_pitch(tuning: Tuning) -> None:
    errors = np.abs(measure_tuning(create_score(), tuning))
    assert np.median(errors) <= 3.0
    assert errors.max() <= 6.0


@pytest.mark.usefixtures("fluidsynth")
def test_without_a_tuning_it_does_not() -> None:
    assert np.median(np.abs(measure_tuning(create_score(), Tuning("off")))) > 20.0
