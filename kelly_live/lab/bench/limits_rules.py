"""The rules of docs/limits.md, looked at from outside.

They see what left for the port, without the code that limits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from kelly_live.core.limits import Limits, QuietHours
from kelly_live.core.midi_messages import get_channel, get_kind
from kelly_live.midi.ports import RecordedMessage

_LOUD_CONTROLLERS = {1: 0, 2: 0, 7: 100, 11: 127}  # and what receivers begin with
_PRESSURE = 128
_TEMPO_STEP = 0.3  # BPM: a tempo that is held back goes in steps of .25, looked at once a slice
_NOTICED_SECONDS = 1.1
_CONTROLLER_STEP = 3  # an expression is sent in steps of 2, and rounded


@dataclass(slots=True)
class Check:
    """How many values were looked at, and how many passed their limit."""

    name: str
    checked: int = 0
    passed: int = 0

    def add(self, *, is_over: bool) -> None:
        """Count a value."""
        self.checked += 1
        self.passed += is_over


def check_messages(messages: Sequence[RecordedMessage], limits: Limits) -> list[Check]:
    """Check raw messages, in order of time.

    Looks at velocities, their rise and accents, notes at once, and controllers.
    """
    return [*_check_notes(messages, limits), *_check_controllers(messages, limits)]


def check_quiet_hours(
    messages: Sequence[RecordedMessage], quiet: QuietHours, minute_at: Callable[[float], int]
) -> Check:
    """Check the velocities in the quiet hours; `minute_at` is the wall clock.

    The hours may be noticed a second late.
    """
    check = Check("velocity in quiet hours")
    for message in messages:
        times = (max(0.0, message.seconds - _NOTICED_SECONDS), message.seconds)
        if get_kind(message.data) == "note_on" and all(quiet.contains(minute_at(one)) for one in times):
            check.add(is_over=message.data[2] > quiet.velocity)
    return check


def check_tempos(tempos: Sequence[tuple[float, float]], limits: Limits) -> Check:
    """Check the rise of tempos, (seconds, BPM)."""
    return _check_rise("tempo rise", tempos, limits.tempo_rise, per=60.0, window=8.0, step=_TEMPO_STEP)


def check_arousals(arousals: Sequence[tuple[float, float]], limits: Limits) -> Check:
    """Check the rise of arousals, (seconds, arousal); the first one is where it begins."""
    return _check_rise("arousal rise", arousals, limits.arousal_rise, per=60.0, window=5.0, step=0.01)


def _check_notes(messages: Iterable[RecordedMessage], limits: Limits) -> Iterator[Check]:
    ceiling, accent, stack = Check("velocity"), Check("accent"), Check("notes at once")
    sounding: set[tuple[int, int]] = set()
    velocities: list[tuple[float, float]] = []
    frames: deque[tuple[int, int]] = deque()
    for message in messages:
        kind = get_kind(message.data)
        voice = (message.data[0], message.data[1]) if len(message.data) > 1 else (0, 0)
        if kind == "note_off":
            sounding.discard((voice[0] | 0x10, voice[1]))
        elif kind == "note_on":
            velocity, frame = message.data[2], int(message.seconds // 0.1)
            sounding.add(voice)
            velocities.append((message.seconds, velocity))
            while frames and frames[0][0] < frame - 20:
                frames.popleft()
            loudest: dict[int, int] = {}
            for number, one in frames:
                if number < frame:
                    loudest[number] = max(one, loudest.get(number, 0))
            average = sum(loudest.values()) / len(loudest) if loudest else 0.0
            frames.append((frame, velocity))
            ceiling.add(is_over=velocity > (limits.velocity or 127))
            accent.add(is_over=velocity > max(40.0, average + (limits.accent or 127)))
            stack.add(is_over=len(sounding) > (limits.notes or 1000))
    rise = _check_rise("loudness rise", velocities, limits.loudness_rise, per=1.0, window=5.0, step=1.0, free=40.0)
    yield from (ceiling, rise, accent, stack)


def _check_controllers(messages: Iterable[RecordedMessage], limits: Limits) -> Iterator[Check]:
    """Check the controllers that make a channel louder while it sounds."""
    volume = Check("volume (controller 7)")
    sounding: set[tuple[int, int]] = set()
    values: dict[tuple[int, int], tuple[float, int]] = {}
    rises = Check("rise of a controller under a note")
    for message in messages:
        kind = get_kind(message.data)
        if kind == "note_off":
            sounding.discard((get_channel(message.data), message.data[1]))
        elif kind == "note_on":
            sounding.add((get_channel(message.data), message.data[1]))
        elif kind in ("control_change", "channel_pressure"):
            channel = get_channel(message.data)
            is_pressure = kind == "channel_pressure"
            number, value = (_PRESSURE, message.data[1]) if is_pressure else (message.data[1], message.data[2])
            if not is_pressure and number not in _LOUD_CONTROLLERS:
                continue
            if number == 7:
                volume.add(is_over=value > 100)
            at, before = values.get((channel, number), (0.0, _LOUD_CONTROLLERS.get(number, 0)))
            if any(channel == one for one, _ in sounding):
                rate = (limits.loudness_rise or 1000.0) * 100.0 / 127.0
                rises.add(is_over=value > before + rate * min(message.seconds - at, 0.25) + _CONTROLLER_STEP)
            values[channel, number] = message.seconds, value
    yield from (volume, rises)


def _check_rise(
    name: str,
    values: Sequence[tuple[float, float]],
    most: float | None,
    *,
    per: float,
    window: float,
    step: float,
    free: float | None = None,
) -> Check:
    """Check that each value lies over one of those before it by the rise at most.

    The step that it is rounded to comes on top. `free`: up to there a value may always go, so that no older one counts;
    else the last one always does.
    """
    check, before = Check(name), list[tuple[float, float]]()
    if most is None:
        return check
    for seconds, value in values:
        if before or free is not None:
            highest = _find_highest(before, seconds, most / per, window, is_last_kept=free is None)
            check.add(is_over=value > max(highest + step, free or -1.0) + 1e-6)
        if before and free is None:
            before.append((seconds, before[-1][1]))  # it was in force until now
        before.append((seconds, value))
    return check


def _find_highest(
    before: list[tuple[float, float]], seconds: float, per_second: float, window: float, *, is_last_kept: bool
) -> float:
    """Return the highest value that the rise allows; what is too old to count is removed."""
    while before and before[0][0] < seconds - window - 1e-9 and (len(before) > 1 or not is_last_kept):
        before.pop(0)
    return max((value + per_second * (seconds - at) for at, value in before), default=-1e9)
