"""A profile taught while it plays on a real server, and played in the next session."""

from __future__ import annotations

from pathlib import Path

import pytest

from kelly_live.core.emotion_space import create_state
from kelly_live.core.resources import find_resources
from kelly_live.mapping.net import load_mapper_net
from kelly_live.mapping.profile_taste import play_for_profile
from kelly_live.profiles.profile import Profile, new_profile
from kelly_live.profiles.store import ProfileStore
from tests.live.conftest import JackMonitor, wait_for
from tests.profiles.sample import NOW
from tests.ui.on_terminal import OnTerminal


def sad_tempo(profile: Profile | None) -> float:
    net = load_mapper_net(find_resources("models"))
    return play_for_profile(net, profile, [create_state(emotion="sad")])[0][0]


@pytest.mark.timeout(200)
def test_a_profile_learned_in_one_session_is_played_in_the_next(
    monitor: JackMonitor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    store = ProfileStore()
    store.create(new_profile("anna", NOW))
    store.create(new_profile("bert", NOW))

    first = OnTerminal("-m", "kelly_live", "--seed", "1", "--emotion", "sad", "--profile", "anna")
    try:
        first.wait_for(f"{sad_tempo(None):.0f} BPM", 60.0)
        monitor.listen_to("Kelly Live")
        wait_for(lambda: len(monitor.list_sounding_notes()) >= 2, "a chord", 60.0)
        first.type(b"t")
        first.wait_for("too-fast: noted for anna")
        first.wait_for("too-fast: anna's sad: tempo")
        first.type(b"b")
        first.wait_for("too-bright: anna's sad: ")
        first.wait_for("for anna (2 said)")
        note_count = len(monitor.of_kind(0x90))
        first.type(b"n")
        first.wait_for("for bert (0 said)")
        wait_for(lambda: len(monitor.of_kind(0x90)) > note_count + 4, "music for bert", 20.0)
        first.type(b"q")
        first.wait_for("events sent", 20.0)
    finally:
        first.close()
    anna = store.load("anna")
    assert [one.kind for one in anna.reactions] == ["too-fast", "too-bright"]
    assert anna.learned_from == 2
    assert store.load("bert").count == 0
    assert sad_tempo(anna) < 0.93 * sad_tempo(None)

    second = OnTerminal("-m", "kelly_live", "--seed", "1", "--emotion", "sad", "--profile", "anna")
    try:
        second.wait_for(f"{sad_tempo(anna):.0f} BPM", 60.0)
        second.wait_for("for anna (2 said)")
        second.type(b"q")
        second.wait_for("events sent", 20.0)
    finally:
        second.close()
