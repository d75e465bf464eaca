"""Recognises the band's own notes where they come back into the player's MIDI input, as through a loop of ports."""

from __future__ import annotations

from typing import NamedTuple

from kelly_live.core.commands import Notes, SinkCommand, Start, TempoChange
from kelly_live.core.midi_messages import ReceivedMessage, get_channel, get_kind
from kelly_live.core.protocols import NoteSink, SchedulerHealth
from kelly_live.core.timebase import TempoMap

_MOST_NOTES = 256  # that are remembered: the densest band plays fewer in a second
# A cable, a DAW or a latency that is set moves a note by less. Nobody strikes that key with that velocity on that
# channel then by chance, but for one in thousands.
_WITHIN_SECONDS = 0.3


class _SentNote(NamedTuple):
    seconds: float
    channel: int
    pitch: int
    velocity: int


class OwnNotes:
    """Remembers what the band plays of late.

    Threads: the sink of `wrap` belongs to the conductor's, `contains` to the one that reads the input; they exchange
    one reference.
    """

    def __init__(self) -> None:
        self._sent: tuple[_SentNote, ...] = ()
        self._returned: set[tuple[int, int]] = set()  # channel and pitch of notes that came back and were not released

    def wrap(self, sink: NoteSink) -> NoteSink:
        """Return the sink with a memory before it."""
        return _RememberingSink(sink, self)

    def remember(self, notes: Notes, tempo: TempoMap) -> None:
        """Remember notes that are sent."""
        sent = (
            _SentNote(tempo.seconds_at(note.onset_beats), note.channel, note.pitch, note.velocity)
            for note in notes.notes
        )
        self._sent = (*self._sent, *sent)[-_MOST_NOTES:]

    def contains(self, message: ReceivedMessage) -> bool:
        """Return whether a message is the on or the off of a note that the band played."""
        kind = get_kind(message.data)
        if kind not in ("note_on", "note_off"):
            return False
        key = (get_channel(message.data), message.data[1])
        if kind == "note_off":
            is_own = key in self._returned
            self._returned.discard(key)
            return is_own
        if any(
            (note.channel, note.pitch, note.velocity) == (*key, message.data[2])
            and abs(note.seconds - message.seconds) <= _WITHIN_SECONDS
            for note in self._sent
        ):
            self._returned.add(key)
            return True
        self._returned.discard(key)
        return False


class _RememberingSink:
    """A NoteSink that remembers its notes on the way."""

    def __init__(self, sink: NoteSink, own_notes: OwnNotes) -> None:
        self._sink = sink
        self._own_notes = own_notes
        self._tempo: TempoMap | None = None

    def send(self, command: SinkCommand) -> None:
        """Pass a command on."""
        match command:
            case Start(origin_seconds=origin, bpm=bpm):
                self._tempo = TempoMap(origin, bpm)
            case TempoChange(point=point) if self._tempo is not None:
                self._tempo.add(point)
            case Notes() if self._tempo is not None:
                self._own_notes.remember(command, self._tempo)
            case _:
                pass
        self._sink.send(command)

    def health(self) -> SchedulerHealth:
        """Return the counters of the sink."""
        return self._sink.health()
