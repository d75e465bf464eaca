"""`kelly-live cultures` and `measure-cultures`, run whole."""

from __future__ import annotations

import json
from pathlib import Path

import platformdirs
import pytest

from kelly_live.cli import main
from tests.cultures.example import PRESET


def run(*args: object) -> int:
    """The exit code of `kelly-live ARGS`."""
    with pytest.raises(SystemExit) as stopped:
        main([str(arg) for arg in args])
    return int(stopped.value.code or 0)


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's own folder with one good preset and one broken one."""
    monkeypatch.setattr(platformdirs, "user_data_path", lambda *args, **more: tmp_path / "data")
    folder = tmp_path / "data" / "cultures"
    folder.mkdir(parents=True)
    (folder / "my-waltzes.yaml").write_text(PRESET, encoding="utf-8")
    (folder / "broken.yaml").write_text("format: 1\nname: broken\ntempo: 3\n", encoding="utf-8")
    return folder


def test_the_list_has_every_preset_and_the_users_own(capsys: pytest.CaptureFixture[str], own_folder: Path) -> None:
    assert run("cultures") == 0
    output = capsys.readouterr().out
    assert "turkish-makam" in output
    assert "my-waltzes" in output
    assert "(your own)" in output
    assert "broken                   cannot be used" in output
    assert "line 3: tempo is not a field" in output
    assert str(own_folder) in output


def test_the_list_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("cultures", "--json") == 0
    cultures_by_name = {one["name"]: one for one in json.loads(capsys.readouterr().out)["cultures"]}
    assert cultures_by_name["turkish-makam"]["id"] == 1
    assert cultures_by_name["western"]["id"] == 0
    assert cultures_by_name["my-waltzes"]["own"] is True
    assert cultures_by_name["broken"]["preset"] is None
    tempo = cultures_by_name["swedish-polska"]["preset"]["tempo_bpm"]
    assert tempo["source"] == "measured"
    assert tempo["n"] > 100
    assert tempo["reference"].startswith("swedish-folkwiki")


def test_one_preset_shows_sources_reasons_and_credits(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("cultures", "klezmer") == 0
    output = capsys.readouterr().out
    assert "[measured, n 249 tunes, klezmer-beregovski]" in output
    assert "[cited, Feldman (2016)" in output
    assert "register           absent: the tunes were moved to common keys" in output
    assert ":freygish" in output
    assert "from klezmer-beregovski (yonmalin/mode_in_klezmer" in output


def test_one_mode_as_text_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("cultures", "turkish-makam:hicaz") == 0
    assert "n 50 recordings" in capsys.readouterr().out
    assert run("cultures", "turkish-makam:hicaz", "--json") == 0
    assert json.loads(capsys.readouterr().out)["name"] == "hicaz"


def test_a_near_miss_is_one_line_with_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("cultures", "klesmer") == 1
    complaint = capsys.readouterr().err
    assert complaint.count("\n") == 1
    assert "did you mean klezmer" in complaint
    assert run("cultures", "broken") == 1
    assert "broken.yaml line 3: tempo" in capsys.readouterr().err


def test_measuring_without_corpora_says_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("lab", "measure-cultures", tmp_path, "--out", tmp_path, "--only", "klezmer") == 1
    assert "INDEX.tsv cannot be read" in capsys.readouterr().err
    assert run("lab", "measure-cultures", tmp_path, "--out", tmp_path, "--only", "western") == 0
    assert (tmp_path / "western.yaml").is_file()


def test_a_sheet_is_one_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pictures = []
    for name in ("cuban-son", "javanese-gamelan"):  # the first has no scale of its own
        assert run("cultures", name, "--sheet", tmp_path / "sheet.png") == 0
        assert "1 tradition, " in capsys.readouterr().out
        pictures.append((tmp_path / "sheet.png").read_bytes())
    assert all(picture.startswith(b"\x89PNG") and len(picture) > 5000 for picture in pictures)
    assert pictures[0] != pictures[1]


def test_a_sheet_that_cannot_be_written_is_refused_before_it_is_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("cultures", "klezmer", "--sheet", tmp_path / "missing" / "one.png") == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert run("cultures", "klezmer", "--sheet", tmp_path / "one.png", "--listen", tmp_path) == 2
