"""Listen to an audio input for a moment, and say how loud it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kelly_live.core.level import SILENCE_DBFS, rms_dbfs
from kelly_live.core.protocols import AudioSource
from kelly_live.core.timebase import Clock

QUIET_DBFS = -50.0  # a player is hardly told from the noise of the room
CLIPPED_DBFS = -0.5
_READ_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Level:
    """The loudest sample and the loudest tenth of a second, dB full scale; -120 is silence."""

    peak_dbfs: float
    loudest_dbfs: float

    @property
    def is_heard(self) -> bool:
        """Whether anything was heard at all."""
        return self.peak_dbfs > SILENCE_DBFS

    def describe(self) -> str:
        """Say what was heard and what to do about it, in one line."""
        if not self.is_heard:
            return "nothing was heard: check the cable, the input's switch and the system's microphone rights"
        text = f"peak {self.peak_dbfs:.0f} dBFS, loudest {self.loudest_dbfs:.0f} dBFS"
        if self.peak_dbfs >= CLIPPED_DBFS:
            return f"{text}: it clips; turn the input down"
        if self.loudest_dbfs < QUIET_DBFS:
            return f"{text}: quiet; turn the input up, or give --gain-db {min(40, round(-20 - self.peak_dbfs))}"
        return f"{text}: good"


def measure_level(source: AudioSource, clock: Clock, seconds: float) -> Level:
    """Return the level of an input that is open, over so many seconds. Raises AudioError."""
    source.start()
    until = clock.now() + seconds
    peak_dbfs = loudest_dbfs = SILENCE_DBFS
    while clock.now() < until and not source.is_finished:
        window = source.read(_READ_SECONDS)
        if window is not None and len(window.samples):
            # The level of one sample is its size.
            peak_dbfs = max(peak_dbfs, rms_dbfs(np.max(np.abs(window.samples), keepdims=True)))
            loudest_dbfs = max(loudest_dbfs, rms_dbfs(window.samples))
    return Level(peak_dbfs, loudest_dbfs)
