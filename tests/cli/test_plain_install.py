"""A plain installation plays without the extra `lab`, and `kelly-live lab` says what to install.

A `sitecustomize` module on PYTHONPATH makes the libraries of the laboratory impossible to import, in the command and in
every process that it starts.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

LABORATORY_ONLY = ("librosa", "numba", "llvmlite", "sklearn", "joblib", "scipy")
RECORDING = Path(__file__).parents[2] / "presets" / "demo" / "recording.ogg"

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run_plain(tmp_path: Path) -> Run:
    """Run Python in an empty folder with the laboratory's libraries blocked."""
    blocker = tmp_path / "blocker"
    blocker.mkdir()
    (blocker / "sitecustomize.py").write_text(
        f"import sys\nsys.modules.update(dict.fromkeys({LABORATORY_ONLY!r}))  # None: importing it fails\n"
    )
    own_path = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(blocker), own_path)), "OMP_NUM_THREADS": "1"}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    return run


@pytest.mark.parametrize(
    "arguments",
    [
        ["demo"],
        ["compose", "--emotion", "sad", "--bars", "4", "--midi", "o.mid", "--wav", "o.wav", "--plot", "o.png"],
        ["analyze", str(RECORDING)],
        ["follow", str(RECORDING)],
        ["profile", "list"],
        ["presets"],
        ["cultures"],
        ["generators", "--check", "bass"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_what_plays_runs_without_the_laboratory(run_plain: Run, arguments: list[str]) -> None:
    if arguments[0] in ("demo", "analyze"):
        pytest.importorskip("torch")
    result = run_plain("-m", "kelly_live", *arguments)
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stderr


def test_no_module_outside_the_laboratory_imports_its_libraries(run_plain: Run) -> None:
    pytest.importorskip("torch")
    code = (
        "import importlib, pkgutil, kelly_live\n"
        "names = [module.name for module in pkgutil.walk_packages(kelly_live.__path__, 'kelly_live.')]\n"
        "names = [name for name in names if not name.startswith('kelly_live.lab') and not name.endswith('__main__')]\n"
        "assert len(names) > 100, names\n"
        "for name in names:\n"
        "    importlib.import_module(name)\n"
    )
    result = run_plain("-c", code)
    assert result.returncode == 0, result.stderr


def test_the_laboratory_is_listed_and_says_what_to_install(run_plain: Run) -> None:
    listing = run_plain("-m", "kelly_live", "lab", "--help")
    assert listing.returncode == 0, listing.stderr
    assert "train" in listing.stdout
    result = run_plain("-m", "kelly_live", "lab", "train", "--help")
    assert result.returncode == 1
    assert result.stderr == (
        "kelly-live: `kelly-live lab` needs libraries that are not installed (librosa, scipy, sklearn); "
        'install them: pip install "kelly-live[lab]"\n'
    )
