"""What `--culture` does to the players, and the command that listens whether it did."""

import json
from pathlib import Path

import pytest

from kelly_live.cli import run_program
from kelly_live.core.emotion_space import create_state
from kelly_live.core.values import EMOTIONS
from kelly_live.engine.build import create_mapper
from kelly_live.engine.options.culture import CultureOptions


@pytest.mark.parametrize("options", [CultureOptions("turkish-makam:hicaz", 0.0), CultureOptions("western", 1.0)])
def test_no_strength_and_the_plain_default_are_no_culture(options: CultureOptions) -> None:
    plain, with_options = create_mapper(None), create_mapper(options)
    for emotion in EMOTIONS:
        assert with_options(create_state(emotion=emotion)) == plain(create_state(emotion=emotion))


def test_a_typed_mode_is_what_is_played() -> None:
    for emotion in ("happy", "sad"):
        style = create_mapper(CultureOptions("turkish-makam:hicaz", 1.0))(create_state(emotion=emotion)).style
        assert style is not None
        assert style.name == "turkish-makam:hicaz"


def test_the_feeling_picks_the_mode() -> None:
    mapper = create_mapper(CultureOptions("klezmer", 1.0))
    styles = [mapper(create_state(emotion=emotion)).style for emotion in ("happy", "sad")]
    assert [style.name for style in styles if style] == ["klezmer:major", "klezmer:minor"]


def test_identify_knows_a_culture_by_its_notes(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [
        "lab",
        "identify",
        "--pieces",
        "2",
        "--bars",
        "16",
        "--only",
        "jingju",
        "--only",
        "javanese-gamelan",
        "--json",
    ]
    assert run_program(arguments) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["pieces"] == 4
    assert answer["right"] >= 3
    low, high = answer["interval"]
    assert low <= answer["right"] / 4 <= high
    jingju, gamelan = answer["cultures"]
    assert jingju["knows"] == ["degrees", "intervals", "onsets", "rhythms", "ornaments"]
    assert gamelan["knows"] == ["degrees"]
    assert jingju["likeness"]["degrees"]["halves"] is None  # no corpora were given


def test_identify_refuses_a_culture_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_program(["lab", "identify", "--only", "atlantis"]) != 0
    assert "atlantis" in capsys.readouterr().err


def test_a_preset_can_be_listened_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_program(["cultures", "korean-jeongak", "--listen", str(tmp_path)]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"korean-jeongak.{kind}" for kind in ("mid", "png", "wav")
    ]
    assert all(path.stat().st_size > 1000 for path in tmp_path.iterdir())
    assert "korean-jeongak:" in capsys.readouterr().out
