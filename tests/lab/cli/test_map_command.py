"""`kelly-live lab map`: prints what it measured, draws, and says in one line what it lacks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kelly_live.cli import run_program
from kelly_live.core.values import EMOTIONS
from kelly_live.lab.corpora.symbolic_features import FeatureCorpus
from kelly_live.lab.training import mapper as training
from tests.lab.training.test_mapper import make_songs


@pytest.fixture(autouse=True)
def corpus(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = tuple(make_songs(12, "train", 1) + make_songs(6, "val", 2))
    monkeypatch.setattr(training, "extract_corpus", lambda *_: FeatureCorpus(rows, {}))


def test_tables_and_a_picture_of_the_shipped_mapper(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_program(["lab", "map", "--symbolic", str(tmp_path), "--pictures", str(tmp_path / "new")]) == 0
    out = capsys.readouterr().out
    assert "| tempo | 24 |" in out
    assert "Directions that hold: " in out
    assert all(f"| {name} |" in out for name in (*EMOTIONS, "Q1", "Q2", "Q3", "Q4"))
    assert (tmp_path / "new" / "mapper.png").read_bytes().startswith(b"\x89PNG")


def test_json_holds_the_same_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_program(["lab", "map", "--symbolic", str(tmp_path), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    holding, total = answer["directions_that_hold"]
    assert total == len(answer["directions"])
    assert holding == sum(line["holds"] for line in answer["directions"])
    assert answer["played"]["happy"]["tempo"] > answer["played"]["sad"]["tempo"]


def test_what_is_missing_is_named_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_program(["lab", "map", "--symbolic", str(tmp_path), "--cues", str(tmp_path / "nowhere")]) != 0
    error = capsys.readouterr().err.strip()
    assert "soundtrack.csv" in error
    assert "\n" not in error
