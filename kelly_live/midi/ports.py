"""Find and open MIDI outputs by name; the outputs that lead nowhere. Inputs are in `inputs.py`.

Importing this needs no MIDI library. Thread: any for listing; an open port belongs to the one thread that sends.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kelly_live.core.errors import MidiError
from kelly_live.core.name_matching import choose
from kelly_live.core.protocols import MidiOut
from kelly_live.core.timebase import Clock
from kelly_live.midi.backend import LISTING_COMMAND, MidiBackend
from kelly_live.midi.backend_registry import find_backends

VIRTUAL_PORT_NAME = "Kelly Live"
BUILT_IN_SYNTH = "built-in synth"  # the output that is heard without a synth or a DAW


@dataclass(frozen=True, slots=True)
class PortInfo:
    """A port as listed.

    `name` is unique in the list, `port_name` the system's; it is the `occurrence`-th port of that name.
    """

    name: str
    backend: str
    port_name: str
    occurrence: int = 0


@dataclass(frozen=True, slots=True)
class OpenedPort:
    """An open output, its full name, and whether it is a virtual one that waits for others to connect."""

    out: MidiOut
    name: str
    is_virtual: bool


@dataclass(frozen=True, slots=True)
class RecordedMessage:
    """One raw message and when it was sent (seconds, of the recorder's clock)."""

    seconds: float
    data: bytes


class RecordingPort:
    """A MidiOut that keeps what is sent, with the time of an injected clock: for tests and for rendering."""

    def __init__(self, clock: Clock, name: str = "recording") -> None:
        self.name = name
        self.messages: list[RecordedMessage] = []
        self.is_closed = False
        self._clock = clock

    def send(self, message: bytes) -> None:
        """Keep the message."""
        if self.is_closed:
            raise MidiError(f"the MIDI output {self.name!r} is closed; open it again before sending")
        self.messages.append(RecordedMessage(self._clock.now(), bytes(message)))

    def close(self) -> None:
        """Refuse messages from now on."""
        self.is_closed = True


class NullPort:
    """A MidiOut that leads nowhere: to measure timing without a MIDI system."""

    name = "null"

    def send(self, message: bytes) -> None:
        """Forget the message."""

    def close(self) -> None:
        """Do nothing."""


def list_outputs(backends: Sequence[MidiBackend] | None = None) -> list[PortInfo]:
    """Return all MIDI outputs that can be opened now.

    A name that several ports share gets " #2", " #3", … from the second on. Raises MidiError.
    """
    return name_ports((one.name, one.outputs()) for one in (find_backends() if backends is None else backends))


def name_ports(names_by_backend: Iterable[tuple[str, Sequence[str]]]) -> list[PortInfo]:
    """Give what back ends found, as (back end, port names), names of their own."""
    ports: list[PortInfo] = []
    total: Counter[str] = Counter()
    for backend, port_names in names_by_backend:
        occurrences: Counter[str] = Counter()
        for port_name in port_names:
            total[port_name] += 1
            name = port_name if total[port_name] == 1 else f"{port_name} #{total[port_name]}"
            ports.append(PortInfo(name, backend, port_name, occurrences[port_name]))
            occurrences[port_name] += 1
    return ports


def resolve_output(query: str, backends: Sequence[MidiBackend] | None = None) -> PortInfo:
    """Return the output that `query` means (see kelly_live.core.name_matching).

    Raises:
        MidiError: None or several are meant; the candidates are listed.
    """
    return select_port(query, list_outputs(backends), "MIDI output")


def select_port(query: str, ports: Sequence[PortInfo], kind: str) -> PortInfo:
    """Return the one of `ports` that `query` means; `kind` names them in the error. Raises MidiError."""
    return ports[choose(query, [port.name for port in ports], kind=kind, error=MidiError, listing=LISTING_COMMAND)]


def open_output(
    query: str | None, backends: Sequence[MidiBackend] | None = None, *, virtual_name: str = VIRTUAL_PORT_NAME
) -> OpenedPort:
    """Open the output that `query` means; None: a virtual port of this name, where the system has them.

    BUILT_IN_SYNTH is no port of the system: it sounds on this machine's audio output.

    Raises:
        MidiError: There is no such output, or it cannot be opened.
    """
    if query == BUILT_IN_SYNTH:
        from kelly_live.midi.backends.built_in import BuiltInSynthOut

        return OpenedPort(BuiltInSynthOut(), BUILT_IN_SYNTH, is_virtual=False)
    present = list(find_backends() if backends is None else backends)
    if query is not None:
        info = resolve_output(query, present)
        backend = next(backend for backend in present if backend.name == info.backend)
        return OpenedPort(backend.open(info.port_name, info.occurrence), info.name, is_virtual=False)
    for backend in present:
        if backend.has_virtual:
            return OpenedPort(backend.open_virtual(virtual_name), virtual_name, is_virtual=True)
    if present:
        raise MidiError(
            f"this system has no virtual MIDI ports; name an output with --midi-out (see `{LISTING_COMMAND}`)"
        )
    raise create_no_system_error()


def create_no_system_error() -> MidiError:
    """Return the error that says how to start a MIDI system here."""
    hint = _START_HINTS.get(sys.platform, "start one")
    return MidiError(f"no MIDI system is running; {hint}, or use `kelly-live demo`")


_START_HINTS = {"linux": "start one (load snd-seq for ALSA, or run PipeWire or jackd)"}
