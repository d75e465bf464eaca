"""`kelly-live models`, and --models of the commands that play."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kelly_live.cli import run_program
from kelly_live.core.resources import DEFAULT_MODELS, find_model_set


@pytest.fixture(autouse=True)
def no_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KELLY_LIVE_MODELS", DEFAULT_MODELS)  # so that what a command chooses is undone


def test_the_sets_and_their_use_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_program(["models"]) == 0
    out = capsys.readouterr().out
    assert "open" in out and "paid concerts included" in out  # noqa: PT018
    assert f"{DEFAULT_MODELS} (in use)" in out
    assert "  drumming " in out


def test_a_set_is_shown_with_every_credit_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_program(["models", "open"]) == 0
    out = capsys.readouterr().out
    assert "which is made available under the Open Database License" in out
    assert "Copyright (c) 2022 OpenAI" in out


def test_json_says_the_same_to_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_program(["models", "open", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    (one,) = answer["sets"]
    assert one["commercial_use"] is True
    assert all(part["commercial_use"] for part in one["parts"])
    assert {key for part in one["parts"] for key in part["sources"]} == set(one["sources"])


def test_an_unknown_set_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_program(["models", "closed"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_models_that_are_not_there_are_refused_before_anything_is_played(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["compose", "--emotion", "sad", "--bars", "2", "--midi", str(tmp_path / "a.mid"), "--models", "nowhere"]
    assert run_program(command) == 1
    assert "there are no models 'nowhere'" in capsys.readouterr().err
    assert not (tmp_path / "a.mid").exists()


def test_a_set_without_a_mapper_is_refused_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "own").mkdir()
    command = ["compose", "--emotion", "sad", "--midi", str(tmp_path / "a.mid"), "--models", str(tmp_path / "own")]
    assert run_program(command) == 1
    error = capsys.readouterr().err
    assert "mapper.safetensors is missing" in error
    assert error.count("\n") == 1


def test_a_set_says_what_only_others_have(capsys: pytest.CaptureFixture[str]) -> None:
    if not (find_model_set(DEFAULT_MODELS).parent / "research").is_dir():
        pytest.skip("the research models are not installed")
    assert run_program(["models", "open"]) == 0
    assert "\n  no gems: what music induces (GEMS); other models have it\n" in capsys.readouterr().out
    assert run_program(["models", "research"]) == 0
    assert "\n  no " not in capsys.readouterr().out
