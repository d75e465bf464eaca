"""Ableton Link: the beat and bar that a network's programs share, as a Lead.

Optional: the binding (LinkPython-extern) carries Link itself, which is under the GPL 2 or later; it is only loaded when
it is asked for. Start and stop are not shared: Link's own are off in most programs, and a band that waited for them
would wait for ever.
"""

from __future__ import annotations

import math
from typing import Any

from kelly_live.core.errors import ConfigError
from kelly_live.core.timebase import Clock
from kelly_live.core.values import BeatEstimate, SyncState

QUANTUM_BEATS = 4.0  # a bar, to Link
_NOBODY = SyncState()


class LinkSyncSource:
    """A Leader: the Link session that this machine's network has, while anybody else is in it. Thread: one."""

    def __init__(self, session: Any, clock: Clock) -> None:
        self._session = session
        self._clock = clock
        session.enabled = True

    @property
    def peers(self) -> int:
        """How many others are in the session."""
        return int(self._session.numPeers())

    def estimate(self, now: float) -> SyncState:
        if self.peers == 0:
            return _NOBODY
        state = self._session.captureAppSessionState()
        # Link counts by a clock of its own, which drifts against ours.
        micros = int(self._session.clock().micros())
        ahead = self._clock.now() - micros * 1e-6
        bpm = float(state.tempo())
        if not 20.0 <= bpm <= 300.0:
            return _NOBODY
        beat = math.floor(state.beatAtTime(micros, QUANTUM_BEATS))
        return SyncState(BeatEstimate(state.timeAtBeat(float(beat), QUANTUM_BEATS) * 1e-6 + ahead, bpm, 1.0, beat))

    def close(self) -> None:
        self._session.enabled = False


def open_link(clock: Clock) -> LinkSyncSource:
    """Joins, or begins, the session of this network. Raises ConfigError if the binding is not installed."""
    try:
        import link
    except ImportError as error:
        raise ConfigError(
            f"Ableton Link cannot be loaded ({error}); install it (GPL): pip install 'kelly-live[link]'"
        ) from error
    return LinkSyncSource(link.Link(120.0), clock)
