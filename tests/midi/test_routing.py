"""Several ports are one sink: every note by its own, all counted together, and one that dies takes only its part."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from kelly_live.core.errors import MidiError
from kelly_live.core.protocols import SchedulerHealth
from kelly_live.core.timebase import ManualClock, TempoPoint
from kelly_live.core.values import NoteEvent
from kelly_live.midi.commands import Ready
from kelly_live.midi.ports import RecordingPort
from kelly_live.midi.routing import RoutedSink
from kelly_live.midi.scheduler import SchedulerCore
from kelly_live.midi.scheduler_client import SchedulerClient
from kelly_live.midi.tuning import Tuning


def note(beat: float, port: str = "", program: int | None = None, pitch: int = 60, channel: int = 1) -> NoteEvent:
    return NoteEvent(beat, 0.5, pitch, 80, channel, "x", port=port, program=program)


class Port(SchedulerClient):
    """A client without its process: keeps what it is told."""

    def __init__(self) -> None:
        super().__init__(null=True)
        self.notes: list[NoteEvent] = []
        self.calls: list[object] = []
        self.told = SchedulerHealth()

    def open(self, timeout_seconds: float = 1.0) -> Ready:
        self.calls.append("open")
        return Ready("null", False)

    def tune(self, tuning: Tuning) -> None:
        self.calls.append(tuning)

    def start(self, origin_seconds: float, bpm: float, first_beat: float = 0.0) -> None:
        self.calls.append(("start", origin_seconds, bpm, first_beat))

    def tempo(self, point: TempoPoint) -> None:
        self.calls.append(point)

    def play(self, notes: object) -> None:
        self.notes += notes  # type: ignore[operator]

    def pause(self) -> None:
        self.calls.append("pause")

    def stop(self) -> None:
        self.calls.append("stop")

    def health(self) -> SchedulerHealth:
        return self.told


def test_every_note_leaves_by_its_own_port_and_all_ports_keep_one_time() -> None:
    main, far = Port(), Port()
    sink = RoutedSink({"": main, "far": far})
    sink.open()
    sink.tune(Tuning(), [("", 1, 0), ("far", 1, 32), ("far", 10, 0), ("nowhere", 4, 9)])
    sink.start(5.0, 120.0, 2.0)
    sink.tempo(TempoPoint(4.0, 90.0))
    sink.play([note(0.0), note(0.5, "far"), note(1.0), note(1.5, "nowhere")])
    sink.pause()
    sink.stop()
    assert [n.onset_beats for n in main.notes] == [0.0, 1.0, 1.5]
    assert [n.onset_beats for n in far.notes] == [0.5]
    rest = [("start", 5.0, 120.0, 2.0), TempoPoint(4.0, 90.0), "pause", "stop"]
    assert main.calls == ["open", Tuning(programs=((1, 0), (4, 9))), *rest]
    assert far.calls == ["open", Tuning(programs=((1, 32), (10, 0))), *rest]


def test_health_is_summed_and_an_error_is_named_by_its_port_and_fatal_only_when_all_are_gone() -> None:
    main, far = Port(), Port()
    sink = RoutedSink({"": main, "far": far})
    main.told = SchedulerHealth(sent=10, late=1, sounding=2, worst_late_seconds=0.001)
    far.told = SchedulerHealth(sent=5, dropped=3, worst_late_seconds=0.004, error="the MIDI output 'X' is gone")
    assert (sink.health().sent, sink.health().late, sink.health().dropped, sink.health().sounding) == (15, 1, 3, 2)
    assert sink.health().worst_late_seconds == 0.004
    assert sink.health().error is None
    assert sink.failures == {"far": "port 'far': the MIDI output 'X' is gone"}
    sink.play([note(0.0), note(0.0, "far")])
    assert (len(main.notes), len(far.notes)) == (1, 0)
    assert sink.health().dropped == 4
    main.told = SchedulerHealth(error="gone too")
    assert sink.health().error == "gone too"


def test_a_main_port_is_needed() -> None:
    with pytest.raises(MidiError, match="no main MIDI port"):
        RoutedSink({"far": Port()})


@pytest.fixture
def two() -> Iterator[tuple[RoutedSink, SchedulerClient]]:
    """A sink over two real scheduler processes, and the second one's client."""
    second = SchedulerClient(null=True)
    sink = RoutedSink({"": SchedulerClient(null=True), "far": second})
    sink.open()
    yield sink, second
    sink.stop()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20.0
    while not condition():
        assert time.monotonic() < deadline, "it did not happen within the time limit"
        time.sleep(0.01)


def test_a_process_that_is_killed_takes_only_its_own_port_along(two: tuple[RoutedSink, SchedulerClient]) -> None:
    sink, second = two
    sink.start(time.monotonic(), 300.0)
    sink.play([note(0.5), note(0.5, "far")])
    wait_for(lambda: sink.health().sent == 4)
    assert second._process is not None
    second._process.kill()
    wait_for(lambda: "far" in sink.failures)
    assert "port 'far': the MIDI scheduler ended by itself" in sink.failures["far"]
    sent = sink.health().sent
    later = sink.health()
    assert later.error is None
    sink.play([note(5.0), note(5.0, "far")])
    wait_for(lambda: sink.health().sent == sent + 2)
    assert sink.health().dropped == 1


def test_a_port_that_cannot_be_opened_is_named_and_the_others_are_closed() -> None:
    main = SchedulerClient(null=True)
    with pytest.raises(MidiError, match=r"port 'far': .*kelly-live devices"):
        RoutedSink({"": main, "far": SchedulerClient("no such port anywhere")}).open()
    assert main._process is not None
    assert main._process.returncode == 0


def test_a_program_is_told_right_before_the_first_note_that_wants_it() -> None:
    clock = ManualClock()
    port = RecordingPort(clock)
    core = SchedulerCore(port)
    core.play([note(0.0), note(1.0, program=48), note(2.0, program=48), note(3.0, program=0), note(3.0, channel=2)])
    core.start(0.0, 60.0)
    for half in range(20):
        core.run_due(half / 2.0)
    sent = [(message.data[0] >> 4, message.data[0] & 15, message.data[1]) for message in port.messages]
    on = [one for one in sent if one[0] in (0x9, 0xC)]
    assert on == [(9, 0, 60), (12, 0, 48), (9, 0, 60), (9, 0, 60), (12, 0, 0), (9, 0, 60), (9, 1, 60)]
