"""MIDI inputs: finding and opening one by name, and the bounded queue between a driver and who polls.

A driver's thread never runs Python: it would wait for the interpreter, and JACK, which waits for its clients, for it;
whoever held the interpreter and asked JACK for something would then wait for ever. A thread of ours asks the driver.
Input is what strangers send: a message that MIDI does not know, or that comes faster than a cable could carry it, is
thrown away and counted; clock has a share of its own, so that a flood of notes cannot stop it.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kelly_live.core.errors import MidiError
from kelly_live.core.midi_messages import SPECS, ReceivedMessage, is_whole
from kelly_live.core.protocols import MidiIn
from kelly_live.core.timebase import Clock
from kelly_live.midi.ports import LISTING_COMMAND, MidiBackend, PortInfo, backends, meant, no_midi_system, numbered

VIRTUAL_INPUT_NAME = "Kelly Live in"
CAPACITY_MESSAGES = 1024
MESSAGES_PER_SECOND = 1000  # about what a MIDI cable carries (31 250 baud, 3 bytes each)
CLOCK_PER_SECOND = 300  # 120 at 300 BPM; a driver may hand over what it held back all at once
ASK_SECONDS = 0.002
_DRIFT = 1e-4
_LOST_SECONDS = 0.5
_REALTIME = 0xF8
_SONG_POSITION = SPECS["song_position"][0]


@dataclass(frozen=True, slots=True)
class OpenedInput:
    """An open input, its full name, and whether it is a virtual one that waits for others to connect."""

    source: MidiIn
    name: str
    is_virtual: bool

    def poll(self) -> list[ReceivedMessage]:
        return self.source.poll()

    @property
    def grain_seconds(self) -> float:
        return self.source.grain_seconds

    @property
    def overflows(self) -> int:
        return self.source.overflows

    def is_alive(self) -> bool:
        return self.source.is_alive()

    def close(self) -> None:
        self.source.close()


class TokenBucket:
    """So many a second, and as many at once."""

    def __init__(self, per_second: float) -> None:
        self._per_second = self._left = per_second
        self._seconds = 0.0

    def take(self, seconds: float) -> bool:
        self._left = min(self._per_second, self._left + max(0.0, seconds - self._seconds) * self._per_second)
        self._seconds = seconds
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


class InputQueue:
    """Threads: `put` from the one that asks the driver; `take` from the one that polls."""

    def __init__(self, capacity: int = CAPACITY_MESSAGES) -> None:
        self.overflows = 0
        self._capacity = capacity
        self._waiting: deque[ReceivedMessage] = deque()
        self._music = TokenBucket(MESSAGES_PER_SECOND)
        self._clock = TokenBucket(CLOCK_PER_SECOND)

    def put(self, seconds: float, data: bytes) -> None:
        keeps_time = bool(data) and (data[0] >= _REALTIME or data[0] == _SONG_POSITION)
        allowance = self._clock if keeps_time else self._music
        if is_whole(data) and len(self._waiting) < self._capacity and allowance.take(seconds):
            self._waiting.append(ReceivedMessage(seconds, data))
        else:
            self.overflows += 1

    def take(self) -> list[ReceivedMessage]:
        return [self._waiting.popleft() for _ in range(len(self._waiting))]


class TimestampEstimator:
    """When messages came, from how long after each other they did, and when they were fetched: the one that was
    fetched the fastest says how the two clocks lie. They may drift apart by a ten-thousandth.
    """

    def __init__(self) -> None:
        self._driver = 0.0  # seconds of the driver's clock since its first message
        self._ahead = math.inf  # what ours is ahead of that, as far as is known

    def stamp(self, since_last: float, fetched: float) -> float:
        """Seconds of our clock, `fetched` at the latest."""
        self._driver += since_last
        ahead = fetched - self._driver
        self._ahead = min(ahead, self._ahead + since_last * _DRIFT)
        if ahead - self._ahead > _LOST_SECONDS:  # nothing waits for so long: the driver's clock stood still
            self._ahead = ahead
        return self._driver + self._ahead


class PollThread:
    """Calls `ask` every ASK_SECONDS, from a thread of its own, until it is closed."""

    def __init__(self, ask: Callable[[], None]) -> None:
        self._ask = ask
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="midi-in", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            while not self._closing.wait(ASK_SECONDS):
                self._ask()
        finally:
            self._closing.set()  # a driver that fails is an input that is gone

    @property
    def closed(self) -> bool:
        return self._closing.is_set()

    def close(self) -> None:
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
        return self._queue.overflows

    def poll(self) -> list[ReceivedMessage]:
        now = self._clock.now()
        while self._script and self._script[0][0] <= now:
            self._queue.put(*self._script.popleft())
        return self._queue.take()

    def is_alive(self) -> bool:
        return self.alive

    def close(self) -> None:
        self.alive = False


class SharedInput:
    """One input for several that poll, each from a thread of its own: every branch hears all that came since it was
    made, and keeps its last CAPACITY_MESSAGES.
    """

    def __init__(self, source: MidiIn) -> None:
        self.source = source
        self._branches: list[deque[ReceivedMessage]] = []
        self._polling = threading.Lock()

    def branch(self) -> MidiIn:
        waiting: deque[ReceivedMessage] = deque(maxlen=CAPACITY_MESSAGES)
        self._branches.append(waiting)
        return _Branch(self, waiting)

    def take(self, waiting: deque[ReceivedMessage]) -> list[ReceivedMessage]:
        with self._polling:  # held for as long as a poll takes, which never waits
            for message in self.source.poll():
                for branch in self._branches:
                    branch.append(message)
            taken = list(waiting)
            waiting.clear()
        return taken


class _Branch:
    def __init__(self, shared: SharedInput, waiting: deque[ReceivedMessage]) -> None:
        self._shared = shared
        self._waiting = waiting

    @property
    def name(self) -> str:
        return self._shared.source.name

    @property
    def grain_seconds(self) -> float:
        return self._shared.source.grain_seconds

    @property
    def overflows(self) -> int:
        return self._shared.source.overflows

    def poll(self) -> list[ReceivedMessage]:
        return self._shared.take(self._waiting)

    def is_alive(self) -> bool:
        return self._shared.source.is_alive()

    def close(self) -> None:
        """The source is closed by who opened it."""


def list_inputs(among: Sequence[MidiBackend] | None = None) -> list[PortInfo]:
    """All MIDI inputs that can be opened now, named as `ports.list_outputs` does. Raises MidiError."""
    return numbered((backend.name, backend.inputs()) for backend in (backends() if among is None else among))


def resolve_input(query: str, among: Sequence[MidiBackend] | None = None) -> PortInfo:
    """The input that `query` means (see kelly_live.core.name_matching). Raises MidiError that lists the candidates."""
    return meant(query, list_inputs(among), "MIDI input")


def open_input(query: str | None, among: Sequence[MidiBackend] | None = None) -> OpenedInput:
    """Open the input that `query` means; None: a virtual one, "Kelly Live in", where the system has them. Raises
    MidiError.
    """
    there = list(backends() if among is None else among)
    if query is not None:
        info = resolve_input(query, there)
        backend = next(backend for backend in there if backend.name == info.backend)
        return OpenedInput(backend.open_input(info.port_name, info.occurrence), info.name, is_virtual=False)
    for backend in there:
        if backend.has_virtual:
            return OpenedInput(backend.open_virtual_input(VIRTUAL_INPUT_NAME), VIRTUAL_INPUT_NAME, is_virtual=True)
    if there:
        raise MidiError(
            f"this system has no virtual MIDI ports; name an input with --midi-in (see `{LISTING_COMMAND}`)"
        )
    raise no_midi_system()
