"""A MIDI clock as masters, cables and accidents make it: what the band plays, where, and what is said."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable

import pytest

from kelly_live.core.midi_messages import CLOCK, CLOCKS_PER_BEAT, CONTINUE, START, STOP, song_position
from kelly_live.core.sync_state import BeatEstimate, SongPosition, SyncState, Transport
from kelly_live.core.timebase import ManualClock
from kelly_live.engine.console import describe_synchronization
from kelly_live.midi.files import find_sounding_notes
from kelly_live.midi.input_queue import ScriptedInput
from kelly_live.midi.offline import OfflineScheduler
from kelly_live.music.conductor import LIVE_SLICE_BEATS, Conductor
from kelly_live.sync.midi_clock import NOTICE_SECONDS, MidiClockSource
from tests.field.simulated_master import (
    JITTERS,
    JUMP_BEAT,
    JUMPS,
    FollowingBand,
    Jitter,
    measure_jump,
    measure_steadiness,
)
from tests.music.band import band, make_parameters

Script = list[tuple[float, bytes]]


def ticks(start: float, beats: float, bpm: float = 120.0) -> Script:
    return [(start + i * 60.0 / (bpm * CLOCKS_PER_BEAT), CLOCK) for i in range(round(beats * CLOCKS_PER_BEAT))]


class PlayedBand:
    """A band whose own tempo is 72 BPM, and the notes that it sends while it follows a script."""

    def __init__(self, script: Script) -> None:
        self.clock = ManualClock()
        self.source = MidiClockSource(ScriptedInput(sorted(script, key=lambda one: one[0]), self.clock))
        self.scheduler = OfflineScheduler()
        self.conductor = Conductor(self.scheduler, band(), seed=1, tonic=0, slice_beats=LIVE_SLICE_BEATS)
        self.conductor.start(0.2, make_parameters(bpm=72.0))

    def play_until(self, seconds: float, *, stall: tuple[float, float] = (math.inf, 0.0)) -> PlayedBand:
        """Step every 5 ms, except for a `stall` (from, to)."""
        while self.clock.now() < seconds - 1e-9:
            is_stalled = stall[0] <= self.clock.now() < stall[1]
            self.clock.advance(stall[1] - stall[0] if is_stalled else 0.005)
            now = self.clock.now()
            self.conductor.advance(now, make_parameters(bpm=72.0), self.source.estimate(now))
            self.scheduler.advance(now)
        return self

    def onsets(self, start: float, end: float) -> list[tuple[int, int]]:
        """(channel, pitch) of the notes that began then."""
        notes = find_sounding_notes(self.scheduler.messages)
        return sorted((n.channel, n.pitch) for n in notes if start <= n.start_seconds < end)


@pytest.mark.parametrize("bpm", [40.0, 60.0, 97.0, 120.0, 180.0, 240.0, 390.0])
@pytest.mark.parametrize("lead_seconds", [0.0001, 1.0])
def test_the_first_beat_of_a_master_that_ticks_only_while_it_rolls_is_played(bpm: float, lead_seconds: float) -> None:
    beat = 60.0 / bpm
    reference = PlayedBand([*ticks(0.5, 8, bpm), (0.5 + 7.9 * beat, START), *ticks(0.5 + 8 * beat, 8, bpm)])
    reference.play_until(0.5 + 10.0 * beat)
    downbeat = reference.onsets(0.5 + 7.8 * beat, 0.5 + 8.3 * beat)
    first = PlayedBand([(2.0 - lead_seconds, START), *ticks(2.0, 8, bpm)]).play_until(2.0 + 2.0 * beat)
    assert first.onsets(2.0 - 1e-3, 2.0 + 0.3 * beat) == downbeat != []
    assert first.onsets(0.0, 2.0 - 1e-3) == []
    assert first.scheduler.health().dropped_notes == 0
    assert first.conductor.status().skipped_beats == 0.0


@pytest.mark.parametrize("bpm", [60.0, 120.0, 200.0])
@pytest.mark.parametrize("jitter", JITTERS, ids=lambda jitter: jitter.name)
def test_from_the_second_beat_on_a_tempo_that_was_not_known_is_the_masters(bpm: float, jitter: Jitter) -> None:
    rng = random.Random(1)
    script = [(1.99, START), *((jitter.delay(seconds, rng), data) for seconds, data in ticks(2.0, 16, bpm))]
    player = FollowingBand(script, grain=jitter.grain * jitter.is_known)
    player.play_until(2.0 + 10.0 * 60.0 / bpm)
    late = [player.conductor.seconds_at(float(k)) - (2.0 + k * 60.0 / bpm) for k in range(1, 9)]
    assert max(map(abs, late[1:])) < 0.012
    assert abs(late[0]) < 0.025


def test_what_a_stall_makes_too_late_is_counted() -> None:
    player = PlayedBand([(1.9999, START), *ticks(2.0, 16)]).play_until(5.0, stall=(1.95, 2.9))
    assert player.conductor.status().skipped_beats == pytest.approx(0.9 / 0.5 - 0.3, abs=0.1)


@pytest.mark.parametrize(("before", "after"), JUMPS)
@pytest.mark.parametrize("jitter", JITTERS, ids=lambda jitter: jitter.name)
def test_after_a_jump_of_tempo_the_next_beat_is_the_masters(before: float, after: float, jitter: Jitter) -> None:
    for seed in range(2):
        late = measure_jump(before, after, jitter, seed)
        assert max(map(abs, late)) < 0.010, [round(1e3 * one, 1) for one in late]


@pytest.mark.parametrize(("before", "after"), [(90.0, 120.0), (120.0, 150.0), (150.0, 100.0)])
def test_a_jump_in_the_middle_of_a_beat_is_made_up_for_within_a_beat(before: float, after: float) -> None:
    for place in (0.2, 0.39, 0.7):
        late = measure_jump(before, after, Jitter("2 ms a tick", noise=0.002), 1, beat=JUMP_BEAT + place)
        assert max(map(abs, late[1:])) < 0.010, [round(1e3 * one, 1) for one in late]


@pytest.mark.parametrize("bpm", [60.0, 93.0, 120.0, 174.0])
@pytest.mark.parametrize("jitter", JITTERS, ids=lambda jitter: jitter.name)
def test_jitter_is_not_taken_for_a_jump(bpm: float, jitter: Jitter) -> None:
    beat, tempo = measure_steadiness(bpm, jitter, seed=3)
    assert beat < 0.002
    assert tempo < 0.0075


# ---------------------------------------------------------------- masters, cables and accidents


def follow(script: Iterable[tuple[float, bytes]], seconds: float) -> tuple[float, FollowingBand]:
    """Return by how many beats the band is ahead of a master at 120 BPM whose beat 0 was at second 1."""
    player = FollowingBand(script)
    player.play_until(seconds)
    return player.conductor.tempo_map.beat_at(seconds) - (seconds - 1.0) * 2.0, player


STARTED: Script = [(0.9999, START), *ticks(1.0, 60)]


def without(script: Script, *places: int) -> Script:
    return [one for i, one in enumerate(script) if i not in places]


def test_a_missing_tick_moves_no_beat() -> None:
    for places in ((200,), (200, 201), (150, 300, 450), tuple(range(200, 210))):
        ahead, player = follow(without(STARTED, *places), 14.0)
        assert abs(ahead) < 0.01
        assert "counted by its tempo" in player.source.state


def test_a_tick_too_many_moves_no_beat_and_is_said() -> None:
    for late in (0.0, 0.001, 0.005, 0.010, 0.016):
        ahead, player = follow([*STARTED, (5.0 + late, CLOCK)], 8.0)
        assert abs(ahead) < 0.01, late
        assert "ticks too many" in player.source.state or late == 0.001


@pytest.mark.parametrize("late", [0.0, 0.0005, 0.003, 0.007, 0.014, 0.02])
def test_a_second_master_that_joins_is_left_out_and_said(late: float) -> None:
    second = [(seconds + late, CLOCK) for seconds, _ in ticks(6.0, 30)]
    ahead, player = follow([*STARTED, *second], 14.0)
    assert abs(ahead) < 0.02
    assert "one machine" in player.source.state


def test_a_second_master_of_another_tempo_makes_no_false_one() -> None:
    player = FollowingBand([*STARTED, *ticks(6.0, 20, 97.0)])
    tempi: list[float] = []
    player.play_until(14.0, lambda now: tempi.append(player.conductor.tempo_map.bpm) if now > 2.0 else None)
    assert 90.0 < min(tempi) <= max(tempi) < 130.0
    assert "one machine" in player.source.state


def test_a_start_over_two_cables_is_one_start() -> None:
    ahead, player = follow([*STARTED, (1.0005, START), (1.03, START)], 8.0)
    assert abs(ahead) < 0.01
    assert player.source.estimate(8.0).transport == Transport(True, 1)


def test_a_song_position_while_it_plays_is_not_followed_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    noise = [(5.0 + 0.3 * k + 0.007, song_position(16383 - k)) for k in range(10)]
    ahead, player = follow([*STARTED, *noise], 9.0)
    assert abs(ahead) < 0.01
    assert "song position" in player.source.state
    assert len(caplog.messages) == 1
    player.play_until(9.0 + NOTICE_SECONDS)
    assert player.source.state == ""


def test_a_loop_of_stop_position_and_continue_is_followed() -> None:
    loop = [(5.0 - 3e-4, STOP), (5.0 - 2e-4, song_position(16)), (5.0 - 1e-4, CONTINUE)]
    _, player = follow([*STARTED, *loop], 7.0)
    assert player.conductor.tempo_map.beat_at(7.0) == pytest.approx(8.0, abs=0.02)
    _, player = follow([*STARTED, *loop[1:]], 7.0)  # the stop was lost
    assert player.conductor.tempo_map.beat_at(7.0) == pytest.approx(8.0, abs=0.02)


def test_continue_without_a_start_begins_where_the_song_stands() -> None:
    _, player = follow([(0.9999, CONTINUE), *ticks(1.0, 20)], 5.0)
    assert player.conductor.tempo_map.beat_at(5.0) == pytest.approx(8.0, abs=0.02)
    _, player = follow([(0.5, song_position(32)), (0.9999, CONTINUE), *ticks(1.0, 20)], 5.0)
    assert player.conductor.tempo_map.beat_at(5.0) == pytest.approx(16.0, abs=0.02)


def test_continue_while_it_plays_changes_nothing() -> None:
    ahead, player = follow([*STARTED, (5.01, CONTINUE)], 8.0)
    assert abs(ahead) < 0.01
    assert player.source.estimate(8.0).transport == Transport(True, 1)


@pytest.mark.parametrize("pause", [0.05, 0.4, 1.5, 6.0])
def test_a_cable_that_was_out_leaves_the_band_in_the_right_bar(pause: float) -> None:
    script = [one for one in STARTED if not 6.01 < one[0] < 6.01 + pause]
    ahead, player = follow(script, 6.01 + pause + 3.0)
    assert abs(ahead) < 0.02
    assert player.source.has_beat


def test_a_lost_stop_is_made_up_for_by_the_next_start() -> None:
    script = [(0.9999, START), *ticks(1.0, 8), (9.0, START), *ticks(9.3, 16, 90.0)]
    _, player = follow(script, 14.0)
    assert player.conductor.tempo_map.beat_at(14.0) == pytest.approx((14.0 - 9.3) * 1.5, abs=0.02)


@pytest.mark.parametrize("bpm", [60.0, 97.0, 150.0, 240.0])
def test_a_tempo_that_changed_while_it_stood_is_followed_from_the_second_beat(bpm: float) -> None:
    script = [(0.9999, START), *ticks(1.0, 8), (5.0, STOP), (8.9999, START), *ticks(9.0, 24, bpm)]
    _, player = follow(script, 9.0 + 8.0 * 60.0 / bpm)
    late = [player.conductor.seconds_at(float(k)) - (9.0 + k * 60.0 / bpm) for k in range(8)]
    assert max(map(abs, late)) < 0.010, late


def test_a_start_that_the_running_clock_does_not_keep_begins_at_the_first_tick() -> None:
    """The clock runs, pauses right after its start, and goes on a second later."""
    _, player = follow([*ticks(1.0, 8), (4.99, START), *ticks(6.2, 16)], 9.2)
    assert player.conductor.tempo_map.beat_at(9.2) == pytest.approx(6.0, abs=0.02)


def test_noise_is_not_followed_and_said() -> None:
    rng = random.Random(4)
    script: Script = [(1.0, START)]
    seconds = 1.0
    while seconds < 20.0:
        seconds += rng.expovariate(48.0)
        script.append((seconds, CLOCK))
    player = FollowingBand(script)
    estimates: list[BeatEstimate] = []
    player.play_until(20.0, lambda now: estimates.extend([b] if (b := player.source.estimate(now).beat) else []))
    assert len(estimates) < 0.3 * 19.0 / 0.005
    assert "regular" in player.source.state


def test_nothing_but_a_start_plays_nothing() -> None:
    player = FollowingBand([(1.0, START)])
    player.play_until(3.0)
    assert player.source.estimate(3.0) == SyncState(transport=Transport(False, 0))
    assert player.source.state == "no MIDI clock yet"


def test_where_a_take_began_is_known_with_its_first_tick() -> None:
    player = FollowingBand([(0.5, song_position(6)), (0.9, CONTINUE), *ticks(1.0, 1)])
    player.play_until(1.0049)
    assert player.source.estimate(1.005).start == SongPosition(1.0, 1.5)


def test_the_status_says_whose_beat_it_is() -> None:
    assert describe_synchronization(("tempo",), "clock") == ["with the clock"]
    assert describe_synchronization(("tempo", "key"), "clock") == ["with the clock", "with your key"]
    assert describe_synchronization(("tempo",), "Link") == ["with Link"]
    assert describe_synchronization(("tempo", "key"), None) == ["with your tempo and key"]
    assert describe_synchronization((), "clock") == []
