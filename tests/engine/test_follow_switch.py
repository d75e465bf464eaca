"""What is followed changes while the band plays: at a bar line, and never at its cost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kelly_live.core.sync_state import BeatEstimate, SyncState
from kelly_live.core.values import AudioWindow
from kelly_live.engine.follow_switch import FollowSwitch
from kelly_live.engine.input_trackers import InputTrackers
from kelly_live.engine.options.piece import PieceOptions
from kelly_live.engine.supervised_tracker import SupervisedTracker
from tests.engine.test_actions import SNAPSHOT
from tests.workers.until import wait_until

MUSIC = replace(SNAPSHOT.conductor, bar=5, is_stopped=False)
SILENCE = AudioWindow(np.zeros(800, np.float32), 16_000, 1.0)


class FixedTracker:
    """Hears a tempo as soon as anything is pushed."""

    def __init__(self, bpm: float) -> None:
        self.beat = BeatEstimate(0.0, bpm, 1.0)
        self.blocks = 0

    def push(self, block: AudioWindow) -> None:
        self.blocks += 1

    def estimate(self, now: float) -> SyncState:
        return SyncState(self.beat if self.blocks else None)


def get_bpm(trackers: InputTrackers, bar: int) -> float | None:
    beat = trackers.estimate(1.0, replace(MUSIC, bar=bar)).beat
    return None if beat is None else beat.bpm


def test_another_tracker_listens_at_once_and_counts_from_the_next_bar_line_on() -> None:
    first, second = FixedTracker(100.0), FixedTracker(80.0)
    trackers = InputTrackers((), SupervisedTracker(lambda: first))
    trackers.push(SILENCE)
    trackers.change(SupervisedTracker(lambda: second), bar=5)
    trackers.push(SILENCE)
    assert (second.blocks, get_bpm(trackers, 5), get_bpm(trackers, 6)) == (1, 100.0, 80.0)
    trackers.change(None, bar=6)
    assert (get_bpm(trackers, 6), get_bpm(trackers, 7)) == (80.0, None)


def create_switch(used: list[object], **piece: object) -> FollowSwitch:
    def create(names: tuple[str, ...]) -> SupervisedTracker | None:
        if "key" in names:
            raise RuntimeError("no memory")
        return SupervisedTracker(lambda: FixedTracker(90.0)) if names else None

    return FollowSwitch((), PieceOptions(**piece), create, used.append)


def test_it_starts_in_the_background_and_says_so() -> None:
    used: list[object] = []
    switch = create_switch(used)
    assert switch.change("tempo, dynamics") == "follow tempo and dynamics: starting"
    wait_until(lambda: used)
    wait_until(lambda: switch.names == ("tempo", "dynamics"))
    wait_until(lambda: switch.take_lines() == ["follows your tempo and dynamics from the next bar on"])
    assert switch.change("none") == "follow: ending with this bar"
    wait_until(lambda: used[-1] is None and switch.names == ())


def test_what_cannot_be_followed_is_said_in_a_line_and_changes_nothing() -> None:
    used: list[object] = []
    switch = create_switch(used, tempo=120.0)
    assert switch.change("melody").startswith("follow: 'melody' cannot be followed: give tempo, key")
    assert switch.change("tempo") == "follow: --tempo fixes what --follow tempo would follow; give one of them"
    assert switch.change("key") == "follow key: starting"
    lines: list[str] = []
    wait_until(lambda: lines.extend(switch.take_lines()) or lines)
    assert lines == ["follow: RuntimeError: no memory; nothing changed"]
    assert (used, switch.names) == ([], ())
