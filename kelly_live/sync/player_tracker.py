"""Follows a player by sound and, where they play a MIDI instrument, by their own notes.

Threads: as in `audio_tracker.py`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from kelly_live.core.sync_state import SyncState
from kelly_live.core.values import AudioWindow
from kelly_live.sync import TRACKABLE
from kelly_live.sync.audio_tracker import AudioTracker
from kelly_live.sync.note_tracker import NoteTracker


class PlayerTracker:
    """A SyncSource: beat, key and chords are those of the notes while any are played, the rest is heard.

    `targets` as in AudioTracker.
    """

    def __init__(self, targets: Collection[str] = TRACKABLE) -> None:
        self._audio = AudioTracker(targets)
        self._notes = NoteTracker() if "tempo" in targets else None

    def push(self, block: AudioWindow) -> None:
        """Take a block with its notes. Raises ConfigError for another rate."""
        self._audio.push(block)
        if self._notes is not None:
            self._notes.push(block)

    def estimate(self, now: float) -> SyncState:
        """Return the latest beat, key and chord."""
        state = self._audio.estimate(now)
        beat = None if self._notes is None else self._notes.estimate(now).beat
        return state if beat is None else replace(state, beat=beat)
