"""The session of the live tests that need neither sound nor nets."""

from __future__ import annotations

from typing import Any

from kelly_live.audio.sources import ToneSource
from kelly_live.core.timebase import MonotonicClock
from kelly_live.engine.live import LiveEngine
from kelly_live.engine.live_parts import LiveParts, create_null_sink
from kelly_live.engine.options.commands import LiveOptions
from kelly_live.engine.options.page import PageOptions
from tests.fakes import ScriptedReader


def create_engine(*, sends: bool = False, with_page: bool = False, profile: str = "none", **options: Any) -> LiveEngine:
    """Create a session that hears a tone and feels by a script, with these LiveOptions.

    `sends`: to a virtual port, else to none. `with_page`: it serves the page on a free port.
    """
    clock = MonotonicClock()
    parts = LiveParts(
        clock=clock,
        source=ToneSource(440.0, clock, realtime=True),
        sink=None if sends else create_null_sink(),
        reader=ScriptedReader(),
    )
    page = PageOptions(is_shown=True, port=0) if with_page else PageOptions()
    return LiveEngine(LiveOptions(page=page, profile=profile, seed=1, **options), parts)
