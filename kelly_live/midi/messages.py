"""Raw MIDI 1.0 messages: one table of facts, and a function for each message that is sent.

Channels are 1-16 as musicians count them; pitches, velocities, programs and controllers 0-127.
"""

from __future__ import annotations

from kelly_live.errors import MidiError

# name -> (status byte, number of data bytes), from the MIDI 1.0 specification, table I-III.
SPECS: dict[str, tuple[int, int]] = {
    "note_off": (0x80, 2),
    "note_on": (0x90, 2),
    "control_change": (0xB0, 2),
    "program_change": (0xC0, 1),
    "pitch_bend": (0xE0, 2),
    "clock": (0xF8, 0),
    "start": (0xFA, 0),
    "continue": (0xFB, 0),
    "stop": (0xFC, 0),
}
CONTROLLERS = {"all_sound_off": 120, "all_notes_off": 123}

CLOCKS_PER_BEAT = 24
CLOCK, START, CONTINUE, STOP = (bytes([SPECS[name][0]]) for name in ("clock", "start", "continue", "stop"))

_CHANNEL_KINDS = {status: name for name, (status, _) in SPECS.items() if status < 0xF0}


def _message(name: str, channel: int, *data: int) -> bytes:
    status, length = SPECS[name]
    if not 1 <= channel <= 16:
        raise MidiError(f"{name} on channel {channel}; a channel must be in 1..16")
    if len(data) != length or not all(0 <= byte <= 127 for byte in data):
        raise MidiError(f"{name} with data {data}; it takes {length} numbers in 0..127")
    return bytes((status | (channel - 1), *data))


def note_on(channel: int, pitch: int, velocity: int) -> bytes:
    return _message("note_on", channel, pitch, velocity)


def note_off(channel: int, pitch: int) -> bytes:
    return _message("note_off", channel, pitch, 0)


def control_change(channel: int, controller: int, value: int) -> bytes:
    return _message("control_change", channel, controller, value)


def all_notes_off(channel: int) -> bytes:
    return control_change(channel, CONTROLLERS["all_notes_off"], 0)


def all_sound_off(channel: int) -> bytes:
    return control_change(channel, CONTROLLERS["all_sound_off"], 0)


def program_change(channel: int, program: int) -> bytes:
    return _message("program_change", channel, program)


def pitch_bend(channel: int, bend: float) -> bytes:
    """`bend` in [-1, 1] of the receiver's range (0 is no bend), as the 14-bit number 0..16383."""
    if not -1.0 <= bend <= 1.0:
        raise MidiError(f"pitch bend {bend}; it must be in -1..1")
    value = min(16383, round(8192 + bend * 8192))
    return _message("pitch_bend", channel, value & 0x7F, value >> 7)


def silence_channel(channel: int) -> tuple[bytes, bytes]:
    """The two messages that end whatever a receiver still plays on `channel`: notes first, then their tails."""
    return all_notes_off(channel), all_sound_off(channel)


def kind_of(message: bytes) -> str:
    """The name in SPECS of a channel message, "" for any other. A note-on of velocity 0 is a "note_off"."""
    kind = _CHANNEL_KINDS.get(message[0] & 0xF0, "") if message else ""
    return "note_off" if kind == "note_on" and message[2] == 0 else kind


def channel_of(message: bytes) -> int:
    """1-16, of a channel message."""
    return (message[0] & 0x0F) + 1
