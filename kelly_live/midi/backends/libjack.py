"""The system's libjack by ctypes: its functions, declared, and the client that outputs and inputs share."""

from __future__ import annotations

import ctypes
import math
from abc import ABC, abstractmethod
from ctypes import POINTER, byref, c_char_p, c_float, c_int, c_size_t, c_uint32, c_uint64, c_ulong, c_void_p
from typing import Any

from kelly_live.core.errors import MidiError
from kelly_live.core.stderr_guard import guard_stderr
from kelly_live.core.timebase import read_clock

IS_INPUT, IS_OUTPUT = 0x1, 0x2  # jack/types.h, JackPortFlags
ON_PROCESS = ctypes.CFUNCTYPE(c_int, c_uint32, c_void_p)
ON_SHUTDOWN = ctypes.CFUNCTYPE(None, c_void_p)

_MIDI_TYPE = b"8 bit raw midi"
_NO_START_SERVER = 0x01  # JackOptions
_CLOCK_TRIES = 20


class JackMidiEvent(ctypes.Structure):
    """jack_midi_event_t: a message in a port's buffer, `time` frames after the start of the period."""

    _fields_ = (("time", c_uint32), ("size", c_size_t), ("buffer", c_void_p))


_SIGNATURES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "jack_client_open": (c_void_p, (c_char_p, c_int, c_void_p)),
    "jack_client_close": (c_int, (c_void_p,)),
    "jack_activate": (c_int, (c_void_p,)),
    "jack_connect": (c_int, (c_void_p, c_char_p, c_char_p)),
    "jack_get_buffer_size": (c_uint32, (c_void_p,)),
    "jack_get_sample_rate": (c_uint32, (c_void_p,)),
    "jack_get_time": (c_uint64, ()),
    "jack_on_shutdown": (None, (c_void_p, ON_SHUTDOWN, c_void_p)),
    "jack_port_by_name": (c_void_p, (c_void_p, c_char_p)),
    "jack_port_name": (c_char_p, (c_void_p,)),
    "jack_port_register": (c_void_p, (c_void_p, c_char_p, c_char_p, c_ulong, c_ulong)),
    "jack_set_process_callback": (c_int, (c_void_p, ON_PROCESS, c_void_p)),
    # Only these are called in JACK's thread; none of them waits.
    "jack_get_cycle_times": (
        c_int,
        (c_void_p, POINTER(c_uint32), POINTER(c_uint64), POINTER(c_uint64), POINTER(c_float)),
    ),
    "jack_midi_clear_buffer": (None, (c_void_p,)),
    "jack_midi_event_get": (c_int, (POINTER(JackMidiEvent), c_void_p, c_uint32)),
    "jack_midi_event_write": (c_int, (c_void_p, c_uint32, c_char_p, c_size_t)),
    "jack_midi_get_event_count": (c_uint32, (c_void_p,)),
    "jack_midi_get_lost_event_count": (c_uint32, (c_void_p,)),
    "jack_port_get_buffer": (c_void_p, (c_void_p, c_uint32)),
}


def _load_libjack(*, keeps_interpreter: bool = False) -> ctypes.CDLL:
    """Load the library, which `prepare_jack` has found.

    `keeps_interpreter`: its calls keep the interpreter, for JACK's thread; the others release it, and may wait.
    """
    library = (ctypes.PyDLL if keeps_interpreter else ctypes.CDLL)("libjack.so.0")
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def _open_client(library: ctypes.CDLL, name: str) -> c_void_p:
    """Open a client of the running server. Raises MidiError."""
    with guard_stderr():
        client = library.jack_client_open(name.encode(), _NO_START_SERVER, None)
    if not client:
        raise MidiError("the JACK server does not answer; is it still running?")
    return c_void_p(client)


def _register_port(library: ctypes.CDLL, client: c_void_p, name: str, flags: int) -> c_void_p:
    """Create a MIDI port of the client. Raises MidiError."""
    port = library.jack_port_register(client, name.encode(), _MIDI_TYPE, flags, 0)
    if not port:
        raise MidiError(f"the JACK port {name!r} cannot be created; choose another name")
    return c_void_p(port)


def get_period_seconds(library: ctypes.CDLL, client: c_void_p) -> float:
    """Return how long a period lasts."""
    frames: int = library.jack_get_buffer_size(client)
    rate: int = library.jack_get_sample_rate(client)
    return frames / max(1, rate)


def measure_clock_offset(interpreter_keeping_library: ctypes.CDLL) -> float:
    """Return JACK's clock minus ours, in seconds, by the quickest of a few looks.

    0 on Linux, where both are the system's monotonic clock, unless the server was started with another.
    """
    quickest, offset = math.inf, 0.0
    for _ in range(_CLOCK_TRIES):
        before = read_clock()
        jack_seconds: float = interpreter_keeping_library.jack_get_time() * 1e-6
        after = read_clock()
        if after - before < quickest:
            quickest, offset = after - before, jack_seconds - (before + after) / 2.0
    return offset


def _keep_thread_state() -> None:
    """Acquire the interpreter once more than it is released: Python then keeps JACK's thread's state.

    It would otherwise create the state anew each period.
    """
    ctypes.pythonapi.PyGILState_Ensure()


class JackClient(ABC):
    """A client of the running server with one MIDI port.

    Threads: the owner's; JACK's calls `_handle_period` once a period, and `_shutdown` when the server ends.

    Args:
        client_name: Its name in the graph.
        port_name: Of its one port.
        flags: IS_INPUT or IS_OUTPUT.

    Raises:
        MidiError: The server does not answer, or does not take the port.
    """

    def __init__(self, client_name: str, port_name: str, flags: int) -> None:
        self._library = _load_libjack()
        self._callback_library = _load_libjack(keeps_interpreter=True)
        self._server_gone = False
        self._failure: Exception | None = None  # what ended a period's work
        self._keeps_state = False
        self._cycle = (c_uint32(), c_uint64(), c_uint64(), c_float())  # see jack_get_cycle_times
        self._cycle_pointers = tuple(byref(value) for value in self._cycle)
        self._client = _open_client(self._library, client_name)
        try:
            self._port = _register_port(self._library, self._client, port_name, flags)
        except MidiError:
            self._close_client()
            raise
        self._offset = measure_clock_offset(self._callback_library)
        # Kept on self: the library calls them for as long as the client lives.
        self._on_process, self._on_shutdown = ON_PROCESS(self._process), ON_SHUTDOWN(self._shutdown)

    @abstractmethod
    def _handle_period(self, frames: int) -> None:
        """Read or write the port's buffer of so many frames. Thread: JACK's."""

    def _activate(self) -> None:
        """Let JACK call `_handle_period` from now on. Raises MidiError, and closes the client then."""
        self._library.jack_set_process_callback(self._client, self._on_process, None)
        self._library.jack_on_shutdown(self._client, self._on_shutdown, None)
        if self._library.jack_activate(self._client) != 0:
            self._close_client()
            raise MidiError("the JACK server does not take another client; is it still running?")

    def _close_client(self) -> None:
        with guard_stderr():
            self._library.jack_client_close(self._client)

    def _shutdown(self, _: object) -> None:
        self._server_gone = True

    def _process(self, frames: int, _: object) -> int:
        try:
            if not self._keeps_state:
                self._keeps_state = True
                _keep_thread_state()
            self._handle_period(frames)
        except Exception as error:
            self._failure = error  # the owner tells
        return 0
