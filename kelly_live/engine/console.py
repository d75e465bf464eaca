"""What the performer sees and does while it plays: keys, pads and OSC into actions, the session's state into a line."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from kelly_live.control import midi_map as controls
from kelly_live.control.keyboard import HELP, Keyboard, action_of, own_help
from kelly_live.core.actions import Action, ActionDispatcher, ActionTargets
from kelly_live.core.override import described
from kelly_live.ui.alerts import Alerts
from kelly_live.ui.terminal import LiveStatus, StatusView

if TYPE_CHECKING:
    from kelly_live.core.protocols import EmotionOverride
    from kelly_live.engine.analysis_proxy import AnalysisProxy
    from kelly_live.engine.external_io import ExternalIO
    from kelly_live.engine.session import LiveSession, Snapshot
    from kelly_live.generators.preset_band import PresetBand
    from kelly_live.midi.routing import RoutedSink
    from kelly_live.recording.recorder import Recorder


class Console:
    """Thread: the main one; `look` is called at every status step and waits for nothing."""

    def __init__(
        self, session: LiveSession, view: StatusView, keyboard: Keyboard, *, steering: EmotionOverride, ears: AnalysisProxy,
        players: PresetBand, sink: RoutedSink, room: ExternalIO, recorder: Recorder | None,
    ) -> None:  # fmt: skip
        """Reads these keys and writes there. Raises ConfigError for a controls file that is wrong."""
        self._view, self._keyboard = view, keyboard
        self._ears, self._sink, self._room, self._recorder = ears, sink, room, recorder
        self._pads_in = room.input.branch() if room.input is not None else None
        self._pads = controls.MidiMap(controls.add_defaults(controls.load()) if self._pads_in is not None else ())
        self._alerts = Alerts()
        reach = ActionTargets(
            ears.steer, panic=session.panic, preset=players.request_preset, profile=ears.turn, reaction=ears.react,
            help=self._help, quit=session.stop, log=self._acted,
        )  # fmt: skip
        self._hand = ActionDispatcher(steering, reach)
        if keyboard.live:
            view.say(self._help())
        room.start_osc_output(session.snapshot)

    def look(self, snapshot: Snapshot) -> None:
        """Do what was asked since the last step, tell what is new, show the rest."""
        for source, action in self._asked(snapshot):
            if told := self._hand.apply(action, snapshot, source):
                self._view.say(told)
        if self._recorder is not None:
            self._recorder.noticed(snapshot)
        for line in self._ears.watch(self._hand.steering):
            self._view.say(line)
        troubles = self._troubles(snapshot)
        for line in self._alerts.news(troubles):
            self._view.say(line)
        self._view.show(
            LiveStatus(
                state=snapshot.reading.state,
                tempo_bpm=snapshot.conductor.bpm,
                mode=snapshot.conductor.mode,
                level_dbfs=snapshot.audio.level_dbfs,
                late_notes=snapshot.scheduler.late + snapshot.scheduler.dropped,
                dropped_windows=snapshot.dropped_windows,
                overflows=snapshot.audio.overflows,
                tonic=snapshot.conductor.tonic,
                chord=snapshot.conductor.chord,
                bar=snapshot.conductor.bar + 1,
                remark=", ".join(self._remarks(snapshot, troubles)) or None,
            )
        )

    def _asked(self, snapshot: Snapshot) -> list[tuple[str, Action]]:
        asked = [("key", action) for key in self._keyboard.poll() if (action := action_of(key, self._ears.keys))]
        asked += [("osc", action) for action in self._room.poll_osc()]
        if self._pads_in is not None:
            stands = partial(self._hand.place, shown=snapshot.reading.state)
            asked += [("midi", action) for action in self._pads.hear(self._pads_in.poll(), stands)]
        return asked

    def _troubles(self, snapshot: Snapshot) -> Mapping[str, str | None]:
        """What may be lost, and why it is, in a line."""
        return {
            "the audio input": snapshot.audio.problem,
            "the MIDI input": self._room.problem,
            "the analysis": snapshot.problem,
            "the GPU": self._ears.problem,
            "the recording": None if self._recorder is None else self._recorder.problem,
            **{f"the MIDI port {name}".rstrip(): failure for name, failure in self._sink.failures.items()},
        }

    def _remarks(self, snapshot: Snapshot, troubles: Mapping[str, str | None]) -> list[str]:
        music = snapshot.conductor
        return [
            *[f"with your {' and '.join(music.synchronized)}"] * bool(music.synchronized),
            *self._ears.remarks,
            *self._room.remarks(),
            *described(self._hand.steering, music.bars),
            *(f"{player.name} {player.state}" for player in music.muted),
            *(trouble for trouble in troubles.values() if trouble),
        ]

    def _help(self) -> str:
        return f"{HELP}\n      {own_help(self._ears.keys)}" if self._ears.keys else HELP

    def _acted(self, action: Action, source: str, snapshot: Snapshot) -> None:
        self._ears.acted(action)
        if self._recorder is not None:
            self._recorder.acted(action, source, snapshot)
