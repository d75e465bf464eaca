"""Synchronisation to a MIDI clock: ticks, start, stop, continue and song position.

Ticks arrive with jitter (a driver's period, a busy machine), so the beat is taken from a straight line fitted to the
last ones, never from one tick. The line is long while the tempo is constant and short while it changes. Time comes from
the messages and from the caller; no clock is read here.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from kelly_live.core.midi_messages import CLOCK, CLOCKS_PER_BEAT, CLOCKS_PER_SIXTEENTH, CONTINUE, SPECS, START, STOP
from kelly_live.core.protocols import MidiIn
from kelly_live.core.values import BeatEstimate, SyncState, Transport

LOST_SECONDS = 1.0  # time in which the confidence falls to 0 once ticks are missing
_GRACE_TICKS = 3.0  # ticks that may be missing before it falls
_LOWEST_BPM, _HIGHEST_BPM = 20.0, 300.0
_LINES = (96, 48, 24, 12)  # ticks that a line is fitted to; the longest one that is straight is used
_FEWEST = 4  # ticks that an unknown tempo needs
_TAIL = 8  # the newest ticks, by which a line is tested
_STRAIGHT_ERRORS = 2.5  # their mean error may be this many standard errors,
_STRAIGHT_SECONDS = 0.0003  # and this much more
_OUTLIER = 4.0  # a tick this many median errors off the line, and the next more, is left out
_OUTLIER_SECONDS = 0.002
_SAME_PHASE = 0.3  # of a tick; after a start further off the beat is taken from the new ticks
_SAME_TEMPO = 0.1  # share by which a continued clock may differ from its old tempo while there are few ticks


class _Line(NamedTuple):
    """Tick `n` falls at `seconds` + n * `period`."""

    seconds: float
    period: float

    def seconds_at(self, n: float) -> float:
        return self.seconds + n * self.period


class MidiClockSource:
    """A SyncSource: the MIDI clock that arrives at `source`. Thread: one, the conductor's.

    Until a start or continue arrives the transport is stopped, as with any machine on external sync. A tempo outside 20
    to 300 BPM gives no beat. A song position while it is stopped sets where continue starts; while it plays, it is a
    jump.
    """

    def __init__(self, source: MidiIn) -> None:
        self._source = source
        self._ticks: deque[tuple[int, float]] = deque(maxlen=max(_LINES))  # (number since the first tick, seconds)
        self._count = 0  # the next tick's number
        self._line: _Line | None = None
        self._period_before: float | None = None  # of a tick, before the clock paused
        self._position = 0  # while stopped: the song's tick at which it will continue
        self._base: int | None = None  # while playing: the number of the song's tick 0
        self._first = 0  # number of the first tick since the last start
        self._is_playing = False
        self._transport = Transport(playing=False)
        self._start_count = 0
        self._has_beat = False
        self._connection = 0

    @property
    def state(self) -> str:
        """What a performer should know; empty while there is a beat. Thread: any."""
        if self._count == 0:
            return "no MIDI clock yet"
        if not self._transport.playing:
            return "the clock stands: waiting for its start"
        return "" if self._has_beat else "the MIDI clock is lost"

    def estimate(self, now: float) -> SyncState:
        """Take the messages that arrived; return beat and transport as of `now`."""
        before = self._count
        for message in self._source.poll():
            if message.connection != self._connection:
                self._connection = message.connection
                self._rejoin(message.seconds)
            self._receive(message.data, message.seconds)
        if self._count != before and self._ticks:
            self._line = self._fit()
        beat = self._estimate_beat(now)
        self._has_beat = beat is not None
        if not self._is_playing:
            self._transport = Transport(False, self._start_count)
        elif beat is not None:  # a start takes effect once it is known where its beats fall
            self._transport = Transport(True, self._start_count)
        return SyncState(beat=beat, transport=self._transport)

    def _receive(self, data: bytes, seconds: float) -> None:
        if data == CLOCK:
            self._tick(seconds - self._source.grain_seconds / 2.0)  # the average delay of a stamp
        elif data == START:
            self._play_from(0, seconds)
        elif data == CONTINUE:
            self._play_from(self._position if self._base is None else self._count - self._base, seconds)
        elif data == STOP:
            if self._base is not None:
                self._position = self._count - self._base
            self._base, self._is_playing = None, False
        elif data[0] == SPECS["song_position"][0]:
            position = (data[1] | data[2] << 7) * CLOCKS_PER_SIXTEENTH
            if self._base is None:
                self._position = position
            elif position != self._count - self._base:
                self._play_from(position, seconds)

    def _play_from(self, position: int, seconds: float) -> None:
        if self._line is not None and self._ticks and seconds - self._ticks[-1][1] > _GRACE_TICKS * self._line.period:
            self._forget()  # a clock that only runs while it plays: the beat is at its first tick
        self._base = self._count - position
        self._first = self._count
        self._is_playing = True
        self._start_count += 1

    def _rejoin(self, seconds: float) -> None:
        """Continue after the input was lost until `seconds`: the missing ticks are counted by the tempo.

        A start or stop in that time is not known.
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
                off = abs(seconds - self._line.seconds_at(self._count)) / self._line.period
                if off > _SAME_PHASE:
                    self._forget()
        self._ticks.append((self._count, seconds))
        self._count += 1

    def _forget(self) -> None:
        """Take the beat from the next tick on; the tempo is assumed to be the same."""
        self._ticks.clear()
        self._period_before = self._period_before if self._line is None else self._line.period
        self._line = None

    def _fit(self) -> _Line | None:
        """Fit the longest straight line to the newest ticks; with few of them, at the tempo known before."""
        ticks = list(self._ticks)
        line = _fit_line(ticks) if len(ticks) >= _FEWEST else None
        if len(ticks) < min(_LINES):
            period = self._period_before
            if period is None or (line is not None and abs(line.period / period - 1.0) > _SAME_TEMPO):
                return line
            return _Line(sum(seconds - number * period for number, seconds in ticks) / len(ticks), period)
        # The jitter is measured on the shortest line. If a longer one is bent, its newest ticks are off by more.
        shortest = ticks[-_LINES[-1] :]
        line = _fit_line(shortest)
        spread = math.sqrt(sum(error * error for error in _errors(line, shortest)) / (len(shortest) - 2))
        # Coarse time stamps are not noise: their pattern repeats, and a part of it can look straight.
        error_limit = max(
            _STRAIGHT_SECONDS + _STRAIGHT_ERRORS * spread / math.sqrt(_TAIL), self._source.grain_seconds / 2.0
        )
        for length in _LINES[:-1]:
            if length <= len(ticks):
                longer = _fit_line(ticks[-length:])
                if abs(sum(_errors(longer, ticks[-_TAIL:]))) / _TAIL <= error_limit:
                    return longer
        return line

    def _estimate_beat(self, now: float) -> BeatEstimate | None:
        line = self._line
        if line is None or not self._ticks or line.period <= 0.0:
            return None
        bpm = 60.0 / (CLOCKS_PER_BEAT * line.period)
        overdue_seconds = now - self._ticks[-1][1] - _GRACE_TICKS * line.period
        confidence = min(1.0, 1.0 - overdue_seconds / LOST_SECONDS)
        if confidence <= 0.0 or not _LOWEST_BPM <= bpm <= _HIGHEST_BPM:
            return None
        base = self._base if self._base is not None else self._count - self._position
        newest = (now - line.seconds) / line.period
        beat = max(0, math.floor((newest - base) / CLOCKS_PER_BEAT))
        return BeatEstimate(line.seconds_at(base + beat * CLOCKS_PER_BEAT), bpm, confidence, beat)


def _fit_line(ticks: Sequence[tuple[int, float]]) -> _Line:
    """Fit by least squares, then once more without outliers."""
    line = _least_squares(ticks)
    errors = [abs(error) for error in _errors(line, ticks)]
    limit = _OUTLIER_SECONDS + _OUTLIER * sorted(errors)[len(errors) // 2]
    inliers = [tick for tick, error in zip(ticks, errors, strict=True) if error <= limit]
    return line if len(inliers) == len(ticks) or len(inliers) < _FEWEST else _least_squares(inliers)


def _errors(line: _Line, ticks: Sequence[tuple[int, float]]) -> list[float]:
    return [seconds - line.seconds_at(number) for number, seconds in ticks]


def _least_squares(ticks: Sequence[tuple[int, float]]) -> _Line:
    # Centred on the means, so that hours of monotonic time cost no precision.
    middle = sum(number for number, _ in ticks) / len(ticks)
    mean = sum(seconds for _, seconds in ticks) / len(ticks)
    spread = sum((number - middle) ** 2 for number, _ in ticks)
    period = sum((number - middle) * (seconds - mean) for number, seconds in ticks) / spread
    return _Line(mean - middle * period, period)
