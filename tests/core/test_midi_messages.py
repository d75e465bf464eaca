"""Raw bytes, checked against mido's own table of the same specification."""

import mido
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelly_live.core import midi_messages as m
from kelly_live.core.errors import MidiError

channels, data = st.integers(1, 16), st.integers(0, 127)


@given(channels, data, st.integers(1, 127))
def test_notes_agree_with_mido(channel: int, pitch: int, velocity: int) -> None:
    on = mido.Message("note_on", channel=channel - 1, note=pitch, velocity=velocity)
    off = mido.Message("note_off", channel=channel - 1, note=pitch, velocity=0)
    assert m.note_on(channel, pitch, velocity) == bytes(on.bytes())
    assert m.note_off(channel, pitch) == bytes(off.bytes())
    assert (m.get_kind(m.note_on(channel, pitch, velocity)), m.get_channel(m.note_off(channel, pitch))) == (
        "note_on",
        channel,
    )


@given(channels, data)
def test_programs_and_controllers_agree_with_mido(channel: int, number: int) -> None:
    program = mido.Message("program_change", channel=channel - 1, program=number)
    controller = mido.Message("control_change", channel=channel - 1, control=number, value=3)
    assert m.program_change(channel, number) == bytes(program.bytes())
    assert m.control_change(channel, number, 3) == bytes(controller.bytes())


@pytest.mark.parametrize(("bend", "pitch"), [(-1.0, -8192), (0.0, 0), (0.5, 4096), (1.0, 8191)])
def test_pitch_bend_reaches_both_ends(bend: float, pitch: int) -> None:
    assert mido.Message.from_bytes(m.pitch_bend(3, bend)).pitch == pitch


def test_real_time_messages_are_one_byte() -> None:
    assert [mido.Message.from_bytes(x).type for x in (m.CLOCK, m.START, m.CONTINUE, m.STOP)] == [
        "clock",
        "start",
        "continue",
        "stop",
    ]


def test_silence_is_notes_off_then_sound_off() -> None:
    assert m.silence_channel(10) == (bytes([0xB9, 123, 0]), bytes([0xB9, 120, 0]))


def test_a_note_on_of_velocity_zero_is_a_note_off() -> None:
    assert m.get_kind(bytes([0x90, 60, 0])) == "note_off"
    assert m.get_kind(m.CLOCK) == ""


@pytest.mark.parametrize(("channel", "pitch"), [(0, 60), (17, 60), (1, 128), (1, -1)])
def test_what_midi_cannot_say_is_refused(channel: int, pitch: int) -> None:
    with pytest.raises(MidiError, match=r"in 1\.\.16|in 0\.\.127"):
        m.note_on(channel, pitch, 64)
    with pytest.raises(MidiError, match=r"in -1\.\.1"):
        m.pitch_bend(1, 1.01)
