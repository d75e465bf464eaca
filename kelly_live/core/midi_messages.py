"""Raw MIDI 1.0 messages: one table of facts, and a function for each message that is sent or read.

Channels are 1-16 as musicians count them; pitches, velocities, programs and controllers 0-127.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from kelly_live.core.errors import MidiError

# name -> (status byte, number of data bytes), from the MIDI 1.0 specification, table I-III.
SPECS: dict[str, tuple[int, int]] = {
    "note_off": (0x80, 2),
    "note_on": (0x90, 2),
    "control_change": (0xB0, 2),
    "program_change": (0xC0, 1),
    "channel_pressure": (0xD0, 1),
    "pitch_bend": (0xE0, 2),
    "song_position": (0xF2, 2),
    "clock": (0xF8, 0),
    "start": (0xFA, 0),
    "continue": (0xFB, 0),
    "stop": (0xFC, 0),
}
CONTROLLERS = {"all_sound_off": 120, "all_notes_off": 123}

# Registered parameters: 0 and 3 from the MIDI 1.0 specification, table IIIa; 6 from MPE (RP-053 v1.0, 2.1.1, which is
# 2.2.1 of M1-100-UM v1.1). Looked up in what others quote of these documents, not in the documents.
RPN_BEND_RANGE, RPN_TUNING_PROGRAM, RPN_MPE_ZONE = 0, 3, 6
RPN_NONE = 0x3FFF
RPN_COARSE, RPN_FINE, DATA_COARSE, _DATA_FINE = 101, 100, 6, 38
SETTING_UP = frozenset((RPN_COARSE, RPN_FINE, DATA_COARSE, _DATA_FINE))  # controllers that set a parameter up
# What "reset all controllers" (RP-015) sets: modulation, expression, and the pedals of portamento, sostenuto and soft.
RESTING_VALUES = {1: 0, 11: 127, 65: 0, 66: 0, 67: 0}
EXPRESSION, BRIGHTNESS = 11, 74  # controllers; brightness is "sound controller 5" (RP-021), 64 at rest
BEND_CENTRE = 8192
KEY_UNITS = 1 << 14  # MIDI Tuning Standard: steps a semitone

CLOCKS_PER_BEAT = 24
TICKS_PER_BEAT = 480  # of the MIDI files that we write
CLOCKS_PER_SIXTEENTH = 6  # what song position counts ("MIDI beats")
MAX_SIXTEENTHS = 0x3FFF
CLOCK, START, CONTINUE, STOP = (bytes([SPECS[name][0]]) for name in ("clock", "start", "continue", "stop"))

_KEY_TUNINGS = bytes([0xF0, 0x7F, 0x7F, 0x08, 0x02])
# Data bytes after each status that has any (table I and III); system exclusive, its end, and undefined statuses.
_DATA_BYTES = {0x80: 2, 0x90: 2, 0xA0: 2, 0xB0: 2, 0xC0: 1, 0xD0: 1, 0xE0: 2, 0xF1: 1, 0xF2: 2, 0xF3: 1}
_NOT_ONE = frozenset((0xF0, 0xF4, 0xF5, 0xF7, 0xF9, 0xFD))
_REALTIME = bytes(range(0xF8, 0x100))
# A full frame of MIDI Time Code (RP-004/008): universal, real time, for any device, hours with the rate to frames.
_FULL_FRAME = re.compile(rb"\xf0\x7f[\x00-\x7f]\x01\x01[\x00-\x7f]{4}")
_SEGMENTS = re.compile(rb"[\x80-\xf7][\x00-\x7f]*|[\x00-\x7f]+")
_CHANNEL_KINDS = {status: name for name, (status, _) in SPECS.items() if status < 0xF0}


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """One whole raw message and when it arrived (monotonic seconds).

    `connection` counts the connections of an input that was lost and came back. What was sent between two
    connections was never received.
    """

    seconds: float
    data: bytes
    connection: int = 0


def _message(name: str, channel: int, *data: int) -> bytes:
    status, length = SPECS[name]
    if not 1 <= channel <= 16:
        raise MidiError(f"{name} on channel {channel}; a channel must be in 1..16")
    if len(data) != length or not all(0 <= byte <= 127 for byte in data):
        raise MidiError(f"{name} with data {data}; it takes {length} numbers in 0..127")
    return bytes((status | (channel - 1), *data))


def note_on(channel: int, pitch: int, velocity: int) -> bytes:
    """Build a note-on."""
    return _message("note_on", channel, pitch, velocity)


def note_off(channel: int, pitch: int) -> bytes:
    """Build a note-off of velocity 0."""
    return _message("note_off", channel, pitch, 0)


def control_change(channel: int, controller: int, value: int) -> bytes:
    """Build a control change."""
    return _message("control_change", channel, controller, value)


def all_notes_off(channel: int) -> bytes:
    """Build controller 123, which releases all notes of the channel."""
    return control_change(channel, CONTROLLERS["all_notes_off"], 0)


def all_sound_off(channel: int) -> bytes:
    """Build controller 120, which silences the channel at once."""
    return control_change(channel, CONTROLLERS["all_sound_off"], 0)


def channel_pressure(channel: int, value: int) -> bytes:
    """Build a channel pressure (aftertouch of the whole channel), 0 at rest."""
    return _message("channel_pressure", channel, value)


def program_change(channel: int, program: int) -> bytes:
    """Build a program change."""
    return _message("program_change", channel, program)


def pitch_bend(channel: int, bend: float) -> bytes:
    """Build a pitch bend from `bend` in [-1, 1] of the receiver's range (0 is no bend)."""
    if not -1.0 <= bend <= 1.0:
        raise MidiError(f"pitch bend {bend}; it must be in -1..1")
    return bend_to(channel, min(16383, round(BEND_CENTRE + bend * BEND_CENTRE)))


def bend_to(channel: int, value: int) -> bytes:
    """Build a pitch bend from its 14-bit number: 0..16383, BEND_CENTRE is no bend."""
    return _message("pitch_bend", channel, value & 0x7F, value >> 7)


def registered_parameter(channel: int, number: int, value: int) -> list[bytes]:
    """Build the messages that set an RPN's coarse value (0-127) and then deselect it.

    Deselected, no later data entry reaches it.
    """
    return [
        control_change(channel, RPN_COARSE, number >> 7),
        control_change(channel, RPN_FINE, number & 0x7F),
        control_change(channel, DATA_COARSE, value),
        control_change(channel, _DATA_FINE, 0),
        control_change(channel, RPN_COARSE, RPN_NONE >> 7),
        control_change(channel, RPN_FINE, RPN_NONE & 0x7F),
    ]


def key_tunings(program: int, units: Mapping[int, int]) -> bytes:
    """Build a single-note tuning change (MIDI Tuning Standard, real time, for every device).

    `units`: for at most 127 keys of tuning program 0-127, the pitch in KEY_UNITS a semitone from MIDI note 0. Notes
    that sound are retuned too.
    """
    changes = [(key, number >> 14, number >> 7 & 0x7F, number & 0x7F) for key, number in units.items()]
    data = bytes((program, len(changes), *(byte for change in changes for byte in change)))
    if max(data) > 127:
        raise MidiError(f"a key tuning of {dict(units)} in program {program}; keys and programs are 0..127")
    return _KEY_TUNINGS + data + b"\xf7"


def tuned_keys(message: bytes) -> dict[int, float]:
    """Read a message of `key_tunings`: key to pitch in semitones; empty for any other message."""
    changes = message[len(_KEY_TUNINGS) + 2 : -1] if message.startswith(_KEY_TUNINGS) else b""
    return {
        key: semitone + (coarse << 7 | fine) / KEY_UNITS
        for key, semitone, coarse, fine in zip(*(changes[i::4] for i in range(4)), strict=False)
    }


def tuned_program(message: bytes) -> int | None:
    """Return the tuning program of a message of `key_tunings`; None for any other message."""
    return message[len(_KEY_TUNINGS)] if message.startswith(_KEY_TUNINGS) else None


def song_position(sixteenths: int) -> bytes:
    """Build a song position: where the next Continue starts, in sixteenth notes, 0..MAX_SIXTEENTHS."""
    if not 0 <= sixteenths <= MAX_SIXTEENTHS:
        raise MidiError(f"song position {sixteenths}; it must be in 0..{MAX_SIXTEENTHS}")
    return bytes((SPECS["song_position"][0], sixteenths & 0x7F, sixteenths >> 7))


def read_packet(packet: bytes) -> tuple[list[bytes], bool]:
    """Read the whole messages of what a driver delivered at once, and return whether all of it was valid.

    Drivers promise one message each time, and pass on what they are sent: pairs after a running status, a message that
    the next one cuts off. System exclusive is passed over, but for the full frames of MIDI Time Code. Real time may
    come within any other. Nothing lasts from packet to packet, so that data bytes without a status are never taken for
    a message.
    """
    realtime = [bytes((byte,)) for byte in packet if byte >= 0xF8]
    messages = [message for message in realtime if message[0] not in _NOT_ONE]
    is_valid = bool(packet) and len(messages) == len(realtime)
    before = b""
    for segment in _SEGMENTS.findall(packet.translate(None, _REALTIME)):
        if segment.startswith(b"\xf0") or (segment == b"\xf7" and before.startswith(b"\xf0")):
            is_whole = True
            messages += [before + segment] * (segment == b"\xf7" and _FULL_FRAME.fullmatch(before) is not None)
        else:
            segment_messages, is_whole = _read_segment(segment)
            messages += segment_messages
        is_valid = is_valid and is_whole
        before = segment
    return messages, is_valid


def _read_segment(segment: bytes) -> tuple[list[bytes], bool]:
    """Read a status byte and its data, and return whether they were whole messages."""
    status, data = segment[:1], segment[1:]
    if status < b"\x80" or status[0] in _NOT_ONE:
        return [], False
    length = _DATA_BYTES.get(status[0] & 0xF0 if status < b"\xf0" else status[0], 0)
    if status >= b"\xf0":  # has no running status
        return [segment[: 1 + length]] * (len(data) >= length), len(data) == length
    ends = range(length, len(data) + 1, length)
    return [status + data[end - length : end] for end in ends], bool(ends) and len(data) % length == 0


def read_full_frame(message: bytes) -> bytes | None:
    """Return the time of a full frame in its four bytes; None: the message is none.

    The bytes are the rate and hours, the minutes, the seconds, and the frames.
    """
    is_one = message.endswith(b"\xf7") and _FULL_FRAME.fullmatch(message[:-1]) is not None
    return message[5:9] if is_one else None


def silence_channel(channel: int) -> tuple[bytes, bytes]:
    """Build the two messages that silence a channel: first its notes, then their release tails."""
    return all_notes_off(channel), all_sound_off(channel)


def get_kind(message: bytes) -> str:
    """Return the name in SPECS of a channel message, "" for any other.

    A note-on of velocity 0 is a "note_off".
    """
    kind = _CHANNEL_KINDS.get(message[0] & 0xF0, "") if message else ""
    return "note_off" if kind == "note_on" and message[2] == 0 else kind


def get_channel(message: bytes) -> int:
    """Return the channel 1-16 of a channel message."""
    return (message[0] & 0x0F) + 1
