"""Care for the C libraries under the MIDI back ends.

One libjack, no server that starts unasked, nothing printed on the terminal.
"""

from __future__ import annotations

import ctypes
import glob
import os
import socket
import sys
from functools import cache

_JACK_NO_START_SERVER = 0x01  # jack/types.h, JackOptions
_IS_INPUT, _IS_OUTPUT = 0x1, 0x2  # JackPortFlags
_CONNECT_SECONDS = 0.5
_MIDI_TYPE = b"8 bit raw midi"


@cache
def prepare_jack() -> ctypes.CDLL | None:
    """Load the system's libjack before a back end is imported; None where there is none.

    Listing ports must not start a sound server. The wheels bundle a libjack of their own age, which the running server
    may refuse ("protocol mismatch"): the system's one, loaded first and globally, is what their symbols then bind to.
    """
    os.environ.setdefault("JACK_NO_START_SERVER", "1")
    if not sys.platform.startswith("linux"):
        return None
    try:
        library = ctypes.CDLL("libjack.so.0", mode=ctypes.RTLD_GLOBAL)
    except OSError:
        return None
    # It would write on the terminal when a server dies. A function of C's that does nothing with a line but read it:
    # a library's threads must not run Python.
    discard = ctypes.CDLL(None).strlen
    for setter in ("jack_set_error_function", "jack_set_info_function"):
        library[setter](discard)
    return library


def _may_answer(library: ctypes.CDLL) -> bool:
    """Return False if surely no JACK server answers.

    To find none by jack_client_open is not safe: on a busy machine jackd 1.9.21 now and then waits for ever to end a
    thread that it has only just started. So its socket is tried first.
    """
    version = library.jack_get_version_string
    version.restype = ctypes.c_char_p
    if not (version() or b"").startswith(b"1.9"):
        return True  # PipeWire's, or one whose sockets are elsewhere
    server = os.environ.get("JACK_DEFAULT_SERVER") or "default"
    for place in glob.glob(f"/dev/shm/jack_{glob.escape(server)}_*"):
        try:
            connection = socket.socket(socket.AF_UNIX)
        except OSError:  # no file descriptor is left: it is not known
            return True
        with connection:
            connection.settimeout(_CONNECT_SECONDS)
            try:
                connection.connect(place)
            except OSError:
                continue
            return True
    return False


def list_jack_midi_ports(*, outputs: bool) -> list[str] | None:
    """List the ports to send to (`outputs`) or to listen to; None if no server answers. Needs libjack.

    The back ends' own listings hold the interpreter for as long as the server needs to take their client into its graph
    (25 ms, and more with long periods); this client stays out of the graph, and the interpreter is free meanwhile.
    """
    watch = JackWatch("kelly-live-list")
    try:
        return None if watch.server_gone else watch.midi_ports(outputs=outputs)
    finally:
        watch.close()


class JackWatch:
    """Tells when the JACK server has died. It is a JACK client without ports.

    The back ends do not tell: they list the ports of a dead server from its shared memory, and take messages until a
    buffer is full and then wait for ever.

    Create it after the client that it goes with: a process has one table of the server's clients, and a client that
    learns late of one that left takes its place out of there, even if it is another's by now, which is deaf from then
    on.
    """

    def __init__(self, name: str) -> None:
        self.server_gone = False
        self.period_seconds = 0.0  # how often it delivers what comes in
        self._library = prepare_jack()
        self._client: ctypes.c_void_p | None = None
        if self._library is None:
            return
        if not _may_answer(self._library):
            self.server_gone = True
            return
        self._library.jack_client_open.restype = ctypes.c_void_p
        client = self._library.jack_client_open(name.encode(), _JACK_NO_START_SERVER, None)
        if not client:
            self.server_gone = True
            return
        self._client = ctypes.c_void_p(client)
        frames, rate = (self._library[name] for name in ("jack_get_buffer_size", "jack_get_sample_rate"))
        frames.restype = rate.restype = ctypes.c_uint32
        self.period_seconds = frames(self._client) / max(1, rate(self._client))
        # Kept on self: the library calls it from a thread of its own for as long as the client lives.
        self._on_shutdown = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(self._shutdown)
        self._library.jack_on_shutdown(self._client, self._on_shutdown, None)

    def midi_ports(self, *, outputs: bool) -> list[str]:
        """Return full names, in JACK's order; none once the server is gone or the watch closed."""
        if self._library is None or self._client is None or self.server_gone:
            return []
        list_ports, free = self._library.jack_get_ports, self._library.jack_free
        list_ports.restype = ctypes.POINTER(ctypes.c_char_p)
        list_ports.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong]
        free.argtypes = [ctypes.c_void_p]
        port_array = list_ports(self._client, None, _MIDI_TYPE, _IS_INPUT if outputs else _IS_OUTPUT)
        names: list[str] = []
        while port_array and (name := port_array[len(names)]) is not None:
            names.append(name.decode(errors="replace"))
        free(port_array)
        return names

    def _shutdown(self, _: object) -> None:
        self.server_gone = True

    def close(self) -> None:
        """Close the client; safe to call twice."""
        if self._client is not None and self._library is not None:
            self._library.jack_client_close(self._client)
            self._client = None


def discard_native_stderr() -> None:
    """Send what C libraries print on stderr nowhere; Python's own sys.stderr stays.

    For the scheduler process, where JACK's threads may print at any time.
    """
    sys.stderr.flush()
    terminal = os.dup(2)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    os.close(null)
    sys.stderr = os.fdopen(terminal, "w", buffering=1, errors="backslashreplace")
