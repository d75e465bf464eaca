"""A culture at a strength colours the music; at strength 0, or where it knows nothing, the music stays as it was."""

from __future__ import annotations

import pytest
import torch

from kelly_live.analysis.culture import CultureStage
from kelly_live.analysis.mapping import LearnedMapper
from kelly_live.config import resource_root
from kelly_live.domain import MODES, MusicParameters
from kelly_live.nets.mapper import load_net
from kelly_live.steering import state_from
from tests.nets.test_culture import make_adapter

NET = load_net(resource_root("models") / "mapper.safetensors")
DORIAN = tuple(float(mode == "dorian") for mode in MODES)


def played(culture: CultureStage | None, emotion: str = "sad") -> MusicParameters:
    return LearnedMapper(NET, culture=culture)(state_from(emotion=emotion))


def test_a_fast_dorian_tradition_makes_sadness_faster_and_more_dorian() -> None:
    plain, coloured = played(None), played(CultureStage.of_numbers(tempo_bpm=(140, 160, 180), modes=DORIAN))
    assert coloured.tempo.suggested > plain.tempo.suggested * 1.1
    assert coloured.modes[1] > plain.modes[1]
    assert coloured.rhythms == plain.rhythms  # of which it says nothing


def test_half_the_strength_is_between() -> None:
    full, half, none = (played(CultureStage.of_numbers(s, tempo_bpm=(140, 160, 180))) for s in (1.0, 0.5, 0.0))
    assert none == played(None)
    assert none.tempo.suggested < half.tempo.suggested < full.tempo.suggested


def test_a_culture_that_knows_nothing_changes_nothing() -> None:
    assert played(CultureStage.of_numbers()) == played(None)


@pytest.mark.parametrize("name", ["one", "two"])
def test_a_learned_culture_re_interprets_by_its_strength(name: str) -> None:
    adapter, felt = make_adapter(), torch.eye(8)[:1]
    full, music = CultureStage.learned(adapter, name)(felt)
    half, _ = CultureStage.learned(adapter, name, 0.5)(felt)
    torch.testing.assert_close(half, (felt + full) / 2)
    assert music["tempo_range"].shape == (1, 3)
