"""The console of a session: reads every control surface, applies actions, and updates what is shown."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from kelly_live.control.keyboard import describe_keys, describe_own_keys
from kelly_live.core.actions import Action, parse_level, parse_switch
from kelly_live.core.control_surface import ControlView
from kelly_live.core.errors import ConfigError
from kelly_live.core.input_mix import format_channels
from kelly_live.core.override import describe_override, has_place
from kelly_live.core.wording import join_words
from kelly_live.engine.actions import ActionDispatcher, ActionTargets
from kelly_live.generators.parameter import format_value
from kelly_live.music.mixer import MixerChange, describe_mix
from kelly_live.music.parameter_locks import LockChange
from kelly_live.sync import COUNT_IN_RULE
from kelly_live.ui.alerts import Alerts, LossAlerts
from kelly_live.ui.status import LiveStatus

if TYPE_CHECKING:
    from kelly_live.core.control_surface import ControlSurface
    from kelly_live.core.timebase import Clock
    from kelly_live.engine.analysis_proxy import AnalysisProxy
    from kelly_live.engine.cue_player import CuePlayer
    from kelly_live.engine.external_io import ExternalIO
    from kelly_live.engine.follow_switch import FollowSwitch
    from kelly_live.engine.iso_principle import IsoPrinciple, IsoProgress
    from kelly_live.engine.person import Person
    from kelly_live.engine.session import LiveSession, Snapshot
    from kelly_live.generators.preset_band import PresetBand
    from kelly_live.generators.reloader import GeneratorReloader
    from kelly_live.midi.routing import RoutedSink
    from kelly_live.music.band import MutedPlayer
    from kelly_live.music.synchronization import LevelChange
    from kelly_live.recording.recorder import Recorder

_SETTING_SECONDS = 3.0  # for which the status line shows what was set
_MOST_REFUSALS = 32

_log = logging.getLogger(__name__)


class Display(Protocol):
    """Where a session shows itself. Thread: the console's; no call may block."""

    def say(self, text: str) -> None:
        """Show a line that stays."""

    def show(self, status: LiveStatus) -> None:
        """Show the present status; called at every step."""


class Console:
    """Reads the control surfaces and updates the display.

    Thread: the one that runs the session; `update` is called at every status step and waits for nothing.
    """

    def __init__(
        self,
        session: LiveSession,
        display: Display,
        surfaces: Sequence[ControlSurface],
        *,
        person: Person,
        reader: AnalysisProxy | None,
        band: PresetBand,
        sink: RoutedSink,
        external_io: ExternalIO,
        recorder: Recorder | None,
        clock: Clock,
        follow: FollowSwitch | None = None,
        count_in: bool = False,
        reloader: GeneratorReloader | None = None,
        page_problem: Callable[[], str | None] = lambda: None,
        cues: CuePlayer | None = None,
        iso: IsoPrinciple | None = None,
    ) -> None:
        """Read these surfaces and show on this display.

        `follow` knows what of the input the band is to follow. With `count_in` it waits for one. `cues` play a show,
        `iso` leads to a goal.
        """
        self._display, self._surfaces = display, tuple(surfaces)
        self._person, self._reader = person, reader
        self._sink, self._external_io = sink, external_io
        self._recorder, self._follow = recorder, follow
        self._clock, self._band = clock, band
        self._alerts, self._losses = Alerts(), LossAlerts()
        self._reloader, self._page_problem = reloader, page_problem
        self._cues, self._iso = cues, iso
        self._recorded_phrase = ""  # of the iso session
        self._counts_in, self._waits = count_in, False  # it waits from the conductor's first step on
        self._level_change: LevelChange | None = None  # the last one that was said
        self._alerts.news(self._list_player_faults())  # what did not load was said while the band was built
        targets = ActionTargets(
            panic=session.panic,
            preset=band.request_preset,
            named_preset=band.request_named_preset,
            profile=person.turn,
            role=session.change_role,
            cue=None if cues is None else cues.act,
            setting=self._set_parameter,
            mix=self._mix,
            lock=self._lock,
            parameters=self._list_parameters,
            save_preset=lambda name: band.save_preset(name, _list_levels(session)),
            follow=None if follow is None else follow.change,
            culture=person.change_culture,
            culture_strength=person.change_culture_strength,
            record=None if recorder is None else recorder.switch,
            keep=None if recorder is None else recorder.keep,
            reaction=person.react,
            undo_reaction=person.undo_reaction,
            help=self.help_text,
            quit=session.stop,
            log=self._log_action,
        )
        self._dispatcher = ActionDispatcher(session, targets)
        self._session = session
        self._last_setting: tuple[float, str] | None = None  # when it came, and what it set
        self._refused_settings: set[str] = set()  # said once each: a fader sends on and on

    @property
    def recoveries(self) -> Mapping[str, int]:
        """How often each part was lost and came back. Thread: any."""
        return self._alerts.recoveries

    def help_text(self) -> str:
        """List the keys, a profile's own included."""
        keys = self._person.keys
        return f"{describe_keys()}\n{describe_own_keys(keys)}" if keys else describe_keys()

    def update(self, snapshot: Snapshot) -> None:
        """Apply the actions since the last step, say what is new, and show the rest."""
        view = self._view(snapshot)
        for surface in self._surfaces:
            surface.publish(view)
            for action in surface.poll():
                if line := self._dispatcher.apply(action, snapshot, surface.name):
                    self._display.say(line)
        for line in () if self._cues is None else self._cues.update(snapshot, self._clock.now()):
            self._display.say(line)
            if self._recorder is not None:  # a cue that began by itself: the first one, or by timecode
                self._recorder.record_action(Action("go"), "cue", snapshot)
        iso = None if self._iso is None else self._iso.progress
        if self._recorder is not None:
            if iso is not None and iso.phrase != self._recorded_phrase:
                self._recorded_phrase = iso.phrase
                self._recorder.record_iso(iso.phrase)
            self._recorder.record_counters(snapshot)
            for line in self._recorder.take_lines():
                _log.info("%s", line)
                self._display.say(line)
        for line in self._person.watch(self._dispatcher.override, snapshot.read):
            self._display.say(line)
        for line in () if self._follow is None else self._follow.take_lines():
            self._display.say(line)
        for line in () if self._reloader is None else self._reloader.take_lines():
            _log.info("%s", line)
            self._display.say(line)
        troubles = self._troubles(snapshot)
        for line in self._alerts.news({**troubles, **self._list_player_faults()}):
            _log.warning("%s", line)
            self._display.say(line)
        self._waits = self._waits or (self._counts_in and snapshot.conductor.is_stopped)
        if self._waits and not snapshot.conductor.is_stopped:
            self._counts_in = self._waits = False
            self._display.say(f"counted in: {snapshot.conductor.bpm:.0f} BPM")
        if (change := snapshot.conductor.level_change) is not self._level_change:
            self._level_change = change
            if change is not None:
                self._display.say(describe_level_change(change))
        for line in self._losses.news(self._clock.now(), self._external_io.losses):
            self._display.say(line)
        self._display.show(
            LiveStatus(
                state=snapshot.reading.state,
                word=snapshot.word or "",
                tempo_bpm=snapshot.conductor.bpm,
                mode=snapshot.conductor.mode,
                level_dbfs=snapshot.audio.level_dbfs,
                late_notes=snapshot.scheduler.late_messages + snapshot.scheduler.dropped_notes,
                dropped_windows=snapshot.dropped_windows,
                overflows=snapshot.audio.overflows,
                inputs=format_channels(snapshot.audio.inputs),
                tonic=snapshot.conductor.tonic,
                chord=snapshot.conductor.chord,
                bar=snapshot.conductor.bar + 1,
                is_by_hand=has_place(self._dispatcher.override),
                hand=tuple(self._describe_hand(snapshot)),
                playing=tuple(self._describe_playing(snapshot)),
                troubles=self._name_failures(snapshot, troubles),
                standby=self._describe_coming(iso),
                remarks=(
                    *self._describe_setting(),
                    *self._person.remarks,
                    *self._external_io.remarks(),
                    *["recording"] * (self._recorder is not None and self._recorder.take is not None),
                ),
            )
        )

    def _describe_coming(self, iso: IsoProgress | None) -> str:
        """Say where an iso session is, and which cue comes next."""
        parts = [] if iso is None else [iso.describe()]
        return " · ".join(parts if self._cues is None else [*parts, self._cues.standby])

    def _view(self, snapshot: Snapshot) -> ControlView:
        music = snapshot.conductor
        return ControlView(
            state=snapshot.reading.state,
            override=self._dispatcher.override,
            bpm=music.bpm,
            bar=music.bar + 1,
            tonic=music.tonic,
            mode=music.mode,
            chord=music.chord,
            word=snapshot.word,
            gems=() if snapshot.read is None else snapshot.read.gems,
        )

    def _troubles(self, snapshot: Snapshot) -> Mapping[str, str | None]:
        """Each part that may fail, and why it does, in a line."""
        return {
            "the audio input": snapshot.audio.problem,
            "the MIDI input": self._external_io.problem,
            "the OSC output": self._external_io.osc_problem,
            "the LSL input": self._external_io.lsl_problem,
            "the analysis": snapshot.problem,
            "the beat tracker": snapshot.tracker_problem,
            "the GPU": None if self._reader is None else self._reader.problem,
            "the page": self._page_problem(),
            "the recording": None if self._recorder is None else self._recorder.problem,
            **{f"the MIDI port {name}".rstrip(): failure for name, failure in self._sink.failures.items()},
        }

    def _list_player_faults(self) -> Mapping[str, str | None]:
        """The players that are silent, and what else there is to say of them, in a line each."""
        faults = {f"the player {one.name}": self._describe_fault(one) for one in self._band.muted}
        return {**self._band.remarks, **faults}

    def _describe_fault(self, player: MutedPlayer) -> str:
        return player.describe() + ("" if self._reloader is None else self._reloader.explain(player))

    def _describe_setting(self) -> list[str]:
        """Return what was set last, for a moment."""
        if self._last_setting is None or self._clock.now() - self._last_setting[0] > _SETTING_SECONDS:
            return []
        return [self._last_setting[1]]

    def _describe_hand(self, snapshot: Snapshot) -> list[str]:
        """Say what the performer holds: the feeling, players, parameters."""
        music = snapshot.conductor
        return [
            *describe_override(self._dispatcher.override, music.bars),
            *describe_mix(music.strips),
            *[f"{join_words(music.locks, 'and')} locked"] * bool(music.locks),
        ]

    def _describe_playing(self, snapshot: Snapshot) -> list[str]:
        """Say how the band plays with the player."""
        music = snapshot.conductor
        holds_key = self._cues is not None and self._cues.holds_key
        followed = [name for name in music.synchronized if not (holds_key and name == "key")]
        return [
            *[f"waiting for your count-in: {COUNT_IN_RULE}"] * self._counts_in,
            *describe_synchronization(
                followed, self._external_io.beat_name, () if self._follow is None else self._follow.names
            ),
            *[music.rest_answer or music.role_answer] * bool(music.rest_answer or music.role_answer),
            *[f"{snapshot.scheduler.limited_notes} held to the limits"] * bool(snapshot.scheduler.limited_notes),
        ]

    def _name_failures(self, snapshot: Snapshot, troubles: Mapping[str, str | None]) -> dict[str, str]:
        """Return what fails now, players included, by its name."""
        muted = [f"{player.name} {player.state}" for player in snapshot.conductor.muted]
        return {part: line for part, line in troubles.items() if line} | dict(zip(muted, muted, strict=True))

    def _set_parameter(self, text: str) -> str | None:
        """Set a parameter as it is written; return why that cannot be, once."""
        address, _, value = text.partition("=")
        try:
            changes = self._band.resolve_setting(address, value)
        except ConfigError as error:
            return self._refuse(f"not set: {error}")
        self._session.change_parameters(changes)
        shown = ", ".join(f"{one.address} {format_value(one.value)}" for one in changes)
        self._last_setting = self._clock.now(), shown
        return None

    def _refuse(self, line: str) -> str | None:
        """Return why something cannot be, once."""
        is_new = line not in self._refused_settings and len(self._refused_settings) < _MOST_REFUSALS
        self._refused_settings.add(line)
        return line if is_new else None

    def _mix(self, control: str, text: str) -> str | None:
        """Change a player's place in the mixer as it is written; return why that cannot be, once."""
        try:
            name, value = parse_level(text) if control == "level" else parse_switch(text)
            self._session.adjust([MixerChange(part, control, value) for part in self._band.resolve_player(name)])
        except ConfigError as error:
            return self._refuse(f"{control}: {error}")
        return None

    def _lock(self, text: str) -> None:
        self._session.adjust([LockChange(*parse_switch(text))])

    def _list_parameters(self) -> str:
        return "\n".join(str(one) for one in self._band.parameters) or "no player has parameters"

    def _log_action(self, action: Action, source: str, snapshot: Snapshot) -> None:
        self._person.observe_action(action)
        if self._recorder is not None:
            self._recorder.record_action(action, source, snapshot)


def _list_levels(session: LiveSession) -> dict[str, float]:
    return {strip.part: strip.level for strip in session.snapshot().conductor.strips}


def describe_level_change(change: LevelChange) -> str:
    """Say that the band counts the player's beat anew, and what that does to the tempo."""
    return f"your beat is counted anew: tempo {change.bpm_before:.0f} → {change.bpm:.0f} BPM"


def describe_synchronization(
    synchronized: Collection[str], beat_name: str | None, names: Collection[str] = ()
) -> list[str]:
    """Say what of TRACKABLE the band takes from whom, and what of the `names` from nobody.

    `beat_name` as in ExternalIO.
    """
    followed = list(synchronized)
    remarks = []
    if beat_name is not None and "tempo" in followed:
        followed.remove("tempo")
        remarks.append("with Link" if beat_name == "Link" else f"with the {beat_name}")
    remarks += [f"with your {join_words(followed, 'and')}"] * bool(followed)
    missing = [name for name in names if name not in synchronized]
    return remarks + [f"no {join_words(missing, 'or')} to follow"] * bool(missing)
