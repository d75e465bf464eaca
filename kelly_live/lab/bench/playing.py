"""A live session for measurements: a recording for the microphone, a sink that traces messages."""

from __future__ import annotations

import time
from pathlib import Path

from kelly_live.audio.sources import FileSource
from kelly_live.core.protocols import EmotionReader
from kelly_live.core.timebase import MonotonicClock
from kelly_live.engine.build import create_conductor
from kelly_live.engine.override import OverrideStage
from kelly_live.engine.session import Journal, LiveSession, Snapshot
from kelly_live.midi.scheduler_client import SchedulerClient
from kelly_live.workers.realtime import freeze_gc


def play_recording(
    seconds: float,
    recording: Path,
    sink: SchedulerClient,
    reader: EmotionReader,
    stage: OverrideStage,
    journal: Journal | None = None,
) -> None:
    """Play along with a recording in real time. `sink` is open, and stopped afterwards.

    Raises:
        KellyError: A part of the session fails.
    """
    clock = MonotonicClock()
    session = LiveSession(
        source=FileSource(recording, clock, realtime=True),
        reader=reader,
        stage=stage,
        conductor=create_conductor(sink, seed=1, live=True),
        sink=sink,
        clock=clock,
        journal=journal,
    )
    began = time.monotonic()

    def on_status(snapshot: Snapshot) -> None:
        if time.monotonic() - began > seconds:
            session.stop()

    freeze_gc()
    session.run(on_status)
