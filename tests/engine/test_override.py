"""Readings are calibrated, frozen, overridden and morphed, in this order, and mapped when they change."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kelly_live.core.protocols import EmotionOverride, Morph
from kelly_live.core.values import EmotionState, MusicParameters
from kelly_live.engine.override import OverrideStage
from tests.fakes import parameters, state


class CountingMapper:
    """Plays a tempo by valence, and counts how often it is asked."""

    def __init__(self) -> None:
        self.calls = 0
        self.audience: object = None

    def __call__(self, state: EmotionState) -> MusicParameters:
        self.calls += 1
        return parameters(100.0 + 10.0 * state.valence)


@pytest.fixture
def mapper() -> CountingMapper:
    return CountingMapper()


@pytest.fixture
def stage(mapper: CountingMapper) -> OverrideStage:
    return OverrideStage(mapper, state())


def state_at(hop: int) -> EmotionState:
    """A valence that rises by .1 a hop."""
    return state(0.25 * hop, valence=0.1 * hop)


def test_a_freeze_holds_what_was_read_and_time_goes_on(stage: OverrideStage) -> None:
    valences = [stage.map(state_at(hop), 0.0).state.valence for hop in (1, 2, 3)]
    assert valences == pytest.approx([0.1, 0.2, 0.3])
    stage.set_override(EmotionOverride(freeze=True))
    frozen = stage.map(state_at(4), 0.0)
    assert (frozen.state.valence, frozen.state.time) == (pytest.approx(0.3), 1.0)
    assert frozen.parameters.tempo.suggested == pytest.approx(103.0)
    stage.set_override(EmotionOverride())
    assert stage.map(state_at(5), 0.0).state.valence == pytest.approx(0.5)


def test_a_freeze_outlives_what_is_read(stage: OverrideStage) -> None:
    stage.map(state_at(8), 0.0)
    stage.set_override(EmotionOverride(freeze=True))
    assert stage.map(None, 0.0).state.valence == pytest.approx(0.8)


def test_frozen_from_the_start_is_neutral(mapper: CountingMapper) -> None:
    stage = OverrideStage(mapper, state(), EmotionOverride(freeze=True))
    assert stage.map(state_at(8), 0.0).state.valence == 0.0


def test_freeze_then_override_then_morph(stage: OverrideStage) -> None:
    """Frozen at .2, overridden to -.4, morphed from there to 1 in four bars; each can be taken back."""

    def valence(bar: float) -> float:
        return stage.map(state_at(9), bar).state.valence

    stage.map(state_at(2), 0.0)
    morph = Morph(EmotionOverride(valence=1.0), start_bar=4.0, bars=4.0)
    stage.set_override(EmotionOverride(valence=-0.4, freeze=True, morph=morph))
    valences = [valence(bar) for bar in (3.0, 4.0, 5.0, 6.0, 8.0, 20.0)]
    assert valences == pytest.approx([-0.4, -0.4, -0.05, 0.3, 1.0, 1.0])
    stage.set_override(EmotionOverride(freeze=True, morph=morph))
    assert valence(6.0) == pytest.approx(0.6), "half way between the frozen .2 and 1"
    stage.set_override(EmotionOverride(valence=-0.4, freeze=True))
    assert valence(20.0) == pytest.approx(-0.4)
    stage.set_override(EmotionOverride(freeze=True))
    assert valence(20.0) == pytest.approx(0.2)
    stage.set_override(EmotionOverride())
    assert valence(20.0) == pytest.approx(0.9)


def test_the_offset_of_an_input_is_subtracted_in_proportion_to_the_confidence(stage: OverrideStage) -> None:
    stage.set_offset((0.2, -0.1, 0.0))
    result = stage.map(state(1.0, valence=0.5, arousal=0.95), 0.0).state
    assert (result.valence, result.arousal) == (pytest.approx(0.3), 1.0)
    unsure = replace(state(2.0, valence=0.5), confidence=0.0)
    assert stage.map(unsure, 0.0).state == unsure
    assert stage.map(None, 0.0).state == state(), "the opening is nobody's input"


def test_nothing_is_mapped_again_until_something_changes(stage: OverrideStage, mapper: CountingMapper) -> None:
    read = state_at(1)
    first = stage.map(read, 0.0)
    assert all(stage.map(read, 0.1 * step) is first for step in range(100))
    assert mapper.calls == 1
    mapper.audience = object()  # another person
    stage.map(read, 0.0)
    stage.map(state_at(1), 0.0)  # another hop
    stage.set_override(EmotionOverride(morph=Morph(EmotionOverride(valence=1.0), 0.0, 4.0)))
    stage.map(read, 1.0)
    stage.map(read, 1.0)
    stage.map(read, 2.0)  # a morph is on its way
    assert mapper.calls == 5
