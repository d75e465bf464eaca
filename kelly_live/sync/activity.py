"""Tells from the level of the input whether the player plays or rests.

The level is compared with the player's own and with the noise that is left in pauses, so neither a soft passage nor a
noisy microphone is taken for the other. Threads: `push` on the one that reads the audio, `estimate` on the
conductor's; they exchange one reference.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from kelly_live.core.level import SILENCE_DBFS, rms_dbfs
from kelly_live.core.sync_state import PlayerActivity, SyncState
from kelly_live.core.values import AudioWindow

FRAME_SECONDS = 0.05
QUIET_DBFS = -60.0  # what is softer is silence for any player
QUIET_BELOW_PLAYER_DB = 25.0  # and so is what lies so far under his own level,
NOISE_MARGIN_DB = 12.0  # unless it stands out so far from the noise of his pauses
REST_SECONDS = 0.75  # quiet for longer than about a beat is a rest
RETURN_SECONDS = 0.15  # of sound end it; a click or a cough is shorter
PLAYED_SECONDS = 2.0  # of sound before anybody counts as a player
_LEVEL_SECONDS = 6.0  # time constant of the player's own level
_NOISE_RISE_DB_PER_SECOND = 1.0  # how fast the noise is thought to grow; it falls at once


@dataclass(frozen=True, slots=True)
class ActivityFilter:
    """What is known after `seconds` (the end of the latest frame).

    `level` is the player's own and `noise` the softest of late (dBFS). `sound_seconds` is how much sound there was,
    `return_seconds` how much of it since the latest rest began. `last_sound` is when the latest of it ended.
    """

    activity: PlayerActivity | None = None
    level: float = SILENCE_DBFS
    noise: float = 0.0
    sound_seconds: float = 0.0
    return_seconds: float = 0.0
    last_sound: float = 0.0

    @property
    def threshold(self) -> float:
        """The level (dBFS) above which the input is sound."""
        return max(QUIET_DBFS, min(self.level - QUIET_BELOW_PLAYER_DB, self.noise + NOISE_MARGIN_DB))

    def step(self, seconds: float, dbfs: float) -> ActivityFilter:
        """Return the state after a frame that ends at `seconds` and has this level."""
        noise = min(dbfs, self.noise + _NOISE_RISE_DB_PER_SECOND * FRAME_SECONDS)
        if dbfs <= self.threshold:
            return replace(self, noise=noise)._take_quiet(seconds)
        sound_seconds = self.sound_seconds + FRAME_SECONDS
        share = FRAME_SECONDS / min(sound_seconds, _LEVEL_SECONDS)
        state = replace(
            self,
            level=self.level + share * (dbfs - self.level),
            noise=noise,
            sound_seconds=sound_seconds,
            return_seconds=self.return_seconds + FRAME_SECONDS,
            last_sound=seconds,
        )
        return state._take_sound(seconds)

    def _take_sound(self, seconds: float) -> ActivityFilter:
        if self.activity is None:
            starts = self.sound_seconds >= PLAYED_SECONDS
        else:
            starts = not self.activity.is_playing and self.return_seconds >= RETURN_SECONDS - 0.5 * FRAME_SECONDS
        if not starts:
            return self
        return replace(self, activity=PlayerActivity(is_playing=True, since=seconds - RETURN_SECONDS))

    def _take_quiet(self, seconds: float) -> ActivityFilter:
        if seconds - self.last_sound < REST_SECONDS:
            return self
        state = replace(self, return_seconds=0.0)
        if self.activity is None or not self.activity.is_playing:
            return state
        return replace(state, activity=PlayerActivity(is_playing=False, since=self.last_sound))


class LevelFrames:
    """Cuts sound into frames of FRAME_SECONDS. Thread: one."""

    def __init__(self) -> None:
        self._samples = np.zeros(0, np.float32)

    def push(self, block: AudioWindow) -> list[tuple[float, float]]:
        """Take new samples (any number); return the end (s) and the level (dBFS) of each frame that they completed."""
        sane = np.clip(np.nan_to_num(block.samples), -1.0, 1.0)
        samples = np.concatenate((self._samples, sane))
        size = round(FRAME_SECONDS * block.sample_rate)
        first_end = block.end_time - (len(samples) - size) / block.sample_rate
        count = len(samples) // size
        self._samples = samples[count * size :]
        return [
            (first_end + start / block.sample_rate, rms_dbfs(samples[start : start + size]))
            for start in range(0, count * size, size)
        ]


class ActivityTracker:
    """A SyncSource that hears in the audio input whether the player plays."""

    def __init__(self) -> None:
        self._filter = ActivityFilter()
        self._frames = LevelFrames()

    def push(self, block: AudioWindow) -> None:
        """Take new samples (any number)."""
        state = self._filter
        for seconds, dbfs in self._frames.push(block):
            state = state.step(seconds, dbfs)
        self._filter = state

    def estimate(self, now: float) -> SyncState:
        """Return whether the player plays; nothing until somebody has played."""
        return SyncState(player=self._filter.activity)
