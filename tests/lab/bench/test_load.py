"""Load processes spin for as long as a measurement, and end with their parent, however that ends."""

import contextlib
import os
import signal
import subprocess
import sys

from kelly_live.lab.bench.load import stress_cores

PARENT = """
import sys
from kelly_live.lab.bench.load import stress_cores
with stress_cores() as process_ids:
    print(*process_ids, flush=True)
    sys.stdin.read()
"""


def test_a_process_spins_on_every_core_until_the_end() -> None:
    with stress_cores() as process_ids:
        assert len(process_ids) == os.cpu_count()
        assert all(is_running(process_id) for process_id in process_ids)
    assert not any(is_running(process_id) for process_id in process_ids)


def test_load_processes_end_when_their_parent_is_killed() -> None:
    # Parent and children hold the writing end of the stderr pipe: it ends when the last of them has.
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    process_ids = [int(word) for word in parent.stdout.readline().split()]
    assert len(process_ids) == os.cpu_count()
    assert all(is_running(process_id) for process_id in process_ids)
    parent.kill()
    try:
        parent.communicate(timeout=30.0)
    except subprocess.TimeoutExpired:
        for process_id in process_ids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process_id, signal.SIGTERM)
        raise AssertionError("the load processes outlived their parent") from None


def is_running(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True
