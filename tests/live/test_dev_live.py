"""A generator is written while it plays: what changes in its file is heard through JACK at the next bar."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.live.conftest import JackMonitor, JackServer, wait_for
from tests.live.live_program import DENSE, START_UP_SECONDS, keep_lines

pytestmark = pytest.mark.timeout(200)
BAR_SECONDS = 4 * 60.0 / 130.0  # of DENSE
CHANNEL, VELOCITY = 12, 60  # on the first beat of a bar, and louder by 1 on each beat after it
SOURCE = """
import math

class Draft:
    descriptor = {"name": "draft", "part": "draft", "channel": 12, "program": 0}
    def reset(self): pass
    def generate(self, parameters, context, start, end):
        return [
            {"onset_beats": beat, "duration_beats": 0.5, "pitch": PITCH, "velocity": 60 + beat % context.beats_per_bar}
            for beat in range(math.ceil(start), math.ceil(end))
        ]
"""


def test_a_change_in_the_file_is_heard_at_the_next_bar_and_a_fault_is_said_with_its_line(
    prompt_server: JackServer, tmp_path: Path
) -> None:
    file = tmp_path / "draft.py"
    file.write_text(SOURCE.replace("PITCH", "40"))
    monitor = JackMonitor()
    command = [sys.executable, "-u", "-m", "kelly_live", "--midi-out", "kelly-monitor:in", "--dev", str(file), *DENSE]
    environment = {**os.environ, "XDG_DATA_HOME": str(tmp_path)}
    lines: list[tuple[float, str]] = []

    def notes() -> list[tuple[float, int, int]]:
        """The draft's: when, pitch, and the beat in the bar."""
        found = [(t, data[1], data[2] - VELOCITY) for t, data in monitor.of_kind(0x90) if data[0] & 15 == CHANNEL - 1]
        return [note for note in found if note[2] >= 0]

    def first(pitch: int) -> tuple[float, int, int] | None:
        return next((note for note in notes() if note[1] == pitch), None)

    def find_line(words: str) -> tuple[float, str] | None:
        return next((line for line in lines if words in line[1]), None)

    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as process:
        reader = keep_lines(process, lines)
        try:
            wait_for(lambda: len(notes()) >= 5 or process.poll() is not None, "a bar of the draft", START_UP_SECONDS)
            offset = monitor.now() - time.monotonic()

            saved_at = time.monotonic() + offset
            file.write_text(SOURCE.replace("PITCH", "50"))
            loaded = wait_for(lambda: find_line("draft: loaded again"), "the new version", 30.0)
            heard_at, _, beat = wait_for(lambda: first(50), "its first note", 30.0)
            waited = heard_at - (loaded[0] + offset)
            print(f"saved to loaded {loaded[0] + offset - saved_at:.2f} s, loaded to heard {waited:.2f} s")
            assert beat == 0
            assert waited < BAR_SECONDS + 0.3
            assert not [note for note in notes() if note[0] > heard_at and note[1] == 40]

            file.write_text(SOURCE.replace("PITCH", "pitch"))
            wait_for(lambda: find_line("NameError: name 'pitch' is not defined (draft.py line 9)"), "the fault", 30.0)
            count = len(notes())
            wait_for(lambda: len(notes()) >= count + 5, "the old version, which plays on", 30.0)
            assert {note[1] for note in notes()[count:]} == {50}
        finally:
            process.terminate()
            process.wait(30.0)
            reader.join(10.0)
            monitor.close()
        assert process.returncode == 143, "as after any SIGTERM"
