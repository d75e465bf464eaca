"""`analyze`, `render` and `compose` with folders and lists."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.cli.test_commands import run, sounding_notes


@pytest.fixture
def takes(tmp_path: Path) -> Path:
    """A folder of two short takes, one in a folder of its own, and one that is damaged."""
    folder = tmp_path / "takes"
    for name, hz in (("a.wav", 220.0), ("day 2/b.wav", 330.0)):
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        soundfile.write(folder / name, 0.3 * np.sin(2 * np.pi * hz * np.arange(16_000) / 16_000), 16_000)
    (folder / "bad.wav").write_text("no sound")
    return folder


def test_a_folder_is_analyzed_into_a_table_and_only_once(takes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    table = takes.parent / "results.jsonl"
    assert run("analyze", takes, "--out", table, "--words", "en") == 1
    rows = [json.loads(line) for line in table.read_text().splitlines()]
    assert [Path(row["path"]).name for row in rows] == ["a.wav", "bad.wav", "b.wav"]
    assert len(rows[0]["windows"]) == 4
    assert {type(row["word"]) for row in (rows[0], *rows[0]["windows"])} == {str}
    assert "not a sound file" in rows[1]["error"]
    before = table.read_bytes()
    (takes / "bad.wav").unlink()
    capsys.readouterr()
    assert run("analyze", takes, "--out", table, "--words", "EN") == 0
    assert "0 files done, 2 were done before" in capsys.readouterr().out
    assert table.read_bytes() == before


def test_a_folder_is_accompanied_into_itself_and_the_music_is_no_take_of_the_next_run(
    takes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch")
    (takes / "bad.wav").unlink()
    for done in ("2 files done", "0 files done, 2 were done before"):
        assert run("render", takes, "--into", takes) == 0
        assert done in capsys.readouterr().out
    assert sounding_notes(takes / "a.mid")
    assert sounding_notes(takes / "day 2" / "b.mid")
    rows = [json.loads(line) for line in (takes / "results.jsonl").read_text().splitlines()]
    assert [row["files"] for row in rows] == [{"midi": str(takes / "a.mid")}, {"midi": str(takes / "day 2" / "b.mid")}]


def test_a_list_of_pieces_is_composed_each_with_its_options(tmp_path: Path) -> None:
    pieces, into = tmp_path / "pieces.csv", tmp_path / "music"
    pieces.write_text("name,emotion,bars,seed\nslow,sad,1,3\nfast,happy,2,4\n")
    assert run("compose", "--pieces", pieces, "--into", into, "--write", "midi", "--write", "wav") == 0
    assert run("compose", "--emotion", "sad", "--bars", 1, "--seed", 3, "--midi", tmp_path / "alone.mid") == 0
    assert (into / "slow.mid").read_bytes() == (tmp_path / "alone.mid").read_bytes()
    assert (into / "fast.wav").stat().st_size > 44


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["analyze"], "say which files"),
        (["analyze", "x.wav", "--words", "de"], "no data say where the emotion words of 'de' lie"),
        (["analyze", "x.wav", "--jobs", "2"], "--jobs has no effect without --out"),
        (["analyze", "x.wav", "--out", "r.csv"], "end the name in .jsonl or .parquet"),
        (["analyze", "x.wav", "--out", "r.jsonl", "--on", "tcp://a:1", "--jobs", "2"], "do not go together"),
        (["render", "a.wav", "b.wav", "--midi", "x.mid"], "one, or several --into FOLDER"),
        (["render", "a.wav", "--into", "m", "--midi", "x.mid"], "--into and --midi do not go together"),
        (["render", "a.wav", "--write", "wav", "--midi", "x.mid"], "--write has no effect without --into"),
        (["compose", "--pieces", "none.csv", "--into", "m"], "cannot read the pieces"),
    ],
)
def test_what_makes_no_sense_is_told(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(*arguments) in (1, 2)
    assert message in " ".join(capsys.readouterr().err.split())
    assert list(tmp_path.iterdir()) == []
