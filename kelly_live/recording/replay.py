"""A session played again from its log: the conductor is given what it was given, when it was given it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kelly_live.core.commands import Controls, Notes
from kelly_live.core.errors import ConfigError
from kelly_live.generators.band import GeneratorBand, PlayerSlot
from kelly_live.midi.offline import NoteList
from kelly_live.music.conductor import Conductor
from kelly_live.recording.log import (
    Controlled,
    Finished,
    Header,
    Muted,
    Panicked,
    Part,
    PresetTaken,
    Reader,
    Started,
    Stepped,
    Stopped,
    Sum,
)
from kelly_live.recording.recorder import Check, Tee
from kelly_live.recording.take import take_bytes
from kelly_live.recording.tape import Command, Tape

LONGEST_SECONDS = 7.0 * 24.0 * 3600.0
Seating = Callable[[Header, str, tuple[Part, ...]], Sequence[PlayerSlot]]


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of a log: the file's bytes, and how it compares. `checked` notes were compared with the log's
    checksums; `differs_at` is the line where they first differ. `torn`: the log ends in the middle.
    """

    header: Header
    midi: bytes
    tape: Tape
    seconds: float
    notes: int
    checked: int
    differs_at: int | None
    torn: bool


def replay(reader: Reader, seating: Seating) -> Replayed:
    """Play a log through a new conductor; `seating` gives the players of a host preset, as the log's parts seat them,
    without guests: where one played, the notes are the log's. Raises ConfigError naming the line that does not fit.
    """
    tee = Tee(NoteList())
    header = reader.header
    band = GeneratorBand(seating(header, header.preset, header.parts))
    conductor = Conductor(
        tee,
        band,
        seed=header.seed,
        tonic=header.tonic,
        look_ahead_seconds=header.look_ahead_seconds,
        slice_beats=header.slice_beats,
    )
    tape, check = Tape(header.tunings(), live=header.live), Check()
    parts = list(header.parts)
    silent: set[str] = set()
    begun: float | None = None
    last, played_at = 0.0, -LONGEST_SECONDS
    checked, differs_at, stopped = 0, None, False

    for record in reader.records():
        if stopped and not isinstance(record, Sum):
            reader.fail("something happened after the end; the log is damaged there")
        if isinstance(record, Started) and begun is not None:
            reader.fail("the music starts a second time; the log is damaged there")
        if isinstance(record, Started | Stepped | Finished | Panicked | Stopped):
            if record.time < played_at or record.time > (begun or record.time) + LONGEST_SECONDS:
                reader.fail(f"time is {record.time:g}; it must go on from {played_at:g}, a week at most")
            played_at = record.time
        if begun is None and not isinstance(record, Started) and isinstance(record, Stepped | Finished | Panicked):
            reader.fail("something was played before the start; the log is damaged there")
        last = max(last, record.time)
        heard: tuple[Command, ...] = ()
        try:
            match record:
                case Started(time, origin_seconds, parameters):
                    begun = time
                    conductor.start(origin_seconds, parameters)
                case Stepped(time, parameters, lead, _):
                    conductor.advance(time, parameters, lead)
                case Finished(time, _):
                    conductor.finish(time)
                case Panicked(time):
                    conductor.panic(time)
                case Muted(player=player):
                    silent.add(player)
                case PresetTaken():
                    band.change(seating(header, record.name, record.parts))
                    parts += record.parts
                    silent.clear()
                case Controlled(_, changes):
                    heard = (Controls(changes),)
                case Sum(_, notes, crc):
                    if (notes, crc) != (check.notes, check.crc) and differs_at is None:
                        differs_at = reader.line
                    checked = notes if differs_at is None else checked
                case Stopped(time):
                    stopped = True
        except (ConfigError, ArithmeticError) as error:
            reader.fail(str(error))
        played = tuple(_without(command, silent) for command in tee.taken())
        if isinstance(record, Stepped | Finished) and record.plays is not None:
            others = (command for command in played if not isinstance(command, Notes))
            played = (*others, *(Notes(notes) for notes in record.plays))
        check.add(played)
        if played or heard:
            tape.take(record.time, heard or played)
    if begun is None:
        reader.fail("the log ends before the music starts; there is nothing to play")
    tape.end(last)
    midi = take_bytes(tape, parts, header.title)
    return Replayed(header, midi, tape, last - begun, check.notes, checked, differs_at, reader.torn)


def _without(command: Command, silent: set[str]) -> Command:
    """The command without the notes of players that were silent at the time, whatever they would play today."""
    if not silent or not isinstance(command, Notes):
        return command
    return Notes(tuple(note for note in command.notes if note.part not in silent))
