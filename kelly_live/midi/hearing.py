"""What a receiver makes of bends, bend ranges and key tunings: the pitch that sounds (MIDI 1.0, RPN 0 and 3, MTS)."""

from __future__ import annotations

from kelly_live.midi.messages import channel_of, kind_of

_BEND_RANGE, _TUNING_PROGRAM = (0, 0), (0, 3)
_ZONE = (0, 6)  # an MPE zone's members bend by 48 semitones until they are told otherwise
_NOTHING = (127, 127)
_KEY_TUNING = bytes([0xF0, 0x7F, 0x7F, 0x08, 0x02])
_DATA_ENTRY, _RPN_LOW, _RPN_HIGH = 6, 100, 101


class Hearing:
    """Follows one port's messages; not the notes themselves."""

    def __init__(self) -> None:
        self._bend: dict[int, int] = {}  # -8192 … 8191, by channel
        self._range: dict[int, float] = {}
        self._program: dict[int, int] = {}
        self._rpn: dict[int, tuple[int, int]] = {}
        self._tunings: dict[tuple[int, int], float] = {}  # (tuning program, key) -> semitones

    def take(self, data: bytes) -> None:
        """A raw message; any kind."""
        if data.startswith(_KEY_TUNING) and len(data) >= 8:
            for key, semitone, coarse, fine in zip(*(data[7:-1][i::4] for i in range(4)), strict=False):
                self._tunings[data[5], key] = semitone + (coarse * 128 + fine) / 16384
            return
        kind = kind_of(data)
        if kind == "pitch_bend":
            self._bend[channel_of(data)] = data[1] + 128 * data[2] - 8192
        elif kind == "control_change":
            self._control(channel_of(data), data[1], data[2])

    def pitch(self, channel: int, key: int) -> float:
        """Semitones (69 is 440 Hz) that `key` sounds on `channel` now."""
        program = self._program.get(channel)
        tuned = float(key) if program is None else self._tunings.get((program, key), float(key))
        return tuned + self._bend.get(channel, 0) / 8192 * self._range.get(channel, 2.0)

    def _control(self, channel: int, controller: int, value: int) -> None:
        high, low = self._rpn.get(channel, _NOTHING)
        if controller == _RPN_HIGH:
            self._rpn[channel] = (value, low)
        elif controller == _RPN_LOW:
            self._rpn[channel] = (high, value)
        elif controller == _DATA_ENTRY:
            if (high, low) == _BEND_RANGE:
                self._range[channel] = float(value)
            elif (high, low) == _TUNING_PROGRAM:
                self._program[channel] = value
            elif (high, low) == _ZONE:
                self._range.update(dict.fromkeys(range(channel + 1, min(16, channel + value) + 1), 48.0))
