"""Try to pass the limits: hostile players, controls, clocks and performers against a session, faster than real time.

What is checked is what leaves for the port (raw messages), the tempo that the port is sent, and the arousal that is
played, each by the rule as docs/limits.md says it, without the code that limits.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from kelly_live.core.actions import ACTIONS, Action, Takes, Value
from kelly_live.core.band_roles import ROLES
from kelly_live.core.commands import Controls, Expression, SinkCommand, Start, TempoChange
from kelly_live.core.limits import Limits
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
from kelly_live.lab.bench.limits_rules import Check, check_arousals, check_messages, check_tempos
from kelly_live.midi.ports import RecordedMessage, RecordingPort
from kelly_live.midi.scheduler import SchedulerCore
from kelly_live.music.conductor import LIVE_SLICE_BEATS, Conductor
from kelly_live.music.context import MusicContext
from kelly_live.music.randomness import rng_for

STEP_SECONDS = 0.02
STRICT = Limits(velocity=90, loudness_rise=10.0, accent=12, notes=12, tempo_rise=10.0, arousal_rise=0.5)
PANIC_SHARE = 0.01  # each costs up to a bar of notes
_PLAYERS = 5


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
        *check_messages(port.messages, STRICT),
        check_tempos(port.tempos, STRICT),
        check_arousals(arousals, STRICT),
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
