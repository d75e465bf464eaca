"""The fastest rise of the arousal that is played, whoever asks for it.

That may be a reading, an override, a cue or an arc.
"""

from __future__ import annotations

import math
from dataclasses import replace

from kelly_live.core.emotion_space import place_state
from kelly_live.core.rise_limiter import RiseLimiter
from kelly_live.core.values import EmotionState

AROUSAL_STEP = 0.01  # what is allowed goes in steps, so that no reading is mapped anew at every call
WINDOW_SECONDS = 5.0  # the arousal of a reading goes up and down; only what lasts is a rise


class ArousalLimit:
    """A limit to the rise of the arousal: `per_minute` at most, from `start` on; None: at will.

    Times are in seconds and rise.
    """

    def __init__(self, per_minute: float | None, start: float = 0.0) -> None:
        self._rise = None if per_minute is None else RiseLimiter(per_minute / 60.0, WINDOW_SECONDS, keeps_last=True)
        self._start = start
        self._has_begun = False

    def find_most(self, now: float) -> float:
        """Return the highest arousal that may be played now, in steps of AROUSAL_STEP."""
        if self._rise is None:
            return 1.0
        if not self._has_begun:
            self._has_begun = True
            self._rise.add(now, self._start)
        most = min(1.0, self._rise.compute_allowed(now))
        return max(-1.0, math.floor(most / AROUSAL_STEP) * AROUSAL_STEP)

    def add(self, now: float, wanted: float) -> None:
        """Note which arousal was asked for; what is allowed of it counts as played."""
        if self._rise is not None:
            self._rise.limit(now, wanted)


def hold_arousal(state: EmotionState, most: float) -> EmotionState:
    """Return a state whose arousal is at most so high; its probabilities follow, its confidence stays."""
    if state.arousal <= most:
        return state
    return replace(place_state(state, arousal=most), confidence=state.confidence)
