"""Parts of a LiveEngine: replacements of the real ones, and those for programs."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kelly_live.core.actions import Action
from kelly_live.core.queues import drain
from kelly_live.core.timebase import Clock, MonotonicClock
from kelly_live.core.values import MAIN_PORT

if TYPE_CHECKING:
    from kelly_live.core.control_surface import ControlView
    from kelly_live.core.protocols import AudioSource, EmotionReader, Mapper, NoteSink
    from kelly_live.engine.journal import Journal
    from kelly_live.midi.routing import RoutedSink
    from kelly_live.ui.status import LiveStatus

_log = logging.getLogger(__name__)
MAX_WAITING_ACTIONS = 256


@dataclass(frozen=True, slots=True)
class LiveParts:
    """Parts to use instead of, or around, those that the options describe; None: as the options say.

    Attributes:
        clock: Times the session.
        source: Any AudioSource.
        sink: A RoutedSink that is not open yet, such as `create_null_sink()`.
        reader: Any EmotionReader, ready to read, which the engine closes.
        journal: Records the decisions about notes; only for a session that is not recorded.
        wrap_mapper: Puts a Mapper around the one that is played with; it hears every state, and may change the music.
        wrap_sink: Puts a NoteSink around the sink; every command of the music passes it. It must not block.
    """

    clock: Clock | None = None
    source: AudioSource | None = None
    sink: RoutedSink | None = None
    reader: EmotionReader | None = None
    journal: Journal | None = None
    wrap_mapper: Callable[[Mapper], Mapper] | None = None
    wrap_sink: Callable[[NoteSink], NoteSink] | None = None

    @classmethod
    def create(cls, recording: Path | str | None = None, *, null_port: bool = False) -> LiveParts:
        """Listen to a recording in real time [default: the options' input]; `null_port`: send no MIDI."""
        from kelly_live.audio.sources import FileSource

        clock = MonotonicClock()
        return cls(
            clock=clock,
            source=None if recording is None else FileSource(Path(recording), clock, realtime=True),
            sink=create_null_sink() if null_port else None,
        )


def create_null_sink() -> RoutedSink:
    """Return a sink whose scheduler process plays in time, but sends to no port."""
    from kelly_live.midi.routing import RoutedSink
    from kelly_live.midi.scheduler_client import SchedulerClient

    return RoutedSink({MAIN_PORT: SchedulerClient(null=True)})


class LogDisplay:
    """A Display that puts what stays in the log, and shows nothing else."""

    def say(self, text: str) -> None:
        """Log a line."""
        _log.info("%s", text)

    def show(self, status: LiveStatus) -> None:
        """Show nothing."""


class ActionQueue:
    """A ControlSurface for a program's own actions. Threads: `put` is for any, the rest for the console's."""

    name = "program"

    def __init__(self) -> None:
        self._pending: deque[Action] = deque()
        self._putting = threading.Lock()
        self._is_dropping = False  # and that was logged

    def put(self, action: Action) -> bool:
        """Queue an action; False if MAX_WAITING_ACTIONS wait already, and then it is dropped."""
        with self._putting:
            was_dropping, self._is_dropping = self._is_dropping, len(self._pending) >= MAX_WAITING_ACTIONS
            if not self._is_dropping:
                self._pending.append(action)
                return True
        if not was_dropping:
            _log.warning("actions are dropped: over %d wait", MAX_WAITING_ACTIONS)
        return False

    def publish(self, view: ControlView) -> None:
        """Show nothing: programs observe the engine."""

    def poll(self) -> list[Action]:
        """Return what was queued since the last call."""
        return drain(self._pending)
