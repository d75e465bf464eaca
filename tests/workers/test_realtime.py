"""What is loaded is out of the collector's sight."""

import subprocess
import sys

SEEN = """
import gc, sys
from kelly_live.workers.realtime import SWITCH_SECONDS, freeze_gc, take_turns
loaded = [[] for _ in range(50_000)]
cycle = []; cycle.append(cycle); del cycle
before = len(gc.get_objects())
freeze_gc()
take_turns()
print(before, len(gc.get_objects()), gc.isenabled(), sys.getswitchinterval() == SWITCH_SECONDS)
"""


def test_a_settled_process_has_nothing_left_to_walk_and_still_collects() -> None:
    told = subprocess.run([sys.executable, "-c", SEEN], capture_output=True, text=True, check=True).stdout.split()
    before, after, *rest = told
    assert int(before) > 50_000
    assert int(after) < 500
    assert rest == ["True", "True"]
