"""A tracker of the input that is replaced when it fails; the band plays on by itself meanwhile.

Threads: `push` belongs to the one that listens, `estimate` to the conductor's, `problem` to any.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from kelly_live.core.protocols import BeatTracker
from kelly_live.core.sync_state import SyncState
from kelly_live.core.values import AudioWindow

PROBLEM_SECONDS = 5.0  # so much audio a new tracker must take before the problem is over

_log = logging.getLogger(__name__)


class SupervisedTracker:
    """A BeatTracker for life; `create` makes the first one at once, and another one after each failure.

    `name` is what its problems call it.
    """

    def __init__(self, create: Callable[[], BeatTracker], *, name: str = "beat tracker") -> None:
        self.problem: str | None = None
        self._name = name
        self._create = create
        self._tracker: BeatTracker | None = create()
        self._taken_seconds = 0.0  # by this tracker

    @property
    def tracker(self) -> BeatTracker | None:
        """The one in use; None while it is being replaced."""
        return self._tracker

    def push(self, block: AudioWindow) -> None:
        """Take new samples (any number); never raises."""
        try:
            if self._tracker is None:
                self._tracker = self._create()
            self._tracker.push(block)
        except Exception as error:  # any failure is the tracker's own, and the music goes on
            self._fail(error)
            return
        self._taken_seconds += len(block.samples) / block.sample_rate
        if self.problem is not None and self._taken_seconds >= PROBLEM_SECONDS:
            self.problem = None

    def estimate(self, now: float) -> SyncState:
        """Return what the tracker knows; nothing while it is being replaced. Never raises."""
        tracker = self._tracker
        if tracker is None:
            return SyncState()
        try:
            return tracker.estimate(now)
        except Exception as error:  # as in `push`
            self._fail(error)
            return SyncState()

    def _fail(self, error: Exception) -> None:
        if self.problem is None:  # one that fails at every block would fill the log
            _log.exception("the %s failed and is replaced", self._name)
        self._tracker, self._taken_seconds = None, 0.0
        words = f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"
        self.problem = f"the {self._name} starts anew ({words})"
