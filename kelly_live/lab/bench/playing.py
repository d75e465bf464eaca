"""A live session for measurements: a recording as microphone, a trace of when messages leave."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from kelly_live.core.protocols import Mapper
from kelly_live.core.values import MAIN_PORT
from kelly_live.engine.journal import Journal
from kelly_live.engine.live import LiveEngine
from kelly_live.engine.live_parts import LiveParts
from kelly_live.engine.options.commands import LiveOptions
from kelly_live.engine.options.override import OverrideOptions
from kelly_live.engine.options.page import PageOptions
from kelly_live.midi.routing import RoutedSink
from kelly_live.midi.scheduler_client import SchedulerClient


def create_engine(
    recording: Path,
    trace: Path,
    device: str,
    *,
    freeze: bool = False,
    with_page: bool = False,
    journal: Journal | None = None,
    wrap_mapper: Callable[[Mapper], Mapper] | None = None,
) -> LiveEngine:
    """Create an engine that plays along with a recording in real time, without a profile.

    `trace`: where the times of the messages are written. `freeze`: hold a neutral emotion. `with_page`:
    serve the page on a free port. The rest as in LiveParts.
    """
    return LiveEngine(
        LiveOptions(
            profile="none",
            seed=1,
            device=device,
            override=OverrideOptions(freeze=freeze),
            page=PageOptions(is_shown=True, port=0) if with_page else PageOptions(),
        ),
        replace(
            LiveParts.create(recording),
            sink=RoutedSink({MAIN_PORT: SchedulerClient(trace=trace)}),
            journal=journal,
            wrap_mapper=wrap_mapper,
        ),
    )


def find_page_link(engine: LiveEngine, *, may_act: bool = True) -> str:
    """Return the address of the session's page, to steer it or only to look."""
    title = "page: " if may_act else "to look only: "
    return next(line for line in engine.describe() if line.startswith(title)).removeprefix(title)
