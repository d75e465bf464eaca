"""The pitch that a receiver sounds, given the bends, bend ranges and key tunings that it was sent.

MIDI 1.0, registered parameters 0 and 3; MIDI Tuning Standard; MPE zones.
"""

from __future__ import annotations

from kelly_live.core.midi_messages import (
    BEND_CENTRE,
    DATA_COARSE,
    RPN_BEND_RANGE,
    RPN_COARSE,
    RPN_FINE,
    RPN_MPE_ZONE,
    RPN_NONE,
    RPN_TUNING_PROGRAM,
    get_channel,
    get_kind,
    tuned_keys,
    tuned_program,
)

_ZONE_RANGE = 48.0  # semitones: the bend range of an MPE zone's members until it is set


class ReceiverState:
    """The tuning of one port's receiver, from the messages that it was sent."""

    def __init__(self) -> None:
        self._bend: dict[int, int] = {}  # -8192 … 8191, by channel
        self._range: dict[int, float] = {}
        self._program: dict[int, int] = {}
        self._rpn: dict[int, int] = {}  # the registered parameter that a data entry would set
        self._tunings: dict[tuple[int, int], float] = {}  # (tuning program, key) -> semitones

    def take(self, data: bytes) -> None:
        """Take a raw message of any kind."""
        if (program := tuned_program(data)) is not None:
            self._tunings.update({(program, key): pitch for key, pitch in tuned_keys(data).items()})
            return
        kind = get_kind(data)
        if kind == "pitch_bend":
            self._bend[get_channel(data)] = data[1] + 128 * data[2] - BEND_CENTRE
        elif kind == "control_change":
            self._control(get_channel(data), data[1], data[2])

    def pitch(self, channel: int, key: int) -> float:
        """Return the pitch, in semitones (69 is 440 Hz), that `key` sounds on `channel` now."""
        program = self._program.get(channel)
        key_pitch = float(key) if program is None else self._tunings.get((program, key), float(key))
        return key_pitch + self._bend.get(channel, 0) / BEND_CENTRE * self._range.get(channel, 2.0)

    def _control(self, channel: int, controller: int, value: int) -> None:
        number = self._rpn.get(channel, RPN_NONE)
        if controller == RPN_COARSE:
            self._rpn[channel] = value << 7 | number & 0x7F
        elif controller == RPN_FINE:
            self._rpn[channel] = number >> 7 << 7 | value
        elif controller == DATA_COARSE:
            if number == RPN_BEND_RANGE:
                self._range[channel] = float(value)
            elif number == RPN_TUNING_PROGRAM:
                self._program[channel] = value
            elif number == RPN_MPE_ZONE:
                self._range.update(dict.fromkeys(range(channel + 1, min(16, channel + value) + 1), _ZONE_RANGE))
