"""Small stand-ins that tests share: fixed music parameters, and an analyzer that reads from a script."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kelly_live.core.protocols import EmotionOverride, Reading
from kelly_live.core.values import (
    MODES,
    NEUTRAL_PROBABILITIES,
    RHYTHMS,
    AudioWindow,
    Dynamics,
    EmotionState,
    MusicParameters,
    Register,
    TempoRange,
    TimingWeights,
)


def one_of(names: Sequence[str], chosen: str) -> tuple[float, ...]:
    return tuple(1.0 if name == chosen else 0.0 for name in names)


def parameters(bpm: float = 120.0, mode: str = "ionian", **changes: Any) -> MusicParameters:
    values: dict[str, Any] = {
        "tempo": TempoRange(bpm, bpm, bpm),
        "modes": one_of(MODES, mode),
        "register": Register(60.0, 67.0, 76.0),
        "dynamics": Dynamics(0.5, 0.7, 0.1),
        "timing": TimingWeights(0.0, 1.0, 0.0),
        "density": 1.5,
        "rhythms": one_of(RHYTHMS, "straight"),
    }
    return MusicParameters(**(values | changes))


def state(time: float = 0.0, valence: float = 0.0, arousal: float = 0.0) -> EmotionState:
    return EmotionState(NEUTRAL_PROBABILITIES, valence, arousal, 0.0, 1.0, time)


class ScriptedAnalyzer:
    """One reading a hop; the parameters are those of the last script entry whose time has come."""

    def __init__(self, script: Sequence[tuple[float, MusicParameters]], hop_seconds: float = 0.25) -> None:
        self.hop_seconds = hop_seconds
        self.steered: list[EmotionOverride] = []
        self.blocks = self.restarts = 0
        self.bars: list[float] = []
        self._script = script
        self._heard = 0.0
        self._hops = 0

    def push(self, block: AudioWindow, bar: float = 0.0) -> list[Reading]:
        self.blocks += 1
        self.bars.append(bar)
        self._heard += len(block.samples) / block.sample_rate
        readings = []
        while (self._hops + 1) * self.hop_seconds <= self._heard + 1e-9:
            self._hops += 1
            time = self._hops * self.hop_seconds
            chosen = [value for start, value in self._script if start <= time][-1]
            readings.append(Reading(state(time), chosen))
        return readings

    def steer(self, steering: EmotionOverride) -> None:
        self.steered.append(steering)

    def restart(self) -> None:
        self.restarts += 1
