"""MIDI inputs: which one a name means, and what strangers may send."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelly_live.core.errors import MidiError
from kelly_live.core.midi_messages import CLOCK, ReceivedMessage, control_change, note_on, program_change, song_position
from kelly_live.core.protocols import MidiIn
from kelly_live.core.timebase import ManualClock
from kelly_live.midi.input_queue import (
    CAPACITY_MESSAGES,
    CLOCK_PER_SECOND,
    MESSAGES_PER_SECOND,
    InputQueue,
    ScriptedInput,
    TimestampEstimator,
)
from kelly_live.midi.inputs import VIRTUAL_INPUT_NAME, SharedInput, list_inputs, open_input
from tests.midi.test_ports import PretendBackend


class PretendInputs(PretendBackend):
    """A system with these inputs."""

    def __init__(self, inputs: list[str], *, has_virtual: bool = True) -> None:
        super().__init__("pretend", [], has_virtual=has_virtual)
        self._inputs = inputs

    def inputs(self) -> list[str]:
        return self._inputs

    def open_input(self, name: str, occurrence: int = 0) -> MidiIn:
        self.open_calls.append((name, occurrence))
        return ScriptedInput([(0.0, CLOCK)], ManualClock(), name)

    def open_virtual_input(self, name: str) -> MidiIn:
        return ScriptedInput([], ManualClock(), name)


def test_inputs_are_found_by_a_part_of_their_name_as_outputs_are() -> None:
    system = PretendInputs(["IAC Driver Bus 1", "Keys", "Keys"])
    assert [port.name for port in list_inputs([system])] == ["IAC Driver Bus 1", "Keys", "Keys #2"]
    opened_input = open_input("iac bus", [system])
    assert (opened_input.name, opened_input.is_virtual) == ("IAC Driver Bus 1", False)
    assert opened_input.poll() == [ReceivedMessage(0.0, CLOCK)]
    open_input("Keys #2", [system])
    assert system.open_calls == [("IAC Driver Bus 1", 0), ("Keys", 1)]
    with pytest.raises(MidiError, match="no MIDI input matches 'drums'; there are: 'IAC Driver Bus 1'"):
        open_input("drums", [system])


def test_without_a_name_a_virtual_input_waits_to_be_connected() -> None:
    opened_input = open_input(None, [PretendInputs([])])
    assert (opened_input.name, opened_input.is_virtual) == (VIRTUAL_INPUT_NAME, True)
    with pytest.raises(MidiError, match="name an input with --midi-in"):
        open_input(None, [PretendInputs(["Keys"], has_virtual=False)])
    with pytest.raises(MidiError, match="no MIDI system is running"):
        open_input(None, [])


def test_what_came_is_taken_once_in_order_with_its_time() -> None:
    queue = InputQueue()
    queue.put(1.0, note_on(1, 60, 80))
    queue.put(1.5, song_position(16))
    assert queue.take() == [ReceivedMessage(1.0, note_on(1, 60, 80)), ReceivedMessage(1.5, song_position(16))]
    assert queue.take() == []
    assert queue.overflows == 0


@given(st.binary(max_size=6))
def test_only_whole_messages_come_in(data: bytes) -> None:
    queue = InputQueue()
    queue.put(0.0, data)
    messages = queue.take()
    assert messages or queue.overflows or data[:1] == b"\xf0"  # a system exclusive is passed over
    for message in messages:
        assert message.data[0] >= 0x80
        assert all(byte < 0x80 for byte in message.data[1:])
        assert len(message.data) <= 3


@pytest.mark.parametrize(
    "message", [CLOCK, note_on(16, 127, 127), program_change(1, 5), b"\xd0\x40", b"\xa0\x40\x40", b"\xf3\x01", b"\xfe"]
)
def test_every_kind_of_message_is_known(message: bytes) -> None:
    queue = InputQueue()
    queue.put(0.0, message)
    assert [received.data for received in queue.take()] == [message]
    assert queue.overflows == 0
    queue.put(0.0, message[:-1])
    queue.put(0.0, message[1:])
    assert queue.take() == []
    assert queue.overflows == 2


def test_a_flood_is_cut_to_what_a_cable_carries_and_does_not_stop_the_clock() -> None:
    queue = InputQueue()
    received = []
    for millisecond in range(4000):
        seconds = millisecond / 1000.0
        for value in range(5):
            queue.put(seconds, control_change(1, 7, value))
        if millisecond % 20 == 0:
            queue.put(seconds, CLOCK)
            received += queue.take()
    received += queue.take()
    ticks = [message.seconds for message in received if message.data == CLOCK]
    assert ticks == [millisecond / 1000.0 for millisecond in range(0, 4000, 20)]
    takes = 4000 // 20
    assert len(received) - len(ticks) == pytest.approx(
        5 * MESSAGES_PER_SECOND + takes, abs=takes
    )  # and the newest of each
    assert received[-1].data == control_change(1, 7, 4)
    assert queue.overflows == 4000 * 5 - (len(received) - len(ticks))


def test_who_never_polls_keeps_no_more_than_the_bound() -> None:
    queue = InputQueue()
    for tick in range(10 * CLOCK_PER_SECOND):
        queue.put(tick * 2.0 / CLOCK_PER_SECOND, CLOCK)
    assert queue.overflows == 10 * CLOCK_PER_SECOND - (CAPACITY_MESSAGES + 1)  # the newest waits too
    assert len(queue.take()) == CAPACITY_MESSAGES + 1


def test_a_clock_and_a_control_map_share_one_input() -> None:
    clock = ManualClock()
    shared_input = SharedInput(ScriptedInput([(0.0, CLOCK), (1.0, note_on(1, 60, 80)), (2.0, CLOCK)], clock))
    one, other = shared_input.branch(), shared_input.branch()
    assert [message.data for message in one.poll()] == [CLOCK]
    clock.advance(1.0)
    assert [message.data for message in other.poll()] == [CLOCK, note_on(1, 60, 80)]
    clock.advance(1.0)
    late = shared_input.branch()
    assert [message.data for message in one.poll()] == [note_on(1, 60, 80), CLOCK]
    assert [message.data for message in other.poll()] == [CLOCK]
    assert [message.data for message in late.poll()] == [CLOCK]
    assert one.is_alive()
    shared_input.source.close()
    assert not one.is_alive()


def test_a_branch_that_is_never_polled_keeps_no_more_than_the_bound_and_counts_the_rest() -> None:
    clock = ManualClock()
    ticks = [(tick / CLOCK_PER_SECOND, CLOCK) for tick in range(3 * CAPACITY_MESSAGES)]
    shared_input = SharedInput(ScriptedInput(ticks, clock))
    polled, unpolled = shared_input.branch(), shared_input.branch()
    received_count = 0
    for second in range(12):
        clock.sleep_until(float(second))
        received_count += len(polled.poll())
    assert (received_count, polled.overflows) == (3 * CAPACITY_MESSAGES, 0)
    assert len(unpolled.poll()) == CAPACITY_MESSAGES + 1  # the newest too
    assert unpolled.overflows == 2 * CAPACITY_MESSAGES - 1


@given(st.lists(st.tuples(st.floats(0.001, 0.2), st.floats(0.0, 0.008)), min_size=20, max_size=200), st.integers(0, 99))
def test_a_stamp_is_when_it_came_not_when_it_was_fetched(steps: list[tuple[float, float]], prompt: int) -> None:
    """Fetched up to 8 ms late, one at once: from there on all are right to a fraction of a ms."""
    stamps = TimestampEstimator()
    came, last = 1000.0, None
    prompt %= len(steps)
    for number, (pause, late) in enumerate(steps):
        came += pause
        stamp = stamps.stamp(
            0.0 if last is None else came - last, came + (0.0 if number == prompt else late), -math.inf
        )
        last = came
        assert came - 1e-6 <= stamp <= came + 0.008 + 1e-6
        if number >= prompt:
            assert stamp <= came + 1e-4 * (came - 1000.0) + 1e-6


def test_a_drivers_clock_that_stands_still_is_not_believed() -> None:
    stamps = TimestampEstimator()
    for fetched in (1.0, 2.0, 3.0):
        assert fetched - 0.004 <= stamps.stamp(0.0, fetched, fetched - 0.002) <= fetched
