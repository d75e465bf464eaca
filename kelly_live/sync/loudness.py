"""Tells how loud the player plays, within his own range of late, from the sound or from the velocities of his notes.

The loudest and the softest level of late are remembered and forgotten slowly, so neither the gain of an input nor the
touch of a keyboard matters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from kelly_live.core.midi_messages import get_kind
from kelly_live.core.values import AudioWindow
from kelly_live.sync.activity import FRAME_SECONDS, ActivityFilter, LevelFrames

_LEVEL_SECONDS = 1.0  # time constant of the level: about two beats
_DECAY_DB_PER_SECOND = 8.0  # a note that dies away is not played more softly: its level falls no faster
_FORGET_DB_PER_SECOND = 0.1  # how fast the ends of the range are forgotten
_LEAST_DB, _MOST_DB = 16.0, 36.0  # of the range: steady playing varies by less than the first
_NOTES_SECONDS = 8.0  # for so long after a note, the notes are asked and not the sound


@dataclass(frozen=True, slots=True)
class LoudnessRange:
    """A player's `level` and the ends of his range of late (dB; any reference). All 0 before `is_known`."""

    level: float = 0.0
    softest: float = 0.0
    loudest: float = 0.0
    is_known: bool = False

    def step(self, seconds: float, level: float) -> LoudnessRange:
        """Return the range after `seconds` of playing at a level (dB)."""
        if not self.is_known:
            return LoudnessRange(level, level, level, is_known=True)
        smooth = self.level + (level - self.level) * -math.expm1(-seconds / _LEVEL_SECONDS)
        forgotten = _FORGET_DB_PER_SECOND * seconds
        loudest = max(smooth, self.loudest - forgotten)
        softest = max(min(smooth, self.softest + forgotten), loudest - _MOST_DB)
        return replace(self, level=smooth, softest=softest, loudest=loudest)

    @property
    def loudness(self) -> float:
        """Where the level lies in the range: -1 at its softest, 1 at its loudest."""
        half = 0.5 * max(_LEAST_DB, self.loudest - self.softest)
        return max(-1.0, min(1.0, (self.level - 0.5 * (self.loudest + self.softest)) / half))


class LoudnessFilter:
    """Follows the level of sound and of notes. Thread: one."""

    def __init__(self) -> None:
        self._frames = LevelFrames()
        self._activity = ActivityFilter()
        self._envelope = -math.inf
        self._sound = LoudnessRange()
        self._notes = LoudnessRange()
        self._note_seconds = -math.inf  # of the latest note
        self._end_seconds = 0.0

    def push(self, block: AudioWindow) -> None:
        """Take new samples (any number) with their notes."""
        for seconds, dbfs in self._frames.push(block):
            self._activity = self._activity.step(seconds, dbfs)
            self._envelope = max(dbfs, self._envelope - _DECAY_DB_PER_SECOND * FRAME_SECONDS)
            if dbfs > self._activity.threshold and self.is_playing:
                self._sound = self._sound.step(FRAME_SECONDS, self._envelope)
        for message in block.notes:
            if get_kind(message.data) == "note_on":
                passed = max(0.0, message.seconds - self._note_seconds)
                level = 40.0 * math.log10(message.data[2] / 127.0)  # as loud as most synthesisers make a velocity
                self._notes = self._notes.step(min(passed, _LEVEL_SECONDS), level)
                self._note_seconds = message.seconds
        self._end_seconds = block.end_time

    @property
    def is_playing(self) -> bool:
        """Whether the player plays."""
        activity = self._activity.activity
        return activity is not None and activity.is_playing

    def estimate(self) -> float | None:
        """Return the loudness, -1 to 1; None in a rest, and before anybody has played for a while."""
        if not self.is_playing:
            return None
        has_notes = self._end_seconds - self._note_seconds < _NOTES_SECONDS
        known = self._notes if has_notes else self._sound
        return known.loudness if known.is_known else None
