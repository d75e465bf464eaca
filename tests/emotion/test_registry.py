"""Emotion readers come from entry points; one that does not load is a named state, not a crash."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from kelly_live.core.errors import ConfigError, ModelError
from kelly_live.core.values import AudioWindow
from kelly_live.emotion import registry
from kelly_live.emotion.reader import LiveEmotionReader

PACKAGE = """
from kelly_live.core.values import NEUTRAL_PROBABILITIES, EmotionState


class LoudnessReader:
    sample_rate, hop_seconds = 16_000, 0.5

    def __init__(self, device):
        self.device_type, self.note, self.calls = device, None, []

    def push(self, block):
        level = float(abs(block.samples).max())
        return [EmotionState(NEUTRAL_PROBABILITIES, 0.0, level, 0.0, 1.0, block.end_time)]

    def reset(self):
        self.calls.append("reset")

    def close(self):
        self.calls.append("close")


class WithoutClose:
    sample_rate, hop_seconds = 16_000, 0.5

    def __init__(self, device):
        pass

    def push(self, block):
        return []

    def reset(self):
        pass


class AtCdRate(LoudnessReader):
    sample_rate = 44_100


class Slow(LoudnessReader):
    hop_seconds = 5.0


def fail(device):
    raise RuntimeError("the weights are\\nmissing")
"""
ENTRY_POINTS = """[kelly_live.readers]
loudness = loudness_reader:LoudnessReader
without-close = loudness_reader:WithoutClose
cd-rate = loudness_reader:AtCdRate
slow = loudness_reader:Slow
failing = loudness_reader:fail
absent = no_such_module:Reader
"""


@pytest.fixture
def _installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package with readers, as pip would install it, in a folder on the path."""
    (tmp_path / "loudness_reader.py").write_text(PACKAGE)
    info = tmp_path / "loudness_reader-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: loudness-reader\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    yield
    sys.modules.pop("loudness_reader", None)


def test_the_shipped_reader_is_registered_like_any_other() -> None:
    plugin = registry.find_readers()[registry.DEFAULT_READER]
    assert plugin.is_ours
    reader = registry.require_reader(device="cpu")
    assert isinstance(reader, LiveEmotionReader)
    assert isinstance(reader, registry.PlacedReader)
    assert (reader.device_type, reader.note) == ("cpu", None)


@pytest.mark.usefixtures("_installed")
def test_a_reader_of_another_package_is_found_by_name_and_reads() -> None:
    plugin = registry.find_readers()["loudness"]
    assert (plugin.package, plugin.version, plugin.is_ours) == ("loudness-reader", "1.2", False)
    reader = registry.require_reader("loudness", device="cuda")
    (state,) = reader.push(AudioWindow(np.full(8_000, 0.5, np.float32), 16_000, 3.0))
    assert (state.arousal, state.time) == (0.5, 3.0)
    assert isinstance(reader, registry.PlacedReader)
    assert reader.device_type == "cuda"


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"no emotion reader 'aura'; it must be one of .*kelly"):
        registry.load_reader("aura")


@pytest.mark.usefixtures("_installed")
@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("failing", "loudness_reader:fail did not load: RuntimeError: the weights are missing"),
        ("absent", "no_such_module:Reader did not load: ModuleNotFoundError: No module named 'no_such_module'"),
        ("without-close", "loudness_reader:WithoutClose is not an emotion reader: it lacks `close`"),
        ("cd-rate", "loudness_reader:AtCdRate has a `sample_rate` of 44100; it must be 16000 Hz"),
        ("slow", "loudness_reader:Slow has a `hop_seconds` of 5.0; it must be over 0 and at most 2"),
    ],
)
def test_one_that_does_not_load_says_why(name: str, problem: str) -> None:
    result = registry.load_reader(name)
    assert (result.name, result.reader, result.problem) == (name, None, problem)
    with pytest.raises(ModelError, match=r"cannot be used: .*; choose another with --reader") as raised:
        registry.require_reader(name)
    assert problem in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.usefixtures("_installed")
def test_finding_readers_imports_none() -> None:
    registry.find_readers()
    assert "loudness_reader" not in sys.modules
    program = (
        "import sys; from kelly_live.emotion import registry; registry.find_readers(); "
        "print([m for m in sys.modules if m in ('kelly_live.emotion.reader', 'torch')])"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
