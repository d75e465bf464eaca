"""What a profile brings to a live session, action by action: words, nudges, turns and keys."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from kelly_live.core.actions import Action
from kelly_live.core.emotion_space import state_from
from kelly_live.core.protocols import EmotionOverride
from kelly_live.core.resources import find_resources
from kelly_live.core.timebase import ManualClock
from kelly_live.emotion.analyzer import LiveAnalyzer
from kelly_live.engine.person import Personal
from kelly_live.mapping.mapper import LearnedMapper
from kelly_live.mapping.net import load_mapper_net
from kelly_live.profiles.calibration import HOLD_SECONDS
from kelly_live.profiles.profile import new_profile
from kelly_live.profiles.store import Store
from tests.emotion.test_analyzer import SILENCE, Rising
from tests.profiles.sample import NOW


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def analyzer() -> LiveAnalyzer:
    return LiveAnalyzer(Rising(), LearnedMapper(load_mapper_net(find_resources("models"))))


@pytest.fixture
def person(
    analyzer: LiveAnalyzer, clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Personal]:
    """Anna, with a key of her own; Bert, whose input reads too high and who wants that taken off."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    anna = replace(new_profile("anna", NOW), keys=(("x", Action("panic")),))
    bert = replace(new_profile("bert", NOW), calibrate=True)
    for _ in range(20):
        bert = replace(bert, hints=bert.hints.heard("valence", 0.4))
    for profile in (anna, bert):
        Store().create(profile)
    person = Personal(anna, analyzer, None, clock)
    yield person
    person.close()


def snapshot(*joined: str) -> SimpleNamespace:
    return SimpleNamespace(
        reading=SimpleNamespace(state=state_from(emotion="sad")), conductor=SimpleNamespace(joined=joined)
    )


def test_a_word_about_a_tempo_that_others_lead_teaches_nothing(person: Personal) -> None:
    assert person.react("too-fast", snapshot("tempo")) == (
        "too-fast: the tempo is not ours now, so nothing is learned of it"
    )
    assert person.react("too-dark", snapshot("tempo")) == "too-dark: noted for anna"
    assert person.react("too-fast", snapshot("key")) == "too-fast: noted for anna"
    person.learner.settle()
    assert Store().load("anna").count == 2


def test_a_nudge_against_what_is_read_becomes_a_hint(
    person: Personal, analyzer: LiveAnalyzer, clock: ManualClock
) -> None:
    analyzer.push(SILENCE)  # reads a valence of .1
    steering = EmotionOverride(valence=0.5)
    person.acted(Action("nudge-valence", 0.1))
    assert person.watch(steering) == []
    clock.advance(HOLD_SECONDS)
    person.watch(steering)
    person.learner.settle()
    assert person.watch(steering) == ["anna: valence was read -0.40 off, says your hand (noted)"]
    assert Store().load("anna").hints.counts == (1, 0, 0)


def test_the_next_person_brings_their_keys_and_their_input(person: Personal, analyzer: LiveAnalyzer) -> None:
    assert dict(person.keys) == {"x": Action("panic")}
    assert person.remarks == ["for anna (0 said)"]
    (reading,) = analyzer.push(SILENCE)
    assert reading.state.valence == pytest.approx(0.1)
    assert person.learner.next(1) == "for bert from now on"
    person.learner.settle()
    assert dict(person.keys) == {}
    assert person.remarks == ["for bert (0 said)"]
    (reading,) = analyzer.push(SILENCE)
    assert reading.state.valence < 0.2 - 0.05
