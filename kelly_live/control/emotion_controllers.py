"""Send the emotion as MIDI controllers, so that a synthesiser, an effect or lights can follow it.

They are sent on change only, and at a bounded rate.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from kelly_live.core.commands import Controls
from kelly_live.core.errors import ConfigError
from kelly_live.core.numbers import parse_whole_number
from kelly_live.core.protocols import NoteSink
from kelly_live.core.values import EMOTIONS, ControlChange, EmotionState

AXES = ("valence", "arousal", "dominance")
QUANTITIES = (*AXES, "confidence", *EMOTIONS)
# Controllers that MIDI 1.0 leaves undefined: 20 to 31 and 102 to 119.
ALL_CONTROLLERS = {
    **{name: 20 + i for i, name in enumerate((*AXES, "confidence"))},
    **{name: 102 + i for i, name in enumerate(EMOTIONS)},
}
DEFAULT_CHANNEL = 16  # no part of the band plays there
_PARAMETER_NUMBERS = dict.fromkeys(range(96, 102), "parameter numbers")
_RESERVED = {
    **{0: "banks", 6: "data entry", 32: "banks", 38: "data entry", 64: "the sustain pedal"},
    **{84: "portamento", 88: "high-resolution velocity"},
    **_PARAMETER_NUMBERS,
}
_SMOOTHING_SECONDS = 0.15  # a reading comes every 250 ms: its steps are rounded off to the next
_EVERY_SECONDS = 0.05


def parse_controllers(text: str) -> dict[str, int]:
    """Read `valence=20,arousal=21,…`, or `all` (ALL_CONTROLLERS): controller numbers by name.

    Raises ConfigError.
    """
    if text.strip().casefold() == "all":
        return dict(ALL_CONTROLLERS)
    controllers: dict[str, int] = {}
    for pair in text.split(","):
        name, equals, number = (part.strip() for part in pair.partition("="))
        name = name.casefold()
        if not equals or name not in QUANTITIES:
            raise ConfigError(
                f"{pair.strip()[:60]!r} is no controller: write NAME=NUMBER,… with names of "
                f"{', '.join(QUANTITIES)}; or all"
            )
        controller = parse_whole_number(number)
        if controller is None or not 0 <= controller <= 119:
            raise ConfigError(f"controller {number[:40]!r} of {name}; it must be a number in 0..119")
        if controller in _RESERVED:
            raise ConfigError(f"controller {number} is for {_RESERVED[controller]}; take another (20 to 31 are free)")
        if name in controllers or controller in controllers.values():
            raise ConfigError(f"{pair.strip()!r} comes second for that name or number; give each once")
        controllers[name] = controller
    return controllers


class EmotionControls:
    """Turns emotion states into values 0-127 of MIDI controllers on one channel.

    `controllers`: numbers by name of QUANTITIES. An axis has its middle at 64; a probability goes from 0 to 127. Steps
    are smoothed. Thread: the conductor's; it reads no clock.
    """

    def __init__(self, controllers: dict[str, int], channel: int = DEFAULT_CHANNEL) -> None:
        self._controllers = controllers
        self._channel = channel
        self._values: dict[str, float] = {}
        self._sent_values: dict[str, int] = {}
        self._seconds = -math.inf

    def send_to(self, sink: NoteSink) -> Callable[[float, EmotionState], None]:
        """`step`, and the changes handed to `sink`."""

        def tell(now: float, state: EmotionState) -> None:
            if changes := self.step(now, state):
                sink.send(Controls(tuple(changes)))

        return tell

    def step(self, now: float, state: EmotionState) -> list[ControlChange]:
        """What has changed, to be sent at `now` (s); nothing if it was asked under 50 ms ago."""
        passed = now - self._seconds
        if passed < _EVERY_SECONDS:
            return []
        self._seconds = now
        share = -math.expm1(-passed / _SMOOTHING_SECONDS)
        changes = []
        for name, controller in self._controllers.items():
            target = _controller_value(state, name)
            before = self._values.get(name, target)
            self._values[name] = value = before + share * (target - before)
            if (controller_value := math.floor(value + 0.5)) != self._sent_values.get(name):
                self._sent_values[name] = controller_value
                changes.append(ControlChange(self._channel, controller, controller_value))
        return changes


def _controller_value(state: EmotionState, name: str) -> float:
    if name in AXES:
        axis: float = getattr(state, name)
        return 64.0 + axis * (63.0 if axis > 0.0 else 64.0)
    chance = state.confidence if name == "confidence" else state.probabilities[EMOTIONS.index(name)]
    return 127.0 * min(1.0, chance)
