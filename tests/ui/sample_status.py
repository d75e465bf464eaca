"""A moment of a session, for the tests that show one."""

from __future__ import annotations

from typing import Any

from kelly_live.core.values import EMOTIONS, EmotionState
from kelly_live.ui.status import LiveStatus


def status(emotion: str = "happy", confidence: float = 0.72, **changes: Any) -> LiveStatus:
    """Return bar 12 of a happy piece in D dorian, with these changes."""
    probabilities = tuple(0.65 if name == emotion else 0.05 for name in EMOTIONS)
    feeling = EmotionState(probabilities, 0.81, 0.51, -0.46, confidence, time=0.0)
    values = {"tempo_bpm": 112.4, "mode": "dorian", "level_dbfs": -23.4, "tonic": "D", "chord": "Dm7", "bar": 12}
    return LiveStatus(state=feeling, **(values | changes))
