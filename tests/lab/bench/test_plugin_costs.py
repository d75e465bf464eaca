"""What a generator of another package costs is counted for its processes, and for no others."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kelly_live.generators.plugin_process import PlayerFault, PluginCommand
from kelly_live.lab.bench.plugin_costs import measure_plugin

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="what a process costs is read from /proc")
PLAYER = """
import time
class {name}:
    descriptor = {{"name": "worker", "part": "worker", "channel": 5, "program": 0}}
    def reset(self): pass
    def generate(self, parameters, context, start, end):
        began = time.process_time()
        while time.process_time() - began < {seconds}:
            pass
        return [{{"onset_beats": start, "duration_beats": 1, "pitch": 40, "velocity": 80}}]
"""


def test_its_work_and_its_memory_are_counted(tmp_path: Path) -> None:
    file = tmp_path / "worker.py"
    file.write_text(PLAYER.format(name="Worker", seconds=0.1))
    cost = measure_plugin("worker", PluginCommand.for_python("worker", str(file)), phrases=1, idle_seconds=0.05)
    assert cost.name == "worker"
    # A tenth of a second in each bar of two seconds; the system counts in ticks of 10 ms.
    assert cost.share >= 0.045
    assert cost.host_share < cost.share
    assert 5e6 < cost.memory_bytes < 60e6
    assert cost.return_seconds > 0.1


def test_one_that_does_not_load_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(PlayerFault, match="no-such-file"):
        measure_plugin("gone", PluginCommand.for_python("gone", str(tmp_path / "no-such-file.py")))
