"""How the band's loudness goes with the player's: around that of the feeling, within a bar, and never in a jump."""

from __future__ import annotations

import math
from dataclasses import replace

from kelly_live.core.values import MusicParameters

_BEATS = 1.0  # time constant: after a bar of four, 98 % of a change is there
_OCTAVES = 0.5  # of velocity, from the base to either end: a factor of 1.41, about 6 dB


class DynamicsFollower:
    """Follows the player's loudness from slice to slice. Thread: the conductor's."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Play as the feeling says, until something is heard."""
        self.is_synchronized = False
        self._loudness = 0.0
        self._beat: float | None = None

    def step(self, beat: float, loudness: float | None) -> DynamicsFollower:
        """Take the player's loudness (-1 to 1) at a later beat, and return itself.

        None: he rests, and the band does not grow louder.
        """
        passed = 0.0 if self._beat is None else max(0.0, beat - self._beat)
        self._beat = beat
        self.is_synchronized = loudness is not None
        target = min(self._loudness, 0.0) if loudness is None else loudness
        self._loudness += (target - self._loudness) * -math.expm1(-passed / _BEATS)
        return self

    def adapt(self, parameters: MusicParameters) -> MusicParameters:
        """Return the parameters with the dynamics that the band plays with."""
        if self._loudness == 0.0:
            return parameters
        dynamics, gain = parameters.dynamics, 2.0 ** (_OCTAVES * self._loudness)
        ends = (min(1.0, dynamics.floor * gain), min(1.0, dynamics.ceiling * gain))
        return replace(parameters, dynamics=replace(dynamics, floor=ends[0], ceiling=ends[1]))
