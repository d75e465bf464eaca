"""The dispatcher of actions: each one reaches its target, is logged, and is answered if it has none."""

from __future__ import annotations

from dataclasses import replace

from kelly_live.core.actions import ACTIONS, REACTIONS, Action, Takes
from kelly_live.core.emotion_space import create_state
from kelly_live.core.protocols import AudioHealth, Reading, SchedulerHealth
from kelly_live.engine.actions import ActionDispatcher, ActionTargets
from kelly_live.engine.override import OverrideStage
from kelly_live.engine.session import Snapshot
from kelly_live.music.conductor_status import ConductorStatus
from tests.engine.test_override import CountingMapper
from tests.fakes import parameters

SHOWN = create_state(0.2, -0.3, 0.1)
SNAPSHOT = Snapshot(
    Reading(SHOWN, parameters()),
    ConductorStatus(21.0, 5, 120.0, "ionian", "C", "C", (), 0.0),
    AudioHealth(-20.0, 0, 0.0),
    SchedulerHealth(),
    0,
)
SAMPLES = {
    Takes.NOTHING: None,
    Takes.SWITCH: True,
    Takes.PLACE: 0.5,
    Takes.STEP: -0.1,
    Takes.EMOTION: "sad",
    Takes.ROLE: "trade",
    Takes.SETTING: "melody.octave=1",
    Takes.PLAYER_SWITCH: "bass",
    Takes.PLAYER_LEVEL: "bass=50%",
    Takes.LOCK: "tempo=on",
    Takes.PATH: "8 -0.5,-0.2 0,0.4",
    Takes.NAME: "mine",
    Takes.FOLLOWED: "tempo",
    Takes.CULTURE: "klezmer",
    Takes.SHARE: 0.5,
}


def test_every_action_is_dispatched_and_logged() -> None:
    calls: list[object] = []
    dispatcher = ActionDispatcher(
        OverrideStage(CountingMapper(), SHOWN),
        ActionTargets(
            panic=lambda: calls.append("panic"),
            preset=lambda step: calls.append(("preset", step)),
            named_preset=lambda name: f"preset: {name}",
            profile=lambda step: f"playing for number {step}",
            role=lambda name: f"role: {name}",
            cue=lambda action, snapshot: f"cue: {action}",
            setting=lambda text: f"set: {text}",
            mix=lambda control, text: f"{control}: {text}",
            lock=lambda text: f"lock: {text}",
            parameters=lambda: "the parameters",
            save_preset=lambda name: f"saved: {name}",
            follow=lambda text: f"follow: {text}",
            culture=lambda name: f"culture: {name}",
            culture_strength=lambda strength: f"strength: {strength}",
            record=lambda is_on, snapshot: f"record: {is_on}",
            keep=lambda: "kept",
            reaction=lambda word, snapshot: calls.append((word, snapshot.conductor.bar)),
            undo_reaction=lambda: calls.append("undo"),
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
    assert {"panic", "undo", "quit", ("preset", 1), ("preset", -1)} <= set(calls)
    assert [line for line in lines if line] == [
        "preset: mine", "cue: go", "cue: back", "cue: standby mine", "playing for number 1", "role: trade",
        "follow: tempo", "culture: klezmer", "strength: 0.5",
        "set: melody.octave=1", "mute: bass", "solo: bass", "level: bass=50%", "lock: tempo=on", "the parameters",
        "saved: mine", "record: True", "kept", "the keys",
    ]  # fmt: skip
    assert dispatcher.override.freeze is False  # let go came after freeze; what came after it is held
    assert dispatcher.place("valence", SHOWN) == SHOWN.valence  # a morph leads: nothing is held in numbers


def test_a_repeated_reaction_counts_once_a_reading() -> None:
    calls: list[str] = []
    dispatcher = ActionDispatcher(
        OverrideStage(CountingMapper(), SHOWN), ActionTargets(reaction=lambda word, snapshot: calls.append(word))
    )
    later = replace(SNAPSHOT, reading=replace(SNAPSHOT.reading))
    for snapshot, word in ((SNAPSHOT, "like"), (SNAPSHOT, "like"), (SNAPSHOT, "too-fast"), (later, "like")):
        dispatcher.apply(Action(word), snapshot, "key")
    assert calls == ["like", "too-fast", "like"]


def test_an_action_without_a_target_is_answered() -> None:
    dispatcher = ActionDispatcher(OverrideStage(CountingMapper(), SHOWN), ActionTargets())
    assert dispatcher.apply(Action("next-preset"), SNAPSHOT, "midi") == "next-preset: not in this session"
    assert dispatcher.apply(Action("freeze"), SNAPSHOT, "midi") is None
    assert dispatcher.override.freeze
