"""Somebody else's MIDI clock, followed: ticks, start, stop, continue and song position become a Lead.

Ticks come with jitter (a driver's period, a busy machine), so the beat is read off a straight line through the last
ones, never off one tick. The line is long while the tempo stands and short while it moves. Pure but for the input: time
is in the messages, and `now` comes in from outside.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from kelly_live.core.midi_messages import CLOCK, CLOCKS_PER_BEAT, CLOCKS_PER_SIXTEENTH, CONTINUE, SPECS, START, STOP
from kelly_live.core.protocols import MidiIn
from kelly_live.core.values import BeatEstimate, SyncState, Transport

LOST_SECONDS = 1.0  # a clock that falls silent is believed less and less for this long
_GRACE_TICKS = 3.0  # and fully until this many are overdue
_LOWEST_BPM, _HIGHEST_BPM = 20.0, 300.0
_LINES = (96, 48, 24, 12)  # ticks of a line, the longest that is straight wins
_FEWEST = 4  # ticks that a tempo nobody knew before is read off
_TAIL = 8  # the newest ticks, which say whether a line still holds
_STRAIGHT_ERRORS = 2.5  # their mean may be off by this many standard errors,
_STRAIGHT_SECONDS = 0.0003  # and by this much anyway
_WILD = 4.0  # a tick this many median deviations off the line says nothing
_WILD_SECONDS = 0.002
_SAME_PHASE = 0.3  # of a tick: a start further off than this has a beat of its own
_SAME_TEMPO = 0.1  # a clock that went on may be this far off the tempo it had, until there are enough ticks


class _Line(NamedTuple):
    """Tick `n` falls at `seconds` + n * `period`."""

    seconds: float
    period: float

    def at(self, n: float) -> float:
        return self.seconds + n * self.period


class MidiClockSource:
    """A Leader: the clock that comes in by `source`. Thread: one, the conductor's.

    Until a start or continue is heard the transport stands, as any machine's on external sync. A tempo outside 20 to
    300 BPM leads nothing. Song positions are taken while it stands, and as a jump while it plays.
    """

    def __init__(self, source: MidiIn) -> None:
        self._source = source
        self._ticks: deque[tuple[int, float]] = deque(maxlen=max(_LINES))  # (number since the clock was first heard, s)
        self._count = 0  # the next tick's number
        self._line: _Line | None = None
        self._period_before: float | None = None  # of a tick, before the clock paused
        self._position = 0  # while it stands: the song's tick that the next one played will be
        self._base: int | None = None  # while it plays: the number of the song's tick 0
        self._first = 0  # number of the first tick played in this take
        self._said_playing = False
        self._transport = Transport(playing=False)
        self._take = 0
        self._leads = False
        self._connection = 0

    @property
    def state(self) -> str:
        """What a performer should know; empty while it leads. Thread: any."""
        if self._count == 0:
            return "no MIDI clock yet"
        if not self._transport.playing:
            return "the clock stands: waiting for its start"
        return "" if self._leads else "the MIDI clock is lost"

    def estimate(self, now: float) -> SyncState:
        before = self._count
        for message in self._source.poll():
            if message.connection != self._connection:
                self._connection = message.connection
                self._rejoin(message.seconds)
            self._hear(message.data, message.seconds)
        if self._count != before and self._ticks:
            self._line = self._fitted()
        pulse = self._pulse(now)
        self._leads = pulse is not None
        if not self._said_playing:
            self._transport = Transport(False, self._take)
        elif pulse is not None:  # a take begins when it is known where its beats fall
            self._transport = Transport(True, self._take)
        return SyncState(beat=pulse, transport=self._transport)

    def _hear(self, data: bytes, seconds: float) -> None:
        if data == CLOCK:
            self._tick(seconds - self._source.grain_seconds / 2.0)  # as late as it is on average
        elif data == START:
            self._play_from(0, seconds)
        elif data == CONTINUE:
            self._play_from(self._position if self._base is None else self._count - self._base, seconds)
        elif data == STOP:
            if self._base is not None:
                self._position = self._count - self._base
            self._base, self._said_playing = None, False
        elif data[0] == SPECS["song_position"][0]:
            position = (data[1] | data[2] << 7) * CLOCKS_PER_SIXTEENTH
            if self._base is None:
                self._position = position
            elif position != self._count - self._base:
                self._play_from(position, seconds)

    def _play_from(self, position: int, seconds: float) -> None:
        if self._line is not None and self._ticks and seconds - self._ticks[-1][1] > _GRACE_TICKS * self._line.period:
            self._forget()  # a clock that only runs while it plays: its first tick says where the beat is
        self._base = self._count - position
        self._first = self._count
        self._said_playing = True
        self._take += 1

    def _rejoin(self, seconds: float) -> None:
        """The input was lost until `seconds`: ticks are missing, as many as the tempo says. Which buttons were pressed
        meanwhile nobody knows.
        """
        if self._line is not None:
            self._count = max(self._count, round((seconds - self._line.seconds) / self._line.period))
        self._forget()

    def _tick(self, seconds: float) -> None:
        if self._ticks:
            last = self._ticks[-1][1]
            if seconds - last > LOST_SECONDS:
                self._forget()
            elif self._line is not None and self._base is not None and self._count == self._first:
                off = abs(seconds - self._line.at(self._count)) / self._line.period
                if off > _SAME_PHASE:
                    self._forget()
        self._ticks.append((self._count, seconds))
        self._count += 1

    def _forget(self) -> None:
        """A beat of its own begins with the next tick; the tempo is believed to be as before."""
        self._ticks.clear()
        self._period_before = self._period_before if self._line is None else self._line.period
        self._line = None

    def _fitted(self) -> _Line | None:
        """The longest straight line through the newest ticks; with few of them, at the tempo known before."""
        ticks = list(self._ticks)
        line = _through(ticks) if len(ticks) >= _FEWEST else None
        if len(ticks) < min(_LINES):
            period = self._period_before
            if period is None or (line is not None and abs(line.period / period - 1.0) > _SAME_TEMPO):
                return line
            return _Line(sum(seconds - number * period for number, seconds in ticks) / len(ticks), period)
        # How much ticks jitter, by the shortest line: a longer one may be bent, and then is off by more than that.
        shortest = ticks[-_LINES[-1] :]
        line = _through(shortest)
        spread = math.sqrt(sum(error * error for error in _errors(line, shortest)) / (len(shortest) - 2))
        # Coarse stamps are not noise: they beat against the ticks, and a piece of that looks straight.
        allowed = max(
            _STRAIGHT_SECONDS + _STRAIGHT_ERRORS * spread / math.sqrt(_TAIL), self._source.grain_seconds / 2.0
        )
        for length in _LINES[:-1]:
            if length <= len(ticks):
                longer = _through(ticks[-length:])
                if abs(sum(_errors(longer, ticks[-_TAIL:]))) / _TAIL <= allowed:
                    return longer
        return line

    def _pulse(self, now: float) -> BeatEstimate | None:
        line = self._line
        if line is None or not self._ticks or line.period <= 0.0:
            return None
        bpm = 60.0 / (CLOCKS_PER_BEAT * line.period)
        overdue = now - self._ticks[-1][1] - _GRACE_TICKS * line.period
        confidence = min(1.0, 1.0 - overdue / LOST_SECONDS)
        if confidence <= 0.0 or not _LOWEST_BPM <= bpm <= _HIGHEST_BPM:
            return None
        base = self._base if self._base is not None else self._count - self._position
        newest = (now - line.seconds) / line.period
        beat = max(0, math.floor((newest - base) / CLOCKS_PER_BEAT))
        return BeatEstimate(line.at(base + beat * CLOCKS_PER_BEAT), bpm, confidence, beat)


def _through(ticks: Sequence[tuple[int, float]]) -> _Line:
    """Least squares, once more without what is far off."""
    line = _least_squares(ticks)
    errors = [abs(error) for error in _errors(line, ticks)]
    limit = _WILD_SECONDS + _WILD * sorted(errors)[len(errors) // 2]
    kept = [tick for tick, error in zip(ticks, errors, strict=True) if error <= limit]
    return line if len(kept) == len(ticks) or len(kept) < _FEWEST else _least_squares(kept)


def _errors(line: _Line, ticks: Sequence[tuple[int, float]]) -> list[float]:
    return [seconds - line.at(number) for number, seconds in ticks]


def _least_squares(ticks: Sequence[tuple[int, float]]) -> _Line:
    # From the middle of both, so that hours of monotonic time cost no digits.
    middle = sum(number for number, _ in ticks) / len(ticks)
    mean = sum(seconds for _, seconds in ticks) / len(ticks)
    spread = sum((number - middle) ** 2 for number, _ in ticks)
    period = sum((number - middle) * (seconds - mean) for number, seconds in ticks) / spread
    return _Line(mean - middle * period, period)
