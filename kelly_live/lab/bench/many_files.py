"""Analyze a folder of many short files, three times.

By one process, by two, and by two that are killed and resumed. Each run is `kelly-live analyze FOLDER --out TABLE
--jobs N` in a process of its own, its start included.
"""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kelly_live.audio.synth import write_wav
from kelly_live.core.errors import WorkerError
from kelly_live.core.termination import run_command, temporary_folder
from kelly_live.engine.batch.table import ResultTable

SAMPLE_RATE = 16_000
FILE_SECONDS = 1.0
_LONGEST_RUN = 6 * 3600.0
_LOOK_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class ManyFiles:
    """What three runs over many files took, and what came of them.

    `one_seconds`, `two_seconds`: by one process and by two. `killed_after`: how many files were done when a run was
    killed. `is_same`: whether the table of two processes, and that of the run that was killed and resumed, are those of
    one process, to the byte.
    """

    one_seconds: float
    two_seconds: float
    killed_after: int
    is_same: bool


def measure_many_files(count: int) -> ManyFiles:
    """Make so many files and analyze them three times. Raises WorkerError if a run fails."""
    with temporary_folder() as name:
        folder = Path(name)
        write_files(folder / "takes", count)
        one, two, resumed = (folder / f"{table}.jsonl" for table in ("one", "two", "resumed"))
        one_seconds = _analyze(folder / "takes", one, jobs=1)
        two_seconds = _analyze(folder / "takes", two, jobs=2)
        killed_after = _kill_half_way(folder / "takes", resumed, count)
        _analyze(folder / "takes", resumed, jobs=2)
        is_same = one.read_bytes() == two.read_bytes() == resumed.read_bytes()
        return ManyFiles(one_seconds, two_seconds, killed_after, is_same)


def write_files(folder: Path, count: int) -> None:
    """Write WAV files of FILE_SECONDS: tones and noise, each another."""
    folder.mkdir()
    seconds = np.arange(int(FILE_SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
    for number in range(count):
        rng = np.random.default_rng(number)
        tone = np.sin(2.0 * np.pi * rng.uniform(80.0, 1500.0) * seconds) * np.exp(-rng.uniform(0.0, 4.0) * seconds)
        samples = rng.uniform(0.05, 0.8) * tone + rng.uniform(0.0, 0.1) * rng.standard_normal(len(seconds))
        write_wav(folder / f"{number:05d}.wav", samples[np.newaxis].astype(np.float32), SAMPLE_RATE)


def _build_command(takes: Path, table: Path, jobs: int) -> list[str]:
    return [sys.executable, "-m", "kelly_live", "analyze", str(takes), "--out", str(table), "--jobs", str(jobs)]


def _analyze(takes: Path, table: Path, *, jobs: int) -> float:
    start = time.monotonic()
    result = run_command(_build_command(takes, table, jobs), timeout=_LONGEST_RUN)
    if result.returncode != 0:
        raise WorkerError(f"analyze failed: {(result.stderr.strip() or 'it said nothing').splitlines()[-1]}")
    return time.monotonic() - start


def _kill_half_way(takes: Path, table: Path, count: int) -> int:
    """Kill a run (SIGKILL on POSIX) when half of the files are done; return how many were."""
    partial = ResultTable(table).folder
    process = subprocess.Popen(_build_command(takes, table, 2), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while process.poll() is None and len(list(partial.glob("*.json"))) < count // 2:
            time.sleep(_LOOK_SECONDS)
    finally:
        process.kill()
        process.wait()
    return len(list(partial.glob("*.json")))
