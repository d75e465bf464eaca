"""MIDI through JACK, by the system's libjack and nothing else: outputs at the frame, and inputs.

An output hands each message over ahead of its time, and JACK's own thread places it at its frame. ctypes rather than
JACK-Client, whose every call releases the interpreter: here JACK's thread takes it once a period and keeps it for the
few microseconds that it works (measured: docs/frame-accurate.md). No thread of this process may keep the interpreter
while it calls the server, so such calls go through a library object that releases it. Inputs are in `jack_input.py`.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Sequence

from kelly_live.core.errors import MidiError
from kelly_live.core.midi_messages import CONTROLLERS, get_kind
from kelly_live.core.timebase import read_clock
from kelly_live.midi.backend import CLIENT_NAME, LISTING_COMMAND, MidiBackend
from kelly_live.midi.backends.jack_input import JackIn
from kelly_live.midi.backends.libjack import (
    IS_OUTPUT,
    JackClient,
    get_period_seconds,
    measure_clock_offset,
)
from kelly_live.midi.backends.native import list_jack_midi_ports, prepare_jack
from kelly_live.midi.lateness import LatenessRecord

CAPACITY_MESSAGES = 8192  # more than any lead holds: so many wait only when JACK has stood still for long
STALE_SECONDS = 0.15  # a note that JACK let lie for longer is worse than a rest
_MARGIN_SECONDS = 0.003  # for this process to wake up in, beside two periods
_MOST_A_PERIOD = 128  # messages: under half a millisecond of JACK's thread; a burst goes on in the next period
_DRAIN_SECONDS = 0.3  # closing waits so long for what is queued …
_DRAIN_CYCLES = 2  # … and so many periods after it, in which receivers read it
_LAG_PERIODS = 1.5
_RUSHED_PERIODS = 0.3  # a period that begins so soon after the last was left: that one was late
_SILENCERS = frozenset(CONTROLLERS.values())


def _starts(message: bytes) -> bool:
    return get_kind(message) == "note_on"


def _ends(message: bytes) -> bool:
    kind = get_kind(message)
    return kind == "note_off" or (kind == "control_change" and message[1] in _SILENCERS)


def find_backends() -> Sequence[MidiBackend]:
    """Return one back end, or none without libjack or a running server; starts no server."""
    return [JackBackend()] if prepare_jack() is not None and list_jack_midi_ports(outputs=True) is not None else []


class JackBackend:
    """The MIDI ports of JACK's clients."""

    name = "libjack:jack"
    has_virtual = True

    def outputs(self) -> list[str]:
        """Return the names of the outputs that are there now. Raises MidiError."""
        return self._list_ports(outputs=True)

    def open(self, name: str, occurrence: int = 0) -> JackOut:
        """Open the output of this name. Raises MidiError."""
        out = JackOut(name, "out", is_virtual=False)
        try:
            out.connect()
        except MidiError:
            out.close()
            raise
        return out

    def open_virtual(self, name: str) -> JackOut:
        """Create an output that others can connect to. Raises MidiError."""
        return JackOut(name, name, is_virtual=True)

    def inputs(self) -> list[str]:
        """Return the names of the inputs that are there now. Raises MidiError."""
        return self._list_ports(outputs=False)

    def open_input(self, name: str, occurrence: int = 0) -> JackIn:
        """Open the input of this name. Raises MidiError."""
        return JackIn(name, is_virtual=False)

    def open_virtual_input(self, name: str) -> JackIn:
        """Create an input that others can connect to. Raises MidiError."""
        return JackIn(name, is_virtual=True)

    def _list_ports(self, *, outputs: bool) -> list[str]:
        names = list_jack_midi_ports(outputs=outputs)
        if names is None:
            raise MidiError(f"the MIDI system {self.name} does not answer; is it still running?")
        return names


class JackOut(JackClient):
    """An open JACK client with one output. Threads: the sender's; JACK's places messages each period."""

    def __init__(self, name: str, port_name: str, *, is_virtual: bool) -> None:
        self.name = name
        self.lateness = LatenessRecord()
        self.dropped_messages = 0
        self.cycles = 0
        self.longest_seconds = 0.0  # that a period's work took, once it had the interpreter
        self._is_virtual = is_virtual
        # A deque's ends are atomic under the interpreter's lock: one side appends, the other pops, and neither waits.
        self._queue: deque[tuple[float, bytes]] = deque()
        self._last_offs: tuple[bytes, ...] = ()  # of the latest period, in case no receiver read it
        self._next_frame: int | None = None
        self._ended_at = 0.0  # when the last period's work was done
        self._open = True
        super().__init__(CLIENT_NAME, port_name, IS_OUTPUT)
        self.lead_seconds = self._lead()
        self._activate()

    def connect(self) -> None:
        """Connect to the port of this output's name. Raises MidiError."""
        own_name = self._library.jack_port_name(self._port)
        if self._library.jack_connect(self._client, own_name, self.name.encode()) != 0:
            raise MidiError(f"the MIDI output {self.name!r} is gone; plug it in again, or see `{LISTING_COMMAND}`")

    def send(self, message: bytes) -> None:
        """Send as soon as possible, after all that was handed over before."""
        self.send_at(message, -math.inf)

    def send_at(self, message: bytes, seconds: float) -> None:
        """Send at the frame that begins at `seconds` (monotonic), or the first after it that JACK still takes.

        Never before what was handed over before. Raises MidiError.
        """
        if not self._open:
            raise MidiError(f"the MIDI output {self.name!r} is closed; open it again before sending")
        if len(self._queue) >= CAPACITY_MESSAGES:
            raise MidiError(f"JACK takes no more for the MIDI output {self.name!r}; is its server stuck?")
        self._queue.append((seconds, message))

    def is_alive(self) -> bool:
        """Return whether the port still exists."""
        if not self._open or self._server_gone or self._failure is not None:
            return False
        self._offset = measure_clock_offset(self._callback_library)
        self.lead_seconds = self._lead()
        return self._is_virtual or bool(self._library.jack_port_by_name(self._client, self.name.encode()))

    def close(self) -> None:
        """Close the port; safe to call twice."""
        if not self._open:
            return
        self._open = False
        self._drain()
        self._close_client()

    def _drain(self) -> None:
        until = read_clock() + _DRAIN_SECONDS
        empty_at: int | None = None
        while not self._server_gone and self._failure is None and read_clock() < until:
            if not self._queue and not self._last_offs:
                empty_at = self.cycles if empty_at is None else empty_at
                if self.cycles >= empty_at + _DRAIN_CYCLES:
                    return
            time.sleep(0.001)

    def _lead(self) -> float:
        return 2.0 * get_period_seconds(self._library, self._client) + _MARGIN_SECONDS

    def _handle_period(self, frames: int) -> None:
        start = read_clock()
        self._place(frames, start)
        self._ended_at = read_clock()
        self.longest_seconds = max(self.longest_seconds, self._ended_at - start)
        self.cycles += 1

    def _place(self, frames: int, now: float) -> None:
        library, queue = self._callback_library, self._queue
        buffer = library.jack_port_get_buffer(self._port, frames)
        library.jack_midi_clear_buffer(buffer)
        if library.jack_get_cycle_times(self._client, *self._cycle_pointers) != 0:
            return  # the server has just started; the next period has times
        frame_now = self._cycle[0].value
        frame_seconds = self._cycle[3].value * 1e-6 / frames
        # A server that runs late starts its next period without waiting for all to have written, and read, the last.
        # Ends are then said again, which harms nothing (those that a new note followed are left out). An xrun callback
        # would tell the same, but from a thread of JACK's without real-time priority, which may be put aside while it
        # holds the interpreter.
        is_rushed = now - self._ended_at < _RUSHED_PERIODS * frames * frame_seconds
        has_missed = is_rushed or self._next_frame not in (None, frame_now)
        again = self._last_offs if has_missed else ()
        self._next_frame = (frame_now + frames) & 0xFFFFFFFF
        self._last_offs = ()
        # A server's own clock may lag for a second after a stall; a period has begun by now, and not long ago.
        start = min(now, max(now - _LAG_PERIODS * frames * frame_seconds, self._cycle[1].value * 1e-6 - self._offset))
        place = 0
        offs = [off for off in again if library.jack_midi_event_write(buffer, 0, off, len(off)) == 0]
        count = len(offs)
        while queue and count < _MOST_A_PERIOD:
            due_time, message = queue[0]
            if due_time > start and (due_time - start) / frame_seconds >= frames:
                break
            late = start - due_time if due_time > -math.inf else 0.0
            if late > STALE_SECONDS and _starts(message):
                queue.popleft()
                self.dropped_messages += 1
                continue
            place = max(place, int((due_time - start) / frame_seconds) if due_time > start else 0)
            if library.jack_midi_event_write(buffer, place, message, len(message)) != 0:
                if count == 0:
                    queue.popleft()  # no period will ever hold it
                    self.dropped_messages += 1
                break  # full: the next period takes it
            queue.popleft()
            count += 1
            if due_time > -math.inf:
                self.lateness.add(max(0.0, late))
            if _ends(message):
                offs.append(message)
            elif offs and _starts(message):
                offs = [off for off in offs if (off[0] ^ message[0]) & 0x0F or off[1] not in (message[1], *_SILENCERS)]
        self._last_offs = tuple(offs)
