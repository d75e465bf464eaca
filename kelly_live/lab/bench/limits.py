"""Try to pass the limits: hostile players, controls, clocks and performers against a session, faster than real time.

What is checked is what leaves for the port (raw messages), the tempo that the port is sent, and the arousal that is
played, each by the rule as docs/limits.md says it, without the code that limits.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from kelly_live.core.actions import ACTIONS, Action, Takes, Value
from kelly_live.core.band_roles import ROLES
from kelly_live.core.commands import Controls, Expression, SinkCommand, Start, TempoChange
from kelly_live.core.limits import Limits
from kelly_live.core.midi_messages import get_channel, get_kind
from kelly_live.core.protocols import AudioHealth, EmotionOverride, SchedulerHealth
from kelly_live.core.sync_state import BeatEstimate, SongPosition, SyncState, Transport
from kelly_live.core.timebase import ManualClock, TempoMap
from kelly_live.core.values import EMOTIONS, ControlChange, MusicParameters, NoteEvent
from kelly_live.engine.actions import ActionDispatcher, ActionTargets
from kelly_live.engine.build import create_override_stage
from kelly_live.engine.session import Snapshot
from kelly_live.generators.band import GeneratorBand
from kelly_live.generators.descriptor import Descriptor
from kelly_live.generators.lineup import PlayerSlot
from kelly_live.midi.ports import RecordedMessage, RecordingPort
from kelly_live.midi.scheduler import SchedulerCore
from kelly_live.music.conductor import LIVE_SLICE_BEATS, Conductor
from kelly_live.music.context import MusicContext
from kelly_live.music.randomness import rng_for

STEP_SECONDS = 0.02
STRICT = Limits(velocity=90, loudness_rise=10.0, accent=12, notes=12, tempo_rise=10.0, arousal_rise=0.5)
PANIC_SHARE = 0.01  # each costs up to a bar of notes
_PLAYERS = 5
_LOUD_CONTROLLERS = {1: 0, 2: 0, 7: 100, 11: 127}  # and what receivers begin with
_PRESSURE = 128
_TEMPO_STEP = 0.3  # BPM: a tempo that is held back goes in steps of .25, looked at once a slice
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


class _HostilePlayer:
    """Plays as loud and as much as it likes: swells, blows, rolls, and stacks of one pitch."""

    def __init__(self, number: int) -> None:
        self.descriptor = Descriptor(f"hostile-{number}", f"hostile-{number}", number + 1, 48)

    def generate(
        self, parameters: MusicParameters, context: MusicContext, start_beat: float, end_beat: float
    ) -> list[NoteEvent]:
        rng = rng_for(context.seed, self.descriptor.name, round(start_beat * 64))
        if rng.random() < 0.8:
            return []
        pitch, velocity = rng.randrange(128), rng.choice((1, 30, 100, 127, 127))
        count = rng.choice((1, 1, 2, 6))
        pitches = [pitch if rng.random() < 0.5 else rng.randrange(128) for _ in range(count)]
        length, own = rng.choice((0.05, 0.5, 8.0)), self.descriptor
        return [NoteEvent(start_beat, length, one, velocity, own.channel, own.part) for one in pitches]

    def reset(self) -> None:
        """Keep nothing."""


class _Port:
    """A NoteSink as the scheduler process is one, by a clock that the caller moves; it notes the tempos, too."""

    def __init__(self) -> None:
        self._clock = ManualClock()
        self._port = RecordingPort(self._clock)
        self._core = SchedulerCore(self._port)
        self._map = TempoMap(0.0, 120.0)
        self.tempos: list[tuple[float, float]] = []  # seconds, BPM

    @property
    def messages(self) -> list[RecordedMessage]:
        """All that left for the port, and when."""
        return self._port.messages

    def send(self, command: SinkCommand) -> None:
        """Take a command."""
        self._core.apply(command)
        if isinstance(command, Start):
            self._map = TempoMap(command.origin_seconds, command.bpm)
            self.tempos.append((self._map.seconds_at(command.first_beat), command.bpm))
        elif isinstance(command, TempoChange):
            self._map.add(command.point)
            self.tempos.append((self._map.seconds_at(command.point.beat), command.point.bpm))

    def advance(self, now: float) -> None:
        """Send what is due."""
        while (deadline := self._core.next_deadline()) is not None and deadline <= now:
            self._clock.sleep_until(deadline)
            self._core.run_due(self._clock.now())
        self._clock.sleep_until(now)

    def health(self) -> SchedulerHealth:
        """Return the counters."""
        return self._core.health()


def measure_limits(actions: int, *, seed: int = 1, limits: Limits = STRICT) -> list[Check]:
    """Let a session meet so many random actions; count by the rules of STRICT, whatever the session's `limits` are."""
    rng = random.Random(seed)
    port = _Port()
    port.send(limits.build_loudness_limits(0))
    band = GeneratorBand([PlayerSlot.from_generator(_HostilePlayer(number)) for number in range(_PLAYERS)])
    conductor = Conductor(
        port, band, seed=seed, expression=True, tempo_rise=limits.tempo_rise, slice_beats=LIVE_SLICE_BEATS
    )
    stage = create_override_stage(EmotionOverride(), arousal_rise=limits.arousal_rise)
    dispatcher = ActionDispatcher(stage, ActionTargets())
    arousals = [(0.0, stage.map(None, 0.0, 0.0).state.arousal)]
    conductor.start(0.1, stage.map(None, 0.0, 0.0).parameters)
    for number in range(1, actions + 1):
        now = number * STEP_SECONDS
        reading = stage.map(None, conductor.status().bars, now)
        arousals.append((now, reading.state.arousal))
        action = _choose_action(rng)
        if action.name == "panic" and rng.random() < PANIC_SHARE:
            conductor.panic(now, stops_transport=rng.random() < 0.5)
        elif action.name == "role" and action.value is not None:
            conductor.set_role(str(action.value))
        else:
            snapshot = Snapshot(reading, conductor.status(), AudioHealth(0.0, 0, 0.0), SchedulerHealth(), 0)
            dispatcher.apply(action, snapshot, "program")
        if rng.random() < 0.2:
            port.send(Controls((ControlChange(rng.randint(1, 16), rng.choice((1, 2, 7, 11, 20)), rng.randrange(128)),)))
        if rng.random() < 0.05:
            port.send(Expression(conductor.status().beat, rng.choice((0.05, 0.5, 1.0)), 1.0))
        conductor.advance(now, reading.parameters, _choose_sync(rng, now))
        port.advance(now)
    return [
        *_check_notes(port.messages),
        *_check_controllers(port.messages),
        _check_rise("tempo rise", port.tempos, STRICT.tempo_rise, per=60.0, window=8.0, step=_TEMPO_STEP),
        _check_rise("arousal rise", arousals, STRICT.arousal_rise, per=60.0, window=5.0, step=0.01),
    ]


def _choose_action(rng: random.Random) -> Action:
    name, kind = rng.choice([(name, kind) for name, kind in ACTIONS.items() if kind.takes in _VALUES])
    return Action(name, _VALUES[kind.takes](rng))


_VALUES: dict[Takes, Callable[[random.Random], Value]] = {
    Takes.NOTHING: lambda rng: None,
    Takes.SWITCH: lambda rng: rng.random() < 0.3,
    Takes.PLACE: lambda rng: rng.choice((-1.0, 0.0, 1.0)),
    Takes.STEP: lambda rng: rng.choice((-2.0, 0.1, 2.0)),
    Takes.EMOTION: lambda rng: rng.choice(EMOTIONS),
    Takes.ROLE: lambda rng: rng.choice(ROLES),
}


def _choose_sync(rng: random.Random, now: float) -> SyncState:
    """Choose a beat and a transport to follow: each for long spans, with leaps between."""
    span = random.Random(int(now / 7.0) + rng.randrange(2))
    beat = None
    if span.random() < 0.6:
        beat = BeatEstimate(now, span.choice((30.0, 90.0, 240.0)), 0.9, span.choice((None, int(now))))
    start_count = int(now / 29.0)
    is_playing = start_count == 0 or random.Random(start_count).random() < 0.8
    return SyncState(
        beat=beat, transport=Transport(is_playing, start_count), start=SongPosition(29.0 * start_count, 0.0)
    )


def _check_notes(messages: Iterable[RecordedMessage]) -> Iterator[Check]:
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
            ceiling.add(is_over=velocity > (STRICT.velocity or 127))
            accent.add(is_over=velocity > max(40.0, average + (STRICT.accent or 127)))
            stack.add(is_over=len(sounding) > (STRICT.notes or 1000))
    rise = _check_rise("loudness rise", velocities, STRICT.loudness_rise, per=1.0, window=5.0, step=1.0, free=40.0)
    yield from (ceiling, rise, accent, stack)


def _check_controllers(messages: Iterable[RecordedMessage]) -> Iterator[Check]:
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
                rate = (STRICT.loudness_rise or 1000.0) * 100.0 / 127.0
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
    """Check that each value lies over one of those before it by the rise at most, and the step that it is rounded to.

    `free`: up to there a value may always go, so that no older one counts; else the last one always does.
    """
    check, before = Check(name), list[tuple[float, float]]()
    for seconds, value in values:
        if before or free is not None:
            highest = _find_highest(before, seconds, (most or 1e9) / per, window, is_last_kept=free is None)
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
