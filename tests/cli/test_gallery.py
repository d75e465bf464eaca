"""A gallery to hear and to see, and one picture of it."""

from __future__ import annotations

from pathlib import Path

import mido
import pytest

from kelly_live.core.errors import ConfigError
from kelly_live.core.values import EMOTIONS
from kelly_live.cultures.library import CULTURES
from kelly_live.engine import gallery
from kelly_live.ui.rolls import Roll, draw_rolls
from tests.field.command_line import run_command


def test_an_emotion_and_a_tradition_to_hear_and_to_see(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gallery, "EMOTION_SECONDS", 40.0)  # a song takes 16 bars
    monkeypatch.setattr(gallery, "TRADITION_SECONDS", 4.0)
    out, sheet = tmp_path / "out", tmp_path / "all.png"
    result = run_command("gallery", str(out), "--only", "sad", "--only", "cuban-son", "--sheet", str(sheet))
    assert result.code == 0
    assert sorted(path.name for path in out.iterdir()) == sorted(
        ["index.html", *(f"{name}.{kind}" for name in ("sad", "cuban-son") for kind in ("mid", "mp3", "png"))]
    )
    assert sheet.read_bytes().startswith(b"\x89PNG")
    page = (out / "index.html").read_text()
    for name in ("sad", "cuban-son"):
        assert f'src="{name}.mp3"' in page
        assert f'href="{name}.mid"' in page
        assert f"{name}: " in result.output
    assert page.index("Emotions") < page.index("Traditions")
    assert mido.MidiFile(out / "sad.mid").length > 40.0


def test_every_emotion_and_tradition_is_in_it() -> None:
    assert [name for name, _ in gallery.list_pieces()] == [*EMOTIONS, *CULTURES]
    assert [name for name, _ in gallery.list_pieces(["emotions"])] == list(EMOTIONS)
    assert gallery.list_pieces(["klezmer"]) == [("klezmer", "traditions")]


def test_a_name_that_is_none_of_them_is_refused() -> None:
    with pytest.raises(ConfigError, match="name an emotion"):
        gallery.list_pieces(["happy", "polka"])


def test_the_same_pieces_make_the_same_picture_and_others_another() -> None:
    notes = ((0.0, 1.0, 60, 90, "melody"), (0.5, 2.0, 48, 70, "harp"), (1.0, 1.1, 42, 80, "percussion"))
    roll = Roll("happy", "120 BPM", notes, 4.0, ((0.0, "verse"), (2.0, "")))
    other = Roll("happy", "120 BPM", ((0.0, 1.0, 61, 90, "melody"),), 4.0)
    assert draw_rolls([roll, roll, roll]) == draw_rolls([roll, roll, roll])
    assert draw_rolls([roll]) != draw_rolls([other])
