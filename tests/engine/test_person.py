"""What a profile brings to a live session, action by action: words, nudges, turns and keys."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from kelly_live.core.actions import Action
from kelly_live.core.emotion_space import create_state
from kelly_live.core.protocols import EmotionOverride
from kelly_live.core.resources import find_resources
from kelly_live.core.timebase import ManualClock
from kelly_live.engine.override import OverrideStage
from kelly_live.engine.person import Person
from kelly_live.mapping import learner as learner_module
from kelly_live.mapping.mapper import load_mapper
from kelly_live.profiles.calibration import NUDGE_HOLD_SECONDS
from kelly_live.profiles.profile import new_profile
from kelly_live.profiles.store import ProfileStore
from tests.fakes import state
from tests.profiles.sample import NOW


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def stage() -> OverrideStage:
    return OverrideStage(load_mapper(find_resources("models")), state())


@pytest.fixture
def person(
    stage: OverrideStage, clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Person]:
    """Anna, with a key of her own; Bert, whose input reads too high and who wants that taken off."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    anna = replace(new_profile("anna", NOW), keys=(("x", Action("panic")),))
    bert = replace(new_profile("bert", NOW), calibrate=True)
    for _ in range(20):
        bert = replace(bert, hints=bert.hints.with_hint("valence", 0.4))
    for profile in (anna, bert):
        ProfileStore().create(profile)
    person = Person(anna, stage, None, clock)
    yield person
    person.close()


def snapshot(*synchronized: str) -> SimpleNamespace:
    return SimpleNamespace(
        reading=SimpleNamespace(state=create_state(emotion="sad")), conductor=SimpleNamespace(synchronized=synchronized)
    )


def test_a_word_about_a_tempo_that_others_lead_teaches_nothing(person: Person) -> None:
    assert person.react("too-fast", snapshot("tempo")) == (
        "too-fast: the tempo is not ours now, so nothing is learned of it"
    )
    assert person.react("too-dark", snapshot("tempo")) == "too-dark: noted for anna"
    assert person.react("too-fast", snapshot("key")) == "too-fast: noted for anna"
    person.learner.wait_until_learned()
    assert ProfileStore().load("anna").count == 2


def test_a_nudge_against_what_is_read_becomes_a_hint(person: Person, clock: ManualClock) -> None:
    read = state(valence=0.1)
    override = EmotionOverride(valence=0.5)
    person.observe_action(Action("nudge-valence", 0.1))
    assert person.watch(override, read) == []
    clock.advance(NUDGE_HOLD_SECONDS)
    person.watch(override, read)
    person.learner.wait_until_learned()
    assert person.watch(override, read) == ["anna: valence was read -0.40 off, by your nudge (noted)"]
    assert ProfileStore().load("anna").hints.counts == (1, 0, 0)


def test_the_next_person_brings_their_keys_and_their_input(person: Person, stage: OverrideStage) -> None:
    assert dict(person.keys) == {"x": Action("panic")}
    assert person.remarks == ["for anna (0 said)"]
    assert stage.map(state(1.0, valence=0.1), 0.0).state.valence == 0.1
    assert person.turn(1) == "for bert from now on"
    person.learner.wait_until_learned()
    assert dict(person.keys) == {}
    assert person.remarks == ["for bert (0 said)"]
    assert stage.map(state(2.0, valence=0.2), 0.0).state.valence < 0.2 - 0.05


def test_a_reaction_waits_for_no_learning(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """The status thread serves panic, so it must come back while the learner is still busy."""
    busy, may_end = threading.Event(), threading.Event()

    def learn_slowly(*arguments: object) -> object:
        busy.set()
        assert may_end.wait(30.0)
        return learn_profile(*arguments)

    learn_profile = learner_module.learn_profile
    monkeypatch.setattr(learner_module, "learn_profile", learn_slowly)
    assert person.react("too-dark", snapshot()) == "too-dark: noted for anna"
    assert busy.wait(30.0)
    # Each of these returns while the learner is held inside `learn_slowly`: nothing but this test lets it go.
    assert person.react("too-fast", snapshot()) == "too-fast: noted for anna"
    assert person.turn(1) == "for bert from now on"
    assert person.watch(EmotionOverride(), state()) == []
    assert person.remarks == ["for bert learning"]
    assert not may_end.is_set()
    may_end.set()
    person.learner.wait_until_learned()
    assert ProfileStore().load("anna").count == 2
    assert person.remarks == ["for bert (0 said)"]


def test_another_tradition_is_loaded_beside_the_music_and_holds_against_the_profiles_own(
    person: Person, stage: OverrideStage
) -> None:
    def change(line: str | None) -> list[str]:
        assert line is None
        person.learner.wait_until_learned()
        return person.watch(EmotionOverride(), None)

    assert person.culture == (None, 0.0)
    assert "choose one first" in str(person.change_culture_strength(0.5))
    assert change(person.change_culture("klezmer")) == ["culture: klezmer at 100 %, from the next phrase on"]
    assert change(person.change_culture_strength(0.4)) == ["culture: klezmer at 40 %, from the next phrase on"]
    assert person.culture == ("klezmer", 0.4)
    assert stage.mapper.audience.culture.strength == 0.4
    (line,) = change(person.change_culture("klezmar"))
    assert line.startswith("culture: no culture is called 'klezmar'; did you mean klezmer")
    assert person.culture == ("klezmer", 0.4), "the one before stays"
    person.turn(1)
    person.learner.wait_until_learned()
    assert person.culture == ("klezmer", 0.4)
    assert change(person.change_culture("none"))[-1] == "culture: none, from the next phrase on"
    assert (person.culture, stage.mapper.audience.culture) == ((None, 0.0), None)
