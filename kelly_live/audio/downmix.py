"""Mix the channels of an input or a file down to one, at the level of the player.

A mean over all channels buries one guitar among 17 silent inputs, and two channels of opposite phase cancel. So the
mean is taken over the channels that carry sound; where those cancel, the first of them is taken alone. Every step is
deterministic and depends on the past only, and not on how the sound is cut into blocks.
"""

from __future__ import annotations

import math

import numpy as np

_DECISION_SECONDS = 0.02
_SOUND_POWER = 1e-9  # -90 dBFS: what is softer is the noise of a converter
_ACTIVE_SHARE = 10.0**-2.6  # of the loudest channel's power: 26 dB below it is noise, hum or spill
_DECAY_DB_PER_SECOND = 3.0  # so that a rest of some seconds does not end a channel
_COHERENCE_SECONDS = 0.2
# Power of the mix, in multiples of what unrelated channels would give. Below the first they cancel; over the second not
# any more. Stereo recordings are near 1 to 2.
_CANCELLING, _NOT_CANCELLING = 0.05, 0.2


class Downmixer:
    """Mixes blocks float32 `[n, channels]` down to `[n]`, at a sample rate in Hz. Thread: one.

    `active`: the columns (from 0 up) that carry sound.
    """

    def __init__(self, rate: int, channels: int, gain_db: float = 0.0) -> None:
        self._span = max(1, round(rate * _DECISION_SECONDS))
        self._gain = 10.0 ** (gain_db / 20.0)
        self._channels = channels
        self._decay = 10.0 ** (-_DECAY_DB_PER_SECOND * _DECISION_SECONDS / 10.0)
        self._memory = math.exp(-_DECISION_SECONDS / _COHERENCE_SECONDS)
        self._levels = np.zeros(channels)
        self._is_active = np.ones(channels, bool)
        self._is_cancelling = False
        self._own_power = self._mixed_power = 0.0
        self._before = self._weights = np.full(channels, 1.0 / channels, np.float32)
        self._filled = 0  # frames since the last decision
        self._energy = np.zeros(channels)  # in those frames
        self._mixed_energy = 0.0
        self.active: tuple[int, ...] = ()

    def mix(self, block: np.ndarray) -> np.ndarray:
        """Return the block as one channel."""
        if self._channels == 1:
            mono: np.ndarray = block[:, 0].copy()
            self._note_level(block)
        else:
            mono = np.empty(len(block), np.float32)
            start = 0
            while start < len(block):
                stop = min(len(block), start + self._span - self._filled)
                mono[start:stop] = self._mix_piece(block[start:stop])
                start = stop
        return mono if self._gain == 1.0 else mono * np.float32(self._gain)

    def _note_level(self, block: np.ndarray) -> None:
        self.active = (0,) if float(np.square(block).mean()) > _SOUND_POWER else ()

    def _mix_piece(self, piece: np.ndarray) -> np.ndarray:
        """Mix frames that lie between two decisions; the weights move over to the last decision's on the way."""
        if self._before is self._weights:
            if np.ptp(self._weights) == 0.0:
                mono: np.ndarray = piece.mean(axis=1, dtype=np.float32)
            else:
                mono = _weigh(piece, self._weights)
        else:
            position = np.arange(self._filled + 1, self._filled + len(piece) + 1, dtype=np.float32) / self._span
            before, after = _weigh(piece, self._before), _weigh(piece, self._weights)
            mono = before + (after - before) * position
        self._energy += np.square(piece, dtype=np.float64).sum(axis=0)
        self._mixed_energy += float(np.square(piece[:, self._is_active].mean(axis=1), dtype=np.float64).sum())
        self._filled += len(piece)
        if self._filled == self._span:
            self._decide()
        return mono

    def _decide(self) -> None:
        power, mixed_power = self._energy / self._span, self._mixed_energy / self._span
        self._filled, self._energy, self._mixed_energy = 0, np.zeros(self._channels), 0.0
        self._before = self._weights
        self._levels = np.maximum(power, self._levels * self._decay)
        loudest = float(self._levels.max())
        self.active = tuple(int(i) for i in np.flatnonzero(self._levels > max(_SOUND_POWER, _ACTIVE_SHARE * loudest)))
        if loudest < _SOUND_POWER:
            return
        is_active = self._levels >= _ACTIVE_SHARE * loudest
        count = int(is_active.sum())
        if (is_active != self._is_active).any():
            # What was measured holds for other channels: begin again, as if these were unrelated.
            self._is_active, self._is_cancelling = is_active, False
            self._own_power = self._mixed_power = 0.0
        else:
            own_power = float(power[is_active].mean())
            if self._own_power == 0.0:
                self._own_power, self._mixed_power = own_power, own_power / count
            self._own_power += (own_power - self._own_power) * (1.0 - self._memory)
            self._mixed_power += (mixed_power - self._mixed_power) * (1.0 - self._memory)
        limit = _NOT_CANCELLING if self._is_cancelling else _CANCELLING
        self._is_cancelling = count > 1 and self._mixed_power * count < limit * self._own_power
        target_weights = np.zeros(self._channels, np.float32)
        target_weights[np.flatnonzero(is_active)[:1] if self._is_cancelling else is_active] = 1.0
        target_weights /= target_weights.sum()
        if not np.array_equal(target_weights, self._weights):
            self._weights = target_weights


def _weigh(piece: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return each frame's weighted sum; a matrix product would round by the number of frames."""
    mono: np.ndarray = (piece * weights).sum(axis=1, dtype=np.float32)
    return mono
