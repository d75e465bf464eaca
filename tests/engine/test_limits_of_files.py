"""Limits of what is written to a file.

Music that is composed or rendered keeps them as live music does.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import mido
import pytest

from kelly_live.core.emotion_space import create_state
from kelly_live.core.limits import Limits
from kelly_live.core.protocols import EmotionOverride
from kelly_live.engine.accompaniment import accompany_recording
from kelly_live.engine.composition import compose_piece
from kelly_live.engine.options.commands import ComposeOptions, RenderOptions
from kelly_live.engine.options.limits import LimitsOptions
from kelly_live.engine.options.override import OverrideOptions
from kelly_live.engine.performance import FRAME_SECONDS, Performance
from kelly_live.lab.bench.limits_rules import Check, check_arousals, check_messages, check_tempos
from kelly_live.music.arc import STEP, Arc, ArcPoint, HitPoint
from tests.cli.test_commands import run
from tests.fakes import ScriptedReader

STRICT = Limits(velocity=70, loudness_rise=5.0, accent=10, notes=4, tempo_rise=12.0, arousal_rise=0.6)
SAD, EXCITED = create_state(emotion="sad"), create_state(emotion="excited")
DOOR = Arc((ArcPoint(0.0, SAD, STEP), ArcPoint(12.0, EXCITED)), (HitPoint(12.0, "the door"),), 24.0)
RISING = OverrideOptions(emotion="sad", morph_to=EmotionOverride(emotion="excited"), morph_bars=2)


def hold_to(limits: Limits) -> LimitsOptions:
    return LimitsOptions(
        limits.velocity, limits.loudness_rise, limits.accent, limits.notes, limits.tempo_rise, limits.arousal_rise
    )


def check_all(performance: Performance, limits: Limits = STRICT) -> list[Check]:
    points = performance.tempo_map.points()
    tempos = [(performance.tempo_map.seconds_at(point.beat), point.bpm) for point in points]
    arousals = [(0.0, 0.0), *((one.state.time, one.state.arousal) for one in performance.readings)]
    return [
        *check_messages(performance.messages, limits), check_tempos(tempos, limits), check_arousals(arousals, limits)
    ]  # fmt: skip


def list_peaks(folder: Path) -> dict[str, int]:
    """The loudest velocity of each MIDI file."""
    return {
        path.stem: max(one.velocity for one in mido.MidiFile(path) if one.type == "note_on")
        for path in folder.glob("*.mid")
    }


def test_a_piece_that_leaps_to_excitement_keeps_every_limit() -> None:
    free = compose_piece(ComposeOptions(override=RISING, bars=6))
    said: list[str] = []
    held = compose_piece(ComposeOptions(override=RISING, bars=6, limits=hold_to(STRICT)), said.append)
    assert {check.name for check in check_all(free) if check.passed} >= {
        "velocity", "loudness rise", "accent", "notes at once", "tempo rise", "arousal rise",
    }  # fmt: skip
    assert [check for check in check_all(held) if check.passed] == []
    assert said[-1] == f"{held.limited_notes} notes held to the limits"
    assert free.limited_notes == 0


def test_an_arc_meets_its_hit_points_with_the_arousal_that_is_allowed() -> None:
    limits = Limits(arousal_rise=0.6)
    held = compose_piece(ComposeOptions(arc=DOOR, limits=hold_to(limits)))
    assert [check for check in check_all(held, limits) if check.passed] == []
    assert held.readings[-1].state.arousal < 0.25
    assert abs(held.hits[0].seconds - 12.0) < FRAME_SECONDS
    assert held.end_seconds == 24.0


def test_a_tempo_that_may_not_rise_so_fast_comes_before_a_hit_point_and_that_is_said() -> None:
    said: list[str] = []
    limits = Limits(tempo_rise=1.0)
    hurried = replace(DOOR, hits=(HitPoint(8.3, "a step"), *DOOR.hits))
    late = compose_piece(ComposeOptions(arc=hurried, limits=hold_to(limits)), said.append)
    assert [check for check in check_all(late, limits) if check.passed] == []
    assert late.hits[-1].seconds - 12.0 > FRAME_SECONDS
    assert late.end_seconds > 24.0
    assert "hit points or the end come up to 1.3 s late, as the tempo may rise by 1 BPM a minute at most" in said[-1]


def test_an_arc_in_bars_keeps_the_limit_of_the_arousal() -> None:
    arc = Arc((ArcPoint(0.0, SAD), ArcPoint(4.0, EXCITED)), (), 8.0, in_bars=True)
    limits = Limits(arousal_rise=0.6)
    held = compose_piece(ComposeOptions(arc=arc, limits=hold_to(limits)))
    assert [check for check in check_all(held, limits) if check.passed] == []
    assert held.readings[-1].state.arousal > -0.2


def test_a_recording_is_accompanied_within_the_limits(tmp_path: Path) -> None:
    recording = tmp_path / "take.mid"
    compose_piece(ComposeOptions(override=RISING, bars=2)).write_midi(recording)
    options = RenderOptions(override=OverrideOptions(emotion="excited"), limits=hold_to(STRICT))
    held = accompany_recording(recording, options, reader=ScriptedReader())
    assert [check for check in check_all(held.performance) if check.passed] == []
    assert held.performance.limited_notes > 0


def test_the_limits_of_a_profile_hold_for_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert run("profile", "create", "ann") == 0
    assert run("profile", "set", "ann", "limits.velocity=50") == 0
    assert run("compose", "--emotion", "angry", "--bars", 1, "--profile", "ann", "--midi", tmp_path / "a.mid") == 0
    assert list_peaks(tmp_path)["a"] == 50


def test_the_limits_of_the_config_file_hold_for_each_piece_of_a_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "kelly-live").mkdir()
    (tmp_path / "kelly-live" / "config.toml").write_text(
        "[limits]\nvelocity = 60\nquiet-hours = '00:00-23:59'\n[compose]\ntempo = 100\n"
    )
    pieces = tmp_path / "pieces.csv"
    pieces.write_text("name,emotion,bars,limit-velocity\nsoft,angry,1,45\nloud,angry,1,90\nfree,angry,1,\n")
    assert run("compose", "--pieces", pieces, "--into", tmp_path / "a") == 0
    assert list_peaks(tmp_path / "a") == {"soft": 45, "loud": 60, "free": 60}


def test_of_two_limits_of_a_list_and_a_piece_the_stricter_holds() -> None:
    both = LimitsOptions(velocity=90, accent=12).combine(LimitsOptions(velocity=55))
    assert both == LimitsOptions(velocity=55, accent=12)
