"""A stand-in for notochord with the calls of its 0.8.0 that examples/kelly-live-notochord makes. It draws at random.

It remembers a digest of what it was fed, as a network does, so that a history that is fed otherwise gives other notes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch


class Notochord:
    """Has the state of a model: what was fed, and which notes sound."""

    def __init__(self) -> None:
        self.held_notes: dict[tuple[int, int], float] = {}
        self._digest = 0

    @classmethod
    def from_checkpoint(cls, path: str) -> Notochord:
        assert Path(path).is_file()
        return cls()

    @classmethod
    def user_data_dir(cls) -> Path:
        return Path(tempfile.gettempdir()) / "no-such-folder"

    def reset(self) -> None:
        self.held_notes.clear()
        self._digest = 0

    def feed(self, inst: int, pitch: int, time: float, vel: float, **_: Any) -> None:
        assert time >= 0.0
        assert 0 <= pitch <= 127
        if vel > 0.0:
            self.held_notes[inst, pitch] = 0.0
        else:
            del self.held_notes[inst, pitch]
        self._digest = (self._digest * 31 + pitch + round(1000.0 * time) + round(vel)) % 1009

    def query(
        self,
        next_inst: int,
        min_time: float,
        max_time: float,
        min_vel: float,
        max_vel: float,
        include_pitch: Sequence[int] = (),
        next_pitch: int | None = None,
        pitch_temp: float | None = None,
        rhythm_temp: float | None = None,
    ) -> dict[str, Any]:
        for _ in range(self._digest % 7):
            torch.chance.random()
        return {
            "inst": next_inst,
            "pitch": torch.chance.choice(sorted(include_pitch)) if next_pitch is None else next_pitch,
            "time": torch.chance.uniform(min_time, max_time),
            "vel": torch.chance.uniform(min_vel, max_vel),
        }
