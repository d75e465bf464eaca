"""A live session that is watched: a recording for the microphone, a port that keeps when each message left."""

from __future__ import annotations

import time
from pathlib import Path

from kelly_live.audio.sources import FileSource
from kelly_live.cli.parts import make_conductor
from kelly_live.interpreter import settle
from kelly_live.midi.client import SchedulerClient
from kelly_live.protocols import Analyzer, Reading
from kelly_live.session import Journal, LiveSession, Snapshot
from kelly_live.timebase import MonotonicClock


def play_for(
    seconds: float,
    recording: Path,
    sink: SchedulerClient,
    analyzer: Analyzer,
    opening: Reading,
    journal: Journal | None = None,
) -> None:
    """In real time; `sink` is open, and stopped afterwards. Raises KellyError."""
    clock = MonotonicClock()
    session = LiveSession(
        source=FileSource(recording, clock, realtime=True),
        analyzer=analyzer,
        conductor=make_conductor(sink, seed=1, live=True),
        sink=sink,
        clock=clock,
        opening=opening,
        journal=journal,
    )
    began = time.monotonic()

    def on_status(snapshot: Snapshot) -> None:
        if time.monotonic() - began > seconds:
            session.stop()

    settle()
    session.run(on_status)
