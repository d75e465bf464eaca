"""What the program prints is plain: right plurals, right exit codes, and quiet where nobody watches."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import Mock, patch

import pytest

from kelly_live.core.override import describe_override, has_place
from kelly_live.core.protocols import AudioHealth, EmotionOverride, Morph
from kelly_live.core.timebase import TempoMap, TempoPoint
from kelly_live.core.wording import plural
from kelly_live.engine.live import LiveReport
from kelly_live.engine.performance import Performance
from kelly_live.engine.session import Snapshot
from kelly_live.music.harmony import Phrase
from kelly_live.music.theory import Key, build_mode_scale
from kelly_live.ui.plot import render_session
from tests.field.command_line import run_command
from tests.ui import sample_session


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["learn", "emotion"], "emotion lacks its value; it takes one of happy"),
        (["learn", "fly"], "no action is called 'fly'"),
        (["learn", "emotion", "bored"], "emotion is given 'bored'; it takes one of"),
        (["learn", "panic", "3"], "panic is given '3'; it takes nothing"),
        (["learn", "--forget", "fly"], "no action is called 'fly'"),
        (["profile", "rate", "anna", "--emotion", "sad"], "say what"),
        (["compose", "--midi", "x.mid"], "say which emotion"),
        (["presets", "--json", "band", "strings"], "unexpected extra argument"),
        (["fly"], "No such command"),
        (["live", "--osc", "99999"], "'99999' is no OSC address"),
        (["compose", "--emotion", "sad", "--midi", "x.mid", "--set", "nobody.x=1"], "there is no player 'nobody'"),
        (["compose", "--emotion", "sad", "--midi", "x.mid", "--set", "bass.x=1"], "there is no parameter 'x'"),
        (["compose", "--emotion", "sad", "--midi", "x.mid", "--with", "nobody"], "there is no generator 'nobody'"),
    ],
)
def test_a_usage_error_exits_with_2(arguments: list[str], complaint: str) -> None:
    result = run_command(*arguments)
    assert result.code == 2
    assert complaint in result.errors


def test_one_bar_is_one_bar(tmp_path: Path) -> None:
    result = run_command("compose", "--emotion", "sad", "--bars", "1", "--midi", tmp_path / "a.mid")
    assert result.output.startswith("1 bar of sad")
    override = EmotionOverride(morph=Morph(EmotionOverride(emotion="sad"), 0.0, 1.0))
    assert describe_override(override, 0.0) == ["morph to sad: 0 of 1 bar"]
    assert plural(0, "note") == "0 notes"


def test_a_place_that_was_set_has_no_confidence() -> None:
    assert has_place(EmotionOverride(valence=0.5))
    assert has_place(EmotionOverride(emotion="sad"))
    assert not has_place(EmotionOverride(freeze=True))


def test_work_on_a_file_prints_no_progress_into_a_pipe() -> None:
    sound = Path(__file__).parents[2] / "presets" / "demo" / "recording.ogg"
    assert run_command("analyze", sound, "--device", "cpu").errors == ""


def test_listening_creates_its_folder_but_not_for_a_name_that_is_none(tmp_path: Path) -> None:
    assert run_command("cultures", "no-such-culture", "--listen", tmp_path / "new").code == 1
    assert not (tmp_path / "new").exists()
    assert run_command("cultures", "klezmer", "--listen", tmp_path / "new" / "er").code == 0
    assert {path.suffix for path in (tmp_path / "new" / "er").iterdir()} == {".mid", ".wav", ".png"}


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["set", "anna", "strength=7"], "strength is '7'; it must be a number from 0 to 1"),
        (["set", "anna", "culture=nowhere"], "no culture is called 'nowhere'"),
        (["set", "anna", "fly=on"], "a profile has no 'fly'"),
        (["rate", "anna", "--emotion", "sad", "--target", "tempo=9999"], "tempo is 9999; it must be from"),
        (["rate", "anna", "--emotion", "sad", "--target", "wings=2"], "nothing is called 'wings'"),
    ],
)
def test_a_value_that_a_profile_cannot_take_exits_with_2_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], complaint: str
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert run_command("profile", "create", "anna").code == 0
    before = run_command("profile", "show", "anna", "--json").output
    result = run_command("profile", *arguments)
    assert result.code == 2
    assert complaint in result.errors
    assert run_command("profile", "show", "anna", "--json").output == before


def test_a_tonic_has_one_name_in_a_piece() -> None:
    modes = ("aeolian", "phrygian", "aeolian")
    assert Key(10, build_mode_scale("phrygian")).tonic_name == "A#"  # on its own
    phrases = tuple(Mock(spec=Phrase, key=Key(10, build_mode_scale(mode))) for mode in modes)
    piece = Performance((), (), TempoMap(0.0, 120.0), 10.0, phrases=phrases)
    assert piece.keys == ("Bb aeolian", "Bb phrygian", "Bb aeolian")


def test_lost_input_is_one_number_that_is_explained() -> None:
    def last_line(*, overflows: int, seconds: float, windows: int = 0) -> str:
        health = AudioHealth(-20.0, overflows=overflows, dropped_seconds=seconds)
        snapshot = Mock(
            spec=Snapshot,
            scheduler=Mock(sent_messages=2, late_messages=0, dropped_notes=0, limited_notes=0),
            audio=health,
            dropped_windows=windows,
        )
        return LiveReport(snapshot, ()).describe()[-1]

    assert last_line(overflows=0, seconds=0.0) == "stopped: 2 events sent, 0 late, 0 notes dropped; no input lost"
    assert last_line(overflows=1664, seconds=0.0).endswith(
        "; 1664 overflows of the input (the device does not say how much sound each one lost)"
    )
    assert last_line(overflows=3, seconds=1.52).endswith("; 1.5 s of input lost in 3 overflows")
    assert last_line(overflows=0, seconds=0.0, windows=1).endswith("; 1 window of input skipped to keep up")


def test_the_picture_draws_the_tempo_that_was_played() -> None:
    states = sample_session.states(seconds=10.0)
    values: dict[str, Any] = {
        "states": states, "parameters": sample_session.parameters(states), "notes": sample_session.notes(seconds=10.0),
        "duration_seconds": 10.0, "parts": sample_session.PARTS, "title": "test",
    }  # fmt: skip
    band_tempo, other = TempoMap(0.0, 120.0), TempoMap(0.0, 120.0)
    other.add(TempoPoint(8.0, 90.0))
    pictures = [render_session(**values, tempo_map=one) for one in (None, band_tempo, other)]
    assert len(set(pictures)) == 3
    performance = Performance((), (), band_tempo, 10.0)
    with patch("kelly_live.ui.plot.plot_session") as plot:
        performance.write_plot("a.png")
    assert plot.call_args.kwargs["tempo_map"] is band_tempo


@pytest.mark.parametrize(
    "arguments", [["analyze", "missing.wav", "gone.wav"], ["render", "missing.wav", "--midi", "x.mid"]]
)
def test_a_file_that_is_missing_is_said_before_the_nets_are_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with patch("kelly_live.emotion.registry.require_reader", side_effect=AssertionError("nets loaded")):
        result = run_command(*arguments)
    assert result.code == 1
    assert "missing.wav does not exist" in result.errors
    assert "nets loaded" not in result.errors
