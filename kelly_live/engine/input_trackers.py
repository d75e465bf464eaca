"""What the band is synchronised to: the sources beside the input, and the trackers of the input.

Threads: `push` belongs to the one that listens, `estimate` to the conductor's; `change` and `problem` are for any.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from kelly_live.core.protocols import SyncSource
from kelly_live.core.sync_state import SyncState
from kelly_live.core.values import AudioWindow
from kelly_live.engine.supervised_tracker import SupervisedTracker
from kelly_live.music.conductor_status import ConductorStatus


def merge_sync_states(now: float, sync_sources: Sequence[SyncSource]) -> SyncState:
    """Merge sources: each of its values comes from the first source that has one."""
    states = [source.estimate(now) for source in sync_sources]
    return SyncState(
        next((state.beat for state in states if state.beat is not None), None),
        next((state.key for state in states if state.key is not None), None),
        next((state.transport for state in states if state.transport is not None), None),
        next((state.start for state in states if state.start is not None), None),
        next((state.chord for state in states if state.chord is not None), None),
        next((state.player for state in states if state.player is not None), None),
        next((state.loudness for state in states if state.loudness is not None), None),
        next((state.notes for state in states if state.notes), ()),
    )


class _Change(NamedTuple):
    """The tracker that follows from the end of `bar` on; None: nothing is followed."""

    tracker: SupervisedTracker | None
    bar: int


class InputTrackers:
    """The sources, and after them the tracker of the player's beat, key and chords.

    Of two that know a value, the first one counts.
    """

    def __init__(self, sources: Sequence[SyncSource], beat_tracker: SupervisedTracker | None) -> None:
        # Both load numpy, which a start under a low limit must not.
        from kelly_live.sync.activity import ActivityTracker
        from kelly_live.sync.player_notes import PlayerNoteTracker

        self._sources = tuple(sources)
        self._activity_tracker = ActivityTracker()
        self._note_tracker = SupervisedTracker(PlayerNoteTracker, name="note tracker")
        self._beat_tracker = beat_tracker
        self._change: _Change | None = None

    @property
    def problem(self) -> str | None:
        """Why no beat, or no notes, come from a tracker, while that lasts."""
        tracker = self._beat_tracker
        return (None if tracker is None else tracker.problem) or self._note_tracker.problem

    def change(self, tracker: SupervisedTracker | None, bar: int) -> None:
        """Follow by another tracker: it listens at once, and what it hears counts once `bar` is over."""
        self._change = _Change(tracker, bar)

    def push(self, block: AudioWindow) -> None:
        """Take new samples."""
        self._activity_tracker.push(block)
        self._note_tracker.push(block)
        tracker, change = self._beat_tracker, self._change
        if tracker is not None:
            tracker.push(block)
        if change is not None and change.tracker is not None and change.tracker is not tracker:
            change.tracker.push(block)

    def estimate(self, now: float, music: ConductorStatus) -> SyncState:
        """Return what is known now, `music` being where the band is."""
        change = self._change
        if change is not None and (music.bar != change.bar or music.is_stopped):
            self._beat_tracker = change.tracker
            if self._change is change:  # no other came meanwhile
                self._change = None
        tracker = self._beat_tracker
        trackers = () if tracker is None else (tracker,)
        return merge_sync_states(now, (*self._sources, *trackers, self._activity_tracker, self._note_tracker))
