"""Ableton Link: the beat of a session, of a session made for the test and of a real one."""

from __future__ import annotations

import sys
import time

import pytest

from kelly_live.core.errors import ConfigError
from kelly_live.core.sync_state import SyncState
from kelly_live.core.timebase import ManualClock, MonotonicClock
from kelly_live.sync.link import LinkSyncSource, open_link


class PretendSession:
    """A session at 90 BPM whose beat 0 fell at 1 s of its own clock, which is 100 s behind ours."""

    def __init__(self, clock: ManualClock, peers: int = 1, bpm: float = 90.0) -> None:
        self.enabled = False
        self._clock, self._peers, self._bpm = clock, peers, bpm

    def numPeers(self) -> int:
        return self._peers

    def clock(self) -> PretendSession:
        return self

    def micros(self) -> int:
        return round((self._clock.now() - 100.0) * 1e6)

    def captureAppSessionState(self) -> PretendSession:
        return self

    def tempo(self) -> float:
        return self._bpm

    def beatAtTime(self, micros: int, quantum: float) -> float:
        return (micros * 1e-6 - 1.0) * self._bpm / 60.0

    def timeAtBeat(self, beat: float, quantum: float) -> int:
        return round((1.0 + beat * 60.0 / self._bpm) * 1e6)


def test_the_session_s_beat_is_converted_to_monotonic_seconds() -> None:
    clock = ManualClock(103.1)  # 2.1 s into the session: beat 3.15
    beat = LinkSyncSource(PretendSession(clock), clock).estimate(clock.now()).beat
    assert beat is not None
    assert (round(beat.beat_seconds, 6), beat.bpm, beat.confidence, beat.beat_number) == (103.0, 90.0, 1.0, 3)


def test_alone_in_a_session_there_is_no_beat() -> None:
    clock = ManualClock(103.1)
    session = PretendSession(clock, peers=0)
    source = LinkSyncSource(session, clock)
    assert session.enabled
    assert source.estimate(clock.now()) == SyncState()
    assert LinkSyncSource(PretendSession(clock, bpm=999.0), clock).estimate(clock.now()) == SyncState()
    source.close()
    assert not session.enabled


def test_without_the_binding_one_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "link", None)
    with pytest.raises(ConfigError, match=r"Link cannot be loaded.*pip install 'kelly-live\[link\]'"):
        open_link(ManualClock())


def test_two_programs_on_a_network_share_a_beat() -> None:
    """Through real sockets, where Link is installed and a network carries multicast."""
    link = pytest.importorskip("link", exc_type=ImportError)
    other = link.Link(97.0)
    other.enabled = True
    time.sleep(0.5)
    if other.numPeers():
        pytest.skip("another program makes music on this network: its tempo must not be changed")
    source = open_link(MonotonicClock())
    try:
        deadline = time.monotonic() + 5.0
        while source.peers == 0 and time.monotonic() < deadline:
            time.sleep(0.01)
        if source.peers == 0:
            pytest.skip("no network here carries Link's multicast")
        state = other.captureSessionState()
        state.setTempo(133.0, other.clock().micros())
        other.commitSessionState(state)
        beat = None
        while time.monotonic() < deadline and (beat is None or abs(beat.bpm - 133.0) > 0.01):
            beat = source.estimate(time.monotonic()).beat
            time.sleep(0.01)
        assert beat is not None
        assert beat.bpm == pytest.approx(133.0, abs=0.01)
        assert beat.beat_number is not None
        # Both see the same place in the bar now.
        now, micros = time.monotonic(), other.clock().micros()
        other_phase = other.captureSessionState().phaseAtTime(micros, 4.0)
        phase = (beat.beat_number + (now - beat.beat_seconds) * beat.bpm / 60.0) % 4.0
        assert abs((phase - other_phase + 2.0) % 4.0 - 2.0) < 0.02
    finally:
        source.close()
        other.enabled = False
