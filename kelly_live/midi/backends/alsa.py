"""MIDI ports of the ALSA sequencer through alsa-midi.

For Pythons on Linux that neither python-rtmidi nor pylibremidi has wheels for. Ports are named as python-rtmidi does.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from pathlib import Path

from alsa_midi import READ_PORT, WRITE_PORT, ALSAError, Error, Event, MidiBytesEvent, Port, PortInfo, PortType
from alsa_midi.client import SequencerClientBase  # its subclasses wait, without end, for a receiver that takes nothing

from kelly_live.core.errors import MidiError
from kelly_live.core.midi_messages import ReceivedMessage
from kelly_live.core.timebase import read_clock
from kelly_live.midi.backend import CLIENT_NAME, LISTING_COMMAND, MidiBackend
from kelly_live.midi.input_queue import InputQueue, PollThread, TimestampEstimator

_SEQUENCER = Path("/dev/snd/seq")
_ACTIVE_SENSING = b"\xfe"
_OWN_TYPE = PortType.MIDI_GENERIC | PortType.APPLICATION

OpenClient = Callable[[str], SequencerClientBase]


def find_backends() -> Sequence[MidiBackend]:
    """Return one back end, or none without a sequencer."""
    if not _SEQUENCER.exists():
        return []
    backend = AlsaBackend()
    try:
        backend.outputs()
    except MidiError:
        return []
    return [backend]


class AlsaBackend:
    """The ports of the sequencer's clients. `open_client` opens a client of a name."""

    name = "alsa-midi:alsa"
    has_virtual = True

    def __init__(self, open_client: OpenClient = SequencerClientBase) -> None:
        self._open_client = open_client

    def outputs(self) -> list[str]:
        """Return the names of the outputs that are there now. Raises MidiError."""
        return self._list_names(outputs=True)

    def open(self, name: str, occurrence: int = 0) -> AlsaOut:
        """Open the output of this name. Raises MidiError."""
        client = self._create_client(CLIENT_NAME)
        try:
            target = _find(_list_ports(client, outputs=True), name, occurrence, "output")
            port = client.create_port("out", READ_PORT, _OWN_TYPE)
            port.connect_to(target)
        except (Error, MidiError) as error:
            client.close()
            raise _explain(error, f"the MIDI output {name!r} cannot be opened") from error
        return AlsaOut(client, port, name, is_virtual=False)

    def open_virtual(self, name: str) -> AlsaOut:
        """Create an output that others can connect to. Raises MidiError."""
        client = self._create_client(CLIENT_NAME)
        try:
            port = client.create_port(name, READ_PORT, _OWN_TYPE)
        except Error as error:
            client.close()
            raise _explain(error, f"the virtual MIDI port {name!r} cannot be created") from error
        return AlsaOut(client, port, name, is_virtual=True)

    def inputs(self) -> list[str]:
        """Return the names of the inputs that are there now. Raises MidiError."""
        return self._list_names(outputs=False)

    def open_input(self, name: str, occurrence: int = 0) -> AlsaIn:
        """Open the input of this name. Raises MidiError."""
        client = self._create_client(f"{CLIENT_NAME}-in")
        try:
            source = _find(_list_ports(client, outputs=False), name, occurrence, "input")
            return AlsaIn(client, name, source)
        except (Error, MidiError) as error:
            client.close()
            raise _explain(error, f"the MIDI input {name!r} cannot be opened") from error

    def open_virtual_input(self, name: str) -> AlsaIn:
        """Create an input that others can connect to. Raises MidiError."""
        client = self._create_client(f"{CLIENT_NAME}-in")
        try:
            return AlsaIn(client, name, None)
        except Error as error:
            client.close()
            raise _explain(error, f"the virtual MIDI port {name!r} cannot be created") from error

    def _create_client(self, name: str) -> SequencerClientBase:
        try:
            return self._open_client(name)
        except Error as error:
            raise MidiError(f"the MIDI system {self.name} does not answer ({error}); is snd-seq loaded?") from error

    def _list_names(self, *, outputs: bool) -> list[str]:
        client = self._create_client(f"{CLIENT_NAME}-list")
        try:
            return [_get_name(port) for port in _list_ports(client, outputs=outputs)]
        except Error as error:
            raise _explain(error, f"the MIDI system {self.name} does not answer") from error
        finally:
            client.close()


def _list_ports(client: SequencerClientBase, *, outputs: bool) -> list[PortInfo]:
    ports = client.list_ports(input=not outputs, output=outputs, include_no_export=False, sort=False)
    return [port for port in ports if port.client_id != client.client_id]


def _get_name(port: PortInfo) -> str:
    return f"{port.client_name}:{port.name} {port.client_id}:{port.port_id}"


def _find(ports: Sequence[PortInfo], name: str, occurrence: int, kind: str) -> PortInfo:
    places = [port for port in ports if _get_name(port) == name]
    if occurrence >= len(places):
        raise MidiError(f"the MIDI {kind} {name!r} is gone; plug it in again, or see `{LISTING_COMMAND}`")
    return places[occurrence]


def _explain(error: Exception, problem: str) -> MidiError:
    if isinstance(error, MidiError):
        return error
    return MidiError(f"{problem} ({error}); close what else uses it, or check its rights")


def _has_port(client: SequencerClientBase, name: str, *, outputs: bool) -> bool:
    try:
        return name in [_get_name(port) for port in _list_ports(client, outputs=outputs)]
    except Error:
        return False


class AlsaOut:
    """An open output of the sequencer. Thread: the sender's only."""

    def __init__(self, client: SequencerClientBase, port: Port, name: str, *, is_virtual: bool) -> None:
        self.name = name
        self._client, self._port = client, port
        self._is_virtual = is_virtual
        self._open = True

    def send(self, message: bytes) -> None:
        """Send one complete raw message. Raises MidiError if the port is gone, or its receiver takes nothing."""
        if not self._open:
            raise MidiError(f"the MIDI output {self.name!r} is closed; open it again before sending")
        try:
            self._client.event_output(MidiBytesEvent(message), port=self._port)
            _drain(self._client)
        except Error as error:
            raise MidiError(f"the MIDI output {self.name!r} is gone ({error}); see `{LISTING_COMMAND}`") from error

    def is_alive(self) -> bool:
        """Return whether the port still exists."""
        return self._open and (self._is_virtual or _has_port(self._client, self.name, outputs=True))

    def close(self) -> None:
        """Close the port; safe to call twice."""
        self._open = False
        self._client.close()


def _drain(client: SequencerClientBase) -> None:
    """Send what is buffered; what the kernel does not take yet goes with the next message."""
    try:
        client.drain_output()
    except ALSAError as error:
        if error.errnum != -errno.EAGAIN:
            raise


class AlsaIn:
    """An open input of the sequencer, which stamps what comes.

    `source`: None for a virtual one. Raises alsa_midi.Error. Threads: PollThread's fetches; one polls.
    """

    grain_seconds = 0.0

    def __init__(self, client: SequencerClientBase, name: str, source: PortInfo | None) -> None:
        self.name = name
        self._client = client
        self._is_virtual = source is None
        self._queue = InputQueue()
        self._overruns = 0  # times that the kernel had to discard messages
        self._stamps = TimestampEstimator()
        self._stamp = 0.0  # of the latest message, by the sequencer's clock
        # Kept on self: the clock of the stamps, and the port, live as long as their objects.
        self._clock = client.create_queue(f"{CLIENT_NAME}-in")
        self._port = client.create_port(
            name if source is None else "in", WRITE_PORT, _OWN_TYPE,
            timestamping=True, timestamp_real=True, timestamp_queue=self._clock,
        )  # fmt: skip
        self._clock.start()
        client.drain_output()
        if source is not None:
            self._port.connect_from(source)
        self._empty_at = read_clock()  # when the sequencer had no message
        self._poller = PollThread(self._fetch)

    def _fetch(self) -> None:
        read_at = read_clock()
        while (event := self._get_event()) is not None:
            read_at = read_clock()
            if not isinstance(event, MidiBytesEvent) or event.midi_bytes[:1] == _ACTIVE_SENSING:
                continue
            stamp = self._stamp if event.time is None else event.time.seconds + event.time.nanoseconds * 1e-9
            seconds = self._stamps.stamp(stamp - self._stamp, read_at, self._empty_at)
            self._stamp = stamp
            self._queue.put(seconds, event.midi_bytes)
        self._empty_at = read_at

    def _get_event(self) -> Event | None:
        """Return the next event, None if there is none. Raises alsa_midi.Error if the sequencer is gone."""
        while True:
            try:
                event: Event = self._client.event_input(prefer_bytes=True)
                return event
            except ALSAError as error:
                if error.errnum == -errno.EAGAIN:
                    return None
                if error.errnum != -errno.ENOSPC:
                    raise
                self._overruns += 1

    def poll(self) -> list[ReceivedMessage]:
        """Return what arrived since the last poll, in order, without waiting."""
        return self._queue.take()

    @property
    def overflows(self) -> int:
        """Messages that were discarded; each overrun of the sequencer counts as one."""
        return self._queue.overflows + self._overruns

    def is_alive(self) -> bool:
        """Return whether the port still exists."""
        return not self._poller.is_closed and (self._is_virtual or _has_port(self._client, self.name, outputs=False))

    def close(self) -> None:
        """Close the port; safe to call twice."""
        self._poller.close()
        self._client.close()
