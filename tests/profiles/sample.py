"""Reactions and profiles to test with."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import strategies as st

from kelly_live.core.actions import Action
from kelly_live.core.emotion_space import create_state
from kelly_live.core.values import EMOTIONS
from kelly_live.profiles.calibration import Calibration, Hints
from kelly_live.profiles.profile import MAX_ROWS, Profile, new_profile
from kelly_live.profiles.reaction import KINDS, PLAYED_PARAMETERS, PREFERENCE, RANGES, Reaction, create_reaction

KEY_ACTIONS = (None, Action("panic"), Action("freeze", True), Action("valence", -0.5), Action("emotion", "sad"))
NOW = datetime(2026, 11, 23, 0, 40, tzinfo=UTC)
PLAYED = (80.0, 70.0, 0.5, 0.7, 0.4)  # over PLAYED_PARAMETERS


def make_reaction(kind: str, emotion: str = "sad", values: tuple[float, ...] = PLAYED) -> Reaction:
    return create_reaction(NOW, kind, create_state(emotion=emotion), values)


def make_preference(parameter: str, value: float, emotion: str = "sad") -> Reaction:
    return create_reaction(NOW, PREFERENCE, create_state(emotion=emotion), PLAYED, parameter, value)


@st.composite
def reactions(draw: st.DrawFn) -> Reaction:
    kind = draw(st.sampled_from(KINDS))
    name = draw(st.sampled_from(sorted(RANGES)))
    unit = st.floats(-1, 1)
    state = create_state(draw(unit), draw(unit), draw(unit), draw(st.sampled_from([*EMOTIONS, None])))
    values = tuple(draw(st.floats(*RANGES[parameter])) for parameter in PLAYED_PARAMETERS)
    if kind == PREFERENCE:
        return create_reaction(NOW, kind, state, values, name, draw(st.floats(*RANGES[name])))
    return create_reaction(NOW, kind, state, values)


@st.composite
def profiles(draw: st.DrawFn) -> Profile:
    profile = new_profile(draw(st.from_regex(r"[a-z0-9]{2,8}x(-[a-z0-9]{1,8})?", fullmatch=True)), NOW)
    for one in draw(st.lists(reactions(), max_size=6)):
        profile = profile.with_reaction(one)
    if draw(st.booleans()):
        number = st.floats(-0.375, 0.375, width=32).map(lambda x: float(f"{x:.9g}"))
        embedding = tuple(draw(st.lists(number, min_size=64, max_size=64)))
        profile = Profile(
            profile.name, profile.created, draw(st.sampled_from([None, "hindustani:yaman", "it's"])), 1.0,
            profile.reactions, embedding, 7, "0123456789abcdef",
        )  # fmt: skip
    if draw(st.booleans()):
        place = st.floats(-0.3, 0.3).map(lambda x: round(x, 4))
        places = st.tuples(place, place, place)
        keys = draw(st.dictionaries(st.sampled_from("ax'/:#5-\""), st.sampled_from(KEY_ACTIONS), max_size=4))
        take = Calibration(
            "2026-11-23T00:40:00Z", 30.0, -31.5, -62.25, draw(places), tuple(abs(x) for x in draw(places))
        )
        hints = Hints(draw(st.tuples(*[st.integers(0, 50)] * 3)), draw(places))
        profile = replace(
            profile, preset=draw(st.sampled_from([None, "solo-piano"])), keys=tuple(keys.items()), take=take,
            calibrate=draw(st.booleans()), hints=hints,
        )  # fmt: skip
    return profile


def crowded(count: int) -> Profile:
    """A profile after `count` reactions of every kind in every emotion."""
    profile = new_profile("crowd", NOW)
    names = sorted(RANGES)
    for index in range(count):
        emotion = EMOTIONS[index % len(EMOTIONS)]
        kind = KINDS[(index // 8) % len(KINDS)]
        if kind == PREFERENCE:
            name = names[(index // 88) % len(names)]
            low, high = RANGES[name]
            one = create_reaction(
                NOW, kind, create_state(emotion=emotion), PLAYED, name, low + (high - low) * (index % 7) / 7.0
            )
        else:
            one = make_reaction(kind, emotion)
        profile = profile.with_reaction(one)
    assert len(profile.reactions) <= MAX_ROWS
    return profile
