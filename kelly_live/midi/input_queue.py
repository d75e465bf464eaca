"""The bounded queue between a MIDI driver and a reader, and what fills it.

A driver's thread never runs Python: it would wait for the interpreter, and JACK, which waits for its clients, for it;
a thread that held the interpreter and asked JACK for something would then wait for ever. A thread of ours polls the
driver. Input comes from strangers: a message that MIDI does not know, or that comes faster than a cable could carry it,
is discarded and counted. Clock has a share of its own, so that a flood of notes cannot stop it.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Sequence

from kelly_live.core.midi_messages import SPECS, ReceivedMessage, is_whole
from kelly_live.core.timebase import Clock

CAPACITY_MESSAGES = 1024
MESSAGES_PER_SECOND = 1000  # about what a MIDI cable carries (31 250 baud, 3 bytes each)
CLOCK_PER_SECOND = 300  # 120 at 300 BPM; a driver may deliver what it delayed all at once
POLL_SECONDS = 0.002
_MAX_DRIFT = 1e-4  # between the driver's clock and ours
_LOST_SECONDS = 0.5
_REALTIME = 0xF8
_SONG_POSITION = SPECS["song_position"][0]


class TokenBucket:
    """A rate limit: `per_second` tokens a second, and as many at once."""

    def __init__(self, per_second: float) -> None:
        self._per_second = self._left = per_second
        self._seconds = 0.0

    def take(self, seconds: float) -> bool:
        """Take one token at this time, and return whether there was one."""
        self._left = min(self._per_second, self._left + max(0.0, seconds - self._seconds) * self._per_second)
        self._seconds = seconds
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


class InputQueue:
    """A queue of at most `capacity` messages.

    Threads: `put` from the one that polls the driver, `take` from the reader's.
    """

    def __init__(self, capacity: int = CAPACITY_MESSAGES) -> None:
        self.overflows = 0
        self._capacity = capacity
        self._messages: deque[ReceivedMessage] = deque()
        self._music = TokenBucket(MESSAGES_PER_SECOND)
        self._clock = TokenBucket(CLOCK_PER_SECOND)

    def put(self, seconds: float, data: bytes) -> None:
        """Queue a message, or count it as an overflow."""
        is_time = bool(data) and (data[0] >= _REALTIME or data[0] == _SONG_POSITION)
        bucket = self._clock if is_time else self._music
        if is_whole(data) and len(self._messages) < self._capacity and bucket.take(seconds):
            self._messages.append(ReceivedMessage(seconds, data))
        else:
            self.overflows += 1

    def take(self) -> list[ReceivedMessage]:
        """Remove and return all messages, in order."""
        return [self._messages.popleft() for _ in range(len(self._messages))]


class TimestampEstimator:
    """Turns a driver's intervals between messages into times of our clock.

    Of all messages, the one that was fetched the fastest tells how the two clocks lie. They may drift apart by a
    ten-thousandth.
    """

    def __init__(self) -> None:
        self._driver_seconds = 0.0  # of the driver's clock since its first message
        self._offset = math.inf  # of our clock from the driver's: the best estimate until now

    def stamp(self, since_last: float, fetched: float) -> float:
        """Return when a message came, in seconds of our clock.

        Args:
            since_last: Seconds since the message before, by the driver's clock.
            fetched: When it was fetched, by our clock: the result is not later.
        """
        self._driver_seconds += since_last
        offset = fetched - self._driver_seconds
        self._offset = min(offset, self._offset + since_last * _MAX_DRIFT)
        if offset - self._offset > _LOST_SECONDS:  # nothing waits for so long: the driver's clock stood still
            self._offset = offset
        return self._driver_seconds + self._offset


class PollThread:
    """Calls `poll` every POLL_SECONDS, from a thread of its own, until it is closed or `poll` raises."""

    def __init__(self, poll: Callable[[], None]) -> None:
        self._poll = poll
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="midi-in", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            while not self._closing.wait(POLL_SECONDS):
                self._poll()
        finally:
            self._closing.set()  # a driver that fails is an input that is gone

    @property
    def is_closed(self) -> bool:
        """Whether the thread polls no more."""
        return self._closing.is_set()

    def close(self) -> None:
        """End the thread."""
        self._closing.set()
        self._thread.join(1.0)


class ScriptedInput:
    """A MidiIn that plays a script, (seconds, message) in order, by an injected clock."""

    def __init__(
        self, script: Sequence[tuple[float, bytes]], clock: Clock, name: str = "scripted", *, grain_seconds: float = 0.0
    ) -> None:
        self.name = name
        self.grain_seconds = grain_seconds
        self.alive = True
        self._script = deque(script)
        self._clock = clock
        self._queue = InputQueue()

    @property
    def overflows(self) -> int:
        """Messages that were discarded."""
        return self._queue.overflows

    def poll(self) -> list[ReceivedMessage]:
        """Return what is due by the clock."""
        now = self._clock.now()
        while self._script and self._script[0][0] <= now:
            self._queue.put(*self._script.popleft())
        return self._queue.take()

    def is_alive(self) -> bool:
        """Return whether it was not closed."""
        return self.alive

    def close(self) -> None:
        """Close it; the rest of the script is not played."""
        self.alive = False
