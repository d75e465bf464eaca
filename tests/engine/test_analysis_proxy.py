"""The analysis in a process of its own: what is felt, steered and said goes there and back, and a death is got over."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from kelly_live.core.actions import Action
from kelly_live.core.errors import WorkerError
from kelly_live.core.protocols import EmotionOverride
from kelly_live.core.values import AudioWindow
from kelly_live.engine.analysis_proxy import AnalysisProxy
from kelly_live.profiles.profile import new_profile
from kelly_live.profiles.store import Store
from tests.engine.test_person import snapshot
from tests.profiles.sample import NOW

HOP = AudioWindow(np.zeros(4000, np.float32), 16000, 0.25)


@pytest.fixture
def ears(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AnalysisProxy]:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    anna = new_profile("anna", NOW)
    Store().create(anna)
    ears = AnalysisProxy()
    opening = ears.make("cpu", EmotionOverride(emotion="happy"), profile=anna)
    assert opening.state.emotion == "happy"
    yield ears
    ears.close()
    ears.close()


def watched(ears: AnalysisProxy, line: str, remark: str) -> None:
    """Look until the line was told and the remark stands, as the status line does, step after step."""
    deadline = time.monotonic() + 30.0
    told: list[str] = []
    while not any(line in each for each in told) or list(ears.remarks) != [remark]:
        assert time.monotonic() < deadline, f"told {told}, remarks {ears.remarks}"
        told += ears.watch(EmotionOverride())
        time.sleep(0.01)


def test_a_session_s_worth(ears: AnalysisProxy) -> None:
    assert ears.hop_seconds == 0.25
    (reading,) = ears.push(HOP)
    assert reading.state.emotion == "happy"
    ears.steer(EmotionOverride(emotion="sad"))
    (reading,) = ears.push(HOP)
    assert reading.state.emotion == "sad"

    assert ears.react("too-dark", snapshot()) == "too-dark: noted for anna"
    watched(ears, "too-dark: anna's sad", "for anna (1 said)")
    ears.acted(Action("panic"))
    assert "only profile" in ears.turn(1)

    os.kill(ears.process_id, signal.SIGKILL)
    with pytest.raises(WorkerError, match="its process has ended"):
        ears.push(HOP)
    assert "no answer" in ears.turn(1)
    ears.restart()
    (reading,) = ears.push(HOP)
    assert reading.state.emotion == "sad"
    assert ears.remarks == ("for anna (1 said)",)
