"""Several MIDI ports as one NoteSink: each note leaves by the port that it names, and each port has a scheduler process
of its own, so that one that vanishes takes only its own part along.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from kelly_live.core.errors import MidiError
from kelly_live.core.protocols import SchedulerHealth
from kelly_live.core.timebase import TempoPoint
from kelly_live.core.values import MAIN_PORT, ControlChange, NoteEvent
from kelly_live.midi.commands import Ready
from kelly_live.midi.scheduler_client import SchedulerClient
from kelly_live.midi.supervised_sink import SupervisedSink
from kelly_live.midi.tuning import Tuning


class RoutedSink:
    """`ports` by name; "" is the main one. Notes that name no port of these leave by the main one, controllers too.

    It has failed only when every port has: `failures` says which have. What comes for one of those is dropped and
    counted. Thread: as a SchedulerClient's.
    """

    def __init__(self, ports: Mapping[str, SchedulerClient | SupervisedSink]) -> None:
        if MAIN_PORT not in ports:
            raise MidiError("there is no main MIDI port; name one with --midi-out")
        self._ports = dict(ports)
        self._lost = 0  # notes for ports that had failed

    def open(self) -> dict[str, Ready]:
        """Start every port's process and wait for it; says which port each is. Raises MidiError, having stopped all."""
        ready = {}
        for name, port in self._ports.items():
            try:
                ready[name] = port.open()
            except MidiError as error:
                self.stop()
                raise MidiError(_named(name, str(error))) from error
        return ready

    def tune(self, tuning: Tuning, programs: Iterable[tuple[str, int, int]]) -> None:
        """How cents are sent; before `start`. `programs`: what the parts play, as (port, channel, program)."""
        by_port: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for port, channel, program in programs:
            by_port[port if port in self._ports else MAIN_PORT].append((channel, program))
        for name, client in self._ports.items():
            client.tune(tuning.with_programs(by_port[name]))

    def start(self, origin_seconds: float, bpm: float, first_beat: float = 0.0) -> None:
        for port in self._ports.values():
            port.start(origin_seconds, bpm, first_beat)

    def tempo(self, point: TempoPoint) -> None:
        for port in self._ports.values():
            port.tempo(point)

    def play(self, notes: Sequence[NoteEvent]) -> None:
        by_port: dict[str, list[NoteEvent]] = defaultdict(list)
        for note in notes:
            by_port[note.port if note.port in self._ports else MAIN_PORT].append(note)
        for name, own in by_port.items():
            if self._ports[name].health().error is not None:
                self._lost += len(own)
            else:
                self._ports[name].play(own)

    def control(self, changes: Sequence[ControlChange]) -> None:
        self._ports[MAIN_PORT].control(changes)

    def pause(self) -> None:
        for port in self._ports.values():
            port.pause()

    def stop(self) -> None:
        for port in self._ports.values():
            port.stop()

    @property
    def early_seconds(self) -> float:
        """How long before a note's time the earliest port sends it."""
        return max(0.0, *(port.latency_seconds for port in self._ports.values()))

    @property
    def failures(self) -> dict[str, str]:
        """The ports that have failed or are lost for now, by name, and why in one line."""
        each = {name: port.health() for name, port in self._ports.items()}
        errors = {name: health.error or health.problem for name, health in each.items()}
        return {name: _named(name, error) for name, error in errors.items() if error is not None}

    def health(self) -> SchedulerHealth:
        """Counters summed, lateness of the worst port; `error` once no port is left."""
        each = [port.health() for port in self._ports.values()]
        errors = [_named(name, one.error) for name, one in zip(self._ports, each, strict=True) if one.error is not None]
        return SchedulerHealth(
            sent=sum(one.sent for one in each),
            late=sum(one.late for one in each),
            dropped=sum(one.dropped for one in each) + self._lost,
            sounding=sum(one.sounding for one in each),
            worst_late_seconds=max(one.worst_late_seconds for one in each),
            p50_late_seconds=max(one.p50_late_seconds for one in each),
            p99_late_seconds=max(one.p99_late_seconds for one in each),
            error=errors[0] if len(errors) == len(each) else None,
        )


def _named(port: str, error: str) -> str:
    return f"port {port!r}: {error}" if port != MAIN_PORT else error
