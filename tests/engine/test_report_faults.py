"""What is said of the players at the end of a piece: in order, and each thing once."""

from __future__ import annotations

from typing import Any

from kelly_live.core.values import NoteEvent
from kelly_live.engine.build import report_faults
from kelly_live.generators.host_preset import HostPreset, PresetPlayer
from kelly_live.generators.plugin_generator import PluginGenerator
from kelly_live.generators.plugin_process import BarAnswer, PlayerFault, Reply
from kelly_live.generators.preset_band import PresetBand
from kelly_live.music.band import PlayerState
from kelly_live.music.conductor import Conductor
from tests.generators.test_plugin_generator import DESCRIPTOR, ScriptedRun
from tests.music.band import RecordingSink, make_parameters


def fail_in_bar_one_and_from_bar_four_on(request: Any) -> Reply:
    if request.start_beat == 4.0 or request.start_beat >= 16.0:
        return PlayerFault(PlayerState.FAILED, "generate failed: ValueError")
    return BarAnswer([NoteEvent(request.start_beat, 1.0, 60, 80, 1, "elsewhere")], None, None)


def test_a_player_was_silent_for_a_while_before_it_is_given_up() -> None:
    def make_run(state: Any = None) -> ScriptedRun:
        return ScriptedRun(answer=fail_in_bar_one_and_from_bar_four_on)

    band = PresetBand([HostPreset("alone", "alone", (PresetPlayer("bass"),))])
    band.change([PluginGenerator(DESCRIPTOR, make_run(), make_run, waits=True)])
    Conductor(RecordingSink(), band, seed=3, tonic=0, length_bars=10).play_through(make_parameters())
    said: list[str] = []
    report_faults(band, said.append)
    assert said == [
        "elsewhere was silent for a while: generate failed: ValueError; it is started again",
        "elsewhere stays silent: generate failed: ValueError; given up after 3 failures in a row",
    ]
