"""Frame-accurate MIDI output through JACK.

Each message is handed over ahead of its time, and JACK's own thread places it at its frame.

libjack by ctypes rather than JACK-Client, whose every call releases the interpreter: here JACK's thread takes it once a
period and keeps it for the few microseconds that it works (measured: docs/frame-accurate.md). No thread of this process
may keep the interpreter while it calls the server, so such calls go through a library object that releases it.
"""

from __future__ import annotations

import ctypes
import math
import time
from collections import deque
from collections.abc import Sequence
from ctypes import POINTER, byref, c_char_p, c_float, c_int, c_size_t, c_uint32, c_uint64, c_ulong, c_void_p
from typing import Any

from kelly_live.core.errors import MidiError
from kelly_live.core.midi_messages import CONTROLLERS, get_kind
from kelly_live.core.protocols import MidiIn
from kelly_live.core.stderr_guard import guard_stderr
from kelly_live.core.timebase import read_clock
from kelly_live.midi.backend import CLIENT_NAME, LISTING_COMMAND, MidiBackend
from kelly_live.midi.backends.native import prepare_jack
from kelly_live.midi.lateness import LatenessRecord

CAPACITY_MESSAGES = 8192  # more than any lead holds: so many wait only when JACK has stood still for long
STALE_SECONDS = 0.15  # a note that JACK let lie for longer is worse than a rest
_MARGIN_SECONDS = 0.003  # for this process to wake up in, beside two periods
_MOST_A_PERIOD = 128  # messages: under half a millisecond of JACK's thread; a burst goes on in the next period
_DRAIN_SECONDS = 0.3  # closing waits so long for what is queued …
_DRAIN_CYCLES = 2  # … and so many periods after it, in which receivers read it
_CLOCK_TRIES = 20
_LAG_PERIODS = 1.5
_RUSHED_PERIODS = 0.3  # a period that begins so soon after the last was left: that one was late
_SILENCERS = frozenset(CONTROLLERS.values())
_MIDI_TYPE = b"8 bit raw midi"
_IS_INPUT, _IS_OUTPUT = 0x1, 0x2  # jack/types.h, JackPortFlags
_NO_START_SERVER = 0x01  # JackOptions
_ON_PROCESS = ctypes.CFUNCTYPE(c_int, c_uint32, c_void_p)
_ON_SHUTDOWN = ctypes.CFUNCTYPE(None, c_void_p)

_SIGNATURES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "jack_client_open": (c_void_p, (c_char_p, c_int, c_void_p)),
    "jack_client_close": (c_int, (c_void_p,)),
    "jack_activate": (c_int, (c_void_p,)),
    "jack_connect": (c_int, (c_void_p, c_char_p, c_char_p)),
    "jack_free": (None, (c_void_p,)),
    "jack_get_buffer_size": (c_uint32, (c_void_p,)),
    "jack_get_ports": (POINTER(c_char_p), (c_void_p, c_char_p, c_char_p, c_ulong)),
    "jack_get_sample_rate": (c_uint32, (c_void_p,)),
    "jack_get_time": (c_uint64, ()),
    "jack_on_shutdown": (None, (c_void_p, _ON_SHUTDOWN, c_void_p)),
    "jack_port_by_name": (c_void_p, (c_void_p, c_char_p)),
    "jack_port_name": (c_char_p, (c_void_p,)),
    "jack_port_register": (c_void_p, (c_void_p, c_char_p, c_char_p, c_ulong, c_ulong)),
    "jack_set_process_callback": (c_int, (c_void_p, _ON_PROCESS, c_void_p)),
    # Only these are called in JACK's thread; none of them waits.
    "jack_get_cycle_times": (
        c_int,
        (c_void_p, POINTER(c_uint32), POINTER(c_uint64), POINTER(c_uint64), POINTER(c_float)),
    ),
    "jack_midi_clear_buffer": (None, (c_void_p,)),
    "jack_midi_event_write": (c_int, (c_void_p, c_uint32, c_char_p, c_size_t)),
    "jack_port_get_buffer": (c_void_p, (c_void_p, c_uint32)),
}


def _starts(message: bytes) -> bool:
    return get_kind(message) == "note_on"


def _ends(message: bytes) -> bool:
    kind = get_kind(message)
    return kind == "note_off" or (kind == "control_change" and message[1] in _SILENCERS)


def _declare_functions(library: ctypes.CDLL) -> ctypes.CDLL:
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def find_backends() -> Sequence[MidiBackend]:
    """Return one back end, or none without libjack or a running server; starts no server."""
    if prepare_jack() is None:
        return []
    backend = JackBackend()
    try:
        backend.outputs()
    except MidiError:
        return []
    return [backend]


class JackBackend:
    """The MIDI inputs of JACK clients, as outputs. It only sends; the other back ends listen."""

    name = "frame-accurate:jack"
    has_virtual = True

    def __init__(self) -> None:
        self.library = _declare_functions(ctypes.CDLL("libjack.so.0"))

    def create_client(self, name: str) -> c_void_p:
        """Open a client of the running server. Raises MidiError."""
        with guard_stderr():
            client = self.library.jack_client_open(name.encode(), _NO_START_SERVER, None)
        if not client:
            raise MidiError("the JACK server does not answer; is it still running?")
        return c_void_p(client)

    def outputs(self) -> list[str]:
        """Return the names of the outputs that are there now. Raises MidiError."""
        client = self.create_client(f"{CLIENT_NAME}-list")
        try:
            port_array = self.library.jack_get_ports(client, None, _MIDI_TYPE, _IS_INPUT)
            names: list[str] = []
            while port_array and (name := port_array[len(names)]) is not None:
                names.append(name.decode())
            self.library.jack_free(port_array)
            return names
        finally:
            self.library.jack_client_close(client)

    def open(self, name: str, occurrence: int = 0) -> JackOut:
        """Open the output of this name. Raises MidiError."""
        out = JackOut(self, name, "out", is_virtual=False)
        if self.library.jack_connect(out.client, out.own_name, name.encode()) != 0:
            out.close()
            raise MidiError(f"the MIDI output {name!r} is gone; plug it in again, or see `{LISTING_COMMAND}`")
        return out

    def open_virtual(self, name: str) -> JackOut:
        """Create an output that others can connect to. Raises MidiError."""
        return JackOut(self, name, name, is_virtual=True)

    def inputs(self) -> list[str]:
        """Return the names of the inputs that are there now. Raises MidiError."""
        return []

    def open_input(self, name: str, occurrence: int = 0) -> MidiIn:
        """Open the input of this name. Raises MidiError."""
        raise MidiError(f"the back end {self.name} only sends; leave it out to listen to {name!r}")

    def open_virtual_input(self, name: str) -> MidiIn:
        """Create an input that others can connect to. Raises MidiError."""
        return self.open_input(name)


class JackOut:
    """An open JACK client with one output. Threads: the sender's; JACK's runs `_process` each period."""

    def __init__(self, backend: JackBackend, name: str, port_name: str, *, is_virtual: bool) -> None:
        self.name = name
        self.lateness = LatenessRecord()
        self.dropped = 0
        self.cycles = 0
        self.longest_seconds = 0.0  # that `_process` took, once it had the interpreter
        self._library = backend.library
        self._blocking_library = _declare_functions(
            ctypes.PyDLL("libjack.so.0")
        )  # the same library, but its calls keep the interpreter
        self._is_virtual = is_virtual
        # A deque's ends are atomic under the interpreter's lock: one side appends, the other pops, and neither waits.
        self._queue: deque[tuple[float, bytes]] = deque()
        self._last_offs: tuple[bytes, ...] = ()  # of the latest period, in case no receiver read it
        self._server_gone = False
        self._failure: Exception | None = None
        self._keeps_state = False
        self._cycle = (c_uint32(), c_uint64(), c_uint64(), c_float())
        self._cycle_pointers = tuple(byref(value) for value in self._cycle)
        self._next_frame: int | None = None
        self._ended_at = 0.0  # when `_process` was last left
        self.client = backend.create_client(CLIENT_NAME)
        self._open = True
        port = self._library.jack_port_register(self.client, port_name.encode(), _MIDI_TYPE, _IS_OUTPUT, 0)
        if not port:
            self.close()
            raise MidiError(f"the JACK port {port_name!r} cannot be created; choose another name")
        self._port = c_void_p(port)
        self.own_name: bytes = self._library.jack_port_name(self._port)
        self._offset = self._clock_offset()
        self.lead_seconds = self._lead()
        # Kept on self: the library calls them for as long as the client lives.
        self._on_process = _ON_PROCESS(self._process)
        self._on_shutdown = _ON_SHUTDOWN(self._shutdown)
        self._library.jack_set_process_callback(self.client, self._on_process, None)
        self._library.jack_on_shutdown(self.client, self._on_shutdown, None)
        if self._library.jack_activate(self.client) != 0:
            self.close()
            raise MidiError("the JACK server does not take another client; is it still running?")

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
        self._offset = self._clock_offset()
        self.lead_seconds = self._lead()
        return self._is_virtual or bool(self._library.jack_port_by_name(self.client, self.name.encode()))

    def close(self) -> None:
        """Close the port; safe to call twice."""
        if not self._open:
            return
        self._open = False
        self._drain()
        with guard_stderr():
            self._library.jack_client_close(self.client)

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
        frames: int = self._library.jack_get_buffer_size(self.client)
        rate: int = self._library.jack_get_sample_rate(self.client)
        return 2.0 * frames / max(1, rate) + _MARGIN_SECONDS

    def _clock_offset(self) -> float:
        """Return JACK's clock minus ours, in seconds, by the quickest of a few looks.

        0 on Linux, where both are the system's monotonic clock, unless the server was started with another.
        """
        quickest, offset = math.inf, 0.0
        for _ in range(_CLOCK_TRIES):
            before = read_clock()
            jack_seconds: float = self._blocking_library.jack_get_time() * 1e-6
            after = read_clock()
            if after - before < quickest:
                quickest, offset = after - before, jack_seconds - (before + after) / 2.0
        return offset

    def _shutdown(self, _: object) -> None:
        self._server_gone = True

    def _process(self, frames: int, _: object) -> int:
        """Thread: JACK's, once a period."""
        try:
            if not self._keeps_state:
                self._keep_thread_state()
            start = read_clock()
            self._place(frames, start)
            self._ended_at = read_clock()
            self.longest_seconds = max(self.longest_seconds, self._ended_at - start)
            self.cycles += 1
        except Exception as error:
            self._failure = error  # `is_alive` tells
        return 0

    def _keep_thread_state(self) -> None:
        """Acquire the interpreter once more than it is released: Python then keeps this thread's state.

        It would otherwise create the state anew each period.
        """
        self._keeps_state = True
        ctypes.pythonapi.PyGILState_Ensure()

    def _place(self, frames: int, now: float) -> None:
        library, queue = self._blocking_library, self._queue
        buffer = library.jack_port_get_buffer(self._port, frames)
        library.jack_midi_clear_buffer(buffer)
        if library.jack_get_cycle_times(self.client, *self._cycle_pointers) != 0:
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
                self.dropped += 1
                continue
            place = max(place, int((due_time - start) / frame_seconds) if due_time > start else 0)
            if library.jack_midi_event_write(buffer, place, message, len(message)) != 0:
                if count == 0:
                    queue.popleft()  # no period will ever hold it
                    self.dropped += 1
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
