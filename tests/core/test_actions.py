"""Actions change the override, and a value that an action does not take is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelly_live.core.actions import AXES, Action, apply_action, parse_action
from kelly_live.core.emotion_space import create_state
from kelly_live.core.errors import ConfigError
from kelly_live.core.protocols import EmotionOverride, Morph
from kelly_live.core.values import EMOTIONS

SHOWN = create_state(0.2, -0.3, 0.1)


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
    path = Morph(EmotionOverride(valence=0.8, arousal=0.6), 6.0, 4.0, SHOWN, ((-0.5, -0.2), (0.0, 0.4)))
    assert after(Action("path", "4 -0.5,-0.2 0,0.4 0.8,0.6")).morph == path
    assert after(Action("morph", "sad"), Action("arousal", 0.9)) == EmotionOverride(0.2, 0.9, 0.1)
    assert after(Action("morph", "sad"), Action("freeze"), Action("let-go")) == EmotionOverride()


@pytest.mark.parametrize(
    ("name", "text", "action"),
    [
        ("freeze", None, Action("freeze")),
        ("freeze", "off", Action("freeze", False)),
        ("valence", "0.5", Action("valence", 0.5)),
        ("nudge-arousal", "-.1", Action("nudge-arousal", -0.1)),
        ("morph", " Happy ", Action("morph", "happy")),
        ("mute", " My Bass=on ", Action("mute", "My Bass=on")),
        ("level", "bass=25%", Action("level", "bass=25%")),
        ("lock", "Tempo", Action("lock", "tempo")),
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
        ("mute", "bass=perhaps", "PLAYER=on or PLAYER=off"),
        ("mute", "=on", "PLAYER=on or PLAYER=off"),
        ("level", "bass=110%", "a LEVEL from 0 to 1"),
        ("level", "bass", "a LEVEL from 0 to 1"),
        ("lock", "colour", "one of tempo, mode"),
        ("path", "8", "BARS and places"),
        ("path", "0 0.1,0.2", "BARS and places"),
        ("path", "8 0.1,1.2", "BARS and places"),
        ("path", "8" + 33 * " 0,0", "BARS and places"),
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
