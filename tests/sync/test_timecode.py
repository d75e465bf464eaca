"""MIDI Time Code as it is read: its four rates, its locates, and what is none of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelly_live.sync.timecode import LOST_SECONDS, TimecodeReader
from tests.timecode import DROP_FRAME, RATES, TimecodeSender, quarter_frame

KINDS = range(4)


def read(sender: TimecodeSender, now: float) -> float | None:
    return TimecodeReader(sender).read(now)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("timecode", [0.0, 59.0, 599.5, 3661.5, 86390.0])
def test_a_timecode_is_read_to_the_frame_in_each_rate(kind: int, timecode: float) -> None:
    sender = TimecodeSender(kind)
    reader = TimecodeReader(sender)
    sender.begin(10.0, timecode)
    for step in range(1, 201):
        sender.send_until(10.0 + 0.01 * step)
        time = reader.read(10.0 + 0.01 * step)
        assert step < 20 or time == pytest.approx(timecode + 0.01 * step, abs=1.01 / RATES[kind])
    assert reader.jumps == 1
    assert reader.read(12.0 + LOST_SECONDS + 0.1) is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_timecode_is_locked_within_four_frames_wherever_its_reader_joins(kind: int) -> None:
    for joined in range(8):
        sender = TimecodeSender(kind)
        sender.begin(10.0, 100.0)
        sender.send_until(10.0 + joined * 0.25 / RATES[kind])
        sender.poll()
        until = 10.0 + (joined + 15) * 0.25 / RATES[kind] + 1e-6
        sender.send_until(until)
        assert read(sender, until) == pytest.approx(100.0 + until - 10.0, abs=1.01 / RATES[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_frame_locates_and_quarter_frames_run_on_from_there(kind: int) -> None:
    sender = TimecodeSender(kind)
    reader = TimecodeReader(sender)
    sender.locate(10.0, 3600.0)
    assert reader.read(10.0) is None, "it stands"
    assert reader.take_location() == pytest.approx(3600.0, abs=1.01 / RATES[kind])
    assert reader.take_location() is None, "said once"

    sender.begin(11.0, 3600.0)
    sender.send_until(12.0)
    assert reader.read(12.0) == pytest.approx(3601.0, abs=1.01 / RATES[kind])
    sender.locate(12.1, 20.0)
    assert reader.read(12.1) is None
    sender.begin(12.2, 20.0)
    sender.send_until(13.0)
    assert reader.read(13.0) == pytest.approx(20.8, abs=1.01 / RATES[kind])
    assert reader.take_location() is None, "it runs"
    assert reader.jumps == 2


def test_a_timecode_that_runs_backwards_is_not_followed() -> None:
    sender = TimecodeSender()
    reader = TimecodeReader(sender)
    sender.begin(10.0, 60.0)
    sender.send_until(11.0)
    assert reader.read(11.0) == pytest.approx(61.0, abs=0.041)
    sender.stop()
    now = 11.0
    for number in range(80):
        now += 0.01
        sender.send(now, quarter_frame(1525 - 2 * (number // 8), 7 - number % 8, sender.kind))
        time = reader.read(now)
    assert time is None
    sender.begin(now, 59.0)
    sender.send_until(now + 0.2)
    assert reader.read(now + 0.2) == pytest.approx(59.2, abs=0.041)


def test_drop_frame_leaves_out_labels_and_no_time() -> None:
    sender = TimecodeSender(DROP_FRAME)
    sender.send(0.0, bytes.fromhex("f07f7f010140010002f7"))  # 00:01:00;02, the frame after 00:00:59;29
    reader = TimecodeReader(sender)
    reader.read(0.0)
    assert reader.take_location() == pytest.approx(1800 * 1001 / 30000)


@pytest.mark.parametrize(
    "packet",
    [
        "f07f7f010121010203",  # without its end
        "7f7f010121010203f7",  # without its beginning
        "f07f7f0101210102f7",  # a byte short
        "f07f7f010121010203 04f7",  # a byte long
        "f07f7f010121010203 903c50",  # cut off by a note
        "f07f7f010221010203f7",  # user bits
        "f07f7f060121010203f7",  # machine control
        "f07e7f010121010203f7",  # not real time
        "f0437f010121010203f7",  # a maker's own
        "f07f7f010138010203f7",  # hour 24
        "f07f7f0101213c0203f7",  # minute 60
        "f07f7f010121013c03f7",  # second 60
        "f07f7f010101010218f7",  # frame 24 of 24
        "f07f7f010121010219f7",  # frame 25 of 25
        "f07f7f01016101021ef7",  # frame 30 of 30
    ],
)
def test_a_damaged_or_foreign_exclusive_does_nothing(packet: str) -> None:
    sender = TimecodeSender()
    reader = TimecodeReader(sender)
    sender.begin(10.0, 50.0)
    sender.send_until(11.0)
    assert reader.read(11.0) == pytest.approx(51.0, abs=0.041)
    sender.send(11.0, bytes.fromhex(packet))
    assert reader.read(11.0) == pytest.approx(51.0, abs=0.041)
    assert reader.take_location() is None


@given(st.lists(st.one_of(st.binary(max_size=12), st.builds(lambda tail: b"\xf0\x7f\x7f\x01\x01" + tail, st.binary()))))
def test_whatever_arrives_is_a_time_of_the_day_or_nothing(packets: list[bytes]) -> None:
    sender = TimecodeSender()
    reader = TimecodeReader(sender)
    for packet in packets:
        sender.send(10.0, packet)
        reader.read(10.0)
        location = reader.take_location()
        assert location is None or 0.0 <= location < 24 * 3600.0


def test_pieces_that_are_missing_or_no_time_lock_nothing() -> None:
    sender = TimecodeSender()
    reader = TimecodeReader(sender)
    for now in (10.0, 10.1):
        sender.send(now, b"".join(bytes((0xF1, piece << 4 | 0x0F)) for piece in range(8)))  # hour 31
        assert reader.read(now) is None
    sender.send(10.2, b"".join(bytes((0xF1, piece << 4)) for piece in (0, 1, 2, 4, 5, 6, 7, 3)))
    assert reader.read(10.2) is None
    sender.send(10.3, bytes.fromhex("f100 f8 f07f7f010121010203f7 f110"))  # a clock and a locate in between
    reader.read(10.3)
    assert reader.take_location() == pytest.approx(3600 + 62 + 3 / 25)
