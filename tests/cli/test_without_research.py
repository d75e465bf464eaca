"""An installation without models/research plays with `open`, unasked."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import kelly_live
from kelly_live.core.resources import OPEN_MODELS, find_model_set, find_resources

OPEN = find_model_set(OPEN_MODELS)


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package with presets and models/open inside, as a wheel lays them out, and nothing else."""
    root = tmp_path_factory.mktemp("installation")
    package = root / "kelly_live"
    shutil.copytree(Path(kelly_live.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__", "models"))
    shutil.copytree(find_resources("presets"), package / "presets")
    (package / "models").mkdir()
    (package / "models" / OPEN_MODELS).symlink_to(OPEN)
    return root


def run_installed(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(root)}
    environment.pop("KELLY_LIVE_MODELS", None)
    return subprocess.run(
        [sys.executable, "-m", "kelly_live", *arguments], capture_output=True, text=True, env=environment, cwd=root
    )


def test_it_composes(installation: Path, tmp_path: Path) -> None:
    out = tmp_path / "sad.mid"
    done = run_installed(installation, "compose", "--emotion", "sad", "--bars", "2", "--midi", str(out))
    assert (done.returncode, done.stderr) == (0, "")
    assert out.stat().st_size > 100


def test_it_listens_and_plays_along(installation: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    recording, out = tmp_path / "tone.wav", tmp_path / "tone.mid"
    soundfile.write(recording, 0.3 * np.sin(2.0 * np.pi * 220.0 * np.arange(3 * 16000) / 16000), 16000)
    done = run_installed(installation, "render", str(recording), "--midi", str(out), "--follow", "all")
    assert done.returncode == 0, done.stderr
    assert out.stat().st_size > 100


def test_research_is_refused_in_a_line_that_says_what_to_do(installation: Path, tmp_path: Path) -> None:
    done = run_installed(
        installation, "compose", "--emotion", "sad", "--midi", str(tmp_path / "a.mid"), "--models", "research"
    )
    assert done.returncode == 1
    assert "the models 'research' are not installed" in done.stderr
    assert "--models open" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_sets_that_are_there_are_listed(installation: Path) -> None:
    done = run_installed(installation, "models")
    assert done.returncode == 0
    assert "open (in use)" in done.stdout
    assert "research" not in done.stdout


def test_no_part_is_missing(installation: Path) -> None:
    (listed,) = json.loads(run_installed(installation, "models", "--json").stdout)["sets"]
    assert listed["missing"] == []
    assert listed["commercial_use"]
