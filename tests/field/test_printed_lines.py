"""What the program prints is plain: right plurals, right exit codes, and quiet where nobody watches."""

from __future__ import annotations

from pathlib import Path

import pytest

from kelly_live.core.override import describe_override, has_place
from kelly_live.core.protocols import EmotionOverride, Morph
from kelly_live.core.wording import plural
from tests.field.command_line import run_command


@pytest.mark.parametrize(
    ("typed", "complaint"),
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
    ],
)
def test_a_usage_error_exits_with_2(typed: list[str], complaint: str) -> None:
    done = run_command(*typed)
    assert done.code == 2
    assert complaint in done.errors


def test_one_bar_is_one_bar(tmp_path: Path) -> None:
    done = run_command("compose", "--emotion", "sad", "--bars", "1", "--midi", tmp_path / "a.mid")
    assert done.output.startswith("1 bar of sad")
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
