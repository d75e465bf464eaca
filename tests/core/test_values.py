"""The values that packages exchange refuse what breaks their rules, where they are made."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from typing import Any

import numpy as np
import pytest

from kelly_live.core.errors import ConfigError
from kelly_live.core.sync_state import BeatEstimate, KeyEstimate, SongPosition, Transport
from kelly_live.core.values import (
    EMOTION_VAD,
    EMOTIONS,
    MODES,
    NEUTRAL_PROBABILITIES,
    AudioWindow,
    ControlChange,
    CultureStyle,
    Dynamics,
    EmotionState,
    Metre,
    MusicParameters,
    NoteEvent,
    Register,
    Scale,
    SoundingNote,
    TempoRange,
    TimingWeights,
)
from tests.fakes import parameters

NEUTRAL = EmotionState(NEUTRAL_PROBABILITIES, 0.0, 0.0, 0.0, 1.0, 0.0)
NOTE = NoteEvent(0.0, 1.0, 60, 80, 1, "melody")
SOUNDING = SoundingNote(0.0, 1.0, 60, 80, 1)
AKSAK = Metre("aksak", 1.0, 0.5, (2, 2, 2, 3), (1.0, 0.5))


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda: AudioWindow(np.zeros(1, np.float32), 0, 0.0), "sample rate is 0 Hz; it must be over 0"),
        (lambda: replace(NEUTRAL, probabilities=(1.0,)), "emotion has 1 weights; it must have 8"),
        (lambda: replace(NEUTRAL, probabilities=(0.5,) * 8), "emotion weights sum to 4.0000; they must sum to 1"),
        (lambda: replace(NEUTRAL, valence=math.nan), "valence is nan; it must be a number from -1 to 1"),
        (lambda: replace(NEUTRAL, arousal=1.5), "arousal is 1.5; it must be a number from -1 to 1"),
        (lambda: replace(NEUTRAL, confidence=-0.1), "confidence is -0.1; it must be a number from 0 to 1"),
        (lambda: TempoRange(60.0, 50.0, 80.0), "it must be minimum <= suggested <= maximum"),
        (lambda: TempoRange(10.0, 50.0, 80.0), "tempo minimum is 10.0; it must be a number from 20 to 300"),
        (lambda: Register(60.0, 50.0, 70.0), "it must be low <= centre <= high"),
        (lambda: Dynamics(0.8, 0.2, 0.1), "it must be floor <= ceiling"),
        (lambda: TimingWeights(0.5, 0.5, 0.5), "timing weights sum to 1.5000; they must sum to 1"),
        (lambda: Scale("bent", (0.0, 300.0, 200.0)), "must list rising cents from 0 to under 1200"),
        (lambda: Scale("high", (0.0, 1200.0)), "must list rising cents from 0 to under 1200"),
        (lambda: replace(AKSAK, groups=()), "must have 1 to 64 groups of 1 to 64 units"),
        (lambda: replace(AKSAK, profile=(1.5,)), "must be 1 to 256 chances from 0 to 1"),
        (lambda: replace(AKSAK, unit_beats=0.3), "1, 2 or 4 of it must make whole beats"),
        (lambda: CultureStyle("x", strength=2.0), "strength of x is 2.0; it must be a number from 0 to 1"),
        (lambda: CultureStyle("x", texture="noisy"), "it must be one of chordal"),
        (lambda: CultureStyle("x", degree_weights=(1.0,)), "degree of x has 1 weights; it must have 0"),
        (lambda: replace(parameters(), density=4.0), "density is 4.0; it must be a number from 0 to 3"),
        (lambda: replace(parameters(), unrest=2.0), "unrest is 2.0; it must be a number from -1 to 1"),
        (lambda: replace(NOTE, onset_beats=math.inf), "it must be a finite beat"),
        (lambda: replace(NOTE, duration_beats=0.0), "duration is 0.0 beats; it must be over 0"),
        (lambda: replace(NOTE, pitch=128), "pitch is 128; it must be in 0..127"),
        (lambda: replace(NOTE, velocity=0), "velocity is 0; it must be in 1..127"),
        (lambda: replace(NOTE, channel=17), "channel is 17; it must be in 1..16"),
        (lambda: replace(NOTE, cents=101.0), "cents is 101.0; it must be a number from -100 to 100"),
        (lambda: replace(NOTE, program=128), "program is 128; it must be in 0..127"),
        (lambda: replace(SOUNDING, end_seconds=-0.5), "it must not end before it starts"),
        (lambda: replace(SOUNDING, start_seconds=math.nan), "it must not end before it starts"),
        (lambda: replace(SOUNDING, velocity=0), "velocity is 0; it must be in 1..127"),
        (lambda: BeatEstimate(math.nan, 120.0, 1.0), "it must be a finite time"),
        (lambda: BeatEstimate(0.0, 640.0, 1.0), "beat tempo is 640.0; it must be a number from 20 to 400"),
        (lambda: SongPosition(0.0, -1.0), "a beat has number -1.0; it must be at least 0"),
        (lambda: KeyEstimate(12, "ionian", 1.0), r"it must be a pitch class from 0 \(C\) to 11 \(B\)"),
        (lambda: KeyEstimate(0, "major", 1.0), "mode is 'major'; it must be one of ionian"),
        (lambda: Transport(playing=True, start_count=-1), "start count is -1; it must be at least 0"),
        (lambda: ControlChange(1, 120, 0), r"controller is 120; it must be in 0\.\.119"),
    ],
)
def test_a_value_out_of_its_range_is_refused_with_the_rule(make: Callable[[], Any], rule: str) -> None:
    with pytest.raises(ConfigError, match=rule):
        make()


def test_values_do_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        NOTE.pitch = 61  # type: ignore[misc]


def test_the_strongest_emotion_and_mode_have_names() -> None:
    assert NEUTRAL.emotion == "neutral"
    loudest = tuple(1.0 if name == "dorian" else 0.0 for name in MODES)
    assert replace(parameters(), modes=loudest).mode == "dorian"
    assert isinstance(parameters(), MusicParameters)


def test_every_emotion_has_its_place_in_the_published_table() -> None:
    """Russell & Mehrabian (1977)."""
    assert tuple(EMOTION_VAD) == EMOTIONS
    assert (EMOTION_VAD["fearful"], EMOTION_VAD["excited"]) == ((-0.64, 0.60, -0.43), (0.62, 0.75, 0.38))


@pytest.mark.parametrize(
    ("metre", "beats", "cycles_per_bar", "bars_per_cycle", "bar_beats", "is_compound"),
    [
        (replace(AKSAK, unit_beats=1.0), 9.0, 1, 1, 9, False),
        (AKSAK, 4.5, 2, 1, 9, False),  # two cycles make whole beats
        (Metre("jig", 1.0, 1.0 / 3.0, (3, 3), (1.0,)), 2.0, 2, 1, 4, True),
        (Metre("long", 1.0, 1.0, (14, 14), (1.0,)), 28.0, 1, 2, 14, False),  # longer than a bar may be
    ],
)
def test_a_cycle_and_the_bars_that_the_conductor_counts(
    metre: Metre, beats: float, cycles_per_bar: int, bars_per_cycle: int, bar_beats: int, is_compound: bool
) -> None:
    assert metre.beats == pytest.approx(beats)
    assert (metre.cycles_per_bar, metre.bars_per_cycle) == (cycles_per_bar, bars_per_cycle)
    assert (metre.bar_beats, metre.is_compound) == (bar_beats, is_compound)


@pytest.mark.parametrize(("texture", "has_chords"), [(None, True), ("chordal", True), ("drone", False)])
def test_only_a_chordal_texture_or_none_has_chords(texture: str | None, has_chords: bool) -> None:
    assert CultureStyle("x", texture=texture).has_chords is has_chords
