"""Ableton Link: the beat and bar that the programs of a network share.

Optional: the binding (LinkPython-extern) contains Link itself, which is under the GPL 2 or later; it is loaded only
when a user chooses it. Start and stop are not shared: they are off in most programs, and a band that waited for them
would never play.
"""

from __future__ import annotations

import math
from typing import Any

from kelly_live.core.errors import ConfigError
from kelly_live.core.sync_state import BeatEstimate, SyncState
from kelly_live.core.timebase import Clock

QUANTUM_BEATS = 4.0  # what Link calls a bar
_NO_ESTIMATE = SyncState()


class LinkSyncSource:
    """A SyncSource: the Link session of this network, while another program is in it. Thread: one."""

    def __init__(self, session: Any, clock: Clock) -> None:
        self._session = session
        self._clock = clock
        session.enabled = True

    @property
    def peers(self) -> int:
        """The number of other programs in the session."""
        return int(self._session.numPeers())

    def estimate(self, now: float) -> SyncState:
        """Return the session's beat; none if no other program is there, or its tempo is outside 20 to 300 BPM."""
        if self.peers == 0:
            return _NO_ESTIMATE
        state = self._session.captureAppSessionState()
        # Link has its own clock, which drifts against the monotonic one.
        micros = int(self._session.clock().micros())
        ahead = self._clock.now() - micros * 1e-6
        bpm = float(state.tempo())
        if not 20.0 <= bpm <= 300.0:
            return _NO_ESTIMATE
        beat = math.floor(state.beatAtTime(micros, QUANTUM_BEATS))
        return SyncState(BeatEstimate(state.timeAtBeat(float(beat), QUANTUM_BEATS) * 1e-6 + ahead, bpm, 1.0, beat))

    def close(self) -> None:
        """Leave the session; safe to call twice."""
        self._session.enabled = False


def open_link(clock: Clock) -> LinkSyncSource:
    """Join the session of this network, or begin one. Raises ConfigError if the binding is not installed."""
    try:
        import link
    except ImportError as error:
        raise ConfigError(
            f"Ableton Link cannot be loaded ({error}); install it (GPL): pip install 'kelly-live[link]'"
        ) from error
    return LinkSyncSource(link.Link(120.0), clock)
