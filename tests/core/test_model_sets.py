"""Sets of models: which is in use, where its files are, and what it may be used for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from kelly_live.core.errors import ConfigError
from kelly_live.core.model_licences import list_model_terms, read_model_terms
from kelly_live.core.resources import (
    DEFAULT_MODELS,
    MODEL_SETS,
    find_model_file,
    find_model_set,
    find_resources,
    models_in_use,
    name_models,
    select_models,
)


@pytest.fixture(autouse=True)
def no_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KELLY_LIVE_MODELS", raising=False)


def test_without_a_choice_the_default_set_is_in_use() -> None:
    assert name_models() == DEFAULT_MODELS
    assert find_resources("models") == find_model_set(DEFAULT_MODELS)


@pytest.mark.parametrize("name", [name for name in MODEL_SETS if any(one.name == name for one in list_model_terms())])
def test_a_set_is_chosen_by_name(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("KELLY_LIVE_MODELS", name)
    assert find_resources("models").name == name


def test_a_choice_holds_inside_the_block_alone(tmp_path: Path) -> None:
    with models_in_use(tmp_path):
        assert find_resources("models") == tmp_path
        with models_in_use(None):
            assert find_resources("models") == tmp_path
    assert name_models() == DEFAULT_MODELS


def test_a_process_that_is_started_uses_the_same_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KELLY_LIVE_MODELS", "research")  # so that it is restored
    select_models(tmp_path)
    code = "from kelly_live.core.resources import name_models; print(name_models())"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == str(tmp_path)


def test_models_that_are_not_there_are_refused_in_a_line() -> None:
    with pytest.raises(ConfigError, match="there are no models 'closed': name open or research"):
        select_models("closed")
    assert name_models() == DEFAULT_MODELS


def test_a_set_of_ones_own_takes_what_it_lacks_from_open(tmp_path: Path) -> None:
    (tmp_path / "vocabulary.json").write_text("{}")
    with models_in_use(tmp_path):
        assert find_model_file("vocabulary.json") == tmp_path / "vocabulary.json"
        assert find_model_file("drumming.json") == find_model_set("open") / "drumming.json"


def test_every_part_of_a_set_has_known_sources_and_a_card() -> None:
    for terms in list_model_terms():
        assert {key for part in terms.parts for key in part.sources} == set(terms.sources)
        for part in terms.parts:
            if part.size_bytes is not None and "models" in part.path.parts:
                assert part.size_bytes < 20e6
                assert (part.path.suffix == ".json" and part.name == "tracker") or part.path.with_suffix(
                    ".md"
                ).is_file()


def test_open_holds_no_part_that_forbids_commercial_use_and_no_source_of_research() -> None:
    terms = read_model_terms(find_model_set("open"), "open")
    forbidden = {"ravdess", "nemo", "ased", "emotify", "emopia", "vgmidi", "madmom", "cultures"}
    assert terms.is_commercial
    assert all(part.is_commercial for part in terms.parts)
    assert not forbidden & set(terms.sources)
    assert not any("NC" in source.licence for source in terms.sources.values())


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"format": "kelly-live-models/9"}', '{"format": "kelly-live-models/1", "use": "x"}']
)
def test_a_damaged_licences_file_is_refused_in_a_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "licences.json").write_text(content)
    with pytest.raises(ConfigError, match="reinstall") as caught:
        read_model_terms(tmp_path, "own")
    assert "\n" not in str(caught.value)


def test_a_part_of_another_set_is_found_there(tmp_path: Path) -> None:
    part = {
        "part": "drumming", "what": "drums", "file": "drumming.json", "licence": "CC-BY-4.0", "commercial_use": True,
        "sources": [], "shared": True,
    }  # fmt: skip
    fields = {"format": "kelly-live-models/1", "use": "all", "commercial_use": True, "parts": [part], "sources": {}}
    (tmp_path / "licences.json").write_text(json.dumps(fields))
    (shared,) = read_model_terms(tmp_path, "own").parts
    assert shared.path == find_model_set("open") / "drumming.json"
    assert shared.size_bytes
