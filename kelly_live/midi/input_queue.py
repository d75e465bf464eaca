"""The bounded queue between a MIDI driver and a reader, and what fills it.

A driver's thread never runs Python: it would wait for the interpreter, and JACK, which waits for its clients, for it;
a thread that held the interpreter and asked JACK for something would then wait for ever. A thread of ours polls the
driver. Input comes from strangers: what MIDI does not know is discarded and counted. Each kind of message has an
allowance of its own, so that a stream (pressure, bend, a fader) cannot crowd out a switch (a pad, a program, a panic).
Past it, the newest message of each control waits, and what it replaces is counted.
"""

from __future__ import annotations

import itertools
import logging
import math
import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence

from kelly_live.core.midi_messages import SPECS, ReceivedMessage, read_packet
from kelly_live.core.timebase import Clock
from kelly_live.core.token_bucket import TokenBucket

CAPACITY_MESSAGES = 1024  # of each kind
MESSAGES_PER_SECOND = 1000  # of each kind; about what a MIDI cable carries (31 250 baud, 3 bytes each)
CLOCK_PER_SECOND = 300  # 120 at 300 BPM; a driver may deliver what it delayed all at once
POLL_SECONDS = 0.002
HANDOVER_SECONDS = 0.002  # from a driver's stamp until the message can be fetched
_MAX_DRIFT = 1e-4  # between the driver's clock and ours
_CLOCK = SPECS["clock"][0]
_NOTE_ON, _KEY_PRESSURE, _CONTROL_CHANGE = SPECS["note_on"][0], 0xA0, SPECS["control_change"][0]
_NUMBERED = frozenset((SPECS["note_off"][0], _KEY_PRESSURE, SPECS["program_change"][0]))
# Values of a controller that replace each other: a press is never replaced by its release, and what is left of a
# fader's travel still moves by small steps.
_RANGE_BITS = 4
_log = logging.getLogger(__name__)


def _get_kind(data: bytes) -> int:
    """Return what shares a rate limit: notes, a channel message's status, the clock, or system messages."""
    if data[0] >= 0xF0:
        return _CLOCK if data[0] == _CLOCK else 0xF0
    status = data[0] & 0xF0
    return _NOTE_ON if status == SPECS["note_off"][0] else status


def _get_control(data: bytes) -> bytes:
    """Return what a message is the newest value of: a key, a controller's range, or a bend."""
    status = data[0] & 0xF0
    if status == _CONTROL_CHANGE:
        return data[:2] + bytes((data[2] >> _RANGE_BITS,))
    if status == _NOTE_ON:
        return data[:2] + bytes((data[2] > 0,))
    return data[:2] if status in _NUMBERED else data[:1]


class CoalescingQueue:
    """A queue that holds `capacity` messages of each kind; past that, the newest of each control.

    `replaced_messages` counts the messages that a newer one replaced. Threads: any.
    """

    def __init__(self, capacity: int = CAPACITY_MESSAGES) -> None:
        self.replaced_messages = 0
        self._capacity = capacity
        self._messages: dict[int | bytes, ReceivedMessage] = {}  # in order; by serial number, or by control
        self._counts: Counter[int] = Counter()
        self._serial = itertools.count()
        self._changing = threading.Lock()  # locked for a few steps, which never wait

    def put(self, message: ReceivedMessage, *, coalesces: bool = False) -> None:
        """Queue a message; `coalesces`: only as the newest of its control."""
        kind = _get_kind(message.data)
        with self._changing:
            if coalesces or self._counts[kind] >= self._capacity:
                key: int | bytes = _get_control(message.data)
                self.replaced_messages += self._messages.pop(key, None) is not None
            else:
                key = next(self._serial)
                self._counts[kind] += 1
            self._messages[key] = message

    def take(self) -> list[ReceivedMessage]:
        """Remove and return all messages, in order."""
        with self._changing:
            messages, self._messages = self._messages, {}
            self._counts.clear()
        return list(messages.values())


class InputQueue:
    """A CoalescingQueue of a driver's packets, which may come no faster than a cable carries them.

    Threads: `put` from the one that polls the driver, `take` from the reader's.
    """

    def __init__(self, capacity: int = CAPACITY_MESSAGES) -> None:
        self._broken = 0
        self._queue = CoalescingQueue(capacity)
        self._buckets: dict[int, TokenBucket] = {}

    @property
    def overflows(self) -> int:
        """Messages that were discarded: not valid MIDI, or replaced by a newer value."""
        return self._broken + self._queue.replaced_messages

    def put(self, seconds: float, data: bytes) -> None:
        """Queue the messages of a packet that came at this time."""
        messages, is_valid = read_packet(data)
        self._broken += not is_valid
        for message in messages:
            kind = _get_kind(message)
            if kind not in self._buckets:
                self._buckets[kind] = TokenBucket(CLOCK_PER_SECOND if kind == _CLOCK else MESSAGES_PER_SECOND)
            is_within = self._buckets[kind].take(seconds)
            self._queue.put(ReceivedMessage(seconds, message), coalesces=not is_within)

    def take(self) -> list[ReceivedMessage]:
        """Remove and return all messages, in order."""
        return self._queue.take()


class TimestampEstimator:
    """Turns a driver's intervals between messages into times of our clock.

    Of all messages, the one that was fetched the fastest tells how the two clocks lie. They may drift apart by a
    ten-thousandth. Their sum is not believed further than that: a driver leaves out the intervals of messages that it
    keeps to itself. A message came after the driver was last found empty, whatever the sum says.
    """

    def __init__(self) -> None:
        self._driver_seconds = 0.0  # of the driver's clock since its first message
        self._offset = math.inf  # of our clock from the driver's: the best estimate until now

    def stamp(self, since_last: float, fetched: float, empty_at: float) -> float:
        """Return when a message came, in seconds of our clock.

        Args:
            since_last: Seconds since the message before, by the driver's clock.
            fetched: When it was fetched, by our clock: the result is not later.
            empty_at: When the driver had no message, before this one, by our clock: the result is at most
                HANDOVER_SECONDS earlier.
        """
        self._driver_seconds += since_last
        latest = fetched - self._driver_seconds
        earliest = min(latest, empty_at - HANDOVER_SECONDS - self._driver_seconds)
        self._offset = max(earliest, min(latest, self._offset + since_last * _MAX_DRIFT))
        return self._driver_seconds + self._offset


class PollThread:
    """Calls `poll` every POLL_SECONDS, from a thread of its own, until it is closed or `poll` raises."""

    def __init__(self, poll: Callable[[], None]) -> None:
        self._poll = poll
        self._is_closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="midi-in", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            while not self._is_closing.wait(POLL_SECONDS):
                self._poll()
        except Exception as error:  # whatever a driver raises: it is an input that is gone
            _log.warning("the MIDI input is not read any more (%s: %s)", type(error).__name__, error)
        finally:
            self._is_closing.set()

    @property
    def is_closed(self) -> bool:
        """Whether the thread polls no more."""
        return self._is_closing.is_set()

    def close(self) -> None:
        """End the thread."""
        self._is_closing.set()
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
