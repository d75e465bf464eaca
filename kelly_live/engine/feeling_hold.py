"""What is felt while a player rests: his last phrase, which fades slowly towards calm.

Silence carries no emotion, and the reader relaxes to neutral in it. Neutral is livelier than a sad phrase and darker
than a glad one, so a band that played it would jump at every rest.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import replace

from kelly_live.core.emotion_space import category_probabilities
from kelly_live.core.sync_state import PlayerActivity
from kelly_live.core.values import EmotionState

FADE_SECONDS = 12.0  # time constant
CALM_AROUSAL = -0.6  # where the fade leads, with the same valence and no dominance
_REMEMBERED_STATES = 16  # 4 s: a rest is noticed sooner


class FeelingHold:
    """Replaces what is read while the player rests. Thread: the conductor's.

    The same state and activity give the same object.
    """

    def __init__(self) -> None:
        self._played: deque[EmotionState] = deque(maxlen=_REMEMBERED_STATES)
        self._last_phrase: EmotionState | None = None
        self._source: EmotionState | None = None
        self._result: EmotionState | None = None

    def apply(self, state: EmotionState, activity: PlayerActivity | None) -> EmotionState:
        """Return the state that is played for the latest one that was read."""
        if activity is None or activity.is_playing:
            if not self._played or self._played[-1] is not state:
                self._played.append(state)
            self._last_phrase = self._source = None
            return state
        if self._last_phrase is None:
            before = [one for one in self._played if one.time <= activity.since]
            self._last_phrase = before[-1] if before else next(iter(self._played), state)
            self._played.clear()
        if state is not self._source or self._result is None:
            self._source = state
            self._result = fade_state(self._last_phrase, max(0.0, state.time - activity.since), time=state.time)
        return self._result


def fade_state(state: EmotionState, seconds: float, *, time: float) -> EmotionState:
    """Return a state as it has faded after so many seconds, at `time`; it never gets livelier."""
    share = -math.expm1(-seconds / FADE_SECONDS)
    arousal = state.arousal + share * (min(state.arousal, CALM_AROUSAL) - state.arousal)
    dominance = state.dominance + share * (min(state.dominance, 0.0) - state.dominance)
    calm = category_probabilities(state.valence, arousal, dominance)
    probabilities = tuple(p + share * (q - p) for p, q in zip(state.probabilities, calm, strict=True))
    return replace(state, probabilities=probabilities, arousal=arousal, dominance=dominance, time=time)
