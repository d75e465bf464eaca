"""Holds notes and controllers to the loudness limits, at the last place before the port.

Whatever played a note, it passes here: plug-ins, effects, the mixer, the ending, a panic's new start. Pure: no clock,
no port; times in seconds.

- `velocity`: the loudest velocity. Volume (controller 7) then stays at what General MIDI receivers begin with.
- `rise`: how fast velocities may rise, from those of the last WINDOW_SECONDS. Up to SOFT_VELOCITY a note is always
  allowed, so that the music can begin. Volume, expression, modulation, breath and pressure rise as fast at most,
  and at once by what STEP_SECONDS allow: a controller holds its value, and a leap would be heard.
- `accent`: by how much a velocity may exceed the average of the last ACCENT_SECONDS.
- `notes`: how many notes may sound at once; one more is not begun.
"""

from __future__ import annotations

import math
from collections import deque

from kelly_live.core.commands import LoudnessLimits
from kelly_live.core.midi_messages import EXPRESSION
from kelly_live.core.rise_limiter import RiseLimiter

WINDOW_SECONDS = 5.0  # a chord a bar at 60 BPM is no silence
SOFT_VELOCITY = 40
STEP_SECONDS = 0.25
ACCENT_SECONDS = 2.0
FRAME_SECONDS = 0.1  # notes of one chord, and of a roll, count once: their loudest
REST_VOLUME = 100
MODULATION, BREATH, VOLUME, PRESSURE = 1, 2, 7, 128  # pressure beside the controllers, which end at 127
_STEPS_PER_VELOCITY = 100 / 127  # of a controller whose 100 is a note as it was struck
_AT_REST = {MODULATION: 0, BREATH: 0, VOLUME: REST_VOLUME, EXPRESSION: 127, PRESSURE: 0}


class LoudnessLimiter:
    """The limits of one port. `limits` may change at any time; what was played is remembered."""

    def __init__(self, limits: LoudnessLimits | None = None) -> None:
        self.limited_notes = 0
        self._limits = limits or LoudnessLimits()
        self._rise = _create_rise(self._limits)
        self._frames: deque[tuple[int, int]] = deque()  # (number of the frame, its loudest velocity)
        # By channel and controller: when it was sent, and its value before rounding.
        self._controllers: dict[tuple[int, int], tuple[float, float]] = {}
        self._now = -math.inf  # offline, what is late counts as played now

    def set_limits(self, limits: LoudnessLimits) -> None:
        """Take other limits from now on."""
        if limits.rise != self._limits.rise:
            self._rise = _create_rise(limits)
        self._limits = limits

    def limit_velocity(self, velocity: int, now: float, sounding_notes: int) -> int | None:
        """Return the velocity that a note may have now; None: it may not begin. What is returned counts as played."""
        limits, now = self._limits, self._move_to(now)
        if limits.notes is not None and sounding_notes >= limits.notes:
            self.limited_notes += 1
            return None
        allowed = float(velocity)
        if limits.velocity is not None:
            allowed = min(allowed, limits.velocity)
        if self._rise is not None:
            allowed = min(allowed, self._rise.compute_allowed(now))
        if limits.accent is not None:
            allowed = min(allowed, max(SOFT_VELOCITY, self._average(now) + limits.accent))
        if self._rise is not None:
            self._rise.add(now, allowed)
        limited = max(1, int(allowed))
        if limits.accent is not None:
            self._add_to_frame(limited, now)
        self.limited_notes += limited < velocity
        return limited

    def limit_controller(self, channel: int, controller: int, value: int, now: float) -> int:
        """Return the value that a controller may have now, which counts as sent; PRESSURE: channel pressure."""
        limits, rest = self._limits, _AT_REST.get(controller)
        if rest is None:
            return value
        if controller == VOLUME and limits.velocity is not None:
            value = min(value, REST_VOLUME)
        if limits.rise is None:
            return value
        key, now = (channel, controller), self._move_to(now)
        at, before = self._controllers.get(key, (now - STEP_SECONDS, rest))
        per_second = limits.rise * _STEPS_PER_VELOCITY
        allowed = min(float(value), before + per_second * min(now - at, STEP_SECONDS))
        self._controllers[key] = now, allowed
        return int(allowed)

    def _move_to(self, now: float) -> float:
        self._now = max(self._now, now)
        return self._now

    def _average(self, now: float) -> float:
        """Return the average of the loudest velocities of the past frames that have any; 0 where none has."""
        frame = int(now // FRAME_SECONDS)
        oldest = frame - round(ACCENT_SECONDS / FRAME_SECONDS)
        while self._frames and self._frames[0][0] < oldest:
            self._frames.popleft()
        past = [velocity for number, velocity in self._frames if number < frame]
        return sum(past) / len(past) if past else 0.0

    def _add_to_frame(self, velocity: int, now: float) -> None:
        frame = int(now // FRAME_SECONDS)
        if self._frames and self._frames[-1][0] == frame:
            velocity = max(velocity, self._frames.pop()[1])
        self._frames.append((frame, velocity))


def _create_rise(limits: LoudnessLimits) -> RiseLimiter | None:
    if limits.rise is None:
        return None
    return RiseLimiter(limits.rise, WINDOW_SECONDS, always_allowed=SOFT_VELOCITY)
