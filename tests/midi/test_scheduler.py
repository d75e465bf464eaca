"""The scheduler's core, read as scores: what is sent, and when. Time is a number that the test moves."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kelly_live.core.commands import Notes, PartRelease, Start, TempoChange
from kelly_live.core.errors import ConfigError, MidiError
from kelly_live.core.midi_messages import CLOCK, START, STOP, get_channel, get_kind
from kelly_live.core.timebase import ManualClock, TempoMap, TempoPoint
from kelly_live.core.values import NoteEvent
from kelly_live.midi.lateness import LATE_SECONDS, LatenessRecord
from kelly_live.midi.ports import RecordedMessage, RecordingPort
from kelly_live.midi.scheduler import LATE_LIMIT_SECONDS, SchedulerCore

WORDS = {"note_on": "on", "note_off": "off"}


def note(onset: float, duration: float = 0.5, pitch: int = 60, channel: int = 1, velocity: int = 80) -> NoteEvent:
    return NoteEvent(onset, duration, pitch, velocity, channel, part="test")


class ClockedCore:
    """A core, a recorder and a clock; `to(seconds)` visits every deadline on the way."""

    def __init__(
        self, bpm: float = 60.0, *, send_clock: bool = False, capacity_notes: int = 4096, now: float = 0.0
    ) -> None:
        self.clock = ManualClock(now)
        self.port = RecordingPort(self.clock)
        self.core = SchedulerCore(self.port, send_clock=send_clock, capacity_notes=capacity_notes)
        self.core.apply(Start(0.0, bpm))

    def to(self, seconds: float) -> None:
        while (deadline := self.core.next_deadline()) is not None and deadline <= seconds:
            self.core.warm_caches()  # as the process does while it waits; no score here may change by it
            self.clock.sleep_until(deadline)
            self.core.run_due(self.clock.now())
        self.clock.sleep_until(seconds)

    def jump(self, seconds: float) -> None:
        """As if the process had not run until `seconds`."""
        self.clock.sleep_until(seconds)
        self.core.run_due(seconds)

    def score(self) -> list[tuple[float, str, int]]:
        return [
            (round(m.seconds, 4), WORDS[get_kind(m.data)], m.data[1])
            for m in self.port.messages
            if get_kind(m.data) in WORDS
        ]


def test_what_sounds_can_be_ended_early_and_the_rest_goes_on() -> None:
    clocked = ClockedCore(bpm=60.0)
    clocked.core.apply(Notes((note(0.0, 4.0, 60), note(1.0, 4.0, 64), note(2.0, 1.0, 67), note(3.0, 1.0, 60))))
    clocked.to(1.5)
    clocked.core.release(clocked.clock.now())
    assert not clocked.core.sounding_keys
    clocked.to(9.0)
    assert clocked.score() == [
        (0.0, "on", 60), (1.0, "on", 64), (1.5, "off", 60), (1.5, "off", 64),
        (2.0, "on", 67), (3.0, "off", 67), (3.0, "on", 60), (4.0, "off", 60),
    ]  # fmt: skip


def test_a_part_is_released_on_a_beat_and_the_others_go_on() -> None:
    """What sounds ends there, what begins before it is shorter, and what would begin later is gone."""
    clocked = ClockedCore(bpm=60.0)
    other = replace(note(0.0, 4.0, 48), part="bass")
    clocked.core.apply(Notes((note(0.0, 4.0, 60), note(1.6, 1.0, 64), note(2.1, 1.0, 67), other, note(0.5, 0.5, 72))))
    clocked.to(1.5)
    clocked.core.apply(PartRelease("test", 2.0))
    clocked.core.apply(Notes((note(2.0, 1.0, 76),)))  # of the same part, but sent later
    clocked.to(9.0)
    assert clocked.score() == [
        (0.0, "on", 60), (0.0, "on", 48), (0.5, "on", 72), (1.0, "off", 72), (1.6, "on", 64),
        (2.0, "off", 60), (2.0, "off", 64), (2.0, "on", 76), (3.0, "off", 76), (4.0, "off", 48),
    ]  # fmt: skip


def test_a_release_that_comes_late_ends_the_note_at_once() -> None:
    clocked = ClockedCore(bpm=60.0)
    clocked.core.apply(Notes((note(0.0, 4.0, 60),)))
    clocked.to(2.5)
    clocked.core.apply(PartRelease("test", 2.0))
    clocked.to(9.0)
    assert clocked.score() == [(0.0, "on", 60), (2.5, "off", 60)]
    assert not clocked.core.sounding_keys


def test_a_rehearsal_sends_nothing_and_changes_nothing() -> None:
    clocked = ClockedCore(bpm=60.0)
    core, messages = clocked.core, clocked.port.messages
    core.warm_caches()  # with nothing to play, too
    core.apply(Notes((note(1.0, 1.0, 60, channel=16),)))
    for moment in (0.5, 1.5, 2.5):
        clocked.to(moment)
        before = core.health(), core.sounding_keys, core.next_deadline(), len(messages)
        core.warm_caches()
        assert (core.health(), core.sounding_keys, core.next_deadline(), len(messages)) == before


def test_notes_are_sent_at_their_beats() -> None:
    clocked = ClockedCore(bpm=120.0)
    clocked.core.apply(Notes((note(1.0, 1.0, 64), note(0.0, 1.0, 60))))
    clocked.to(9.0)
    assert clocked.score() == [(0.0, "on", 60), (0.5, "off", 60), (0.5, "on", 64), (1.0, "off", 64)]


def test_note_offs_come_before_note_ons_of_the_same_instant_even_through_rounding() -> None:
    clocked = ClockedCore()
    clocked.core.apply(Notes((note(0.1 + 0.2 + 0.6, 1.0, 64), note(0.1, 0.8, 60))))  # 0.9000000000000001 and 0.9
    clocked.to(9.0)
    assert clocked.score() == [(0.1, "on", 60), (0.9, "off", 60), (0.9, "on", 64), (1.9, "off", 64)]


def test_a_tempo_change_moves_what_is_not_yet_sent() -> None:
    clocked = ClockedCore(bpm=60.0)
    clocked.core.apply(Notes((note(0.0, 4.0, 60), note(3.0, 1.0, 64))))
    clocked.to(1.0)
    clocked.core.apply(TempoChange(TempoPoint(2.0, 120.0)))
    clocked.to(9.0)
    assert clocked.score() == [(0.0, "on", 60), (2.5, "on", 64), (3.0, "off", 60), (3.0, "off", 64)]


def test_a_retrigger_ends_the_older_note_and_forgets_its_off() -> None:
    clocked = ClockedCore()
    clocked.core.apply(Notes((note(0.0, 2.0), note(1.0, 3.0))))
    clocked.to(9.0)
    assert clocked.score() == [(0.0, "on", 60), (1.0, "off", 60), (1.0, "on", 60), (4.0, "off", 60)]


def test_the_same_pitch_on_another_channel_is_another_note() -> None:
    clocked = ClockedCore()
    clocked.core.apply(Notes((note(0.0, 2.0, channel=1), note(1.0, 2.0, channel=2))))
    clocked.to(9.0)
    assert clocked.score() == [(0.0, "on", 60), (1.0, "on", 60), (2.0, "off", 60), (3.0, "off", 60)]


def test_a_note_a_little_late_is_sent_and_counted() -> None:
    clocked = ClockedCore()
    clocked.core.apply(Notes((note(1.0, 1.0),)))
    clocked.jump(1.04)
    clocked.to(9.0)
    assert clocked.score() == [(1.04, "on", 60), (2.0, "off", 60)]
    health = clocked.core.health()
    assert (health.sent_messages, health.late_messages, health.dropped_notes) == (2, 1, 0)
    assert health.worst_late_seconds == pytest.approx(0.04)


def test_a_note_too_late_is_dropped_whole_and_counted() -> None:
    clocked = ClockedCore()
    clocked.core.apply(Notes((note(1.0, 1.0), note(3.0, 1.0, 67))))
    clocked.jump(1.0 + LATE_LIMIT_SECONDS + 0.001)
    clocked.to(9.0)
    assert clocked.score() == [(3.0, "on", 67), (4.0, "off", 67)]
    assert clocked.core.health().dropped_notes == 1


def test_a_note_off_is_sent_however_late() -> None:
    clocked = ClockedCore()
    clocked.core.apply(Notes((note(0.0, 1.0),)))
    clocked.to(0.0)
    clocked.jump(60.0)
    assert clocked.score() == [(0.0, "on", 60), (60.0, "off", 60)]
    assert clocked.core.sounding_keys == frozenset()


def test_a_full_heap_drops_the_whole_new_note_but_never_an_off() -> None:
    clocked = ClockedCore(capacity_notes=2)
    clocked.core.apply(Notes((note(0.0, 4.0, 60), note(1.0, 4.0, 62), note(2.0, 4.0, 64))))
    clocked.to(1.0)
    clocked.core.apply(Notes((note(3.0, 1.0, 65),)))
    clocked.to(9.0)
    assert clocked.score() == [(0.0, "on", 60), (1.0, "on", 62), (4.0, "off", 60), (5.0, "off", 62)]
    assert clocked.core.health().dropped_notes == 2


def test_clock_is_24_ticks_a_beat_at_absolute_positions() -> None:
    clocked = ClockedCore(bpm=97.0, send_clock=True, now=-1.0)
    ticks = 24 * 1000
    clocked.to(TempoMap(0.0, 97.0).seconds_at(1000.0) - 1e-3)
    assert [m.data for m in clocked.port.messages] == [START] + [CLOCK] * ticks
    started, first, last = (clocked.port.messages[i].seconds for i in (0, 1, -1))
    assert first - started >= 0.001  # a receiver needs it between start and the first tick
    assert first == 0.0
    assert last == pytest.approx((ticks - 1) / 24 * 60.0 / 97.0, abs=1e-6)


def test_clock_follows_a_tempo_change_and_stops_with_the_music() -> None:
    clocked = ClockedCore(bpm=60.0, send_clock=True)
    clocked.core.apply(TempoChange(TempoPoint(1.0, 120.0)))
    clocked.to(1.99)
    ticks = [m.seconds for m in clocked.port.messages if m.data == CLOCK]
    assert len([t for t in ticks if t < 0.999]) == 24
    assert len([t for t in ticks if 0.999 < t < 1.499]) == 24
    clocked.core.silence()
    assert clocked.port.messages[-1].data == STOP
    assert clocked.core.next_deadline() is None


def test_late_ticks_are_all_sent_so_that_no_receiver_loses_its_place() -> None:
    clocked = ClockedCore(bpm=60.0, send_clock=True)
    clocked.jump(1.0)
    assert [m.data for m in clocked.port.messages] == [START] + [CLOCK] * 25


def test_silence_releases_what_sounds_then_quiets_each_channel_used() -> None:
    clocked = ClockedCore()
    clocked.core.apply(
        Notes((note(0.0, 9.0, 60, 1), note(0.0, 9.0, 38, 10), note(0.0, 0.5, 64, 2), note(5.0, 1.0, 72, 3)))
    )
    clocked.to(1.0)
    before = len(clocked.port.messages)
    clocked.core.silence()
    assert [m.data.hex(" ") for m in clocked.port.messages[before:]] == [
        "80 3c 00", "89 26 00", "b0 7b 00", "b0 78 00", "b1 7b 00", "b1 78 00", "b9 7b 00", "b9 78 00",
    ]  # fmt: skip
    clocked.to(99.0)
    assert len(clocked.port.messages) == before + 8  # the note at beat 5 was cancelled
    clocked.core.silence()
    assert clocked.core.health().sounding_notes == 0


def test_silence_tries_every_message_on_a_broken_port() -> None:
    class Broken(RecordingPort):
        attempts = 0

        def send(self, message: bytes) -> None:
            self.attempts += 1
            if self.attempts > 2:
                raise MidiError(f"gone at {self.attempts}")

    port = Broken(ManualClock())
    core = SchedulerCore(port)
    core.apply(Start(0.0, 60.0))
    core.apply(Notes((note(0.0, 9.0, 60), note(0.0, 9.0, 64))))
    core.run_due(0.0)
    with pytest.raises(MidiError, match="gone at 3"):
        core.silence()
    assert port.attempts == 2 + 2 + 2
    assert core.sounding_keys == frozenset()


def test_a_second_start_begins_again_in_silence() -> None:
    clocked = ClockedCore()
    clocked.core.apply(Notes((note(0.0, 9.0), note(3.0, 1.0, 64))))  # the second is never heard
    clocked.to(1.0)
    clocked.core.apply(Start(2.0, 120.0))
    clocked.core.apply(Notes((note(0.0, 1.0, 62),)))
    clocked.to(9.0)
    assert clocked.score() == [(0.0, "on", 60), (1.0, "off", 60), (2.0, "on", 62), (2.5, "off", 62)]


def test_nothing_is_due_before_the_start() -> None:
    core = SchedulerCore(RecordingPort(ManualClock()), send_clock=True)
    core.apply(Notes((note(0.0),)))
    assert core.next_deadline() is None
    core.run_due(1e9)
    assert core.health().sent_messages == 0
    with pytest.raises(MidiError, match="before the start"):
        core.apply(TempoChange(TempoPoint(0.0, 100.0)))


def test_tempo_points_go_forward() -> None:
    clocked = ClockedCore()
    clocked.core.apply(TempoChange(TempoPoint(4.0, 90.0)))
    with pytest.raises(ConfigError, match="points go forward"):
        clocked.core.apply(TempoChange(TempoPoint(3.0, 120.0)))


def test_lateness_quantiles_are_within_a_bin() -> None:
    record = LatenessRecord()
    assert record.quantile(0.5) == 0.0
    for i in range(1, 1001):
        record.add(i * 1e-5)  # 10 µs to 10 ms
    assert record.quantile(0.5) == pytest.approx(5e-3, rel=0.13)
    assert record.quantile(0.99) == pytest.approx(9.9e-3, rel=0.13)
    assert record.quantile(1.0) == record.worst_seconds == pytest.approx(1e-2)
    record.add(1e9)
    assert record.total == 1001


# -- what must hold for any music ------------------------------------------------------------------------------------

any_note = st.builds(
    note,
    onset=st.floats(-1.0, 16.0),
    duration=st.floats(1e-3, 8.0),
    pitch=st.integers(60, 63),  # few pitches and channels, so that retriggers are common
    channel=st.integers(1, 2),
)
step = st.one_of(
    st.tuples(st.just("play"), st.lists(any_note, max_size=8)),
    st.tuples(st.just("tempo"), st.floats(20.0, 300.0)),
    st.tuples(st.just("to"), st.floats(0.0, 3.0)),
    st.tuples(st.just("jump"), st.floats(0.0, 1.0)),
)


def perform(steps: list[tuple[str, object]], *, send_clock: bool = False, capacity_notes: int = 4096) -> ClockedCore:
    clocked = ClockedCore(bpm=120.0, send_clock=send_clock, capacity_notes=capacity_notes)
    tempo_map = TempoMap(0.0, 120.0)
    for action, value in steps:
        now = clocked.clock.now()
        if action == "play":
            clocked.core.apply(Notes(tuple(value)))  # type: ignore[arg-type]
        elif action == "tempo":
            # As the conductor does: a point lies a little ahead of now, and after the one before.
            beat = max(tempo_map.beat_at(now) + 0.25, tempo_map.points()[-1].beat)
            tempo_map.add(TempoPoint(beat, float(value)))  # type: ignore[arg-type]
            clocked.core.apply(TempoChange(TempoPoint(beat, float(value))))  # type: ignore[arg-type]
        elif action == "to":
            clocked.to(now + float(value))  # type: ignore[arg-type]
        else:
            clocked.jump(now + float(value))  # type: ignore[arg-type]
    return clocked


def assert_every_on_has_its_off(messages: list[RecordedMessage]) -> None:
    open_notes: set[tuple[int, int]] = set()
    for message in messages:
        kind = get_kind(message.data)
        if kind not in WORDS:
            continue
        key = (get_channel(message.data), message.data[1])
        if kind == "note_on":
            assert key not in open_notes, f"{key} was started twice"
            open_notes.add(key)
        else:
            assert key in open_notes, f"{key} was ended without a start"
            open_notes.remove(key)
    assert not open_notes


@given(st.lists(step, max_size=25), st.integers(1, 40))
@settings(max_examples=300)
def test_every_note_on_has_exactly_one_note_off_whenever_silence_falls(
    steps: list[tuple[str, object]], capacity: int
) -> None:
    clocked = perform(steps, capacity_notes=capacity)
    sounding_count = len(clocked.core.sounding_keys)
    assert clocked.core.health().sounding_notes == sounding_count
    clocked.core.silence()
    assert_every_on_has_its_off(clocked.port.messages)
    assert clocked.core.sounding_keys == frozenset()


@given(st.lists(step, max_size=25))
@settings(max_examples=200)
def test_left_alone_every_note_ends_by_itself_and_none_is_lost(steps: list[tuple[str, object]]) -> None:
    clocked = perform(steps)
    clocked.to(clocked.clock.now() + 200.0)
    assert clocked.core.next_deadline() is None
    assert clocked.core.sounding_keys == frozenset()
    assert_every_on_has_its_off(clocked.port.messages)
    note_count = sum(len(value) for action, value in steps if action == "play")  # type: ignore[arg-type]
    ons = sum(get_kind(m.data) == "note_on" for m in clocked.port.messages)
    health = clocked.core.health()
    assert ons + health.dropped_notes == note_count
    assert health.sent_messages == len(clocked.port.messages)
    assert health.late_messages <= health.sent_messages


@given(
    st.lists(any_note, min_size=1, max_size=30),
    st.lists(st.tuples(st.floats(0.0, 16.0), st.floats(20.0, 300.0)), max_size=6),
    st.lists(st.floats(0.001, 2.0), min_size=1, max_size=30),
)
@settings(max_examples=200)
def test_music_known_ahead_is_sent_in_due_order_and_never_early(
    notes: list[NoteEvent], curve: list[tuple[float, float]], steps: list[float]
) -> None:
    clocked = ClockedCore(bpm=120.0, send_clock=True)
    tempo_map = TempoMap(0.0, 120.0)
    for beat, bpm in sorted(curve):
        tempo_map.add(TempoPoint(beat, bpm))
        clocked.core.apply(TempoChange(TempoPoint(beat, bpm)))
    clocked.core.apply(Notes(tuple(notes)))
    due_times: list[float] = []
    for seconds in itertools.accumulate(steps):
        while (deadline := clocked.core.next_deadline()) is not None and deadline <= seconds:
            clocked.clock.sleep_until(deadline)
            due_times.append(deadline)
            clocked.core.run_due(clocked.clock.now())
    assert due_times == sorted(due_times)
    ticks = [m.seconds for m in clocked.port.messages if m.data == CLOCK]
    tick_times = [tempo_map.seconds_at(k / 24) for k in range(len(ticks))]
    assert ticks == pytest.approx(tick_times, abs=1e-5)
    onsets = sorted(max(0.0, tempo_map.seconds_at(n.onset_beats)) for n in notes if n.onset_beats >= 0.0)
    onset_times = [m.seconds for m in clocked.port.messages if get_kind(m.data) == "note_on" and m.seconds > 0.0]
    assert all(any(abs(when - onset) < 1e-5 for onset in onsets) for when in onset_times)


@given(st.floats(0.0, 0.2))
def test_late_is_what_an_ear_could_notice(lateness: float) -> None:
    clocked = ClockedCore()
    clocked.core.apply(Notes((note(1.0, 60.0),)))
    clocked.jump(1.0 + lateness)
    health = clocked.core.health()
    assert health.late_messages == (LATE_SECONDS < clocked.clock.now() - 1.0 <= LATE_LIMIT_SECONDS)
    assert health.dropped_notes == (clocked.clock.now() - 1.0 > LATE_LIMIT_SECONDS)
