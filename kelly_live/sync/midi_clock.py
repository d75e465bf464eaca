"""Synchronisation to a MIDI clock: ticks, start, stop, continue and song position.

The ticks' times are `tick_tracker.py`'s matter; here is what they mean. Time comes from the messages and from the
caller; no clock is read here. What no sound master sends is not obeyed, and said: a song position or another start
while it plays, ticks too many, a tempo that no music has.
"""

from __future__ import annotations

import logging
import math

from kelly_live.core.midi_messages import CLOCK, CLOCKS_PER_BEAT, CLOCKS_PER_SIXTEENTH, CONTINUE, SPECS, START, STOP
from kelly_live.core.protocols import MidiIn
from kelly_live.core.sync_state import BeatEstimate, SongPosition, SyncState, Transport
from kelly_live.sync.tick_tracker import FASTEST_BPM, LOST_SECONDS, SLOWEST_BPM, Line, TickTracker

NOTICE_SECONDS = 10.0  # for which something odd is shown
_GRACE_TICKS = 3.0  # ticks that may be missing before the confidence falls
_SAME_START_TICKS = 3  # another start so soon is the same one, from a second cable or master
_LATE_START_SECONDS = 0.03  # a first tick that comes so much later than expected begins the take anew
_TOO_MANY = "the MIDI clock has ticks too many, which are left out: send it from one machine and over one cable only"
_MISSING = "ticks of the MIDI clock were missing; they are counted by its tempo"
_MOVED = "a song position came while the clock plays and is not followed: move the song while it is stopped"
_IRREGULAR = "the MIDI clock is not regular enough to follow: send it from one machine and over one cable only"

_log = logging.getLogger(__name__)


class MidiClockSource:
    """A SyncSource: the MIDI clock that arrives at `source`. Thread: one, the conductor's.

    Until a start or continue arrives the transport is stopped, as with any machine on external sync. The first tick
    after it is the beat; its tempo may be known only some ticks later. A tempo outside 20 to 400 BPM gives no beat. A
    song position counts while the clock is stopped, or if a continue follows it at once.
    """

    def __init__(self, source: MidiIn) -> None:
        self._source = source
        self._ticks = TickTracker()
        self._has_ticked = False
        self._position = 0  # while stopped: the song's tick at which it will continue
        self._location: int | None = None  # while stopped: a song position that nobody has asked for yet
        self._next_position: int | None = None  # while playing: a song position for which a continue would jump
        self._base: int | None = None  # while playing: the number of the song's tick 0
        self._awaits_tick = False  # the first one since the last start
        self._start: SongPosition | None = None
        self._is_playing = False
        self._transport = Transport(playing=False)
        self._start_count = 0
        self._has_beat = False
        self._connection = 0
        self._notice = ""
        self._notice_until = -math.inf
        self._noticed: set[str] = set()
        self._now = -math.inf

    @property
    def state(self) -> str:
        """What a performer should know; empty while all is well. Thread: any."""
        line = self._ticks.line
        if not self._has_ticked:
            return "no MIDI clock yet"
        if self._ticks.is_irregular:
            return _IRREGULAR
        if line is not None and not _is_followed(line):
            return f"the MIDI clock says {line.bpm:.0f} BPM; {SLOWEST_BPM:.0f} to {FASTEST_BPM:.0f} can be followed"
        if not self._transport.playing:
            return "the clock stands: waiting for its start"
        if not self.has_beat and line is not None:
            return "the MIDI clock is lost"
        return self._notice if self._now < self._notice_until else ""

    @property
    def has_beat(self) -> bool:
        """Whether there is a beat to follow. Thread: any."""
        return self._has_beat

    def estimate(self, now: float) -> SyncState:
        """Take the messages that arrived; return beat and transport as of `now`."""
        self._now = now
        extra, missing = self._ticks.extra, self._ticks.missing
        for message in self._source.poll():
            if message.connection != self._connection:
                self._connection = message.connection
                self._ticks.skip_to(message.seconds)  # a start or stop in that time is not known
            self._receive(message.data, message.seconds)
        if self._ticks.extra != extra:
            self._tell(_TOO_MANY)
        if self._ticks.missing != missing:
            self._tell(_MISSING)
        if self._ticks.is_irregular:
            self._tell(_IRREGULAR)
        beat = self._estimate_beat(now)
        self._has_beat = beat is not None
        if not self._is_playing:
            self._transport = Transport(False, self._start_count)
        elif beat is not None or self._start is not None:  # a start takes effect once its first beat is known
            self._transport = Transport(True, self._start_count)
        is_new = self._transport.playing and self._transport.start_count == self._start_count
        return SyncState(beat=beat, transport=self._transport, start=self._start if is_new else None)

    def take_location(self) -> float | None:
        """Return once at which beat a song position has put a clock that stands; None if none has."""
        location, self._location = self._location, None
        return None if location is None else location / CLOCKS_PER_BEAT

    def _tell(self, notice: str) -> None:
        """Show a notice for a while, and log it the first time."""
        self._notice, self._notice_until = notice, self._now + NOTICE_SECONDS
        if notice not in self._noticed:
            self._noticed.add(notice)
            _log.warning("%s", notice)

    def _receive(self, data: bytes, seconds: float) -> None:
        if data == CLOCK:
            self._tick(seconds - self._source.grain_seconds / 2.0)  # the average delay of a stamp
        elif data == START:
            if not self._is_playing or self._song_tick() >= _SAME_START_TICKS:
                self._play_from(0, seconds)
        elif data == CONTINUE:
            if not self._is_playing:
                self._play_from(self._position, seconds)
            elif self._next_position is not None:
                self._play_from(self._next_position, seconds)
        elif data == STOP:
            if self._is_playing:
                self._position = self._song_tick()
            self._base, self._start, self._is_playing = None, None, False
        elif data[0] == SPECS["song_position"][0]:
            position = (data[1] | data[2] << 7) * CLOCKS_PER_SIXTEENTH
            if not self._is_playing:
                self._position = self._location = position
            elif abs(position - self._song_tick()) >= CLOCKS_PER_SIXTEENTH:
                self._next_position = position

    def _song_tick(self) -> int:
        """Return the song's tick that comes next."""
        return self._position if self._base is None else self._ticks.count - self._base

    def _play_from(self, position: int, seconds: float) -> None:
        ticks = self._ticks
        line, newest = ticks.line, ticks.newest
        if line is not None and newest is not None and seconds - newest > _GRACE_TICKS * line.period:
            ticks.forget()  # a clock that only runs while it plays: the beat is at its first tick
        self._base = ticks.count - position
        self._next_position = self._location = self._start = None
        self._is_playing = self._awaits_tick = True
        self._start_count += 1

    def _tick(self, seconds: float) -> None:
        ticks = self._ticks
        self._has_ticked = True
        if self._next_position is not None:
            self._next_position = None
            self._tell(_MOVED)
        if self._awaits_tick and self._base is not None:
            self._begin(ticks.count - self._base, seconds)
        elif ticks.newest is not None and seconds - ticks.newest > LOST_SECONDS:
            if self._is_playing:
                ticks.skip_to(seconds)  # the band has played on at that tempo, and so has the master
            else:
                ticks.forget()
        ticks.add(seconds, self._source.grain_seconds)

    def _begin(self, position: int, seconds: float) -> None:
        """Begin the take at its first tick."""
        ticks = self._ticks
        self._awaits_tick = False
        if ticks.line is not None and not ticks.is_on_time(seconds):
            if seconds - ticks.line.seconds_at(ticks.count) > _LATE_START_SECONDS:
                self._start_count += 1  # it was expected by the clock before the start, and played for
            ticks.forget()
            self._base = ticks.count - position
        self._start = SongPosition(seconds, position / CLOCKS_PER_BEAT)

    def _estimate_beat(self, now: float) -> BeatEstimate | None:
        line, newest = self._ticks.line, self._ticks.newest
        if line is None or newest is None or not _is_followed(line):
            return None
        overdue_seconds = now - newest - _GRACE_TICKS * line.period
        confidence = min(1.0, 1.0 - overdue_seconds / LOST_SECONDS)
        if confidence <= 0.0:
            return None
        base = self._base if self._base is not None else self._ticks.count - self._position
        beat = max(0, math.floor(((now - line.seconds) / line.period - base) / CLOCKS_PER_BEAT))
        return BeatEstimate(line.seconds_at(base + beat * CLOCKS_PER_BEAT), line.bpm, confidence, beat)


def _is_followed(line: Line) -> bool:
    return SLOWEST_BPM <= line.bpm <= FASTEST_BPM
