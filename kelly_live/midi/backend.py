"""The contract of a MIDI back end, for ours and for those of other packages.

A package registers one in its `pyproject.toml`:

    [project.entry-points."kelly_live.midi_backends"]
    mine = "my_package:find_backends"

The target is called as `find_backends()` and returns a `MidiBackend` for each MIDI system that it can reach now, best
first; an empty list if none works. It is called each time that ports are listed, so it must take a few ms only, and
must not start a server. It may raise KellyError to say why nothing works. Importing the module may load a driver:
modules are imported when ports are first listed or opened, never before.

Threads: any for a MidiBackend's methods, one at a time. An open output belongs to the one thread that sends (in the
scheduler process), an open input to the one that polls.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from kelly_live.core.protocols import MidiIn, MidiOut
from kelly_live.midi.lateness import LatenessRecord

CLIENT_NAME = "kelly-live"
LISTING_COMMAND = "kelly-live devices"


@runtime_checkable
class MidiBackend(Protocol):
    """One way to reach MIDI ports: a library's driver for one system API."""

    name: str
    has_virtual: bool

    def outputs(self) -> list[str]:
        """Return the names of the outputs that are there now, possibly none. Raises MidiError."""

    def open(self, name: str, occurrence: int = 0) -> MidiOut:
        """Open the output of exactly this name, the `occurrence`-th if several have it. Raises MidiError."""

    def open_virtual(self, name: str) -> MidiOut:
        """Create an output that other programs can connect to. Raises MidiError."""

    def inputs(self) -> list[str]:
        """Return the names of the inputs that are there now, possibly none. Raises MidiError."""

    def open_input(self, name: str, occurrence: int = 0) -> MidiIn:
        """Open the input of exactly this name, the `occurrence`-th if several have it. Raises MidiError."""

    def open_virtual_input(self, name: str) -> MidiIn:
        """Create an input that other programs can connect to. Raises MidiError."""


@runtime_checkable
class WatchedOut(Protocol):
    """A MidiOut that can tell that its port is gone (some systems swallow what is sent to a dead port)."""

    def is_alive(self) -> bool:
        """Return whether the port still exists, within a few ms. Thread: the sender's."""


@runtime_checkable
class DelayedOut(Protocol):
    """A MidiOut that knows how many seconds go by from a message to its sound."""

    delay_seconds: float


@runtime_checkable
class PlacingOut(Protocol):
    """A MidiOut that takes each message `lead_seconds` ahead and places it at its time itself.

    Messages keep the order in which they are given. `lateness` is of what it has placed. `dropped_messages` waited so
    long that they were not sent.
    """

    lead_seconds: float
    lateness: LatenessRecord
    dropped_messages: int

    def send_at(self, message: bytes, seconds: float) -> None:
        """Take a message for a monotonic time; a time in the past means as soon as possible. Raises MidiError."""
