"""The analyzer hears, freezes, takes the hand and then the morph, in this order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from kelly_live.core.emotion_space import subtract_offset
from kelly_live.core.protocols import EmotionOverride, Morph
from kelly_live.core.values import NEUTRAL_PROBABILITIES, AudioWindow, EmotionState
from kelly_live.emotion.analyzer import LiveAnalyzer
from tests.fakes import parameters, state

SILENCE = AudioWindow(np.zeros(4000, np.float32), 16_000, 0.0)


class Rising:
    """Hears a valence that rises by .1 a hop, up to 1."""

    sample_rate, hop_seconds = 16_000, 0.25

    def __init__(self) -> None:
        self.hops = 0

    def push(self, block: AudioWindow) -> Sequence[EmotionState]:
        self.hops += 1
        return [state(0.25 * self.hops, valence=min(1.0, 0.1 * self.hops))]

    def reset(self) -> None:
        self.hops = 0


def analyzer(steering: EmotionOverride | None = None) -> LiveAnalyzer:
    return LiveAnalyzer(Rising(), lambda felt: parameters(100.0 + 10.0 * felt.valence), steering)


def valences(listening: LiveAnalyzer, hops: int, bar: float = 0.0) -> list[float]:
    return [reading.state.valence for _ in range(hops) for reading in listening.push(SILENCE, bar)]


def test_a_freeze_holds_what_was_heard_and_time_goes_on() -> None:
    listening = analyzer()
    assert valences(listening, 3) == pytest.approx([0.1, 0.2, 0.3])
    listening.steer(EmotionOverride(freeze=True))
    (frozen,) = listening.push(SILENCE)
    assert (frozen.state.valence, frozen.state.time) == (pytest.approx(0.3), 1.0)
    assert frozen.parameters.tempo.suggested == pytest.approx(103.0)
    listening.steer(EmotionOverride())
    assert valences(listening, 1) == pytest.approx([0.5])


def test_freeze_then_hand_then_morph() -> None:
    """Frozen at .2; the hand makes it -.4; the morph leads from there to 1 in four bars; each can be taken back."""
    listening = analyzer()
    valences(listening, 2)
    morph = Morph(EmotionOverride(valence=1.0), start_bar=4.0, bars=4.0)
    listening.steer(EmotionOverride(valence=-0.4, freeze=True, morph=morph))
    made = [valences(listening, 1, bar)[0] for bar in (3.0, 4.0, 5.0, 6.0, 8.0, 20.0)]
    assert made == pytest.approx([-0.4, -0.4, -0.05, 0.3, 1.0, 1.0])
    listening.steer(EmotionOverride(freeze=True, morph=morph))
    assert valences(listening, 1, 6.0) == pytest.approx([0.6]), "half way between the frozen .2 and 1"
    listening.steer(EmotionOverride(valence=-0.4, freeze=True))
    assert valences(listening, 1, 20.0) == pytest.approx([-0.4])
    listening.steer(EmotionOverride(freeze=True))
    assert valences(listening, 1, 20.0) == pytest.approx([0.2])
    listening.steer(EmotionOverride())
    assert valences(listening, 1, 20.0)[0] == 1.0


def test_after_a_fault_the_spare_reader_takes_over_once() -> None:
    first, spare = Rising(), Rising()
    listening = LiveAnalyzer(first, lambda felt: parameters(), spare=lambda: spare)
    valences(listening, 3)
    assert listening.problem is None
    listening.restart()
    assert valences(listening, 2) == pytest.approx([0.1, 0.2])
    assert (first.hops, spare.hops) == (3, 2)
    assert listening.problem == "the GPU failed; the CPU took over the analysis"
    listening.restart()  # there is no other: this one forgets
    assert valences(listening, 1) == pytest.approx([0.1])


def test_what_an_input_reads_like_at_rest_is_taken_off_as_far_as_the_reading_is_sure() -> None:
    off = (0.2, -0.1, 0.0)
    sure = EmotionState(NEUTRAL_PROBABILITIES, 0.5, 0.95, 0.1, 0.8, 1.0)
    assert (
        subtract_offset(sure, off).valence,
        subtract_offset(sure, off).arousal,
        subtract_offset(sure, off).dominance,
    ) == (0.3, 1.0, 0.1)
    assert subtract_offset(replace(sure, confidence=0.0), off) == replace(sure, confidence=0.0)
    assert subtract_offset(sure, (0.0, 0.0, 0.0)) is sure
