"""Stand-ins that tests share: fixed music parameters, and a reader and mapper that follow a script."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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
from kelly_live.engine.override import OverrideStage


def one_of(names: Sequence[str], choice: str) -> tuple[float, ...]:
    return tuple(1.0 if name == choice else 0.0 for name in names)


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


Script = Sequence[tuple[float, MusicParameters]]


class ScriptedReader:
    """Reads a neutral state a hop; its time tells a ScriptedMapper what to play."""

    sample_rate = 16_000

    def __init__(self, hop_seconds: float = 0.25) -> None:
        self.hop_seconds = hop_seconds
        self.blocks = self.resets = 0
        self._seconds = 0.0
        self._hops = 0

    def push(self, block: AudioWindow) -> list[EmotionState]:
        self.blocks += 1
        self._seconds += len(block.samples) / block.sample_rate
        states = []
        while (self._hops + 1) * self.hop_seconds <= self._seconds + 1e-9:
            self._hops += 1
            states.append(state(self._hops * self.hop_seconds))
        return states

    def reset(self) -> None:
        self.resets += 1

    def close(self) -> None: ...


class ScriptedMapper:
    """Plays the parameters of the last script entry whose time has come by a state's time."""

    audience = None

    def __init__(self, script: Script) -> None:
        self._script = script

    def __call__(self, state: EmotionState) -> MusicParameters:
        return [value for start, value in self._script if start <= state.time][-1]


def scripted_stage(script: Script, initial: MusicParameters | None = None) -> OverrideStage:
    """Plays a script; before it, and while nothing is read, the opening (by default the script's first)."""
    before = [(-1.0, initial or script[0][1])]
    return OverrideStage(ScriptedMapper([*before, *script]), state(-1.0))
