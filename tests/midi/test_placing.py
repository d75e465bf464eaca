"""A port that places messages itself: the core hands each over ahead, with its time, in order."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kelly_live.core.commands import Controls, Notes, Start, TempoChange
from kelly_live.core.errors import MidiError
from kelly_live.core.midi_messages import CLOCK, STOP, control_change, note_off, note_on, silence_channel
from kelly_live.core.timebase import ManualClock, TempoPoint
from kelly_live.core.values import ControlChange, NoteEvent
from kelly_live.midi import backend_registry
from kelly_live.midi.backend import PlacingOut
from kelly_live.midi.lateness import LatenessRecord
from kelly_live.midi.ports import RecordingPort
from kelly_live.midi.scheduler import SchedulerCore

LEAD = 0.01


class Page:
    """A PlacingOut that writes down (when it was handed over, for when, what); None: as soon as possible."""

    name = "page"
    lead_seconds = LEAD

    def __init__(self, clock: ManualClock) -> None:
        self.lateness = LatenessRecord()
        self.dropped_messages = 0
        self.lines: list[tuple[float, float | None, bytes]] = []
        self._clock = clock

    def send(self, message: bytes) -> None:
        self.lines.append((self._clock.now(), None, message))

    def send_at(self, message: bytes, seconds: float) -> None:
        self.lines.append((self._clock.now(), seconds, message))

    def close(self) -> None: ...


class ClockedCore:
    def __init__(self, *, clock: bool = False, latency_seconds: float = 0.0) -> None:
        self.clock = ManualClock(0.0)
        self.page = Page(self.clock)
        self.core = SchedulerCore(self.page, send_clock=clock, latency_seconds=latency_seconds, clock=self.clock)
        self.core.apply(Start(1.0, 60.0))

    def to(self, seconds: float) -> Sequence[tuple[float, float | None, bytes]]:
        while (deadline := self.core.next_deadline()) is not None and deadline <= seconds:
            self.clock.sleep_until(deadline)
            self.core.run_due(self.clock.now())
        self.clock.sleep_until(seconds)
        return self.page.lines


def note(onset: float, duration: float = 0.5, pitch: int = 60) -> NoteEvent:
    return NoteEvent(onset, duration, pitch, 80, 1, "test")


def test_a_note_is_handed_over_ahead_with_its_time() -> None:
    clocked = ClockedCore()
    clocked.core.apply(Notes((note(1.0),)))
    assert clocked.to(3.0) == [
        (pytest.approx(2.0 - LEAD), pytest.approx(2.0), note_on(1, 60, 80)),
        (pytest.approx(2.5 - LEAD), pytest.approx(2.5), note_off(1, 60)),
    ]


def test_a_latency_moves_the_time_itself() -> None:
    clocked = ClockedCore(latency_seconds=0.1)
    clocked.core.apply(Notes((note(1.0),)))
    assert [due_time for _, due_time, _ in clocked.to(3.0)] == pytest.approx([1.9, 2.4])


def test_the_clock_is_placed_too_every_tick_at_its_time() -> None:
    clocked = ClockedCore(clock=True)
    ticks = [due_time for _, due_time, message in clocked.to(3.5) if message == CLOCK]
    assert ticks[:49] == pytest.approx([1.0 + i / 24 for i in range(49)], abs=1e-6)


def test_what_is_handed_over_sounds_and_a_silence_ends_it_after_it_began() -> None:
    clocked = ClockedCore(clock=True)
    clocked.core.apply(Notes((note(1.0),)))
    clocked.to(2.0 - LEAD / 2)
    assert clocked.core.health().sounding_notes == 1
    clocked.core.silence()
    lines = [(due_time, message) for _, due_time, message in clocked.page.lines]
    assert [message for due_time, message in lines if due_time is None] == [note_off(1, 60), *silence_channel(1), STOP]
    assert lines.index((None, note_off(1, 60))) > [message for _, message in lines].index(note_on(1, 60, 80))


def test_a_note_that_comes_too_late_is_a_rest_and_one_that_comes_just_in_time_is_not() -> None:
    clocked = ClockedCore()
    clocked.to(3.0)
    clocked.core.apply(Notes((note(1.9, 0.05, pitch=60), note(1.97, pitch=62))))  # due at 2.9 and 2.97
    assert [message for _, _, message in clocked.to(4.0)] == [note_on(1, 62, 80), note_off(1, 62)]
    assert clocked.core.health().dropped_notes == 1


def test_controllers_go_between_notes_as_soon_as_possible() -> None:
    clocked = ClockedCore()
    clocked.core.apply(Notes((note(1.0),)))
    clocked.to(1.5)
    clocked.core.apply(Controls((ControlChange(16, 20, 64), ControlChange(16, 21, 65))))
    assert [(when, due_time) for when, due_time, _ in clocked.to(1.6)] == [(1.5, None), (pytest.approx(1.501), None)]
    assert clocked.page.lines[0][2] == control_change(16, 20, 64)


def test_lateness_is_what_the_port_found_when_it_placed() -> None:
    clocked = ClockedCore()
    clocked.core.apply(Notes((note(1.0),)))
    clocked.to(3.0)
    assert clocked.core.health().worst_late_seconds == 0.0
    clocked.page.lateness.add(0.02)
    clocked.page.dropped_messages = 3
    health = clocked.core.health()
    assert (health.late_messages, health.worst_late_seconds, health.dropped_notes) == (1, 0.02, 3)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 8), st.floats(0.05, 2), st.integers(40, 50)), max_size=30),
    st.lists(st.tuples(st.floats(0.1, 8), st.sampled_from((40.0, 90.0, 200.0))), max_size=4),
)
def test_the_same_messages_as_an_ordinary_port_is_sent_at_the_same_times(
    notes: list[tuple[float, float, int]], tempos: list[tuple[float, float]]
) -> None:
    """Tempi that are known before; one that comes within the lead cannot move what is already handed over."""
    clocked, clock = ClockedCore(clock=True), ManualClock(0.0)
    plain = RecordingPort(clock)
    core = SchedulerCore(plain, send_clock=True)
    core.apply(Start(1.0, 60.0))
    for each in (clocked.core, core):
        each.apply(Notes(tuple(note(*one) for one in notes)))
        for beat, bpm in sorted(tempos):
            each.apply(TempoChange(TempoPoint(beat, bpm)))
    placed_messages = [(due_time, message) for _, due_time, message in clocked.to(12.0)]
    while (deadline := core.next_deadline()) is not None and deadline <= 12.0 + LEAD:
        clock.sleep_until(deadline)
        core.run_due(deadline)
    assert [message for _, message in placed_messages] == [one.data for one in plain.messages]
    assert [due_time for due_time, _ in placed_messages] == pytest.approx(
        [one.seconds for one in plain.messages], abs=1e-6
    )


def test_only_a_port_with_a_lead_places() -> None:
    assert isinstance(Page(ManualClock(0.0)), PlacingOut)
    assert not isinstance(RecordingPort(ManualClock(0.0)), PlacingOut)


def test_without_a_server_it_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "kelly-there-is-no-such-server")
    with pytest.raises(MidiError, match="--frame-accurate needs a running JACK server"):
        backend_registry.find_frame_accurate_backends()
