"""Find and open MIDI inputs by name, and share one between several readers."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from kelly_live.core.errors import MidiError
from kelly_live.core.midi_messages import ReceivedMessage
from kelly_live.core.protocols import MidiIn
from kelly_live.midi.backend import LISTING_COMMAND, MidiBackend
from kelly_live.midi.backend_registry import find_backends
from kelly_live.midi.input_queue import CoalescingQueue
from kelly_live.midi.ports import PortInfo, create_no_system_error, name_ports, select_port

VIRTUAL_INPUT_NAME = "Kelly Live in"


@dataclass(frozen=True, slots=True)
class OpenedInput:
    """An open input, its full name, and whether it is a virtual one that waits for others to connect."""

    source: MidiIn
    name: str
    is_virtual: bool

    def poll(self) -> list[ReceivedMessage]:
        """Return what arrived since the last poll, in order, without waiting."""
        return self.source.poll()

    @property
    def grain_seconds(self) -> float:
        """The largest delay of a time stamp."""
        return self.source.grain_seconds

    @property
    def overflows(self) -> int:
        """Messages that were discarded."""
        return self.source.overflows

    def is_alive(self) -> bool:
        """Return whether the port still exists."""
        return self.source.is_alive()

    def close(self) -> None:
        """Close the port; safe to call twice."""
        self.source.close()


class SharedInput:
    """One input for several that poll, each from a thread of its own.

    Every branch receives all that came since it was created. One that is not polled keeps what a CoalescingQueue holds,
    and counts the rest as overflows.
    """

    def __init__(self, source: MidiIn) -> None:
        self.source = source
        self._branches: list[_Branch] = []
        self._polling = threading.Lock()  # locked for one poll, which never waits

    def branch(self) -> MidiIn:
        """Return another reader's view of the input."""
        branch = _Branch(self)
        with self._polling:
            self._branches.append(branch)
        return branch

    def poll_for(self, branch: _Branch) -> list[ReceivedMessage]:
        """Poll the input for all branches, and return what this one has not had."""
        with self._polling:
            for message in self.source.poll():
                for each in self._branches:
                    each.put(message)
            return branch.take()


class _Branch:
    """A MidiIn of a SharedInput."""

    def __init__(self, shared_input: SharedInput) -> None:
        self._shared_input = shared_input
        self._queue = CoalescingQueue()

    @property
    def name(self) -> str:
        return self._shared_input.source.name

    @property
    def grain_seconds(self) -> float:
        return self._shared_input.source.grain_seconds

    @property
    def overflows(self) -> int:
        """Messages that were discarded."""
        return self._shared_input.source.overflows + self._queue.replaced_messages

    def poll(self) -> list[ReceivedMessage]:
        """Return what arrived since the last poll, in order, without waiting."""
        return self._shared_input.poll_for(self)

    def put(self, message: ReceivedMessage) -> None:
        self._queue.put(message)

    def take(self) -> list[ReceivedMessage]:
        return self._queue.take()

    def is_alive(self) -> bool:
        """Return whether the port still exists."""
        return self._shared_input.source.is_alive()

    def close(self) -> None:
        """Do nothing: the owner of the source closes it."""


def list_inputs(backends: Sequence[MidiBackend] | None = None) -> list[PortInfo]:
    """Return all MIDI inputs that can be opened now, named as `ports.list_outputs` does. Raises MidiError."""
    return name_ports((one.name, one.inputs()) for one in (find_backends() if backends is None else backends))


def resolve_input(query: str, backends: Sequence[MidiBackend] | None = None) -> PortInfo:
    """Return the input that `query` means (see kelly_live.core.name_matching).

    Raises:
        MidiError: None or several are meant; the candidates are listed.
    """
    return select_port(query, list_inputs(backends), "MIDI input")


def open_input(query: str | None, backends: Sequence[MidiBackend] | None = None) -> OpenedInput:
    """Open the input that `query` means; None: a virtual one, "Kelly Live in", where the system has them.

    Raises:
        MidiError: There is no such input, or it cannot be opened.
    """
    present = list(find_backends() if backends is None else backends)
    if query is not None:
        info = resolve_input(query, present)
        backend = next(backend for backend in present if backend.name == info.backend)
        return OpenedInput(backend.open_input(info.port_name, info.occurrence), info.name, is_virtual=False)
    for backend in present:
        if backend.has_virtual:
            return OpenedInput(backend.open_virtual_input(VIRTUAL_INPUT_NAME), VIRTUAL_INPUT_NAME, is_virtual=True)
    if present:
        raise MidiError(
            f"this system has no virtual MIDI ports; name an input with --midi-in (see `{LISTING_COMMAND}`)"
        )
    raise create_no_system_error()
