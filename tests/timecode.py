"""MIDI Time Code as a sender makes it: the labels of frames, and their messages (RP-004/008)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from kelly_live.core.midi_messages import ReceivedMessage, read_packet

RATES = (24.0, 25.0, 30000.0 / 1001.0, 30.0)  # frames a second, by the two bits of the rate
DROP_FRAME = 2
QUARTER_FRAMES = 8  # hold a time


def count_frames(seconds: float, kind: int) -> int:
    """The frame that a time lies in, from 0."""
    return int(seconds * RATES[kind] + 1e-6)


def find_label(frame: int, kind: int) -> tuple[int, int, int, int]:
    """Return the hours, minutes, seconds and frames of a frame.

    Drop frame leaves out two labels a minute, but for each tenth.
    """
    if kind == DROP_FRAME:
        tens, rest = divmod(frame, 17982)
        frame += 18 * tens + 2 * max(0, (rest - 2) // 1798)
    seconds, frames = divmod(frame, round(RATES[kind]))
    return seconds // 3600, seconds // 60 % 60, seconds % 60, frames


def quarter_frame(frame: int, piece: int, kind: int) -> bytes:
    """Piece 0 to 7 of the time of a frame."""
    hours, minutes, seconds, frames = find_label(frame, kind)
    number = (frames, seconds, minutes, hours | kind << 5)[piece // 2]
    return bytes((0xF1, piece << 4 | number >> 4 * (piece % 2) & 0x0F))


def full_frame(frame: int, kind: int) -> bytes:
    """The locate to a frame."""
    hours, minutes, seconds, frames = find_label(frame, kind)
    return bytes((0xF0, 0x7F, 0x7F, 0x01, 0x01, hours | kind << 5, minutes, seconds, frames, 0xF7))


def run_timecode(seconds: float, kind: int) -> Iterator[tuple[float, bytes]]:
    """The quarter frames of a timecode that runs on from a time, each with its seconds from the first one."""
    first = count_frames(seconds, kind)
    for number in itertools.count():
        frames, piece = divmod(number, QUARTER_FRAMES)
        yield 0.25 * number / RATES[kind], quarter_frame(first + 2 * frames, piece, kind)


class TimecodeSender:
    """A MidiIn that is sent a timecode, one of RATES, from `begin` on."""

    name = "timecode"

    def __init__(self, kind: int = 1) -> None:
        self.kind = kind
        self._messages: list[ReceivedMessage] = []
        self._coming: Iterator[tuple[float, bytes]] = iter(())
        self._next: ReceivedMessage | None = None

    def begin(self, now: float, timecode: float) -> None:
        self._coming = ((now + after, data) for after, data in run_timecode(timecode, self.kind))
        self._next = ReceivedMessage(*next(self._coming))

    def stop(self) -> None:
        self._next = None

    def locate(self, now: float, timecode: float) -> None:
        """Stand there."""
        self.stop()
        self.send(now, full_frame(count_frames(timecode, self.kind), self.kind))

    def send(self, now: float, packet: bytes) -> None:
        """Anything, as a driver delivers it."""
        self._messages += [ReceivedMessage(now, message) for message in read_packet(packet)[0]]

    def send_until(self, now: float) -> None:
        while self._next is not None and self._next.seconds <= now:
            self._messages.append(self._next)
            self._next = ReceivedMessage(*next(self._coming))

    def poll(self) -> list[ReceivedMessage]:
        messages, self._messages = self._messages, []
        return messages
