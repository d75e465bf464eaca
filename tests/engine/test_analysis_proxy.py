"""Emotion is read in a process of its own: what is read goes there and back, and a death is got over."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from kelly_live.core.errors import ConfigError, ModelError, WorkerError
from kelly_live.core.values import AudioWindow
from kelly_live.engine import analysis_proxy
from kelly_live.engine.analysis_proxy import AnalysisProxy
from kelly_live.engine.analysis_worker import FALLBACK_PROBLEM
from tests.workers.until import wait_until

FACTORY = "tests.engine.scripted_worker:create"


def block(order: float = 0.0, end_time: float = 0.25) -> AudioWindow:
    return AudioWindow(np.full(4000, order, np.float32), 16_000, end_time)


@pytest.fixture(autouse=True)
def _these_tests_can_be_imported_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.setattr(analysis_proxy, "_PRELOAD", ())
    monkeypatch.setattr(analysis_proxy, "RETRY_SECONDS", 0.01)


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[AnalysisProxy]:
    reader = AnalysisProxy(factory=FACTORY)
    reader.start()
    yield reader
    reader.close()
    reader.close()
    pids = (tmp_path / "tries.pids").read_text().split() if (tmp_path / "tries.pids").exists() else []
    assert [number for number in pids if Path(f"/proc/{number}").exists()] == [], "no process is left behind"


def valences(reader: AnalysisProxy, count: int) -> list[float]:
    return [round(state.valence, 6) for _ in range(count) for state in reader.push(block())]


def test_states_come_back_and_what_the_reader_raises_is_raised(reader: AnalysisProxy, tmp_path: Path) -> None:
    reader.open(str(tmp_path / "tries"))
    assert (reader.sample_rate, reader.hop_seconds, reader.note) == (16_000, 0.25, "note")
    (state,) = reader.push(block(end_time=7.5))
    assert (state.time, round(state.valence, 6)) == (7.5, 0.1)
    with pytest.raises(ConfigError, match="the block is odd"):
        reader.push(block(order=1.0))
    assert valences(reader, 2) == [0.2, 0.3]
    reader.reset()
    assert valences(reader, 1) == [0.1]
    assert reader.problem is None


def test_a_reader_whose_gpu_failed_is_replaced_by_its_fallback_once(reader: AnalysisProxy, tmp_path: Path) -> None:
    (tmp_path / "tries.gpu").touch()
    reader.open(str(tmp_path / "tries"))
    valences(reader, 1)
    reader.reset()
    assert valences(reader, 1) == [0.1]
    assert reader.problem == FALLBACK_PROBLEM
    reader.reset()
    assert valences(reader, 1) == [0.1]


def test_a_process_that_dies_is_replaced_while_the_caller_goes_on(reader: AnalysisProxy, tmp_path: Path) -> None:
    (tmp_path / "tries.failing").write_text("1")  # the second process does not load either
    reader.open(str(tmp_path / "tries"))
    first = reader.process_id
    os.kill(first or 0, signal.SIGKILL)
    with pytest.raises(WorkerError, match="the analysis ended by itself"):
        reader.push(block())
    reader.reset()  # which never waits for the other process
    wait_until(lambda: reader.process_id != first)
    assert valences(reader, 1) == [0.1]
    assert (tmp_path / "tries").read_text() == "xxx"


def test_a_process_that_hangs_is_ended_and_replaced(
    reader: AnalysisProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(analysis_proxy, "_PUSH_SECONDS", 0.2)
    reader.open(str(tmp_path / "tries"))
    first = reader.process_id
    with pytest.raises(WorkerError, match=r"the analysis did not answer within 0\.2 s and was ended"):
        reader.push(block(order=2.0))
    wait_until(lambda: reader.process_id != first)
    monkeypatch.setattr(analysis_proxy, "_PUSH_SECONDS", 20.0)
    assert valences(reader, 1) == [0.1]


def test_what_does_not_load_at_the_start_is_an_error(reader: AnalysisProxy, tmp_path: Path) -> None:
    (tmp_path / "tries.failing").write_text("0")
    with pytest.raises(ModelError, match="the nets are gone"):
        reader.open(str(tmp_path / "tries"))


@pytest.mark.parametrize("seconds", [0.0, 0.05, 0.2])
def test_closing_while_another_process_loads_leaves_none_behind(
    reader: AnalysisProxy, tmp_path: Path, seconds: float
) -> None:
    reader.open(str(tmp_path / "tries"))
    os.kill(reader.process_id or 0, signal.SIGKILL)
    with pytest.raises(WorkerError):
        reader.push(block())
    threading.Event().wait(seconds)  # so that it is closed before, while and after the other one loads
    reader.close()
    assert "supervisor of the analysis" not in [thread.name for thread in threading.enumerate()]


def test_closing_before_the_nets_are_loaded_is_no_error() -> None:
    AnalysisProxy().close()


def test_the_parent_s_end_loads_no_torch() -> None:
    code = "import sys, kelly_live.engine.analysis_proxy; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_the_shipped_nets_read_the_same_there_as_here(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    from kelly_live.emotion.registry import require_reader

    noise = np.random.default_rng(1).normal(0.0, 0.1, 8000).astype(np.float32)
    window = AudioWindow(noise, 16_000, 0.5)
    reader = AnalysisProxy()
    reader.start()
    try:
        reader.open("cpu")
        assert reader.push(window) == tuple(require_reader(device="cpu").push(window))
    finally:
        reader.close()


def test_a_reader_that_is_not_installed_is_named_with_those_that_are() -> None:
    reader = AnalysisProxy()
    reader.start()
    try:
        with pytest.raises(ConfigError, match="there is no emotion reader 'aura'; it must be one of kelly"):
            reader.open("cpu", reader_name="aura")
    finally:
        reader.close()
