"""Pausing, going on, song position, latency and controllers, as the scheduler's core sends them."""

from __future__ import annotations

import io

import mido
import pytest

from kelly_live.core.commands import Controls, Notes, Start, Stop
from kelly_live.core.midi_messages import (
    CLOCK,
    CONTINUE,
    START,
    STOP,
    control_change,
    note_off,
    note_on,
    silence_channel,
    song_position,
)
from kelly_live.core.timebase import ManualClock
from kelly_live.core.values import ControlChange, NoteEvent
from kelly_live.midi.files import encode_midi
from kelly_live.midi.offline import OfflineScheduler
from kelly_live.midi.ports import RecordingPort
from kelly_live.midi.scheduler import SchedulerCore


class ClockedCore:
    """A core at 60 BPM (a beat is a second), a recorder and a clock."""

    def __init__(self, *, send_clock: bool = False, latency_seconds: float = 0.0) -> None:
        self.clock = ManualClock(-1.0)
        self.port = RecordingPort(self.clock)
        self.core = SchedulerCore(self.port, send_clock=send_clock, latency_seconds=latency_seconds)

    def to(self, seconds: float) -> ClockedCore:
        while (deadline := self.core.next_deadline()) is not None and deadline <= seconds:
            self.clock.sleep_until(deadline)
            self.core.run_due(self.clock.now())
        self.clock.sleep_until(seconds)
        return self

    def messages(self) -> list[tuple[float, bytes]]:
        """Return everything but clock ticks."""
        return [(round(m.seconds, 3), m.data) for m in self.port.messages if m.data != CLOCK]

    def ticks(self) -> list[float]:
        return [round(m.seconds, 4) for m in self.port.messages if m.data == CLOCK]


def note(beat: float, pitch: int = 60, beats: float = 0.5) -> NoteEvent:
    return NoteEvent(beat, beats, pitch, 80, 1, "test")


def test_a_pause_ends_what_sounds_and_the_music_goes_on_at_another_beat() -> None:
    clocked = ClockedCore()
    clocked.core.apply(Start(0.0, 60.0))
    clocked.core.apply(Notes((note(0.0, 60, beats=4.0), note(2.0, 62))))
    clocked.to(1.0).core.silence()
    assert clocked.to(5.0).messages() == [
        (0.0, note_on(1, 60, 80)),
        (1.0, note_off(1, 60)),
        *((1.0, message) for message in silence_channel(1)),
    ]
    assert clocked.core.next_deadline() is None
    clocked.core.apply(Start(5.5 - 8.0, 60.0, first_beat=8.0))  # beat 8 falls at 5.5 s
    clocked.core.apply(Notes((note(8.0, 64),)))
    assert clocked.to(9.0).messages()[-2:] == [(5.5, note_on(1, 64, 80)), (6.0, note_off(1, 64))]


def test_clock_says_where_it_goes_on() -> None:
    clocked = ClockedCore(send_clock=True)
    clocked.core.apply(Start(0.0, 60.0))
    clocked.to(1.0).core.silence()
    clocked.to(3.0)
    clocked.core.apply(Start(4.0 - 8.0, 60.0, first_beat=8.0))
    clocked.to(4.99)
    assert [data for _, data in clocked.messages()] == [START, STOP, song_position(32), CONTINUE]
    assert clocked.ticks() == [round(i / 24, 4) for i in range(25)] + [round(4.0 + i / 24, 4) for i in range(24)]
    clocked.core.apply(Start(6.0, 60.0))  # and from the top, without a pause
    clocked.to(6.5)
    assert [data for _, data in clocked.messages()][4:] == [STOP, START]


def test_going_on_between_two_sixteenths_the_clock_waits_for_the_next() -> None:
    clocked = ClockedCore(send_clock=True)
    clocked.core.apply(Start(0.0, 60.0, first_beat=0.6))
    clocked.to(0.9)
    assert [data for _, data in clocked.messages()] == [song_position(3), CONTINUE]
    assert clocked.ticks()[0] == 0.75


def test_past_what_song_position_can_say_it_says_the_same_place_of_a_bar() -> None:
    clocked = ClockedCore(send_clock=True)
    beat = (0x3FFF + 1) / 4 + 5.0
    clocked.core.apply(Start(-beat, 60.0, first_beat=beat))
    clocked.to(0.5)
    assert clocked.messages()[0][1] == song_position(20)


def test_after_a_suspension_the_clock_is_set_anew_instead_of_made_up() -> None:
    clocked = ClockedCore(send_clock=True)
    clocked.core.apply(Start(0.0, 60.0))
    clocked.to(1.0)
    before = len(clocked.ticks())
    clocked.clock.sleep_until(6.1)
    clocked.core.run_due(6.1)
    assert len(clocked.ticks()) == before
    clocked.to(7.0)
    assert [data for _, data in clocked.messages()] == [START, STOP, song_position(25), CONTINUE]
    assert clocked.ticks()[before] == 6.25


@pytest.mark.parametrize("latency_ms", [80.0, -80.0, 0.0])
def test_all_leaves_that_much_earlier(latency_ms: float) -> None:
    clocked = ClockedCore(send_clock=True, latency_seconds=latency_ms / 1000.0)
    clocked.core.apply(Start(0.0, 60.0))
    clocked.core.apply(Notes((note(1.0),)))
    clocked.to(3.0)
    shift = -latency_ms / 1000.0
    assert clocked.messages()[1:] == [
        (round(1.0 + shift, 3), note_on(1, 60, 80)),
        (round(1.5 + shift, 3), note_off(1, 60)),
    ]
    assert clocked.ticks()[:2] == [round(shift, 4), round(shift + 1 / 24, 4)]
    assert clocked.core.health().late_messages == 0


def test_controls_go_at_once_paced_and_only_their_newest_value() -> None:
    clocked = ClockedCore()
    clocked.to(2.0)
    clocked.core.apply(Controls((ControlChange(16, 20, 1), ControlChange(16, 21, 2), ControlChange(16, 20, 3))))
    assert clocked.to(3.0).messages() == [(2.0, control_change(16, 20, 3)), (2.001, control_change(16, 21, 2))]


def test_notes_go_before_controls() -> None:
    clocked = ClockedCore()
    clocked.core.apply(Start(0.0, 60.0))
    clocked.core.apply(Notes((note(1.0),)))
    clocked.to(0.99)
    clocked.core.apply(Controls(tuple(ControlChange(16, controller, 64) for controller in range(40))))
    clocked.to(2.0)
    on = next(m.seconds for m in clocked.port.messages if m.data == note_on(1, 60, 80))
    assert on == 1.0
    assert len(clocked.messages()) == 42
    assert clocked.core.health().late_messages == 0


def test_controls_pass_while_the_music_is_paused() -> None:
    clocked = ClockedCore()
    clocked.core.apply(Start(0.0, 60.0))
    clocked.to(1.0).core.silence()
    clocked.core.apply(Controls((ControlChange(1, 1, 127),)))
    assert clocked.to(2.0).messages() == [(1.0, control_change(1, 1, 127))]


def test_controls_stand_at_their_time_in_a_midi_file() -> None:
    scheduler = OfflineScheduler()
    scheduler.send(Start(0.0, 60.0))
    scheduler.send(Notes((note(1.0),)))
    for second in (0, 1, 2, 3):
        scheduler.advance(float(second))
        scheduler.send(Controls((ControlChange(16, 20, second), ControlChange(1, 7, second))))
    scheduler.advance(4.0)
    scheduler.send(Stop())

    file = mido.MidiFile(file=io.BytesIO(encode_midi(scheduler.messages, scheduler.tempo_map)))
    controls = []
    for track in file.tracks:
        ticks = 0
        for message in track:
            ticks += message.time
            if message.type == "control_change":
                controls.append((message.channel + 1, ticks / file.ticks_per_beat, message.control, message.value))
    assert controls == [(1, float(i), 7, i) for i in range(4)] + [(16, float(i), 20, i) for i in range(4)]


def test_a_band_that_is_told_to_start_now_is_better_late_than_without_its_first_beat() -> None:
    clocked = ClockedCore(latency_seconds=0.03)
    clocked.to(1.06)
    clocked.core.apply(Start(1.0, 60.0))  # its first beat was 60 ms ago, and should have left 30 ms before that
    clocked.core.apply(Notes((note(0.0, 60), note(0.5, 62), note(-0.2, 64))))
    clocked.to(3.0)
    assert [data for _, data in clocked.messages()] == [
        note_on(1, 60, 80),
        note_off(1, 60),
        note_on(1, 62, 80),
        note_off(1, 62),
    ]
    assert clocked.core.health().dropped_notes == 1
