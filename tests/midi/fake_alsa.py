"""A stand-in for the kernel's sequencer behind alsa-midi's client: ports, connections, and events with stamps."""

from __future__ import annotations

import errno
from collections import deque
from types import SimpleNamespace
from typing import Any

from alsa_midi import READ_PORT, WRITE_PORT, ALSAError, Event, MidiBytesEvent, PortInfo, StateError


def create_port_info(client_id: int, client_name: str, port_id: int, name: str, capability: int) -> PortInfo:
    info = PortInfo(client_id, port_id, name, capability)
    info.client_name = client_name
    return info


class FakeSequencer:
    """Ports by (client, port). `refusal`: an errno that connecting fails with; `full`: writing gets EAGAIN."""

    def __init__(self) -> None:
        self.ports = {
            (20, 0): create_port_info(20, "Synth", 0, "Synth in", WRITE_PORT),
            (24, 0): create_port_info(24, "Keys", 0, "Keys MIDI 1", READ_PORT),
            (28, 0): create_port_info(28, "Keys", 0, "Keys MIDI 1", READ_PORT),
        }
        self.clients: list[FakeClient] = []
        self.refusal = 0
        self.full = False
        self.received: list[tuple[tuple[int, int], bytes]] = []

    def open_client(self, name: str) -> FakeClient:
        self.clients.append(FakeClient(self, 128 + len(self.clients), name))
        return self.clients[-1]

    def connect(self, target: PortInfo) -> tuple[int, int]:
        if self.refusal:
            raise ALSAError("Operation not permitted", -self.refusal)
        return (target.client_id, target.port_id)


class FakeClient:
    def __init__(self, sequencer: FakeSequencer, client_id: int, name: str) -> None:
        self.client_id, self.name = client_id, name
        self.events: deque[Event | int] = deque()  # an int: an error
        self.closed = False
        self._sequencer = sequencer
        self._buffered: list[bytes] = []
        self._targets: list[tuple[int, int]] = []

    def create_port(self, name: str, caps: int, type_: int, **options: Any) -> Any:
        """A port that connects either way."""
        if options:
            assert options["timestamping"]
            assert options["timestamp_real"]
        self._sequencer.ports[self.client_id, 0] = create_port_info(self.client_id, self.name, 0, name, caps)
        return SimpleNamespace(connect_to=self._connect, connect_from=self._connect)

    def _connect(self, target: PortInfo) -> None:
        self._targets.append(self._sequencer.connect(target))

    def create_queue(self, name: str) -> Any:
        return SimpleNamespace(start=lambda: None)

    def list_ports(self, *, input: bool, output: bool, **_: Any) -> list[PortInfo]:
        if self.closed:
            raise StateError("Already closed")
        capability = WRITE_PORT if output else READ_PORT
        return [port for port in self._sequencer.ports.values() if port.capability & capability]

    def event_output(self, event: MidiBytesEvent, port: Any) -> None:
        self._buffered.append(event.midi_bytes)

    def drain_output(self) -> None:
        if self._sequencer.full:
            raise ALSAError("Resource temporarily unavailable", -errno.EAGAIN)
        if any(target not in self._sequencer.ports for target in self._targets):
            raise ALSAError("No such device", -errno.ENODEV)
        self._sequencer.received += [(target, data) for data in self._buffered for target in self._targets]
        self._buffered.clear()

    def event_input(self, prefer_bytes: bool) -> Event:
        assert prefer_bytes
        event = self.events.popleft() if self.events else errno.EAGAIN
        if isinstance(event, int):
            raise ALSAError("no event", -event)
        return event

    def close(self) -> None:
        self.closed = True
        self._sequencer.ports.pop((self.client_id, 0), None)
