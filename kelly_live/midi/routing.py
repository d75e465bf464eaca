"""Several MIDI ports as one note sink: each note leaves by the port that it names.

Each port has a scheduler process of its own, so that one that vanishes takes only its own part along.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from kelly_live.core.commands import Controls, Notes, PartProgram, SinkCommand, Stop, Tuning
from kelly_live.core.errors import MidiError
from kelly_live.core.protocols import SchedulerHealth
from kelly_live.core.values import MAIN_PORT, NoteEvent
from kelly_live.midi.reports import PortReady
from kelly_live.midi.scheduler_client import SchedulerClient
from kelly_live.midi.supervised_sink import SupervisedSink

_ForPort = TypeVar("_ForPort", NoteEvent, PartProgram)


class RoutedSink:
    """A NoteSink over several: `ports` by name, "" is the main one.

    Notes that name no port of these leave by the main one, controllers too. The sink has failed only when every port
    has: `failures` says which have. Notes for one of those are dropped and counted. Thread: as a SchedulerClient's.
    """

    def __init__(self, ports: Mapping[str, SchedulerClient | SupervisedSink]) -> None:
        if MAIN_PORT not in ports:
            raise MidiError("there is no main MIDI port; name one with --midi-out")
        self._ports = dict(ports)
        self._lost_notes = 0  # notes for ports that have failed

    def open(self) -> dict[str, PortReady]:
        """Start every port's process, wait for all, and return which port each is.

        Raises:
            MidiError: One cannot be opened; all are stopped.
        """
        ready = {}
        for name, port in self._ports.items():
            try:
                ready[name] = port.open()
            except MidiError as error:
                self.send(Stop())
                raise MidiError(_name_port(name, str(error))) from error
        return ready

    def send(self, command: SinkCommand) -> None:
        """Pass a command to the ports that it is for."""
        match command:
            case Notes():
                self._send_notes(command)
            case Controls():
                self._ports[MAIN_PORT].send(command)
            case Tuning(programs=programs):
                by_port = self._by_port(programs)
                for name, port in self._ports.items():
                    port.send(command.with_programs(by_port[name]))
            case Stop():  # all at once, as each waits until its port is closed
                with ThreadPoolExecutor(len(self._ports), "midi-stop") as pool:
                    list(pool.map(lambda port: port.send(command), self._ports.values()))
            case _:
                for port in self._ports.values():
                    port.send(command)

    def _send_notes(self, command: Notes) -> None:
        for name, port_notes in self._by_port(command.notes).items():
            if self._ports[name].health().error is not None:
                self._lost_notes += len(port_notes)
            else:
                self._ports[name].send(Notes(tuple(port_notes), command.loudness))

    def _by_port(self, items: Iterable[_ForPort]) -> dict[str, list[_ForPort]]:
        """Sort by port; what names a port that is not there goes to the main one."""
        by_port: dict[str, list[_ForPort]] = defaultdict(list)
        for item in items:
            by_port[item.port if item.port in self._ports else MAIN_PORT].append(item)
        return by_port

    @property
    def process_ids(self) -> tuple[int, ...]:
        """The ids of the ports' scheduler processes; none before `open`."""
        numbers = (port.process_id for port in self._ports.values())
        return tuple(number for number in numbers if number is not None)

    @property
    def early_seconds(self) -> float:
        """How long before a note's time the earliest port sends it."""
        return max(0.0, *(port.latency_seconds for port in self._ports.values()))

    @property
    def failures(self) -> dict[str, str]:
        """The ports that have failed or are lost for now, by name, and why in one line."""
        each = {name: port.health() for name, port in self._ports.items()}
        errors = {name: health.error or health.problem for name, health in each.items()}
        return {name: _name_port(name, error) for name, error in errors.items() if error is not None}

    def health(self) -> SchedulerHealth:
        """Return the sum of the counters, the lateness of the worst port, and an error once no port is left.

        After a stop, the music was sent until the last port took it.
        """
        each = [port.health() for port in self._ports.values()]
        errors = [
            _name_port(name, one.error) for name, one in zip(self._ports, each, strict=True) if one.error is not None
        ]
        return SchedulerHealth(
            sent_messages=sum(one.sent_messages for one in each),
            late_messages=sum(one.late_messages for one in each),
            dropped_notes=sum(one.dropped_notes for one in each) + self._lost_notes,
            sounding_notes=sum(one.sounding_notes for one in each),
            limited_notes=sum(one.limited_notes for one in each),
            worst_late_seconds=max(one.worst_late_seconds for one in each),
            p50_late_seconds=max(one.p50_late_seconds for one in each),
            p99_late_seconds=max(one.p99_late_seconds for one in each),
            error=errors[0] if len(errors) == len(each) else None,
            sent_until=max((one.sent_until for one in each if one.sent_until is not None), default=None),
        )


def _name_port(port: str, error: str) -> str:
    return f"port {port!r}: {error}" if port != MAIN_PORT else error
