"""What an expression looks like on a port: controller 11, brightness and pressure of every channel that sounds.

A note's velocity carries the loudness of its onset, and controller 11 only what has changed since: it stands at 100
where nothing has. By General MIDI's law (40 log10 of the value over 127) a velocity and controller 11 multiply, so
that the controller is 100 times the loudness now over that of the onset. Of notes that began at several loudnesses the
louder count for more, so that all of a channel is as loud as if it were struck now.

Messages are bounded: CONTROLLER_SPACING_SECONDS for one controller of a channel, MESSAGE_SPACING_SECONDS for them all;
of values that wait, the newest is sent. What a new note needs goes right before its note-on. Drums have no held notes:
their controller 11 stands at 100 too, so that the balance stays, and nothing else is sent to them. In MPE mode the
zone's master carries controller 11, each note's own channel the rest. Pure: no clock, no port.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from kelly_live.core.commands import Expression, Tuning
from kelly_live.core.midi_messages import BRIGHTNESS, EXPRESSION, channel_pressure, control_change
from kelly_live.core.values import DRUM_CHANNEL, NoteEvent
from kelly_live.midi.loudness_limiter import PRESSURE, LoudnessLimiter
from kelly_live.midi.tuning import MPE_MASTER, MPE_MEMBERS

CONTROLLER_SPACING_SECONDS = 0.02
MESSAGE_SPACING_SECONDS = 0.004  # 250 messages a second, a quarter of what a cable carries
ONSET_LEVEL = 100
LOUDEST_LEVEL, SOFTEST_LEVEL = 127, 40  # 4 dB over the onset's loudness, 16 dB under it
RETRY_SECONDS = 0.1  # between two tries of a controller that the limits hold back
LEVEL_STEP = 6  # 1 dB: the most that controller 11 moves at once under a held note, as larger steps are heard
_LEAST_STEP = 2  # less cannot be heard
_REST = {EXPRESSION: 127, BRIGHTNESS: 64, PRESSURE: 0}
_BRIGHTNESS_RANGE = 16  # steps of _LEAST_STEP either way: a quarter of the controller's range
# Growth by a quarter is full pressure. General MIDI's pressure is vibrato, up to 50 cents: 24 is 9 cents. In MPE it is
# each note's own dimension.
_FULL_GROWTH = 0.27
_MOST_PRESSURE, _MOST_MPE_PRESSURE = 24, 96
# General MIDI programs that can swell: reeds of an organ, bowed strings, voices, winds, synthesisers. A plucked or
# struck sound has no vibrato, so no pressure.
_SWELLING = frozenset((21, 22, 23, *range(40, 45), *range(48, 55), *range(56, 104), 109, 110, 111))


@dataclass(slots=True)
class _Channel:
    """What a channel was sent, by controller, and when (s)."""

    values: dict[int, int] = field(default_factory=dict)
    sent_at: dict[int, float] = field(default_factory=dict)


def build_resting_messages(channels: Iterable[int]) -> list[bytes]:
    """Build what brings the controllers of an expression back on these channels (1-16)."""
    return [
        _build(channel, controller, value)
        for channel in sorted(channels)
        for controller, value in _REST.items()
        if channel != DRUM_CHANNEL or controller == EXPRESSION
    ]


class ExpressionControls:
    """The controllers of one port. Times in seconds, never falling; channels (1-16) and keys as they are sent.

    `tuning` tells the programs of the parts, and whether channels are a zone's. `limiter` holds back what would make
    notes swell too fast.
    """

    def __init__(self, tuning: Tuning, limiter: LoudnessLimiter | None = None) -> None:
        self._limiter = limiter or LoudnessLimiter()
        self._is_mpe = tuning.mode == "mpe"
        self._programs = {part.channel: part.program for part in tuning.programs}
        self._point: Expression | None = None
        self._channels: dict[int, _Channel] = {}
        # By the channel whose controller 11 they obey: (channel, key) -> (weight, loudness) of the onset.
        self._onsets: dict[int, dict[tuple[int, int], tuple[float, float]]] = {}
        self._swelling_channels: set[int] = set()
        self._foreign: set[tuple[int, int]] = set()  # controllers that somebody else sends
        self._waiting: dict[tuple[int, int], float] = {}  # (channel, controller) -> not before, the oldest first
        self._now = self._next_at = -math.inf

    @property
    def deadline(self) -> float | None:
        """When the next message is to be sent; None when none waits."""
        return max(self._next_at, min(self._waiting.values())) if self._waiting else None

    def leave(self, channel: int, controller: int) -> None:
        """Leave a controller of a channel to another sender from now on."""
        self._foreign.add((channel, controller))
        self._waiting.pop((channel, controller), None)

    def move(self, point: Expression, now: float) -> None:
        """Take the loudness and brightness from now on."""
        self._point, self._now = point, now
        for level_channel, onsets in self._onsets.items():
            for channel in {level_channel, *(channel for channel, _ in onsets)}:
                self._refresh(channel)

    def begin_note(self, channel: int, key: int, note: NoteEvent, loudness: float | None, now: float) -> list[bytes]:
        """Return what is to be sent right before a note-on; `loudness` is the one that its velocity shows."""
        self._now = now
        if self._point is None:
            if loudness is None:
                return []
            self._point = Expression(note.onset_beats, loudness)
        if channel == DRUM_CHANNEL:
            return self._set_up(channel, (EXPRESSION,), now)
        onset = (note.velocity**4.0, self._point.loudness if loudness is None else loudness)
        level_channel = self._find_level_channel(channel)
        self._onsets.setdefault(level_channel, {})[channel, key] = onset
        program = self._programs.get(note.channel) if note.program is None else note.program
        (self._swelling_channels.add if program in _SWELLING else self._swelling_channels.discard)(channel)
        messages = self._set_up(level_channel, (EXPRESSION,), now)
        for one in dict.fromkeys((level_channel, channel)):
            own = [controller for controller in self._list_controllers(one) if controller != EXPRESSION]
            messages += self._set_up(one, [c for c in own if self._is_mpe or c not in self._get(one).values], now)
            self._refresh(one)
        return messages

    def end_note(self, channel: int, key: int) -> None:
        """Forget a note that has ended; a channel that is silent keeps its values."""
        level_channel = self._find_level_channel(channel)
        if self._onsets.get(level_channel, {}).pop((channel, key), None) is not None:
            self._refresh(level_channel)
            self._refresh(channel)

    def next_message(self, now: float) -> bytes | None:
        """Return the message that is due at `now`, if there is one; it counts as sent."""
        self._now = now
        if now < self._next_at:
            return None
        ready = next((waiting for waiting, not_before in self._waiting.items() if not_before <= now), None)
        if ready is None:
            return None
        channel, controller = ready
        del self._waiting[channel, controller]
        target, before = self._compute(channel, controller), self._get(channel).values.get(controller)
        if controller == EXPRESSION and before is not None:
            target = min(before + LEVEL_STEP, max(before - LEVEL_STEP, target))
        limited = self._limiter.limit_controller(channel, controller, target, now)
        if before is not None and limited < min(target, before + _LEAST_STEP):
            self._waiting[ready] = now + RETRY_SECONDS
            return None
        message = self._note_sent(channel, controller, limited, now)
        self._refresh(channel)
        return message

    def reset(self) -> list[bytes]:
        """Forget the notes, and return what brings every controller that was moved back to rest."""
        messages = [
            _build(number, controller, _REST[controller])
            for number, channel in sorted(self._channels.items())
            for controller in channel.values
        ]
        self._channels.clear()
        self._onsets.clear()
        self._waiting.clear()
        return messages

    def _get(self, channel: int) -> _Channel:
        return self._channels.setdefault(channel, _Channel())

    def _find_level_channel(self, channel: int) -> int:
        return MPE_MASTER if self._is_mpe and channel in MPE_MEMBERS else channel

    def _list_controllers(self, channel: int) -> Iterator[int]:
        """Yield what is sent on a channel."""
        if self._find_level_channel(channel) == channel:
            yield EXPRESSION
        if not self._is_mpe or channel in MPE_MEMBERS:
            yield BRIGHTNESS
            if self._is_mpe or channel in self._swelling_channels or PRESSURE in self._get(channel).values:
                yield PRESSURE

    def _is_sounding(self, channel: int) -> bool:
        onsets = self._onsets.get(self._find_level_channel(channel), {})
        return any(channel in (number, self._find_level_channel(number)) for number, _ in onsets)

    def _compute_growth(self, channel: int) -> float:
        """Compute the loudness now over that of the onsets of all that sounds."""
        assert self._point is not None
        onsets = self._onsets.get(self._find_level_channel(channel), {}).values()
        total_weight = sum(weight for weight, _ in onsets)
        if not total_weight:
            return 1.0
        power: float = sum(weight / loudness**4.0 for weight, loudness in onsets) / total_weight
        growth: float = self._point.loudness * power**0.25
        return growth

    def _compute(self, channel: int, controller: int) -> int:
        """Compute the value that a controller should have now."""
        assert self._point is not None
        if controller == BRIGHTNESS:
            return _REST[BRIGHTNESS] + _LEAST_STEP * round(_BRIGHTNESS_RANGE * self._point.brightness)
        if channel == DRUM_CHANNEL:
            return ONSET_LEVEL
        growth = self._compute_growth(channel)
        if controller == EXPRESSION:
            return min(LOUDEST_LEVEL, max(SOFTEST_LEVEL, round(ONSET_LEVEL * growth)))
        most = _MOST_MPE_PRESSURE if self._is_mpe else _MOST_PRESSURE * (channel in self._swelling_channels)
        return round(most * min(1.0, max(0.0, (growth - 1.0) / _FULL_GROWTH)))

    def _set_up(self, channel: int, controllers: Sequence[int], now: float) -> list[bytes]:
        """Return what sets controllers at once, but for what was sent just now or is near enough."""
        messages = []
        for controller in controllers:
            if (channel, controller) in self._foreign:
                continue
            target, sent = self._compute(channel, controller), self._get(channel)
            before = sent.values.get(controller)
            is_due = now - sent.sent_at.get(controller, -math.inf) >= CONTROLLER_SPACING_SECONDS
            if before is None or (is_due and abs(target - before) >= _LEAST_STEP):
                target = self._limiter.limit_controller(channel, controller, target, now)
                messages.append(self._note_sent(channel, controller, target, now))
        return messages

    def _note_sent(self, channel: int, controller: int, value: int, now: float) -> bytes:
        sent = self._get(channel)
        sent.values[controller], sent.sent_at[controller] = value, now
        self._waiting.pop((channel, controller), None)
        self._next_at = max(self._next_at, now) + MESSAGE_SPACING_SECONDS
        return _build(channel, controller, value)

    def _refresh(self, channel: int) -> None:
        """Let what has moved wait for its turn, and nothing else."""
        if self._point is None:
            return
        sounds, sent = self._is_sounding(channel), self._get(channel)
        for controller in self._list_controllers(channel):
            key = (channel, controller)
            before = sent.values.get(controller)
            if not sounds or key in self._foreign:
                self._waiting.pop(key, None)
            elif before is None or abs(self._compute(channel, controller) - before) >= _LEAST_STEP:
                not_before = sent.sent_at.get(controller, -math.inf) + CONTROLLER_SPACING_SECONDS
                self._waiting.setdefault(key, max(self._now, not_before))
            else:
                self._waiting.pop(key, None)


def _build(channel: int, controller: int, value: int) -> bytes:
    if controller == PRESSURE:
        return channel_pressure(channel, value)
    return control_change(channel, controller, value)
