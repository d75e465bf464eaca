"""MIDI ports through python-rtmidi: CoreMIDI, Windows MM, ALSA and JACK, whichever work here."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from kelly_live.core.errors import MidiError
from kelly_live.core.midi_messages import ReceivedMessage
from kelly_live.core.protocols import MidiIn
from kelly_live.core.stderr_guard import guard_stderr
from kelly_live.core.timebase import read_clock
from kelly_live.midi.backend import CLIENT_NAME, LISTING_COMMAND, MidiBackend
from kelly_live.midi.backends.jack_input import JackIn
from kelly_live.midi.backends.native import JackWatch, list_jack_midi_ports, prepare_jack
from kelly_live.midi.input_queue import InputQueue, PollThread, TimestampEstimator

prepare_jack()

import rtmidi  # noqa: E402  (its libjack must bind to the system's, which prepare_jack loads)

# JACK sends on its next period, and closing forgets what is queued: 50 ms outlasts any period in live use.
_DRAIN_SECONDS = {rtmidi.API_UNIX_JACK: 0.05}
_ACTIVE_SENSING = 0xFE
_Client = TypeVar("_Client", rtmidi.MidiIn, rtmidi.MidiOut)
_ERRORS = (rtmidi.RtMidiError, RuntimeError, ValueError, OSError)


def _is_reached_by_libjack(api: int) -> bool:
    """Return whether JACK is reached without RtMidi: to list ports, which here holds the interpreter, and to listen.

    RtMidi takes all that comes over JACK after a SysEx without its end, a panic too, for more of that SysEx.
    """
    return bool(api == rtmidi.API_UNIX_JACK and prepare_jack() is not None)


def _works(api: int) -> bool:
    if api == rtmidi.API_LINUX_ALSA and not Path("/dev/snd/seq").exists():
        return False
    if _is_reached_by_libjack(api):
        return list_jack_midi_ports(outputs=True) is not None
    try:
        with guard_stderr():
            rtmidi.MidiOut(api, name=f"{CLIENT_NAME}-probe").delete()
    except _ERRORS:
        return False
    return True


def find_backends() -> Sequence[MidiBackend]:
    """Return a back end for each API that works on this machine now; starts no JACK server."""
    return [RtMidiBackend(api) for api in rtmidi.get_compiled_api() if api != rtmidi.API_RTMIDI_DUMMY and _works(api)]


class RtMidiBackend:
    """A back end for one of RtMidi's APIs."""

    def __init__(self, api: int) -> None:
        self._api = api
        self.name = f"rtmidi:{rtmidi.get_api_name(api)}"
        self.has_virtual = api != rtmidi.API_WINDOWS_MM

    def _client(self, kind: type[_Client], name: str) -> _Client:
        try:
            return kind(self._api, name=name)
        except _ERRORS as error:
            raise MidiError(f"the MIDI system {self.name} does not answer ({error}); is it still running?") from error

    def _names(self, kind: type[_Client]) -> list[str]:
        if _is_reached_by_libjack(self._api):
            names = list_jack_midi_ports(outputs=kind is rtmidi.MidiOut)
            if names is None:
                raise MidiError(f"the MIDI system {self.name} does not answer; is it still running?")
            return names
        with guard_stderr():
            client = self._client(kind, f"{CLIENT_NAME}-list")
            try:
                return self._ports(client)
            finally:
                client.delete()

    def _ports(self, client: _Client) -> list[str]:
        try:
            return list(client.get_ports())
        except _ERRORS as error:
            raise MidiError(f"the MIDI system {self.name} does not answer ({error}); is it still running?") from error

    def _connect(self, client: _Client, name: str, occurrence: int, direction: str) -> _Client:
        """Return the client, connected to the `occurrence`-th port of this name; delete it if it cannot be."""
        try:
            places = [index for index, port in enumerate(self._ports(client)) if port == name]
        except MidiError:
            client.delete()
            raise
        if occurrence >= len(places):
            client.delete()
            raise MidiError(f"the MIDI {direction}put {name!r} is gone; plug it in again, or see `{LISTING_COMMAND}`")
        try:
            client.open_port(places[occurrence], name=direction)
        except _ERRORS as error:
            client.delete()
            raise MidiError(
                f"the MIDI {direction}put {name!r} cannot be opened ({error}); "
                "close what else uses it, or check its rights"
            ) from error
        return client

    def _connect_virtual(self, client: _Client, name: str, direction: str) -> _Client:
        try:
            client.open_virtual_port(name)
        except _ERRORS as error:
            client.delete()
            raise MidiError(
                f"the virtual MIDI port {name!r} cannot be created ({error}); "
                f"name an {direction}put with --midi-{direction}"
            ) from error
        return client

    def outputs(self) -> list[str]:
        """Return the names of the outputs that are there now. Raises MidiError."""
        return self._names(rtmidi.MidiOut)

    def open(self, name: str, occurrence: int = 0) -> RtMidiOut:
        """Open the output of this name. Raises MidiError."""
        with guard_stderr():
            client = self._connect(self._client(rtmidi.MidiOut, CLIENT_NAME), name, occurrence, "out")
            return RtMidiOut(client, self._api, name, is_virtual=False)

    def open_virtual(self, name: str) -> RtMidiOut:
        """Create an output that others can connect to. Raises MidiError."""
        with guard_stderr():
            client = self._connect_virtual(self._client(rtmidi.MidiOut, CLIENT_NAME), name, "out")
            return RtMidiOut(client, self._api, name, is_virtual=True)

    def inputs(self) -> list[str]:
        """Return the names of the inputs that are there now. Raises MidiError."""
        return self._names(rtmidi.MidiIn)

    def open_input(self, name: str, occurrence: int = 0) -> MidiIn:
        """Open the input of this name. Raises MidiError."""
        if _is_reached_by_libjack(self._api):
            return JackIn(name, is_virtual=False)
        with guard_stderr():
            return RtMidiIn(self._connect(self._create_input(), name, occurrence, "in"), name, is_virtual=False)

    def open_virtual_input(self, name: str) -> MidiIn:
        """Create an input that others can connect to. Raises MidiError."""
        if _is_reached_by_libjack(self._api):
            return JackIn(name, is_virtual=True)
        with guard_stderr():
            return RtMidiIn(self._connect_virtual(self._create_input(), name, "in"), name, is_virtual=True)

    def _create_input(self) -> rtmidi.MidiIn:
        client = self._client(rtmidi.MidiIn, f"{CLIENT_NAME}-in")
        # A message that the driver ignores takes its interval with it. A locate of MIDI Time Code is SysEx.
        client.ignore_types(sysex=False, timing=False, active_sense=False)
        return client


class RtMidiIn:
    """An open RtMidi input, whose driver queues in C++.

    `client` is open: a failed one, which was deleted, must not be used.
    """

    grain_seconds = 0.0

    def __init__(self, client: rtmidi.MidiIn, name: str, *, is_virtual: bool) -> None:
        self.name = name
        self.client = client
        self._is_virtual = is_virtual
        self._queue = InputQueue()
        self._stamps = TimestampEstimator()
        self._empty_at = read_clock()  # when the driver had no message
        self._open = True
        self._poller = PollThread(self._fetch)

    def _fetch(self) -> None:
        request_time = read_clock()
        while (event := self.client.get_message()) is not None:
            data, since_last = event
            request_time = read_clock()
            seconds = self._stamps.stamp(since_last, request_time, self._empty_at)
            if data[0] != _ACTIVE_SENSING:
                self._queue.put(seconds, bytes(data))
        self._empty_at = request_time

    def poll(self) -> list[ReceivedMessage]:
        """Return what arrived since the last poll, in order, without waiting."""
        return self._queue.take()

    @property
    def overflows(self) -> int:
        """Messages that were discarded."""
        return self._queue.overflows

    def is_alive(self) -> bool:
        """Return whether the port still exists."""
        if self._poller.is_closed:
            return False
        try:
            return self._is_virtual or self.name in self.client.get_ports()
        except _ERRORS:
            return False

    def close(self) -> None:
        """Close the port; safe to call twice."""
        if not self._open:
            return
        self._open = False
        self._poller.close()
        with guard_stderr():
            self.client.close_port()
            self.client.delete()


class RtMidiOut:
    """An open RtMidi output. Thread: the sender's only."""

    def __init__(self, client: rtmidi.MidiOut, api: int, name: str, *, is_virtual: bool) -> None:
        self.name = name
        self._client = client
        self._api = api
        self._is_virtual = is_virtual
        self._jack = JackWatch(f"{CLIENT_NAME}-watch") if api == rtmidi.API_UNIX_JACK else None
        self._open = True

    def send(self, message: bytes) -> None:
        """Send one complete raw message. Raises MidiError if the port is gone."""
        if not self._open:
            raise MidiError(f"the MIDI output {self.name!r} is closed; open it again before sending")
        try:
            self._client.send_message(message)
        except _ERRORS as error:
            raise MidiError(f"the MIDI output {self.name!r} is gone ({error}); see `{LISTING_COMMAND}`") from error

    def is_alive(self) -> bool:
        """Return whether the port still exists."""
        if self._jack is not None and self._jack.server_gone:
            return False
        try:
            return self._is_virtual or self.name in self._client.get_ports()
        except _ERRORS:
            return False

    def close(self) -> None:
        """Close the port; safe to call twice."""
        if not self._open:
            return
        self._open = False
        time.sleep(_DRAIN_SECONDS.get(self._api, 0.0))
        with guard_stderr():
            self._client.close_port()
            self._client.delete()
            if self._jack is not None:
                self._jack.close()
