"""MIDI Time Code, from its quarter frames: where the show is, whether it runs, and when it is lost.

Eight quarter frames (0xF1) hold a time, two frames after it began. Pure: times come with the messages and from the
caller. Thread: one.
"""

from __future__ import annotations

import math

from kelly_live.core.protocols import MidiIn

QUARTER_FRAME = 0xF1
LOST_SECONDS = 0.5  # after the last quarter frame: a frame lasts 42 ms at most
JUMP_SECONDS = 0.25  # a time that lies so far from where it should be has jumped
_RATES = (24.0, 25.0, 30000.0 / 1001.0, 30.0)  # by the two bits of the eighth piece; drop frame runs at 29.97
_DROP_FRAME = 2


class TimecodeReader:
    """Reads the quarter frames that arrive at `source`."""

    def __init__(self, source: MidiIn) -> None:
        self._source = source
        self._pieces: list[int] = []  # of the time that is being sent, from the first on
        self._origin: float | None = None  # when the timecode was (or would have been) 0, in monotonic seconds
        self._last = -math.inf
        self.jumps = 0

    def read(self, now: float) -> float | None:
        """Return the timecode at `now` in seconds; None while none runs. A jump counts in `jumps`, a first lock too."""
        for message in self._source.poll():
            if len(message.data) == 2 and message.data[0] == QUARTER_FRAME:
                self._take(message.data[1], message.seconds)
        if now - self._last > LOST_SECONDS:
            self._origin, self._pieces = None, []
        return None if self._origin is None else now - self._origin

    def _take(self, data: int, seconds: float) -> None:
        number, value = data >> 4, data & 0x0F
        self._last = seconds
        if number != len(self._pieces):
            self._pieces = []
        if number == len(self._pieces):
            self._pieces.append(value)
        if len(self._pieces) == 8:
            self._place(seconds, self._pieces)
            self._pieces = []

    def _place(self, seconds: float, pieces: list[int]) -> None:
        frames, whole_seconds, minutes = (pieces[i] | pieces[i + 1] << 4 for i in (0, 2, 4))
        hours, kind = pieces[6] | (pieces[7] & 1) << 4, pieces[7] >> 1 & 3
        if frames >= 30 or whole_seconds >= 60 or minutes >= 60 or hours >= 24:
            return  # no time
        rate = _RATES[kind]
        total_seconds = 3600 * hours + 60 * minutes + whole_seconds
        if kind == _DROP_FRAME:
            all_minutes = 60 * hours + minutes
            count = 30 * total_seconds + frames - 2 * (all_minutes - all_minutes // 10)
            timecode = count / rate
        else:
            timecode = total_seconds + frames / rate
        # It was this time when its first piece was sent: seven quarter frames ago.
        origin = seconds - timecode - 7.0 / (4.0 * rate)
        if self._origin is None or abs(origin - self._origin) > JUMP_SECONDS:
            self.jumps += 1
        self._origin = origin
