"""Somebody else's start, stop, continue and song position: what the band plays, and when."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from kelly_live.core.midi_messages import CLOCK, CONTINUE, START, STOP, song_position
from kelly_live.core.sync_state import BeatEstimate, SyncState, Transport
from kelly_live.core.timebase import ManualClock
from kelly_live.midi.files import find_sounding_notes
from kelly_live.midi.input_queue import ScriptedInput
from kelly_live.midi.offline import OfflineScheduler
from kelly_live.music.conductor import Conductor
from kelly_live.sync.midi_clock import MidiClockSource
from tests.music.band import band, make_parameters

STOPPED = Transport(playing=False)


class FollowingSession:
    """The band at 100 BPM, and a transport that it follows; `to(seconds)` steps every 10 ms."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.scheduler = OfflineScheduler()
        self.conductor = Conductor(self.scheduler, band(), seed=1, tonic=0)
        self.conductor.start(0.3, make_parameters(bpm=100.0))

    def to(self, seconds: float, source: MidiClockSource | SyncState) -> FollowingSession:
        while self.clock.now() < seconds - 1e-9:
            self.clock.advance(0.01)
            now = self.clock.now()
            sync = source if isinstance(source, SyncState) else source.estimate(now)
            self.conductor.advance(now, make_parameters(bpm=100.0), sync)
            self.scheduler.advance(now)
        return self

    def onsets(self, after: float = -1.0) -> list[tuple[float, int, int]]:
        """(seconds after `after`, channel, pitch)."""
        notes = find_sounding_notes(self.scheduler.messages)
        return [(round(n.start_seconds - after, 3), n.channel, n.pitch) for n in notes if n.start_seconds >= after]


def playing(take: int, beat_seconds: float, bpm: float = 120.0, number: int = 0) -> SyncState:
    return SyncState(BeatEstimate(beat_seconds, bpm, 1.0, number), transport=Transport(True, take))


def test_it_says_that_it_waits_as_soon_as_the_transport_is_stopped() -> None:
    session = FollowingSession().to(0.02, SyncState(transport=STOPPED))
    assert session.conductor.status().is_stopped
    assert not session.to(1.0, playing(1, 0.5)).conductor.status().is_stopped


def test_while_the_transport_is_stopped_the_band_is_silent_and_where_it_was() -> None:
    session = FollowingSession().to(3.0, SyncState(transport=STOPPED))
    assert session.onsets() == []
    assert session.conductor.status().beat == 0.0


def test_a_start_is_the_top_at_their_tempo() -> None:
    session = FollowingSession().to(2.0, SyncState(transport=STOPPED)).to(6.0, playing(1, 2.02))
    first = session.onsets()[0][0] - 1.0
    assert first == pytest.approx(2.02, abs=0.03)  # the player's own timing included
    assert session.conductor.status().bpm == 120.0
    assert session.conductor.seconds_at(4.0) == pytest.approx(4.02)


def test_a_stop_ends_every_note_at_once_and_nothing_follows() -> None:
    session = FollowingSession().to(3.0, playing(1, 0.5)).to(3.01, SyncState(transport=Transport(False, 1)))
    assert session.scheduler.health().sounding_notes == 0
    onset_count = len(session.onsets())
    stop_beat = session.conductor.status().beat
    session.to(8.0, SyncState(transport=Transport(False, 1)))
    assert len(session.onsets()) == onset_count > 4
    assert session.conductor.status().beat == stop_beat == pytest.approx(5.0, abs=0.1)


def test_the_same_start_is_the_same_music() -> None:
    session = (
        FollowingSession()
        .to(3.0, playing(1, 1.0))
        .to(5.0, SyncState(transport=Transport(False, 1)))
        .to(7.5, playing(2, 5.5))
    )
    session.to(9.0, playing(3, 8.0))  # and once more, without a stop
    first = [note for note in session.onsets(0.99) if note[0] < 0.9]
    assert len(first) > 2
    assert [note for note in session.onsets(5.49) if note[0] < 0.9] == first
    assert [note for note in session.onsets(7.99) if note[0] < 0.9] == first


def test_continue_goes_on_in_the_bar_that_was_stopped() -> None:
    uninterrupted = FollowingSession().to(6.0, playing(1, 0.5))
    interrupted = FollowingSession().to(2.55, playing(1, 0.5))  # four beats
    interrupted.to(4.0, SyncState(transport=Transport(False, 1))).to(8.0, playing(2, 4.0, number=4))
    after = [(round(t - 2.5, 2), c, p) for t, c, p in uninterrupted.onsets(0.0) if t >= 2.55]
    resumed = [(round(t - 4.0, 2), c, p) for t, c, p in interrupted.onsets(0.0) if t >= 4.05]
    assert after
    assert resumed[: len(after)] == after


def test_a_paused_band_that_is_asked_to_close_is_finished() -> None:
    session = FollowingSession().to(2.0, playing(1, 0.5)).to(3.0, SyncState(transport=Transport(False, 1)))
    session.conductor.panic(3.0)
    end = session.conductor.finish(3.0)
    assert session.conductor.is_done
    assert end <= session.conductor.status().beat
    assert session.scheduler.health().sounding_notes == 0


def script(*takes: Iterable[tuple[float, bytes]]) -> list[tuple[float, bytes]]:
    return sorted((one for take in takes for one in take), key=lambda one: one[0])


def ticks(first: float, count: int) -> list[tuple[float, bytes]]:
    return [(first + i / 48.0, CLOCK) for i in range(count)]


def test_a_real_clocks_buttons_end_to_end() -> None:
    """120 BPM: start at 1 s, stop at 4 s, two beats back by song position, continue at 6 s."""
    session = FollowingSession()
    clock = script(
        [(0.99, START), (4.0, STOP), (5.0, song_position(16)), (5.99, CONTINUE)], ticks(1.0, 144), ticks(6.0, 200)
    )
    source = MidiClockSource(ScriptedInput(clock, session.clock))
    session.to(3.99, source)
    assert session.conductor.seconds_at(4.0) == pytest.approx(3.0, abs=0.002)
    session.to(4.03, source)
    assert session.scheduler.health().sounding_notes == 0
    session.to(6.0, source)
    quiet = session.onsets()
    session.to(9.0, source)
    again = [seconds - 1.0 for seconds, _, _ in session.onsets() if seconds - 1.0 > 4.03]
    assert quiet[-1][0] - 1.0 < 4.03
    assert again[0] == pytest.approx(6.0, abs=0.05)
    assert session.conductor.seconds_at(8.0) == pytest.approx(8.0, abs=0.002)
    assert session.conductor.status().bar == 2
