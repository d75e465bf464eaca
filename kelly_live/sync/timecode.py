"""MIDI Time Code: where the show is, whether it runs, where it was moved to, and when it is lost.

While it runs, eight quarter frames (0xF1) hold a time, two frames after it began. A full frame (SysEx) locates: it says
where the timecode will run on. Pure: times come with the messages and from the caller. Thread: one.
"""

from __future__ import annotations

import math

from kelly_live.core.midi_messages import read_full_frame
from kelly_live.core.protocols import MidiIn

QUARTER_FRAME = 0xF1
LOST_SECONDS = 0.5  # after the last whole time, which lasts two frames: 83 ms at most
JUMP_SECONDS = 0.25  # a time that lies so far from where it should be has jumped
# By the rate's two bits, frames a second, and how many of them have a number; drop frame runs at 29.97.
_RATES = ((24.0, 24), (25.0, 25), (30000.0 / 1001.0, 30), (30.0, 30))
_DROP_FRAME = 2


class TimecodeReader:
    """Reads the timecode that arrives at `source`."""

    def __init__(self, source: MidiIn) -> None:
        self._source = source
        self._pieces: list[int] = []  # of the time that is being sent, from the first on
        self._piece_at = -math.inf  # when the last one came
        self._origin: float | None = None  # when the timecode was (or would have been) 0, in monotonic seconds
        self._location: float | None = None
        self._last = -math.inf  # when a whole time had come
        self.jumps = 0

    def read(self, now: float) -> float | None:
        """Return the timecode at `now` in seconds; None while none runs. A jump counts in `jumps`, a first lock too."""
        for message in self._source.poll():
            if len(message.data) == 2 and message.data[0] == QUARTER_FRAME:
                self._take(message.data[1], message.seconds)
            elif (time := read_full_frame(message.data)) is not None:
                self._locate(*time)
        if now - self._last > LOST_SECONDS:  # it stands, or runs backwards, which nothing follows
            self._origin = None
        return None if self._origin is None else now - self._origin

    def take_location(self) -> float | None:
        """Return once where a full frame has moved the timecode to, in seconds.

        None if it was not moved, or runs again.
        """
        location, self._location = self._location, None
        return location if self._origin is None else None

    def _locate(self, hours: int, minutes: int, seconds: int, frames: int) -> None:
        """Stand at a time, until quarter frames say that the timecode runs."""
        location = _count_seconds(hours >> 5, hours & 0x1F, minutes, seconds, frames)
        if location is not None:
            self._location, self._origin, self._pieces = location, None, []

    def _take(self, data: int, seconds: float) -> None:
        number, value = data >> 4, data & 0x0F
        if number != len(self._pieces) or seconds - self._piece_at > LOST_SECONDS:
            self._pieces = []
        self._piece_at = seconds
        if number == len(self._pieces):
            self._pieces.append(value)
        if len(self._pieces) == 8:
            self._place(seconds, self._pieces)
            self._pieces = []

    def _place(self, seconds: float, pieces: list[int]) -> None:
        frames, whole_seconds, minutes, hours = (pieces[i] | pieces[i + 1] << 4 for i in (0, 2, 4, 6))
        kind = hours >> 5
        timecode = _count_seconds(kind, hours & 0x1F, minutes, whole_seconds, frames)
        if timecode is None:
            return
        self._last = seconds
        # It was this time when its first piece was sent: seven quarter frames ago.
        origin = seconds - timecode - 7.0 / (4.0 * _RATES[kind][0])
        if self._origin is None or abs(origin - self._origin) > JUMP_SECONDS:
            self.jumps += 1
        self._origin = origin


def _count_seconds(kind: int, hours: int, minutes: int, seconds: int, frames: int) -> float | None:
    """Return a time of a kind, 0 to 3 as _RATES, in real seconds; None for numbers that are no time."""
    if kind not in range(len(_RATES)) or hours >= 24 or minutes >= 60 or seconds >= 60 or frames >= _RATES[kind][1]:
        return None
    rate, _ = _RATES[kind]
    total_seconds = 3600 * hours + 60 * minutes + seconds
    if kind != _DROP_FRAME:
        return total_seconds + frames / rate
    all_minutes = 60 * hours + minutes
    return (30 * total_seconds + frames - 2 * (all_minutes - all_minutes // 10)) / rate
