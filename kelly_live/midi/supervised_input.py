"""A MIDI input that comes back: when its port or its server goes away, it is opened again as soon as it is there again.

Threads: a supervisor, which alone closes and opens once it is started; any one for the rest, which never waits for it.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Self

from kelly_live.core.errors import MidiError
from kelly_live.core.midi_messages import ReceivedMessage
from kelly_live.core.protocols import MidiIn
from kelly_live.core.timebase import Clock
from kelly_live.midi.inputs import OpenedInput, list_inputs, open_input
from kelly_live.midi.ports import MidiBackend, backends

# A port that goes and returns between two looks is taken for the one it was, and is deaf: USB needs longer for that.
WATCH_SECONDS = 0.1
RETRY_SECONDS = 0.7
_END_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class _Life:
    """One connection: its number, its input (pollable even when it is closed), and what those before it threw away."""

    number: int
    source: MidiIn
    name: str
    overflows_before: int = 0


class SupervisedInput:
    """A MidiIn for life. What is wrong at the start is raised; a later loss is told by `problem` while it lasts, and
    each message says by which connection it came.

    `among`: what finds the MIDI systems that work now, for a test.
    """

    def __init__(
        self, query: str | None, clock: Clock, *, among: Callable[[], Sequence[MidiBackend]] = backends
    ) -> None:
        """Opens the input that `query` means; None: a virtual one. Raises MidiError."""
        there = among()
        opened = open_input(query, there)
        self.is_virtual = opened.is_virtual
        self.problem: str | None = None
        self._clock = clock
        self._among = among
        self._life = _Life(0, opened.source, opened.name)  # replaced whole, so that who polls needs no lock
        self._beside = frozenset[str]() if self.is_virtual else _others(opened.name, there)
        self._due = clock.now() + WATCH_SECONDS
        self._closing = threading.Event()
        self._supervisor = threading.Thread(target=self._supervise, name="midi-in-supervisor", daemon=True)

    def start(self) -> Self:
        """Watch from now on, from a thread of its own."""
        self._supervisor.start()
        return self

    @property
    def name(self) -> str:
        return self._life.name

    @property
    def grain_seconds(self) -> float:
        return self._life.source.grain_seconds

    @property
    def overflows(self) -> int:
        life = self._life
        return life.overflows_before + life.source.overflows

    def poll(self) -> list[ReceivedMessage]:
        life = self._life
        messages = life.source.poll()
        return [replace(message, connection=life.number) for message in messages] if life.number else messages

    def is_alive(self) -> bool:
        """As of the supervisor's last look."""
        return self.problem is None and not self._closing.is_set()

    def close(self) -> None:
        """Safe to call twice."""
        self._closing.set()
        if self._supervisor.is_alive():
            self._supervisor.join(_END_SECONDS)  # it closes what is open, even if it takes longer
        else:
            self._life.source.close()

    def step(self) -> None:
        """Look whether it is there, or whether it is back, if it is time to."""
        now = self._clock.now()
        if now < self._due:
            return
        if self.problem is None and not self._life.source.is_alive():
            # First of all closed: libjack does not survive a new client beside those of a server that is gone.
            self._life.source.close()
            self.problem = f"the MIDI input {self.name!r} is gone; kelly-live opens it again"
        if self.problem is not None and (opened := self._opened_again()) is not None:
            self._life = _Life(self._life.number + 1, opened.source, opened.name, self.overflows)
            self.problem = None
        self._due = self._clock.now() + (WATCH_SECONDS if self.problem is None else RETRY_SECONDS)

    def _opened_again(self) -> OpenedInput | None:
        try:
            there = self._among()
            if self.is_virtual:
                return open_input(None, there)
            name = same(self.name, [port.name for port in list_inputs(there)], self._beside)
            if name is None:
                return None
            opened = open_input(name, there)
            self._beside = _others(name, there)
        except MidiError:
            return None  # `problem` still says so
        return opened

    def _supervise(self) -> None:
        """Thread: midi-in-supervisor."""
        try:
            while not self._closing.wait(max(0.0, self._due - self._clock.now())):
                self.step()
        except Exception as error:  # no driver should; if one does, it is told, and the rest plays on
            self.problem = f"the MIDI input {self.name!r} is lost ({error}); start kelly-live again to have it back"
        finally:
            self._life.source.close()


def same(name: str, there: Sequence[str], beside: Collection[str]) -> str | None:
    """Which of `there` is the input that was called `name`: some systems number their ports anew when one is plugged
    in again. One that had been beside it is another one of the same make.
    """
    if name in there:
        return name
    alike = [other for other in there if other not in beside and _numberless(other) == _numberless(name)]
    return alike[0] if len(alike) == 1 else None


def _numberless(name: str) -> str:
    return re.sub(r"\d+", "#", name)


def _others(name: str, there: Sequence[MidiBackend]) -> frozenset[str]:
    return frozenset(port.name for port in list_inputs(there)) - {name}
