"""MIDI ports through pylibremidi (libremidi).

For Pythons that python-rtmidi has no wheels for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from kelly_live.core.errors import MidiError
from kelly_live.core.midi_messages import ReceivedMessage
from kelly_live.core.stderr_guard import guard_stderr
from kelly_live.core.timebase import read_clock
from kelly_live.midi.backend import CLIENT_NAME, LISTING_COMMAND, MidiBackend
from kelly_live.midi.backends.native import JackWatch, list_jack_midi_ports, prepare_jack
from kelly_live.midi.input_queue import InputQueue, PollThread

prepare_jack()

import pylibremidi as libremidi  # noqa: E402  (its libjack must bind to the system's, which prepare_jack loads)

# Raw ALSA, PipeWire, network and keyboard back ends are left out: no virtual ports, or not a port a player names.
_APIS = ("COREMIDI", "ALSA_SEQ", "JACK_MIDI", "WINDOWS_MM")
_DRAIN_SECONDS = {"JACK_MIDI": 0.05}  # JACK sends on its next period, and closing forgets what is queued


def find_backends() -> Sequence[MidiBackend]:
    """Return a back end for each API that works on this machine now; starts no JACK server."""
    with guard_stderr():
        apis = {api.name: api for api in libremidi.available_apis()}
        candidates = [LibremidiBackend(apis[name]) for name in _APIS if name in apis]
        return [backend for backend in candidates if backend.works()]


_Port = TypeVar("_Port", libremidi.InputPort, libremidi.OutputPort)


def _check(error: libremidi.Error, purpose: str, remedy: str) -> None:
    if error:  # an Error is true when it is one
        raise MidiError(f"{purpose} ({error}); {remedy}")


class LibremidiBackend:
    """One of libremidi's APIs."""

    def __init__(self, api: libremidi.API) -> None:
        self._api = api
        self.name = f"libremidi:{libremidi.get_api_name(api)}"
        self.has_virtual = api.name != "WINDOWS_MM"

    def works(self) -> bool:
        """Return whether the API works on this machine now."""
        if self._api.name != "JACK_MIDI":
            return True
        if prepare_jack() is not None:
            return list_jack_midi_ports(outputs=True) is not None
        # libremidi creates a JACK client without an error when no server runs; only opening a port tells.
        client = libremidi.MidiOut(libremidi.OutputConfiguration(), self._api)
        has_failed = bool(client.open_virtual_port("probe"))
        client.close_port()
        return not has_failed

    def _observer(self) -> libremidi.Observer:
        return libremidi.Observer(libremidi.ObserverConfiguration(), self._api)

    def _name_ports(self, ports: Sequence[_Port]) -> list[tuple[str, _Port]]:
        return [(port.display_name if self._api.name == "WINDOWS_MM" else port.port_name, port) for port in ports]

    def _names(self, *, outputs: bool) -> list[str]:
        if self._api.name == "JACK_MIDI" and prepare_jack() is not None:
            return list_jack_midi_ports(outputs=outputs) or []
        with guard_stderr():
            observer = self._observer()
            ports = observer.get_output_ports() if outputs else observer.get_input_ports()
            return [name for name, _ in self._name_ports(ports)]

    def _find(self, ports: Sequence[_Port], name: str, occurrence: int, kind: str) -> _Port:
        places = [port for port_name, port in self._name_ports(ports) if port_name == name]
        if occurrence >= len(places):
            raise MidiError(f"the MIDI {kind} {name!r} is gone; plug it in again, or see `{LISTING_COMMAND}`")
        return places[occurrence]

    def outputs(self) -> list[str]:
        """Return the names of the outputs that are there now. Raises MidiError."""
        return self._names(outputs=True)

    def open(self, name: str, occurrence: int = 0) -> LibremidiOut:
        """Open the output of this name. Raises MidiError."""
        with guard_stderr():
            port = self._find(self._observer().get_output_ports(), name, occurrence, "output")
            client = libremidi.MidiOut(libremidi.OutputConfiguration(), self._api)
            error = client.open_port(port, f"{CLIENT_NAME} out")
            _check(error, f"the MIDI output {name!r} cannot be opened", "close what else uses it, or check its rights")
            return LibremidiOut(client, self._api, name, self)

    def open_virtual(self, name: str) -> LibremidiOut:
        """Create an output that others can connect to. Raises MidiError."""
        with guard_stderr():
            client = libremidi.MidiOut(libremidi.OutputConfiguration(), self._api)
            error = client.open_virtual_port(name)
            _check(error, f"the virtual MIDI port {name!r} cannot be created", "name an output with --midi-out")
            return LibremidiOut(client, self._api, name, None)

    def inputs(self) -> list[str]:
        """Return the names of the inputs that are there now. Raises MidiError."""
        return self._names(outputs=False)

    def open_input(self, name: str, occurrence: int = 0) -> LibremidiIn:
        """Open the input of this name. Raises MidiError."""
        with guard_stderr():
            port = self._find(self._observer().get_input_ports(), name, occurrence, "input")
            source = LibremidiIn(self._api, name, self)
            source.listen(
                lambda client: client.open_port(port, f"{CLIENT_NAME} in"),
                f"the MIDI input {name!r} cannot be opened",
                "close what else uses it, or check its rights",
            )
            return source

    def open_virtual_input(self, name: str) -> LibremidiIn:
        """Create an input that others can connect to. Raises MidiError."""
        with guard_stderr():
            source = LibremidiIn(self._api, name, None)
            source.listen(
                lambda client: client.open_virtual_port(name),
                f"the virtual MIDI port {name!r} cannot be created",
                "name an input with --midi-in",
            )
            return source


class LibremidiIn:
    """An open libremidi input. `backend` is None for a virtual port.

    The binding delivers messages when it is polled; the times that it gives are not monotonic seconds.
    """

    def __init__(self, api: libremidi.API, name: str, backend: LibremidiBackend | None) -> None:
        self.name = name
        self._backend = backend
        self._queue = queue = InputQueue()
        self._has_libjack = api.name == "JACK_MIDI" and prepare_jack() is not None
        self._jack: JackWatch | None = None
        self.grain_seconds = 0.0
        configuration = libremidi.InputConfiguration()
        configuration.ignore_sysex = False  # a locate of MIDI Time Code is one
        configuration.ignore_timing = False
        configuration.ignore_sensing = True
        # A message as an object cannot be read in this binding: its bytes have no Python type. Not a method: the
        # collector cannot see through the binding, so that self would live for ever.
        configuration.on_raw_data = lambda data, _: queue.put(read_clock(), bytes(data))
        self._client: libremidi.MidiIn | None = libremidi.MidiIn(configuration, api)
        self._poller: PollThread | None = None

    def listen(self, open_client: Callable[[libremidi.MidiIn], libremidi.Error], failure: str, remedy: str) -> None:
        """Open the client by `open_client`, and poll it from then on. Raises MidiError, having closed it."""
        assert self._client is not None
        try:
            _check(open_client(self._client), failure, remedy)
        except MidiError:
            self.close()
            raise
        if self._has_libjack:
            self._jack = JackWatch(f"{CLIENT_NAME}-in-watch")
            self.grain_seconds = self._jack.period_seconds
        self._poller = PollThread(self._client.poll)

    def poll(self) -> list[ReceivedMessage]:
        """Return what arrived since the last poll, in order, without waiting."""
        return self._queue.take()

    @property
    def overflows(self) -> int:
        """Messages that were discarded."""
        return self._queue.overflows

    def is_alive(self) -> bool:
        """Return whether the port still exists."""
        if self._poller is None or self._poller.is_closed:
            return False
        if self._jack is not None:  # a new client, made to look, would harm this one if the server has just died
            return not self._jack.server_gone and (
                self._backend is None or self.name in self._jack.midi_ports(outputs=False)
            )
        return self._backend is None or self.name in self._backend.inputs()

    def close(self) -> None:
        """Close the port; safe to call twice."""
        if self._client is None:
            return
        if self._poller is not None:
            self._poller.close()
            self._poller = None
        with guard_stderr():
            self._client.close_port()
            self._client = None  # which closes it: libjack misbehaves with clients of a server that is gone
            if self._jack is not None:
                self._jack.close()


class LibremidiOut:
    """An open libremidi output. Thread: the sender's only. `backend` is None for a virtual port."""

    def __init__(
        self, client: libremidi.MidiOut, api: libremidi.API, name: str, backend: LibremidiBackend | None
    ) -> None:
        self.name = name
        self._client = client
        self._api = api
        self._backend = backend
        self._jack = JackWatch(f"{CLIENT_NAME}-watch") if api.name == "JACK_MIDI" else None
        self._open = True

    def send(self, message: bytes) -> None:
        """Send one complete raw message. Raises MidiError if the port is gone."""
        if not self._open:
            raise MidiError(f"the MIDI output {self.name!r} is closed; open it again before sending")
        _check(
            self._client.send_message(list(message)),
            f"the MIDI output {self.name!r} is gone",
            f"see `{LISTING_COMMAND}`",
        )

    def is_alive(self) -> bool:
        """Return whether the port still exists."""
        if self._jack is not None and self._backend is not None:
            return not self._jack.server_gone and self.name in self._jack.midi_ports(outputs=True)
        if self._jack is not None:
            return not self._jack.server_gone
        return self._backend is None or self.name in self._backend.outputs()

    def close(self) -> None:
        """Close the port; safe to call twice."""
        if not self._open:
            return
        self._open = False
        time.sleep(_DRAIN_SECONDS.get(self._api.name, 0.0))
        with guard_stderr():
            self._client.close_port()
            if self._jack is not None:
                self._jack.close()
