"""The scheduler's core: what is due when, and which notes sound.

It has no thread, no clock of its own, and no I/O but the port's `send`. Everything is kept in beats and turned into
seconds only when it is needed, so a tempo change moves all that is not yet sent. The owner of a core (the scheduler
process live, OfflineScheduler when rendering) waits for `next_deadline()` and calls `run_due(now)`. Thread: one, the
owner's.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Sequence

from kelly_live.core.commands import (
    DEFAULT_TUNING,
    ChannelRelease,
    Controls,
    Expression,
    LoudnessLimits,
    Notes,
    PartRelease,
    Pause,
    Signature,
    Silence,
    SinkCommand,
    Start,
    Stop,
    TempoChange,
    Tuning,
)
from kelly_live.core.errors import MidiError
from kelly_live.core.midi_messages import (
    CLOCK,
    CLOCKS_PER_BEAT,
    CLOCKS_PER_SIXTEENTH,
    CONTINUE,
    MAX_SIXTEENTHS,
    START,
    STOP,
    control_change,
    get_channel,
    get_kind,
    note_off,
    note_on,
    program_change,
    silence_channel,
    song_position,
)
from kelly_live.core.protocols import MidiOut, SchedulerHealth
from kelly_live.core.timebase import Clock, TempoMap, TempoPoint
from kelly_live.core.values import NoteEvent
from kelly_live.midi.backend import PlacingOut
from kelly_live.midi.control_queue import ControlQueue
from kelly_live.midi.expression import ExpressionControls, build_resting_messages
from kelly_live.midi.lateness import LatenessRecord
from kelly_live.midi.loudness_limiter import LoudnessLimiter
from kelly_live.midi.schedule_entries import BEAT_DECIMALS, Entry, Kind, release_part
from kelly_live.midi.tuning import create_tuner

LATE_LIMIT_SECONDS = 0.05  # later than this, a note is worse than a rest
FIRST_LATE_LIMIT_SECONDS = 0.15  # but a band that starts now is better late than without its first beat
CAPACITY_NOTES = 4096
RESYNC_SECONDS = 1.0  # a clock that fell this far behind (a suspended machine) is set anew, not made up tick by tick

# A receiver starts at the first clock that comes at least 1 ms after Start (MIDI 1.0, "MIDI clock"): 1 ms at 300 BPM.
_START_LEAD_BEATS = 0.005
_FIRST_BEATS = 0.1  # what lies so near to where the music begins is its first beat


class SchedulerCore:
    """Turns commands into raw messages at their time.

    A note takes one place of `capacity_notes` from its arrival to its note-off, so a note-off always has one; a note
    that finds no place is dropped whole. Lateness counts to `run_due`'s `now`, or, with a `clock`, to when `send` has
    returned. A PlacingOut gets every message ahead, with its time, and counts lateness itself; a note then sounds from
    when it is handed over.

    Args:
        port: Where the messages go.
        late_limit_seconds: A note that is later than this is dropped.
        send_clock: Send MIDI clock too.
        latency_seconds: Everything leaves that much before its time (negative: after), clock included.
        capacity_notes: How many notes may wait or sound.
        clock: Times the messages.
        tuning: How a note's cents are sent, which may be on another channel than its own.
    """

    def __init__(
        self,
        port: MidiOut,
        *,
        late_limit_seconds: float = LATE_LIMIT_SECONDS,
        send_clock: bool = False,
        latency_seconds: float = 0.0,
        capacity_notes: int = CAPACITY_NOTES,
        clock: Clock | None = None,
        tuning: Tuning = DEFAULT_TUNING,
    ) -> None:
        self._port = port
        self._placing = port if isinstance(port, PlacingOut) else None
        self._tuner = create_tuner(tuning)
        self._limiter = LoudnessLimiter()
        self._expression = ExpressionControls(tuning, self._limiter)
        self._points: deque[Expression] = deque(maxlen=capacity_notes)  # of the expression, still to come
        self._clock = clock
        self._late_limit = late_limit_seconds
        self._send_clock = send_clock
        self._latency = latency_seconds
        self._capacity = capacity_notes
        self._heap: list[Entry] = []
        self._serial = 0
        self._sounding_serials: dict[tuple[int, int], int] = {}  # (channel, key) -> serial of the note that sounds
        self._channels: set[int] = set()
        self._programs: dict[int, int] = {}  # channel -> the program that it was last sent
        self._tempo: TempoMap | None = None
        self._clock_runs = False  # the receiver was sent a start
        self._clock_opening: tuple[bytes, ...] = ()  # to be sent before the next tick
        self._next_tick = 0
        self._first_beat = -math.inf
        self._controls = ControlQueue()
        self._sent_messages = self._dropped_notes = 0
        self.lateness = LatenessRecord() if self._placing is None else self._placing.lateness

    @property
    def tempo_map(self) -> TempoMap | None:
        """None before `start` and after `silence`; `latency_seconds` early."""
        return self._tempo

    @property
    def sounding_keys(self) -> frozenset[tuple[int, int]]:
        """The (channel, key) as sent, of every note whose note-off is still to come."""
        return frozenset(self._sounding_serials)

    def apply(self, command: SinkCommand) -> None:
        """Take one command. A stop does what `finish` does: the owner of the port closes it.

        Raises ConfigError for a tempo point before the last one; MidiError if the port is gone, for a tempo before the
        start, and for a tuning after it.
        """
        match command:
            case Notes(notes, loudness):
                self._queue_notes(notes, loudness)
            case Expression():
                self._points.append(command)
            case TempoChange(point):
                self._change_tempo(point)
            case Controls(changes):
                self._controls.put(changes)
                for change in changes:
                    self._expression.leave(change.channel, change.controller)
            case Start(origin_seconds, bpm, first_beat):
                self._start(origin_seconds, bpm, first_beat)
            case Tuning():
                self._tune(command)
            case LoudnessLimits():
                self._limiter.set_limits(command)
            case ChannelRelease():
                self._release_channels(command)
            case PartRelease():
                self._heap = release_part(self._heap, command)
            case Silence():
                self._send_all(self._end_notes())
            case Pause():
                self.silence()
            case Stop():
                self.finish()
            case Signature():
                pass  # for files only

    def _tune(self, tuning: Tuning) -> None:
        if self._tempo is not None:
            raise MidiError("a tuning came after the start; choose it before the scheduler starts")
        self._tuner = create_tuner(tuning)
        self._expression = ExpressionControls(tuning, self._limiter)

    def _start(self, origin_seconds: float, bpm: float, first_beat: float) -> None:
        """Begin; notes that were queued before are kept. A second start silences first."""
        if self._tempo is not None:
            self.silence()
        self._tempo = TempoMap(origin_seconds - self._latency, bpm)
        self._set_clock(first_beat)
        self._first_beat = first_beat
        for message in self._tuner.list_opening_messages():
            self._port.send(message)
            self._sent_messages += 1

    def _change_tempo(self, point: TempoPoint) -> None:
        if self._tempo is None:
            raise MidiError("a tempo came before the start; start the scheduler first")
        self._tempo.add(point)

    def _queue_notes(self, notes: Sequence[NoteEvent], loudness: float | None) -> None:
        for note in notes:
            if len(self._heap) >= self._capacity:
                self._dropped_notes += 1
                continue
            voice = (note.channel, note.pitch)
            self._push(Entry(note.onset_beats, Kind.ON, self._new_serial(), note, voice, loudness))

    def _release_channels(self, command: ChannelRelease) -> None:
        """Send CC 123 and CC 120; what was played here is not forgotten."""
        messages = [message for channel in command.channels for message in silence_channel(channel)]
        if command.resets_expression:
            messages += build_resting_messages(command.channels)
        for message in messages:
            self._port.send(message)
            self._sent_messages += 1

    def next_deadline(self) -> float | None:
        """Return when to send the next message (seconds, monotonic); None when there is nothing to send."""
        deadlines = [
            None if (timed := self._next_timed()) is None else timed - self._lead,
            self._controls.deadline,
            None if (point := self._next_point()) is None else point - self._lead,
            self._expression.deadline,
        ]
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    def run_due(self, now: float) -> None:
        """Send all that is due at `now` (seconds), in due order. Raises MidiError if the port is gone."""
        lead = self._lead
        while True:
            due_time, point_time = self._next_timed(), self._next_point()
            if point_time is not None and point_time - lead <= now and (due_time is None or point_time <= due_time):
                self._expression.move(self._points.popleft(), max(now, point_time))
            elif due_time is None or due_time - lead > now:
                if not self._send_control(now):
                    return
            elif self._is_clock_next():
                self._send_clock_message(due_time, now)
            else:
                entry = heapq.heappop(self._heap)
                if entry.kind is Kind.ON:
                    self._note_on(entry, due_time, now)
                elif self._sounding_serials.get(entry.voice) == entry.serial:
                    self._note_off(entry, due_time, now)

    def sent_until(self, now: float) -> float:
        """Return the time of the music (seconds, monotonic) up to which `run_due(now)` has sent all that was due."""
        return now + self._lead + self._latency

    def warm_caches(self) -> None:
        """Do most of what sending the next message takes, without sending it.

        A caller that waits for its time like this finds code and data in the processor's caches, where a computing net
        leaves little else for long.
        """
        self._next_timed()
        if self._heap:
            entry = self._heap[0]
            self._sounding_serials.get(entry.voice)
            note_on(*entry.voice, entry.note.velocity)

    def release(self, now: float) -> None:
        """End all that sounds, at once; what is still to come stays. Raises MidiError if the port is gone."""
        # After what is placed already.
        release_time = now + (self._placing.lead_seconds if self._placing is not None else 0.0)
        for voice in list(self._sounding_serials):
            self._send(note_off(*voice), release_time, now)
            del self._sounding_serials[voice]  # its own note-off finds nothing then, and is skipped
            self._tuner.release(*voice, now)
            self._expression.end_note(*voice)

    def silence(self) -> None:
        """Forget the notes not sent, and end all that sounds. A start may follow.

        Sends note-offs, then CC 123 and CC 120 on every channel that was used, then what undoes an expression and a
        tuning, then MIDI stop. Tries every message even if one fails.

        Raises:
            MidiError: The first that a message met.
        """
        messages = [*self._end_notes(), *self._tuner.reset()]
        if self._clock_runs:
            messages.append(STOP)
        self._tempo = None
        self._clock_runs = False
        self._send_all(messages)

    def finish(self) -> None:
        """Silence, and put the controllers back that were moved and have a value of rest.

        Raises:
            MidiError: The first that a message met.
        """
        self._controls.clear()
        try:
            self.silence()
        finally:
            self._send_all(self._controls.reset())

    def _end_notes(self) -> list[bytes]:
        """Forget all notes, and return what ends those that sound."""
        messages = [note_off(*voice) for voice in self._sounding_serials]
        for channel in sorted(self._channels):
            messages += silence_channel(channel)
        for voice in self._sounding_serials:
            self._tuner.release(*voice, -math.inf)  # nothing rings after "all sound off"
        self._heap.clear()
        self._points.clear()
        self._sounding_serials.clear()
        return messages + self._expression.reset()

    def _send_all(self, messages: Sequence[bytes]) -> None:
        """Send every message even if one fails; raise the first failure."""
        failure: MidiError | None = None
        for message in messages:
            try:
                self._port.send(message)
                self._sent_messages += 1
            except MidiError as error:
                failure = failure or error
        if failure is not None:
            raise failure

    def health(self) -> SchedulerHealth:
        """Return the counters as of now."""
        return SchedulerHealth(
            sent_messages=self._sent_messages,
            late_messages=self.lateness.late_count,
            dropped_notes=self._dropped_notes + (self._placing.dropped_messages if self._placing is not None else 0),
            sounding_notes=len(self._sounding_serials),
            limited_notes=self._limiter.limited_notes,
            worst_late_seconds=self.lateness.worst_seconds,
            p50_late_seconds=self.lateness.quantile(0.5),
            p99_late_seconds=self.lateness.quantile(0.99),
        )

    @property
    def _lead(self) -> float:
        """How far ahead of its time each message is handed over."""
        return 0.0 if self._placing is None else self._placing.lead_seconds

    def _new_serial(self) -> int:
        self._serial += 1
        return self._serial

    def _push(self, entry: Entry) -> None:
        heapq.heappush(self._heap, entry._replace(beat=round(entry.beat, BEAT_DECIMALS)))

    def _tick_beat(self) -> float:
        """Return the next tick's beat from its number, so that no rounding adds up over a long session."""
        lead = _START_LEAD_BEATS if self._clock_opening else 0.0
        return round(self._next_tick / CLOCKS_PER_BEAT - lead, BEAT_DECIMALS)

    def _set_clock(self, first_beat: float) -> None:
        """Set the next tick to the first sixteenth note from `first_beat` on, and what says so to a receiver."""
        sixteenths = max(0, math.ceil(round(first_beat * CLOCKS_PER_BEAT / CLOCKS_PER_SIXTEENTH, BEAT_DECIMALS)))
        self._next_tick = sixteenths * CLOCKS_PER_SIXTEENTH
        # Past 1024 bars of four a position cannot be sent; this one lies as far into a bar.
        start = (song_position(sixteenths % (MAX_SIXTEENTHS + 1)), CONTINUE) if sixteenths else (START,)
        self._clock_opening = (STOP, *start) if self._clock_runs else start

    def _is_clock_next(self) -> bool:
        return self._send_clock and (not self._heap or self._tick_beat() <= self._heap[0].beat)

    def _next_timed(self) -> float | None:
        """Return when the next note or clock message is due."""
        beat = self._next_beat()
        return None if beat is None or self._tempo is None else self._tempo.seconds_at(beat)

    def _next_point(self) -> float | None:
        """Return when the expression moves next."""
        return self._tempo.seconds_at(self._points[0].beat) if self._points and self._tempo is not None else None

    def _next_beat(self) -> float | None:
        if self._is_clock_next():
            return self._tick_beat()
        return self._heap[0].beat if self._heap else None

    def _send(self, message: bytes, due_time: float, now: float) -> None:
        if self._placing is not None:
            self._placing.send_at(message, due_time)
            self._sent_messages += 1
            return
        self._port.send(message)
        late_seconds = (now if self._clock is None else self._clock.now()) - due_time
        self._sent_messages += 1
        self.lateness.add(late_seconds)

    def _send_clock_message(self, due_time: float, now: float) -> None:
        # A late tick is sent all the same: receivers count ticks, and a missing one would shift them for good.
        if self._clock_runs and not self._clock_opening and now - due_time > RESYNC_SECONDS:
            assert self._tempo is not None
            self._set_clock(self._tempo.beat_at(now))
        elif self._clock_opening:
            opening_messages, self._clock_opening, self._clock_runs = self._clock_opening, (), True
            for message in opening_messages:
                self._send(message, due_time, now)
        else:
            self._next_tick += 1
            self._send(CLOCK, due_time, now)

    def _send_control(self, now: float) -> bool:
        """Send the controller that is due next, and return whether there was one: first those of the caller."""
        change = self._controls.next_change(now)
        if change is None:
            message = self._expression.next_message(now)
        else:
            value = self._limiter.limit_controller(change.channel, change.controller, change.value, now)
            message = control_change(change.channel, change.controller, value)
        if message is None:
            return False
        self._port.send(message)
        self._sent_messages += 1
        return True

    def _note_on(self, entry: Entry, due_time: float, now: float) -> None:
        note = entry.note
        limit = self._late_limit
        if abs(entry.beat - self._first_beat) < _FIRST_BEATS:
            limit = max(limit, FIRST_LATE_LIMIT_SECONDS)
        if now - due_time > limit:
            self._dropped_notes += 1
            return
        velocity = self._limiter.limit_velocity(note.velocity, max(now, due_time), len(self._sounding_serials))
        if velocity is None:
            return
        channel, key, before = self._tuner.place(note, max(now, due_time))
        voice = (channel, key)
        if voice in self._sounding_serials:
            self._send(note_off(*voice), due_time, now)  # the older note's own off finds another serial, and is skipped
        # Ledger and off come first: if send raises half way, the note is still known and will be silenced.
        self._sounding_serials[voice] = entry.serial
        self._channels.add(channel)
        self._push(Entry(note.onset_beats + note.duration_beats, Kind.OFF, entry.serial, note, voice))
        before = [*before, *self._expression.begin_note(channel, key, note, entry.loudness, max(now, due_time))]
        for message in before:
            if get_kind(message) == "program_change":
                self._programs[get_channel(message)] = message[1]
            self._send(message, due_time, now)
        if note.program is not None and self._programs.get(channel) != note.program:
            self._programs[channel] = note.program
            self._send(program_change(channel, note.program), due_time, now)
        self._send(note_on(channel, key, velocity), due_time, now)

    def _note_off(self, entry: Entry, due_time: float, now: float) -> None:
        self._send(note_off(*entry.voice), due_time, now)
        del self._sounding_serials[entry.voice]
        self._tuner.release(*entry.voice, max(now, due_time))
        self._expression.end_note(*entry.voice)
