"""The records of a session's counters and feeling, which are there to be read."""

from __future__ import annotations

from typing import Protocol

from kelly_live.core.protocols import AudioHealth, Reading, SchedulerHealth
from kelly_live.core.values import EmotionState
from kelly_live.music.conductor_status import ConductorStatus
from kelly_live.recording.log import create_feeling
from kelly_live.recording.records import CounterRecord, FeelingRecord, Record

FEELING_SECONDS = 1.0  # so often what is felt is recorded


class SessionCounters(Protocol):
    """The part of a session's snapshot that is recorded."""

    @property
    def reading(self) -> Reading:
        """What is played."""

    @property
    def read(self) -> EmotionState | None:
        """The latest state of the analysis."""

    @property
    def conductor(self) -> ConductorStatus:
        """Where the music is."""

    @property
    def scheduler(self) -> SchedulerHealth:
        """The counters of the send path."""

    @property
    def audio(self) -> AudioHealth:
        """The counters of the input."""

    @property
    def dropped_windows(self) -> int:
        """Windows of input that the analysis was too slow for."""


class CounterReader:
    """Creates records of what has moved. Thread: one."""

    def __init__(self) -> None:
        self._counters = (0, 0, 0, 0, 0.0, 0)
        self._felt_at: float | None = None  # when the latest feeling was recorded
        self._heard: EmotionState | None = None

    def read(self, now: float, snapshot: SessionCounters) -> list[Record]:
        """Return the counters where one has moved and, once a second, the feeling.

        Cheap when there is neither.
        """
        records: list[Record] = []
        if self._felt_at is None or now - self._felt_at >= FEELING_SECONDS:
            records.append(self._read_feeling(now, snapshot))
        scheduler = snapshot.scheduler
        counters = (
            scheduler.dropped_notes, scheduler.late_messages, snapshot.dropped_windows, snapshot.audio.overflows,
            snapshot.conductor.skipped_beats, scheduler.limited_notes,
        )  # fmt: skip
        if counters != self._counters:
            self._counters = counters
            dropped_notes, late_messages, dropped_windows, overflows, skipped_beats, limited_notes = counters
            records.append(
                CounterRecord(
                    time=now,
                    dropped=dropped_notes,
                    late=late_messages,
                    windows=dropped_windows,
                    overflows=overflows,
                    skipped_beats=skipped_beats,
                    limited=limited_notes,
                )
            )
        return records

    def _read_feeling(self, now: float, snapshot: SessionCounters) -> FeelingRecord:
        music, read = snapshot.conductor, snapshot.read
        is_new = read is not None and read is not self._heard
        self._felt_at, self._heard = now, read
        return FeelingRecord(
            time=now,
            heard=create_feeling(read) if read is not None and is_new else None,
            played=create_feeling(snapshot.reading.state),
            tonic=music.tonic,
            mode=music.mode,
            chord=music.chord,
            synchronized=music.synchronized,
        )
