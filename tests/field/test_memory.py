"""Too little memory is named, in one line, before anything is loaded."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SOUND = Path(__file__).parents[2] / "presets" / "demo" / "recording.ogg"


COMMANDS = [["analyze", str(SOUND)], ["render", str(SOUND), "--midi", "x.mid"], ["live"], ["demo", "--out", "d"]]
LIMITS = [(command, megabytes) for command in COMMANDS for megabytes in (150, 180, 300, 600)]


@pytest.mark.skipif(sys.platform != "linux", reason="the limit of address space holds on Linux")
# 100 MB are too little for numpy, which a live session loads after it has asked.
@pytest.mark.parametrize(("arguments", "megabytes"), [*LIMITS, (["live"], 100)], ids=str)
def test_a_limit_that_is_too_low_for_the_nets_is_named(tmp_path: Path, arguments: list[str], megabytes: int) -> None:
    script = f'ulimit -v {megabytes * 1000}; exec "$@"'
    result = subprocess.run(
        ["bash", "-c", script, "bash", sys.executable, "-m", "kelly_live", *arguments],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(SOUND.parents[2]), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("kelly-live: there is not enough memory: this process may use ")
    assert "`ulimit -v`" in line
