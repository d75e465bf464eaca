"""What a performer can do: every action reaches what it is about, and a value that it does not take is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelly_live.core.actions import ACTIONS, AXES, REACTIONS, Action, Takes, apply_action, parse_action
from kelly_live.core.emotion_space import create_state
from kelly_live.core.errors import ConfigError
from kelly_live.core.protocols import AudioHealth, EmotionOverride, Morph, Reading, SchedulerHealth
from kelly_live.core.values import EMOTIONS
from kelly_live.engine.actions import ActionDispatcher, ActionTargets
from kelly_live.engine.session import Snapshot
from kelly_live.music.conductor import ConductorStatus
from kelly_live.profiles.reaction import DISLIKE, LIKE, WORDS
from tests.fakes import parameters

SHOWN = create_state(0.2, -0.3, 0.1)
SNAPSHOT = Snapshot(
    Reading(SHOWN, parameters()),
    ConductorStatus(21.0, 5, 120.0, "ionian", "C", "C", (), 0.0),
    AudioHealth(-20.0, 0, 0.0),
    SchedulerHealth(),
    0,
)
SAMPLES = {Takes.NOTHING: None, Takes.SWITCH: True, Takes.PLACE: 0.5, Takes.STEP: -0.1, Takes.EMOTION: "sad"}


def after(*actions: Action, override: EmotionOverride | None = None) -> EmotionOverride:
    override = override or EmotionOverride()
    for action in actions:
        override = apply_action(action, override, SHOWN, 5.25)
    return override


def test_actions_change_the_override() -> None:
    assert after(Action("freeze")).freeze
    assert not after(Action("freeze", False)).freeze
    assert after(Action("freeze", True), Action("freeze", True)).freeze
    assert after(Action("valence", 0.5), Action("dominance", -1.0)) == EmotionOverride(valence=0.5, dominance=-1.0)
    assert after(Action("nudge-dominance", 0.1)) == EmotionOverride(dominance=0.2)
    assert after(Action("emotion", "sad")) == EmotionOverride(emotion="sad")
    assert after(Action("morph", "sad")).morph == Morph(EmotionOverride(emotion="sad"), 6.0, 8.0, SHOWN)
    assert after(Action("morph", "sad"), Action("arousal", 0.9)) == EmotionOverride(0.2, 0.9, 0.1)
    assert after(Action("morph", "sad"), Action("freeze"), Action("let-go")) == EmotionOverride()


def test_every_action_is_dispatched_and_logged() -> None:
    calls: list[object] = []
    dispatcher = ActionDispatcher(
        EmotionOverride(),
        ActionTargets(
            set_override=lambda override: calls.append(override),
            panic=lambda: calls.append("panic"),
            preset=lambda step: calls.append(("preset", step)),
            profile=lambda step: f"playing for number {step}",
            reaction=lambda word, snapshot: calls.append((word, snapshot.conductor.bar)),
            help=lambda: "the keys",
            quit=lambda: calls.append("quit"),
            log=lambda action, source, snapshot: calls.append(f"{source}: {action}"),
        ),
    )
    lines = [dispatcher.apply(Action(name, SAMPLES[kind.takes]), SNAPSHOT, "key") for name, kind in ACTIONS.items()]
    assert [entry for entry in calls if isinstance(entry, str) and entry.startswith("key: ")] == [
        f"key: {Action(name, SAMPLES[kind.takes])}" for name, kind in ACTIONS.items()
    ]
    assert [entry for entry in calls if isinstance(entry, tuple) and entry[0] in REACTIONS] == [
        (word, 5) for word in REACTIONS
    ]
    assert {"panic", "quit", ("preset", 1), ("preset", -1)} <= set(calls)
    assert [line for line in lines if line] == ["playing for number 1", "the keys"]
    assert dispatcher.override.freeze is False  # let go came after freeze; what came after it is held
    assert dispatcher.place("valence", SHOWN) == SHOWN.valence  # a morph leads: nothing is held in numbers


def test_a_repeated_reaction_counts_once_a_reading() -> None:
    calls: list[str] = []
    dispatcher = ActionDispatcher(
        EmotionOverride(), ActionTargets(lambda override: None, reaction=lambda word, snapshot: calls.append(word))
    )
    later = replace(SNAPSHOT, reading=replace(SNAPSHOT.reading))
    for snapshot, word in ((SNAPSHOT, "like"), (SNAPSHOT, "like"), (SNAPSHOT, "too-fast"), (later, "like")):
        dispatcher.apply(Action(word), snapshot, "key")
    assert calls == ["like", "too-fast", "like"]


def test_an_action_without_a_target_is_answered() -> None:
    dispatcher = ActionDispatcher(EmotionOverride(), ActionTargets(lambda override: None))
    assert dispatcher.apply(Action("next-preset"), SNAPSHOT, "midi") == "next-preset: not in this session"
    assert dispatcher.apply(Action("freeze"), SNAPSHOT, "midi") is None
    assert dispatcher.override.freeze


def test_the_words_are_those_that_profiles_learn_from() -> None:
    assert set(REACTIONS) == {LIKE, DISLIKE, "more-like-this", *WORDS}


@pytest.mark.parametrize(
    ("name", "text", "action"),
    [
        ("freeze", None, Action("freeze")),
        ("freeze", "off", Action("freeze", False)),
        ("valence", "0.5", Action("valence", 0.5)),
        ("nudge-arousal", "-.1", Action("nudge-arousal", -0.1)),
        ("morph", " Happy ", Action("morph", "happy")),
    ],
)
def test_an_action_as_it_is_written(name: str, text: str | None, action: Action) -> None:
    assert parse_action(name, text) == action


@pytest.mark.parametrize(
    ("name", "text", "rule"),
    [
        ("fly", None, "must be one of freeze"),
        ("valence", "1.01", "a number from -1 to 1"),
        ("valence", "nan", "a number from -1 to 1"),
        ("valence", None, "a number from -1 to 1"),
        ("freeze", "maybe", "on or off"),
        ("panic", "1", "it takes nothing"),
        ("emotion", "hangry", "one of happy, sad"),
    ],
)
def test_what_an_action_does_not_take_is_refused(name: str, text: str | None, rule: str) -> None:
    with pytest.raises(ConfigError, match=rule):
        parse_action(name, text)


actions = st.one_of(
    st.sampled_from(["freeze", "let-go", "like", "panic"]).map(Action),
    st.builds(Action, st.sampled_from(AXES), st.floats(-1.0, 1.0)),
    st.builds(lambda axis, step: Action(f"nudge-{axis}", step), st.sampled_from(AXES), st.floats(-2.0, 2.0)),
    st.builds(Action, st.sampled_from(["emotion", "morph"]), st.sampled_from(EMOTIONS)),
)


@given(st.lists(actions, max_size=20))
def test_no_order_of_actions_leads_out_of_the_space(many: list[Action]) -> None:
    override = after(*many)
    for axis in AXES:
        number = getattr(override, axis)
        assert number is None or -1.0 <= number <= 1.0
