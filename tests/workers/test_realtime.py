"""What is loaded is out of the collector's sight."""

import subprocess
import sys

FREEZE = """
import gc, sys
from kelly_live.workers.realtime import SWITCH_INTERVAL_SECONDS, freeze_gc, set_switch_interval
loaded = [[] for _ in range(50_000)]
cycle = []; cycle.append(cycle); del cycle
before = len(gc.get_objects())
freeze_gc()
set_switch_interval()
print(before, len(gc.get_objects()), gc.isenabled(), sys.getswitchinterval() == SWITCH_INTERVAL_SECONDS)
"""


def test_a_frozen_process_has_nothing_left_to_walk_and_still_collects() -> None:
    output = subprocess.run([sys.executable, "-c", FREEZE], capture_output=True, text=True, check=True).stdout.split()
    before, after, *rest = output
    assert int(before) > 50_000
    assert int(after) < 500
    assert rest == ["True", "True"]
