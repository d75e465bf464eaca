"""A new generator's package: what is written plays, and passes its own tests."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from kelly_live.core.errors import ConfigError, OutputError
from kelly_live.generators.scaffold import write_package

ROOT = Path(__file__).parents[2]


def test_a_new_package_passes_its_own_tests(tmp_path: Path) -> None:
    module, *_ = write_package("slow-bass", tmp_path)
    assert module == tmp_path / "kelly-live-slow-bass" / "kelly_live_slow_bass.py"
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=module.parent,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 0, result.stdout
    assert "2 passed" in result.stdout


def test_it_declares_its_generator(tmp_path: Path) -> None:
    write_package("slow-bass", tmp_path)
    project = tomllib.loads((tmp_path / "kelly-live-slow-bass" / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["entry-points"]["kelly_live.generators"] == {"slow-bass": "kelly_live_slow_bass:SlowBass"}


@pytest.mark.parametrize("name", ["Bass", "9th", "a--b", "a-", "-a", "a/b", "", "a" * 41, "bäss"])
def test_a_name_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="is no name for a generator"):
        write_package(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_exists_is_not_overwritten(tmp_path: Path) -> None:
    module, *_ = write_package("slow-bass", tmp_path)
    module.write_text("mine")
    with pytest.raises(ConfigError, match="exists already"):
        write_package("slow-bass", tmp_path)
    assert module.read_text() == "mine"


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        write_package("slow-bass", tmp_path / "file")
