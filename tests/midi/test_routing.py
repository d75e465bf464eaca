"""Several ports are one sink: every note by its own, all counted together; one that dies is alone."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from kelly_live.core.commands import (
    Expression,
    Notes,
    PartProgram,
    Pause,
    SinkCommand,
    Start,
    Stop,
    TempoChange,
    Tuning,
)
from kelly_live.core.errors import MidiError
from kelly_live.core.protocols import SchedulerHealth
from kelly_live.core.timebase import ManualClock, TempoPoint
from kelly_live.core.values import NoteEvent
from kelly_live.midi.ports import RecordingPort
from kelly_live.midi.reports import PortReady
from kelly_live.midi.routing import RoutedSink
from kelly_live.midi.scheduler import SchedulerCore
from kelly_live.midi.scheduler_client import SchedulerClient


def note(beat: float, port: str = "", program: int | None = None, pitch: int = 60, channel: int = 1) -> NoteEvent:
    return NoteEvent(beat, 0.5, pitch, 80, channel, "x", port=port, program=program)


class Port(SchedulerClient):
    """A client without its process: keeps what it is sent."""

    def __init__(self) -> None:
        super().__init__(null=True)
        self.notes: list[NoteEvent] = []
        self.loudnesses: list[float | None] = []
        self.calls: list[object] = []
        self.health_report = SchedulerHealth()

    def open(self, timeout_seconds: float = 1.0) -> PortReady:
        self.calls.append("open")
        return PortReady("null", False)

    def send(self, command: SinkCommand) -> None:
        if isinstance(command, Notes):
            self.notes += command.notes
            self.loudnesses.append(command.loudness)
        else:
            self.calls.append(command)

    def health(self) -> SchedulerHealth:
        return self.health_report


def test_every_note_leaves_by_its_own_port_and_all_ports_keep_one_time() -> None:
    main, far = Port(), Port()
    sink = RoutedSink({"": main, "far": far})
    sink.open()
    sink.send(
        Tuning(
            programs=(
                PartProgram(1, 0),
                PartProgram(1, 32, "far"),
                PartProgram(10, 0, "far"),
                PartProgram(4, 9, "nowhere"),
            )
        )
    )
    sink.send(Start(5.0, 120.0, 2.0))
    sink.send(TempoChange(TempoPoint(4.0, 90.0)))
    sink.send(Notes((note(0.0), note(0.5, "far"), note(1.0), note(1.5, "nowhere"))))
    sink.send(Pause())
    sink.send(Stop())
    assert [n.onset_beats for n in main.notes] == [0.0, 1.0, 1.5]
    assert [n.onset_beats for n in far.notes] == [0.5]
    rest = [Start(5.0, 120.0, 2.0), TempoChange(TempoPoint(4.0, 90.0)), Pause(), Stop()]
    assert main.calls == ["open", Tuning(programs=(PartProgram(1, 0), PartProgram(4, 9, "nowhere"))), *rest]
    assert far.calls == ["open", Tuning(programs=(PartProgram(1, 32, "far"), PartProgram(10, 0, "far"))), *rest]


def test_every_port_knows_how_loud_the_music_is() -> None:
    main, far = Port(), Port()
    sink = RoutedSink({"": main, "far": far})
    sink.open()
    sink.send(Expression(1.0, 0.5, 0.1))
    sink.send(Notes((note(0.0), note(0.5, "far")), 0.4))
    sink.send(Stop())
    assert Expression(1.0, 0.5, 0.1) in main.calls
    assert Expression(1.0, 0.5, 0.1) in far.calls
    assert main.loudnesses == far.loudnesses == [0.4]


def test_health_is_summed_and_an_error_is_named_by_its_port_and_fatal_only_when_all_are_gone() -> None:
    main, far = Port(), Port()
    sink = RoutedSink({"": main, "far": far})
    main.health_report = SchedulerHealth(sent_messages=10, late_messages=1, sounding_notes=2, worst_late_seconds=0.001)
    far.health_report = SchedulerHealth(
        sent_messages=5, dropped_notes=3, worst_late_seconds=0.004, error="the MIDI output 'X' is gone"
    )
    health = sink.health()
    assert (health.sent_messages, health.late_messages, health.dropped_notes) == (15, 1, 3)
    assert health.sounding_notes == 2
    assert health.worst_late_seconds == 0.004
    assert sink.health().error is None
    assert sink.failures == {"far": "port 'far': the MIDI output 'X' is gone"}
    sink.send(Notes((note(0.0), note(0.0, "far"))))
    assert (len(main.notes), len(far.notes)) == (1, 0)
    assert sink.health().dropped_notes == 4
    main.health_report, far.health_report = SchedulerHealth(sent_until=5.0), SchedulerHealth(sent_until=5.5)
    assert sink.health().sent_until == 5.5
    main.health_report, far.health_report = SchedulerHealth(error="gone too"), SchedulerHealth(error="gone")
    assert sink.health().error == "gone too"


def test_a_main_port_is_needed() -> None:
    with pytest.raises(MidiError, match="no main MIDI port"):
        RoutedSink({"far": Port()})


@pytest.fixture
def two() -> Iterator[tuple[RoutedSink, SchedulerClient]]:
    """A sink over two real scheduler processes, and the second one's client."""
    second = SchedulerClient(null=True, late_limit_seconds=60.0)
    sink = RoutedSink({"": SchedulerClient(null=True, late_limit_seconds=60.0), "far": second})
    sink.open()
    yield sink, second
    sink.send(Stop())


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20.0
    while not condition():
        assert time.monotonic() < deadline, "it did not happen within the time limit"
        time.sleep(0.01)


def test_a_process_that_is_killed_takes_only_its_own_port_along(two: tuple[RoutedSink, SchedulerClient]) -> None:
    sink, second = two
    sink.send(Start(time.monotonic(), 300.0))
    sink.send(Notes((note(0.5), note(0.5, "far"))))
    wait_for(lambda: sink.health().sent_messages == 4)
    assert second.process_id is not None
    os.kill(second.process_id, signal.SIGKILL)
    wait_for(lambda: "far" in sink.failures)
    assert "port 'far': the MIDI scheduler ended by itself" in sink.failures["far"]
    sent_before = sink.health().sent_messages
    later = sink.health()
    assert later.error is None
    sink.send(Notes((note(5.0), note(5.0, "far"))))
    wait_for(lambda: sink.health().sent_messages == sent_before + 2)
    assert sink.health().dropped_notes == 1


def test_a_port_that_cannot_be_opened_is_named_and_the_others_are_closed() -> None:
    pytest.importorskip("rtmidi")
    main = SchedulerClient(null=True)
    with pytest.raises(MidiError, match=r"port 'far': .*kelly-live devices"):
        RoutedSink({"": main, "far": SchedulerClient("no such port anywhere")}).open()
    assert main.exit_code == 0


def test_a_program_is_told_right_before_the_first_note_that_wants_it() -> None:
    clock = ManualClock()
    port = RecordingPort(clock)
    core = SchedulerCore(port)
    core.apply(
        Notes((note(0.0), note(1.0, program=48), note(2.0, program=48), note(3.0, program=0), note(3.0, channel=2)))
    )
    core.apply(Start(0.0, 60.0))
    for half in range(20):
        core.run_due(half / 2.0)
    messages = [(message.data[0] >> 4, message.data[0] & 15, message.data[1]) for message in port.messages]
    on = [one for one in messages if one[0] in (0x9, 0xC)]
    assert on == [(9, 0, 60), (12, 0, 48), (9, 0, 60), (9, 0, 60), (12, 0, 0), (9, 0, 60), (9, 1, 60)]
