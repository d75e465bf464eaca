"""A session says the terms of its models at their first use, and plays with the set that was chosen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kelly_live.core.resources import name_models
from kelly_live.engine.model_choice import play_with_models


@pytest.fixture
def own_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("KELLY_LIVE_MODELS", raising=False)
    fields = {"format": "kelly-live-models/1", "commercial_use": False, "parts": [], "sources": {}}
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "licences.json").write_text(json.dumps({**fields, "use": "friends only"}))
    return folder


def test_the_terms_are_said_once(own_models: Path) -> None:
    said: list[str] = []
    for _ in range(3):
        with play_with_models(str(own_models), said.append):
            assert name_models() == str(own_models)
    assert len(said) == 1
    assert "for friends only" in said[0]
    assert "kelly-live models" in said[0]


def test_models_for_any_use_are_used_without_a_word(own_models: Path) -> None:
    licences = own_models / "licences.json"
    licences.write_text(licences.read_text().replace("false", "true"))
    said: list[str] = []
    with play_with_models(str(own_models), said.append):
        pass
    assert said == []


def test_terms_that_change_are_said_again(own_models: Path) -> None:
    said: list[str] = []
    licences = own_models / "licences.json"
    for words in ("friends only", "family only"):
        licences.write_text(licences.read_text().replace("friends only", words))
        with play_with_models(str(own_models), said.append):
            pass
    assert ["friends only" in said[0], "family only" in said[1], len(said)] == [True, True, 2]
