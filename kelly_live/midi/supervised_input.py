"""A MIDI input that is opened again when its port or its server comes back.

Threads: the supervisor's, which alone closes and opens once it is started; any one for the rest, which never waits.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Self

from kelly_live.core.midi_messages import ReceivedMessage
from kelly_live.core.protocols import MidiIn
from kelly_live.core.timebase import Clock
from kelly_live.midi.backend import MidiBackend
from kelly_live.midi.backend_registry import find_backends
from kelly_live.midi.inputs import list_inputs, open_input
from kelly_live.workers.supervisor import Supervisor

# A port that goes and returns between two looks is taken for the one it was, and is deaf: USB needs longer for that.
WATCH_SECONDS = 0.1
RETRY_SECONDS = 0.7
_END_SECONDS = 2.0
_LOG_SECONDS = 10.0  # between two log lines about discarded messages

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Connection:
    """One connection; `overflows_before` are those of the connections before it."""

    number: int
    source: MidiIn
    name: str
    overflows_before: int = 0


class SupervisedInput:
    """A MidiIn for life: the constructor raises what is wrong at the start.

    `problem` tells of a later loss while it lasts. Each message says by which connection it came.

    Args:
        query: The input's name or part of it; None: a virtual one.
        clock: Times the looks and the tries.
        find_backends: Finds the MIDI systems that work now.

    Raises:
        MidiError: No input, or more than one, is meant, or it cannot be opened.
    """

    def __init__(
        self, query: str | None, clock: Clock, *, find_backends: Callable[[], Sequence[MidiBackend]] = find_backends
    ) -> None:
        present = find_backends()
        opened_input = open_input(query, present)
        self.is_virtual = opened_input.is_virtual
        self._find_backends = find_backends
        self._connection = _Connection(
            0, opened_input.source, opened_input.name
        )  # replaced whole, so that a poll needs no lock
        self._others = frozenset[str]() if self.is_virtual else _list_others(opened_input.name, present)
        self._clock = clock
        self._logged_overflows = 0
        self._next_log = -math.inf
        self._supervisor = Supervisor(
            f"the MIDI input {opened_input.name!r}",
            check=self._find_loss,
            release=lambda problem: self._connection.source.close(),
            restore=self._restore,
            clock=clock,
            watch_seconds=WATCH_SECONDS,
            retry_seconds=RETRY_SECONDS,
        )

    def start(self) -> Self:
        """Watch from now on, from a thread of its own."""
        self._supervisor.start()
        return self

    @property
    def name(self) -> str:
        """The port's name of the moment."""
        return self._connection.name

    @property
    def problem(self) -> str | None:
        """Why the input is lost, in one line, for as long as it is."""
        return self._supervisor.problem

    @property
    def grain_seconds(self) -> float:
        """The largest delay of a time stamp on this connection."""
        return self._connection.source.grain_seconds

    @property
    def overflows(self) -> int:
        """Messages that were discarded, on all connections."""
        connection = self._connection
        return connection.overflows_before + connection.source.overflows

    def poll(self) -> list[ReceivedMessage]:
        """Return what arrived since the last poll, in order, without waiting."""
        connection = self._connection
        messages = connection.source.poll()
        return [replace(one, connection=connection.number) for one in messages] if connection.number else messages

    def is_alive(self) -> bool:
        """Return whether the port was there at the supervisor's last look."""
        return self.problem is None and not self._supervisor.is_stopping

    def close(self) -> None:
        """Close the port, or let the supervisor's thread do so if a driver holds it up. Safe to call twice."""
        if self._supervisor.stop(_END_SECONDS):
            self._connection.source.close()

    def step(self) -> None:
        """Look whether the port is there, or whether it is back, if it is time to."""
        self._supervisor.step()

    def _find_loss(self) -> str | None:
        self._log_overflows()
        source = self._connection.source
        is_there = source.is_alive()
        if self._supervisor.is_stopping:
            source.close()  # `close` may have given up on this thread
        return None if is_there else f"the MIDI input {self.name!r} is gone; kelly-live opens it again"

    def _log_overflows(self) -> None:
        overflows, now = self.overflows, self._clock.now()
        if overflows > self._logged_overflows and now >= self._next_log:
            _log.warning("messages discarded so far: %d (too many, too fast, or not valid MIDI)", overflows)
            self._logged_overflows, self._next_log = overflows, now + _LOG_SECONDS

    def _restore(self) -> bool:
        """Open the port, if it is there. The lost one was closed: libjack needs that before a new client."""
        present = self._find_backends()
        name = None
        if not self.is_virtual:
            name = find_same_port(self.name, [port.name for port in list_inputs(present)], self._others)
            if name is None:
                return False
        opened_input = open_input(name, present)
        if self._supervisor.is_stopping:
            opened_input.source.close()
            return False
        if name is not None:
            self._others = _list_others(name, present)
        self._connection = _Connection(
            self._connection.number + 1, opened_input.source, opened_input.name, self.overflows
        )
        return True


def find_same_port(name: str, present: Sequence[str], others: Collection[str]) -> str | None:
    """Return which of `present` is the input that was called `name`, or None.

    Some systems number their ports anew when one is plugged in again. `others` were beside it: one of those is another
    device of the same make.
    """
    if name in present:
        return name
    alike = [port for port in present if port not in others and _mask_numbers(port) == _mask_numbers(name)]
    return alike[0] if len(alike) == 1 else None


def _mask_numbers(name: str) -> str:
    return re.sub(r"\d+", "#", name)


def _list_others(name: str, present: Sequence[MidiBackend]) -> frozenset[str]:
    return frozenset(port.name for port in list_inputs(present)) - {name}
