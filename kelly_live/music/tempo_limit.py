"""The fastest rise of the tempo, whoever sets it: the feeling, a player, a clock, a transport that starts again."""

from __future__ import annotations

import math

from kelly_live.core.checks import require
from kelly_live.core.rise_limiter import RiseLimiter
from kelly_live.music.synchronization import TEMPO_GRAIN_BPM

WINDOW_SECONDS = 8.0  # after a ritardando at a phrase's end the tempo comes back


class TempoLimit:
    """Lets the tempo rise by `bpm_per_minute` at most; None: as it likes. The first one is free. Raises ConfigError."""

    def __init__(self, bpm_per_minute: float | None) -> None:
        require(
            bpm_per_minute is None or 0.0 < bpm_per_minute < math.inf,
            f"the tempo may rise by {bpm_per_minute} BPM a minute; it must be over 0",
        )
        self._rise = (
            None
            if bpm_per_minute is None
            else RiseLimiter(bpm_per_minute / 60.0, WINDOW_SECONDS, keeps_last=True, replans=True)
        )

    def limit(self, seconds: float, bpm: float) -> float:
        """Return the tempo that may be played from a time on, in steps of TEMPO_GRAIN_BPM where it is held back."""
        if self._rise is None:
            return bpm
        limited = self._rise.limit(seconds, bpm)
        return bpm if limited == bpm else math.floor(limited / TEMPO_GRAIN_BPM) * TEMPO_GRAIN_BPM
