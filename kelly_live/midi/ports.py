"""MIDI ports: the seam that back ends fit into, and finding and opening an output by name (inputs: `inputs.py`).

Importing this needs no MIDI library; each back end loads on first use. Thread: any for listing; an open port belongs
to the one thread that sends.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from kelly_live.core.errors import MidiError
from kelly_live.core.name_matching import choose
from kelly_live.core.protocols import MidiIn, MidiOut
from kelly_live.core.timebase import Clock
from kelly_live.midi.lateness import LatenessRecord

VIRTUAL_PORT_NAME = "Kelly Live"
CLIENT_NAME = "kelly-live"
LISTING_COMMAND = "kelly-live devices"


class MidiBackend(Protocol):
    """One way to reach MIDI ports (a library's driver for one system API)."""

    name: str
    has_virtual: bool

    def outputs(self) -> list[str]:
        """Names of the outputs that are there now, possibly none. Raises MidiError."""

    def open(self, name: str, occurrence: int = 0) -> MidiOut:
        """Open the output of exactly this name; the `occurrence`-th if several have it. Raises MidiError."""

    def open_virtual(self, name: str) -> MidiOut:
        """Make an output that other programs can connect to. Raises MidiError."""

    def inputs(self) -> list[str]:
        """The same for inputs, and so on."""

    def open_input(self, name: str, occurrence: int = 0) -> MidiIn: ...

    def open_virtual_input(self, name: str) -> MidiIn: ...


@runtime_checkable
class WatchedOut(Protocol):
    """A MidiOut that can tell that its port is gone (some systems swallow what is sent to a dead port)."""

    def is_alive(self) -> bool:
        """Thread: the sender's. Takes under a few ms."""


@runtime_checkable
class PlacingOut(Protocol):
    """A MidiOut that takes each message `lead_seconds` ahead and places it at its time itself, in the order given."""

    lead_seconds: float
    lateness: LatenessRecord  # of what it has placed
    dropped: int  # notes that lay so long that they were not sent

    def send_at(self, message: bytes, seconds: float) -> None:
        """`seconds`: monotonic. A later moment is taken when this one is over. Raises MidiError."""


@dataclass(frozen=True, slots=True)
class PortInfo:
    """A port as listed: `name` is unique in the list; `port_name` is the system's, the `occurrence`-th of it."""

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
        self.closed = False
        self._clock = clock

    def send(self, message: bytes) -> None:
        if self.closed:
            raise MidiError(f"the MIDI output {self.name!r} is closed; open it again before sending")
        self.messages.append(RecordedMessage(self._clock.now(), bytes(message)))

    def close(self) -> None:
        self.closed = True


class NullPort:
    """A MidiOut that forgets: to measure timing without a MIDI system."""

    name = "null"

    def send(self, message: bytes) -> None:
        pass

    def close(self) -> None:
        pass


def backends() -> Sequence[MidiBackend]:
    """The back ends that work here, preferred first; empty if no MIDI system is there. Raises MidiError if no MIDI
    library is installed. python-rtmidi comes first; it has no wheels from Python 3.13 on, libremidi has.
    """
    try:
        from kelly_live.midi.backends import rtmidi as backend_rtmidi

        return backend_rtmidi.backends()
    except ImportError:
        pass  # the next library may be there
    try:
        from kelly_live.midi.backends import libremidi as backend_libremidi

        return backend_libremidi.backends()
    except ImportError as error:
        raise MidiError(
            f"no MIDI library can be loaded ({error}); install one: pip install python-rtmidi (or pylibremidi)"
        ) from error


def frame_accurate_backends() -> Sequence[MidiBackend]:
    """Those whose outputs place each message at its frame: JACK, so far. Raises MidiError where there is none."""
    from kelly_live.midi.backends import jack as backend_jack

    found = backend_jack.backends()
    if not found:
        raise MidiError("--frame-accurate needs a running JACK server and libjack; start one, or leave it out")
    return found


def list_outputs(among: Sequence[MidiBackend] | None = None) -> list[PortInfo]:
    """All MIDI outputs that can be opened now. A name that several ports share gets " #2", " #3", … from the second
    on. Raises MidiError.
    """
    return numbered((backend.name, backend.outputs()) for backend in (backends() if among is None else among))


def numbered(found: Iterable[tuple[str, Sequence[str]]]) -> list[PortInfo]:
    """What back ends found, (back end, port names), under names of their own."""
    ports: list[PortInfo] = []
    seen: Counter[str] = Counter()
    for backend, port_names in found:
        here: Counter[str] = Counter()
        for port_name in port_names:
            seen[port_name] += 1
            name = port_name if seen[port_name] == 1 else f"{port_name} #{seen[port_name]}"
            ports.append(PortInfo(name, backend, port_name, here[port_name]))
            here[port_name] += 1
    return ports


def resolve(query: str, among: Sequence[MidiBackend] | None = None) -> PortInfo:
    """The output that `query` means (see kelly_live.core.name_matching). Raises MidiError that lists the candidates."""
    return meant(query, list_outputs(among), "MIDI output")


def meant(query: str, ports: Sequence[PortInfo], kind: str) -> PortInfo:
    """The one of `ports` that `query` means; `kind` names them in the error. Raises MidiError."""
    return ports[choose(query, [port.name for port in ports], kind=kind, error=MidiError, listing=LISTING_COMMAND)]


def open_output(
    query: str | None, among: Sequence[MidiBackend] | None = None, *, virtual_name: str = VIRTUAL_PORT_NAME
) -> OpenedPort:
    """Open the output that `query` means; None: a virtual port of this name, where the system has them."""
    there = list(backends() if among is None else among)
    if query is not None:
        info = resolve(query, there)
        backend = next(backend for backend in there if backend.name == info.backend)
        return OpenedPort(backend.open(info.port_name, info.occurrence), info.name, is_virtual=False)
    for backend in there:
        if backend.has_virtual:
            return OpenedPort(backend.open_virtual(virtual_name), virtual_name, is_virtual=True)
    if there:
        raise MidiError(
            f"this system has no virtual MIDI ports; name an output with --midi-out (see `{LISTING_COMMAND}`)"
        )
    raise no_midi_system()


def no_midi_system() -> MidiError:
    return MidiError(
        f"no MIDI system is running; {_START_HINTS.get(sys.platform, 'start one')}, or use `kelly-live demo`"
    )


_START_HINTS = {"linux": "start one (load snd-seq for ALSA, or run PipeWire or jackd)"}
