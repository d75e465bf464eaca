"""Try to pass the limits of a whole session.

Hostile players, plug-ins, controls, clocks and performers try it. A LiveSession and its Console are stepped by a clock
of their own, faster than real time. A control surface sends random actions, every kind that core/actions.py has, as
keys, pads, OSC and the page do. What is checked is what leaves for the port (raw messages), the tempo that the port is
sent, and the arousal that is played, by the rules of docs/limits.md as lab/bench/limits_rules.py says them, without the
code that limits.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from kelly_live.core.actions import ACTIONS, Action, Takes, Value
from kelly_live.core.band_roles import ROLES
from kelly_live.core.commands import Controls, Expression, SinkCommand, Start, TempoChange, Tuning
from kelly_live.core.control_surface import ControlView
from kelly_live.core.limits import Limits, QuietHours
from kelly_live.core.locks import LOCKS
from kelly_live.core.protocols import EmotionOverride, SchedulerHealth
from kelly_live.core.timebase import ManualClock, TempoMap
from kelly_live.core.values import EMOTIONS, ControlChange
from kelly_live.engine.build import create_conductor, create_override_stage
from kelly_live.engine.console import Console
from kelly_live.engine.cue_setup import create_cue_player
from kelly_live.engine.cue_sheet import load_cue_sheet
from kelly_live.engine.cue_source import CueSource
from kelly_live.engine.external_io import ExternalIO
from kelly_live.engine.limits_watch import LimitsWatch
from kelly_live.engine.live_parts import LogDisplay
from kelly_live.engine.person import Person
from kelly_live.engine.session import LiveSession
from kelly_live.generators.host_preset import HostPreset, PresetPlayer, list_presets
from kelly_live.generators.preset_band import PresetBand
from kelly_live.lab.bench.hostile_parts import (
    BLOCK_SECONDS,
    CUE_NAMES,
    CUES,
    HostileLeader,
    HostileListener,
    HostilePlayer,
    start_hosted_player,
)
from kelly_live.lab.bench.hostile_plugin import NAMES
from kelly_live.lab.bench.limits_rules import (
    Check,
    check_arousals,
    check_messages,
    check_quiet_hours,
    check_tempos,
)
from kelly_live.midi.ports import RecordedMessage, RecordingPort
from kelly_live.midi.scheduler import SchedulerCore
from kelly_live.profiles.profile import Profile
from kelly_live.profiles.store import ProfileStore

STEP_SECONDS = 0.01  # from action to action
QUIET = QuietHours(7, 9, 45)
STRICT = Limits(90, 10.0, 12, 12, 10.0, 0.5, (QUIET,))
MINUTE_SECONDS = 4.0  # of the wall clock that the session sees, on which it is quiet in two of ten minutes
PANIC_SHARE = 0.01  # each costs up to a bar of notes
SOURCES = ("key", "midi", "osc", "page", "program")
_PLAYERS = 4


class _Port:
    """A sink as the scheduler process is one, by a clock that the caller moves; it notes the tempos, too."""

    failures: Mapping[str, str] = {}

    def __init__(self, tuning: Tuning) -> None:
        self._clock = ManualClock()
        self._port = RecordingPort(self._clock)
        self._core = SchedulerCore(self._port, tuning=tuning)
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
            self._add_tempo(command.first_beat, command.bpm)
        elif isinstance(command, TempoChange):
            self._map.add(command.point)
            self._add_tempo(command.point.beat, command.point.bpm)

    def _add_tempo(self, beat: float, bpm: float) -> None:
        """Note a tempo that is in force from a beat on; those that a new start overtakes never are."""
        seconds = max(self._clock.now(), self._map.seconds_at(beat))
        while self.tempos and self.tempos[-1][0] > seconds:
            self.tempos.pop()
        self.tempos.append((seconds, bpm))

    def advance(self, now: float) -> None:
        """Send what is due."""
        while (deadline := self._core.next_deadline()) is not None and deadline <= now:
            self._clock.sleep_until(deadline)
            self._core.run_due(self._clock.now())
        self._clock.sleep_until(now)

    def health(self) -> SchedulerHealth:
        """Return the counters."""
        return self._core.health()


class _SteppedClock(ManualClock):
    """A clock that calls `on_step` when the conductor waits for its next step, in the conductor's thread."""

    def __init__(self) -> None:
        super().__init__()
        self.on_step: Callable[[float], None] = lambda now: None

    def sleep_until(self, deadline: float) -> None:
        """Move on."""
        super().sleep_until(deadline)
        self.on_step(self.now())


class _HostileSurface:
    """A control surface that sends whatever an action can be."""

    name = "page"

    def __init__(self, rng: random.Random, band: PresetBand) -> None:
        self._rng, self._band = rng, band
        self._names = [name for name in ACTIONS if name != "quit"]
        self._unsent = rng.sample(self._names, len(self._names))  # each once, before any twice
        self.sent: set[str] = set()
        self._waiting: list[Action] = []

    def put(self, action: Action) -> None:
        """Let an action come with the next poll."""
        self.sent.add(action.name)
        self.name = self._rng.choice(SOURCES)
        self._waiting.append(action)

    def choose(self) -> Action | None:
        """Choose an action that does not end the session; None for most of the panics, which silence."""
        rng, band = self._rng, self._band
        if self._unsent:
            name = self._unsent.pop()
        elif (name := rng.choice(self._names)) == "panic" and rng.random() > PANIC_SHARE:
            return None
        return Action(name, CHOICES[ACTIONS[name].takes](rng, band))

    def publish(self, view: ControlView) -> None:
        """Show nothing."""

    def poll(self) -> Sequence[Action]:
        """Return what waits."""
        waiting, self._waiting = self._waiting, []
        return waiting


def measure_limits(
    actions: int, *, seed: int = 1, limits: Limits = STRICT, hosted: Sequence[str] = NAMES, tuning: str = "bend"
) -> list[Check]:
    """Let a session meet so many random actions, and count what passes a limit.

    The rules are those of STRICT, whatever the session's `limits` are. `hosted`: the players of hostile_plugin.NAMES,
    each in a process of its own. `tuning`: one of TUNINGS.
    """
    with _user_folder() as folder:
        return _measure(actions, seed, limits, hosted, Tuning(tuning), folder)


def _measure(
    actions: int, seed: int, limits: Limits, hosted: Sequence[str], tuning: Tuning, folder: Path
) -> list[Check]:
    rng, clock, port = random.Random(seed), _SteppedClock(), _Port(tuning)
    band = _create_band(hosted)
    try:
        conductor = create_conductor(
            port, seed=seed, host=band, live=True, expression=True, tempo_rise=limits.tempo_rise, notify=_say_nothing
        )
        port.send(tuning.with_programs(conductor.slots))
        watch = LimitsWatch(limits, port, lambda: _minute_at(clock.now()))
        port.send(watch.latest)
        profile = Profile("hostile", "2026-11-30T00:00:00Z")
        ProfileStore().create(profile)
        stage = create_override_stage(EmotionOverride(), profile=profile, arousal_rise=limits.arousal_rise)
        person, listener = Person(profile, stage, None, clock), HostileListener(seed)
        cue_source = CueSource(conductor, stage.set_override)
        session = LiveSession(
            source=listener, reader=listener, stage=stage, conductor=conductor, sink=port, clock=clock,
            sync_sources=(cue_source, HostileLeader(seed)), set_parameter=band.set_parameter, limits_watch=watch,
            panic_stops_transport=seed % 2 == 0,
        )  # fmt: skip
        (folder / "cues.yaml").write_text(CUES)
        sheet, external_io = load_cue_sheet(folder / "cues.yaml"), ExternalIO()
        mapper: Any = stage.mapper
        cues = create_cue_player(
            sheet, cue_source, session, band, external_io, mapper.set_culture, stage.iso.set_goal, _say_nothing,
            first=CUE_NAMES[0],
        )  # fmt: skip
        surface = _HostileSurface(rng, band)
        console = Console(
            session, LogDisplay(), [surface], person=person, reader=None, band=band, sink=port,  # type: ignore[arg-type]
            external_io=external_io, recorder=None, clock=clock, cues=cues, iso=stage.iso,
        )  # fmt: skip
        steps = _Steps(actions, rng, port, listener, surface, session, console)
        clock.on_step = steps.take
        session.run()
        person.close()
    finally:
        band.close()
    never_sent = [name for name in ACTIONS if name not in surface.sent]
    return [
        *check_messages(port.messages, STRICT),
        check_quiet_hours(port.messages, QUIET, _minute_at),
        check_tempos(port.tempos, STRICT),
        check_arousals(steps.arousals, STRICT),
        Check(
            f"kinds of action that were never sent{': ' * bool(never_sent)}{', '.join(never_sent)}",
            len(ACTIONS),
            len(never_sent),
        ),
    ]


class _Steps:
    """What happens at each step of the conductor: sound, controllers, an action; and what is due is sent."""

    def __init__(
        self,
        actions: int,
        rng: random.Random,
        port: _Port,
        listener: HostileListener,
        surface: _HostileSurface,
        session: LiveSession,
        console: Console,
    ) -> None:
        self._actions, self._rng, self._port, self._listener = actions, rng, port, listener
        self._surface, self._session, self._console = surface, session, console
        self._next_action, self._next_block = STEP_SECONDS, BLOCK_SECONDS
        self.arousals = [(0.0, 0.0)]

    def take(self, now: float) -> None:
        """Take a step."""
        if now >= self._next_block:
            self._next_block += BLOCK_SECONDS
            self._listener.feed(now)
        if now >= self._next_action:
            self._next_action += STEP_SECONDS
            self._act(now)
        self._port.advance(now)

    def _act(self, now: float) -> None:
        rng, snapshot = self._rng, self._session.snapshot()
        self.arousals.append((now, snapshot.reading.state.arousal))
        self._actions -= 1
        action = Action("quit") if self._actions <= 0 else self._surface.choose()
        if action is not None:
            self._surface.put(action)
        self._console.update(snapshot)
        if rng.random() < 0.2:
            change = ControlChange(rng.randint(1, 16), rng.choice((1, 2, 7, 11, 20)), rng.randrange(128))
            self._port.send(Controls((change,)))
        if rng.random() < 0.05:
            self._port.send(Expression(snapshot.conductor.beat, rng.choice((0.05, 0.5, 1.0)), 1.0))


def _create_band(hosted: Sequence[str]) -> PresetBand:
    """Create a band whose presets are the shipped ones, and hostile players beside each."""
    prepared: dict[str, Any] = {name: start_hosted_player(name) for name in hosted}
    prepared |= {player.descriptor.name: player for player in map(HostilePlayer, range(_PLAYERS))}
    alone = HostPreset("hostile", "nobody keeps to anything", tuple(map(PresetPlayer, prepared)))
    shipped = [one.preset for one in list_presets() if one.preset is not None and not one.is_own]
    return PresetBand([alone, *shipped], extra=tuple(prepared), prepared=prepared, notify=_say_nothing)


def _minute_at(seconds: float) -> int:
    return int(seconds / MINUTE_SECONDS) % 10


def _say_nothing(line: str) -> None:
    pass


@contextmanager
def _user_folder() -> Iterator[Path]:
    """Let profiles and presets be written into a folder that is gone afterwards, and not into the user's."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:  # the learner may still write
        folder = Path(name)
        with (
            mock.patch("platformdirs.user_data_path", return_value=folder),
            mock.patch("platformdirs.user_config_path", return_value=folder),
        ):
            yield folder


def _choose_name(rng: random.Random, band: PresetBand) -> str:
    return rng.choice((*band.preset_names, *CUE_NAMES, "nobody"))


def _choose_player(rng: random.Random, band: PresetBand) -> str:
    return rng.choice((*(slot.part for slot in band.slots), "nobody"))


def _choose_setting(rng: random.Random, band: PresetBand) -> str:
    address = rng.choice([one.address for one in band.parameters] or ["nobody.nothing"])
    return f"{address}={rng.choice(('0%', '50%', '100%', 'nan', '-1e30', '3', 'on', 'loud'))}"


def _choose_path(rng: random.Random, band: PresetBand) -> str:
    places = (f"{rng.uniform(-1, 1):.2f},{rng.uniform(-1, 1):.2f}" for _ in range(rng.randint(1, 6)))
    return f"{rng.choice((0.1, 1, 8))} {' '.join(places)}"


# What each kind of value may be; a kind that is missing here fails the test of this bench.
CHOICES: dict[Takes, Callable[[random.Random, PresetBand], Value]] = {
    Takes.NOTHING: lambda rng, band: None,
    Takes.SWITCH: lambda rng, band: rng.choice((None, False, False, True)),
    Takes.PLACE: lambda rng, band: rng.choice((-1.0, 0.0, 1.0)),
    Takes.STEP: lambda rng, band: rng.choice((-2.0, 0.1, 2.0)),
    Takes.EMOTION: lambda rng, band: rng.choice(EMOTIONS),
    Takes.ROLE: lambda rng, band: rng.choice((None, *ROLES)),
    Takes.NAME: _choose_name,
    Takes.SETTING: _choose_setting,
    Takes.PLAYER_SWITCH: lambda rng, band: _choose_player(rng, band) + rng.choice(("", "=off", "=off")),
    Takes.PLAYER_LEVEL: lambda rng, band: f"{_choose_player(rng, band)}={rng.choice(('0', '0.5', '1', '100%'))}",
    Takes.PATH: _choose_path,
    Takes.SHARE: lambda rng, band: rng.choice((0.0, 0.5, 1.0)),
    Takes.CULTURE: lambda rng, band: rng.choice(("swedish-polska", "none", "nowhere")),
    Takes.FOLLOWED: lambda rng, band: rng.choice(("all", "tempo", "dynamics", "none", "nobody")),
    Takes.LOCK: lambda rng, band: rng.choice(LOCKS) + rng.choice(("", "=on", "=off", "=off")),
}
