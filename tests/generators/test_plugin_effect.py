"""A note effect of another package behind a player: bar by bar, and the player's own notes where it fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from kelly_live.cli import root
from kelly_live.core.errors import ConfigError
from kelly_live.core.values import NoteEvent
from kelly_live.generators import added, registry
from kelly_live.generators.band import GeneratorBand
from kelly_live.generators.builtin.chords import ChordGenerator
from kelly_live.generators.builtin.melody import MelodyGenerator
from kelly_live.generators.effect_registry import list_names
from kelly_live.generators.effects.echo import Echo
from kelly_live.generators.effects.registry import EFFECTS
from kelly_live.generators.host_preset import EffectRequest, HostPreset, PresetPlayer, Setting
from kelly_live.generators.lineup import PlayerSlot
from kelly_live.generators.note_effect import EffectDescriptor
from kelly_live.generators.parameter import Parameter
from kelly_live.generators.plugin_effect import PluginEffect
from kelly_live.generators.plugin_generator import MAX_FAILURES, PluginGenerator
from kelly_live.generators.plugin_process import BarAnswer, PlayerFault, Reply
from kelly_live.generators.preset_band import PresetBand
from kelly_live.generators.wire import Process
from kelly_live.music.band import PlayerState
from kelly_live.music.conductor import Conductor
from kelly_live.testing import ExternalGenerator, assert_conforms
from tests.generators.test_plugin_generator import DESCRIPTOR, ScriptedRun
from tests.music.band import RecordingSink, make_parameters

EXAMPLES = Path(__file__).parents[2] / "examples"
STRUM = EXAMPLES / "kelly-live-strum" / "kelly_live_strum.py"
OCTAVE = EffectDescriptor("octave", "an octave higher", (Parameter("steps", 12, "how much higher", low=0, high=24),))
PARAMETERS = make_parameters(density=1.5)
SLICE = 1 / 16
OWN_ECHO = """
from kelly_live.generators.effects.echo import Echo
from kelly_live.generators.note_effect import EffectDescriptor

class Repeat(Echo):
    descriptor = EffectDescriptor("repeat", "an echo of another package", Echo.descriptor.parameters)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the list of this test is kept."""
    monkeypatch.setattr(added, "find_file", lambda: tmp_path / "generators.json")
    return tmp_path


def raise_notes(request: Any) -> Reply:
    steps = int(request.values.get("steps", 12))
    notes = [
        NoteEvent(float(one.onset_beats), float(one.duration_beats), int(one.pitch) + steps, int(one.velocity), 1, "")
        for one in request.notes
    ]
    return BarAnswer(notes, None, None)


def fail(request: Any) -> Reply:
    return PlayerFault(PlayerState.FAILED, "process failed: ZeroDivisionError")


def make_effect(*runs: ScriptedRun, waits: bool = True) -> PluginEffect:
    coming = iter(runs[1:])
    return PluginEffect(OCTAVE, {"steps": 12}, runs[0], lambda state: next(coming), waits=waits)


def run_of(answer: Callable[[Any], Reply] = raise_notes, *, delays: bool = False) -> ScriptedRun:
    return ScriptedRun(answer=answer, delays=delays)


def play(band: GeneratorBand, *, bars: int = 8, slice_beats: float = SLICE) -> list[NoteEvent]:
    sink = RecordingSink()
    Conductor(sink, band, seed=3, tonic=0, length_bars=bars, slice_beats=slice_beats).play_through(PARAMETERS)
    band.close()
    return sink.notes


def chords(*effects: Any) -> GeneratorBand:
    return GeneratorBand([PlayerSlot(ChordGenerator(), "chords", 1, 0, effects=effects)])


def raised(notes: Sequence[NoteEvent]) -> list[tuple[float, int]]:
    return [(beat, pitch + 12) for beat, pitch in summary(notes)]


def summary(notes: Sequence[NoteEvent]) -> list[tuple[float, int]]:
    """Beats and pitches, without the feel that the conductor adds by pitch."""
    return sorted((round(4.0 * note.onset_beats) / 4.0, note.pitch) for note in notes)


@pytest.mark.parametrize("waits", [True, False], ids=["offline", "live"])
def test_it_is_given_whole_bars_before_they_begin_and_what_it_answers_sounds(waits: bool) -> None:
    run = run_of()
    wet = play(chords(make_effect(run, waits=waits)))
    assert summary(wet) == raised(play(chords()))
    assert {(note.part, note.channel) for note in wet} == {("chords", 1)}
    assert run.spans == [(4.0 * bar, 4.0 * bar + 4.0) for bar in range(8)]


def test_built_in_effects_stand_before_and_behind_it() -> None:
    before, behind = Echo({"repeats": 1}), EFFECTS["harmonizer"]({})
    wet = play(chords(before, make_effect(run_of()), behind))
    echoed = play(chords(Echo({"repeats": 1})))
    assert set(raised(echoed)) <= set(summary(wet))
    assert len(wet) > len(echoed)


def test_the_player_s_own_notes_sound_where_it_fails_and_this_is_said() -> None:
    def fail_in_bar_two(request: Any) -> Reply:
        return fail(request) if request.start_beat == 8.0 else raise_notes(request)

    band = chords(make_effect(run_of(fail_in_bar_two), run_of(), waits=False))
    wet, dry = play(band), play(chords())
    in_bar_two = [note for note in dry if 8 <= round(note.onset_beats, 1) < 12]
    assert set(summary(in_bar_two)) <= set(summary(wet))
    assert set(raised([note for note in dry if note not in in_bar_two])) <= set(summary(wet))
    assert len(wet) == len(dry)
    assert band.muted == ()
    (line,) = band.remarks.values()
    assert line == "chords plays without its effect octave: process failed: ZeroDivisionError; it is started again"


def test_after_three_failures_the_player_plays_on_without_it() -> None:
    band = chords(make_effect(*(run_of(fail) for _ in range(MAX_FAILURES)), waits=False))
    assert summary(play(band)) == summary(play(chords()))
    assert "given up after 3 failures in a row" in list(band.remarks.values())[-1]


def test_one_that_does_not_answer_leaves_the_player_s_notes_in_time() -> None:
    band = chords(make_effect(run_of(delays=True), waits=False))
    assert summary(play(band)) == summary(play(chords()))


def test_it_stands_behind_a_player_in_a_process_of_its_own_too() -> None:
    def band(*effects: PluginEffect, waits: bool) -> GeneratorBand:
        player = PluginGenerator(DESCRIPTOR, ScriptedRun(), lambda state: ScriptedRun(), waits=waits)
        return GeneratorBand([PlayerSlot(player, "elsewhere", 6, 0, effects=effects)])

    for waits in (True, False):
        dry = play(band(waits=waits))
        assert summary(play(band(make_effect(run_of(), waits=waits), waits=waits))) == raised(dry)


def test_its_parameters_change_while_it_plays() -> None:
    band = chords(make_effect(run_of()))
    (change,) = band.resolve_setting("chords.octave.steps", "0")
    band.set_parameter(change)
    assert summary(play(band)) == summary(play(chords()))


def test_an_echo_in_a_process_of_its_own_plays_as_the_built_in_one(folder: Path) -> None:
    (folder / "own_echo.py").write_text(OWN_ECHO)
    added.add_generators(str(folder / "own_echo.py"))
    assert "repeat" in list_names()

    def melody(effect: str) -> list[tuple[float, int]]:
        preset = HostPreset("alone", "alone", (PresetPlayer("melody"),))
        settings = [Setting.parse(f"melody.{effect}.repeats=1")]
        band = PresetBand([preset], settings=settings, effects=[EffectRequest("melody", effect)])
        notes = play(band)
        assert not band.remarks
        return summary(notes)

    assert melody("repeat") == melody("echo")
    assert melody("echo") != summary(play(GeneratorBand([MelodyGenerator()])))


def test_the_example_keeps_the_contract() -> None:
    with ExternalGenerator(str(STRUM)) as strum:
        assert_conforms(strum)


def test_the_example_strums_chords_and_leaves_single_notes_alone() -> None:
    added.add_generators(str(STRUM))
    preset = HostPreset("alone", "alone", (PresetPlayer("chords"),))
    band = PresetBand([preset], effects=[EffectRequest("chords", "strum")])
    strummed, dry = play(band), play(chords())
    assert sorted(note.pitch for note in strummed) == sorted(note.pitch for note in dry)
    first = [note for note in strummed if note.onset_beats < 1.0][:3]
    assert [note.pitch for note in first] == sorted(note.pitch for note in first), "a down-stroke"
    assert first[1].onset_beats - first[0].onset_beats > 0.04


def test_what_is_added_is_told_to_be_an_effect_and_plays_nothing_itself() -> None:
    result = CliRunner().invoke(root, ["generators", "add", str(STRUM)], catch_exceptions=False)
    assert result.stdout.endswith("; use it with --effect PLAYER=strum\n")
    listed = CliRunner().invoke(root, ["generators", "list", "strum"], catch_exceptions=False)
    assert "--set PLAYER.strum.spread=60" in listed.stdout
    assert "strum" not in registry.list_names()


def test_a_second_one_behind_a_player_is_refused(folder: Path) -> None:
    (folder / "own_echo.py").write_text(OWN_ECHO)
    added.add_generators(str(folder / "own_echo.py"))
    added.add_generators(str(STRUM))
    preset = HostPreset("alone", "alone", (PresetPlayer("chords"),))
    with pytest.raises(ConfigError, match="two note effects of other packages stand behind chords"):
        PresetBand([preset], effects=[EffectRequest("chords", "strum"), EffectRequest("chords", "repeat")])


def test_a_request_has_the_player_s_notes_and_channel() -> None:
    run = run_of()
    dry = play(chords(make_effect(run)), bars=2)
    request: Any = run.requests[0]
    assert isinstance(request, Process)
    assert request.channel == 1
    assert len(request.notes) == sum(round(note.onset_beats, 1) < 4.0 for note in dry)
