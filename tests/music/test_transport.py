"""Somebody else's start, stop, continue and song position: what the band plays, and when."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from kelly_live.core.midi_messages import CLOCK, CONTINUE, START, STOP, song_position
from kelly_live.core.timebase import ManualClock
from kelly_live.core.values import BeatEstimate, SyncState, Transport
from kelly_live.midi.files import notes_from_messages
from kelly_live.midi.input_queue import ScriptedInput
from kelly_live.midi.offline import OfflineScheduler
from kelly_live.music.conductor import Conductor
from kelly_live.sync.midi_clock import MidiClockSource
from tests.music.band import band, told

STOPPED = Transport(playing=False)


class Stage:
    """The band at 100 BPM by its own feeling, and somebody who leads; `to(seconds)` steps every 10 ms."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.scheduler = OfflineScheduler()
        self.conductor = Conductor(self.scheduler, band(), seed=1, tonic=0)
        self.conductor.start(0.3, told(bpm=100.0))

    def to(self, seconds: float, leader: MidiClockSource | SyncState) -> Stage:
        while self.clock.now() < seconds - 1e-9:
            self.clock.advance(0.01)
            now = self.clock.now()
            lead = leader if isinstance(leader, SyncState) else leader.estimate(now)
            self.conductor.advance(now, told(bpm=100.0), lead)
            self.scheduler.advance(now)
        return self

    def onsets(self, after: float = -1.0) -> list[tuple[float, int, int]]:
        """(seconds after `after`, channel, pitch)."""
        notes = notes_from_messages(self.scheduler.messages)
        return [(round(n.start_seconds - after, 3), n.channel, n.pitch) for n in notes if n.start_seconds >= after]


def playing(take: int, beat_seconds: float, bpm: float = 120.0, number: int = 0) -> SyncState:
    return SyncState(BeatEstimate(beat_seconds, bpm, 1.0, number), transport=Transport(True, take))


def test_while_somebody_holds_it_the_band_is_silent_and_where_it_was() -> None:
    stage = Stage().to(3.0, SyncState(transport=STOPPED))
    assert stage.onsets() == []
    assert stage.conductor.status().beat == 0.0


def test_a_start_is_the_top_at_their_tempo() -> None:
    stage = Stage().to(2.0, SyncState(transport=STOPPED)).to(6.0, playing(1, 2.02))
    first = stage.onsets()[0][0] - 1.0
    assert first == pytest.approx(2.02, abs=0.03)  # the hand's own timing included
    assert stage.conductor.status().bpm == 120.0
    assert stage.conductor.seconds_at(4.0) == pytest.approx(4.02)


def test_a_stop_ends_every_note_at_once_and_nothing_follows() -> None:
    stage = Stage().to(3.0, playing(1, 0.5)).to(3.01, SyncState(transport=Transport(False, 1)))
    assert stage.scheduler.health().sounding == 0
    heard = len(stage.onsets())
    held = stage.conductor.status().beat
    stage.to(8.0, SyncState(transport=Transport(False, 1)))
    assert len(stage.onsets()) == heard > 4
    assert stage.conductor.status().beat == held == pytest.approx(5.0, abs=0.1)


def test_the_same_start_is_the_same_music() -> None:
    stage = Stage().to(3.0, playing(1, 1.0)).to(5.0, SyncState(transport=Transport(False, 1))).to(7.5, playing(2, 5.5))
    stage.to(9.0, playing(3, 8.0))  # and once more, without a stop
    first = [note for note in stage.onsets(0.99) if note[0] < 0.9]
    assert len(first) > 2
    assert [note for note in stage.onsets(5.49) if note[0] < 0.9] == first
    assert [note for note in stage.onsets(7.99) if note[0] < 0.9] == first


def test_continue_goes_on_in_the_bar_that_was_stopped() -> None:
    whole = Stage().to(6.0, playing(1, 0.5))
    cut = Stage().to(2.55, playing(1, 0.5))  # four beats
    cut.to(4.0, SyncState(transport=Transport(False, 1))).to(8.0, playing(2, 4.0, number=4))
    after = [(round(t - 2.5, 2), c, p) for t, c, p in whole.onsets(0.0) if t >= 2.55]
    resumed = [(round(t - 4.0, 2), c, p) for t, c, p in cut.onsets(0.0) if t >= 4.05]
    assert after
    assert resumed[: len(after)] == after


def test_a_held_band_that_is_asked_to_close_is_done() -> None:
    stage = Stage().to(2.0, playing(1, 0.5)).to(3.0, SyncState(transport=Transport(False, 1)))
    stage.conductor.panic(3.0)
    end = stage.conductor.finish(3.0)
    assert stage.conductor.is_done
    assert end <= stage.conductor.status().beat
    assert stage.scheduler.health().sounding == 0


def script(*takes: Iterable[tuple[float, bytes]]) -> list[tuple[float, bytes]]:
    return sorted((one for take in takes for one in take), key=lambda one: one[0])


def ticks(first: float, count: int) -> list[tuple[float, bytes]]:
    return [(first + i / 48.0, CLOCK) for i in range(count)]


def test_a_real_clocks_buttons_end_to_end() -> None:
    """120 BPM: start at 1 s, stop at 4 s, two beats back by song position, continue at 6 s."""
    stage = Stage()
    clock = script(
        [(0.99, START), (4.0, STOP), (5.0, song_position(16)), (5.99, CONTINUE)], ticks(1.0, 144), ticks(6.0, 200)
    )
    leader = MidiClockSource(ScriptedInput(clock, stage.clock))
    stage.to(3.99, leader)
    assert stage.conductor.seconds_at(4.0) == pytest.approx(3.0, abs=0.002)
    stage.to(4.03, leader)
    assert stage.scheduler.health().sounding == 0
    stage.to(6.0, leader)
    quiet = stage.onsets()
    stage.to(9.0, leader)
    again = [seconds - 1.0 for seconds, _, _ in stage.onsets() if seconds - 1.0 > 4.03]
    assert quiet[-1][0] - 1.0 < 4.03
    assert again[0] == pytest.approx(6.0, abs=0.05)
    assert stage.conductor.seconds_at(8.0) == pytest.approx(8.0, abs=0.002)
    assert stage.conductor.status().bar == 2
