"""A peer on the same grid: isobar's timeline, in a process of its own.

`python -m kelly_live.lab.bench.peer_isobar SECONDS [--net]` prints when each note left, a JSON list of seconds.
It needs isobar: `pip install "kelly-live[isobar]"`.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import nullcontext
from importlib.util import find_spec

import numpy as np

from kelly_live.core.errors import KellyError, MidiError
from kelly_live.core.termination import run_command
from kelly_live.lab.bench.deadlines import BPM, NOTE_SECONDS, NOTES_PER_BEAT
from kelly_live.lab.bench.load import stress_nets


def measure_isobar(seconds: float, *, net: bool = False) -> tuple[float, ...]:
    """Measure how far each of isobar's note-ons lies from a grid, in seconds.

    Isobar does not say when it started, so the grid lies where it favours isobar most: through the median.

    Raises:
        MidiError: isobar is not installed, or did not play.
    """
    if find_spec("isobar") is None:
        raise MidiError('isobar is not installed; install it with: pip install "kelly-live[isobar]"')
    command = [sys.executable, "-m", "kelly_live.lab.bench.peer_isobar", str(seconds), *(["--net"] if net else [])]
    result = run_command(command, timeout=seconds + 120.0)
    try:
        times = np.array(json.loads(result.stdout.strip().splitlines()[-1]))
    except (ValueError, IndexError) as error:
        raise MidiError(f"isobar did not play: {(result.stderr.strip() or 'no output').splitlines()[-1]}") from error
    return compute_grid_errors(times)


def compute_grid_errors(times: Sequence[float] | np.ndarray) -> tuple[float, ...]:
    """Compute the distance of each time from a grid of NOTE_SECONDS through their median."""
    steps = np.asarray(times) - np.arange(len(times)) * NOTE_SECONDS
    return tuple(float(x) for x in steps - np.median(steps))


def record_isobar(seconds: float) -> list[float]:
    """Record when isobar calls its output device, note by note, in monotonic seconds."""
    import isobar

    class RecordingDevice(isobar.OutputDevice):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.times: list[float] = []

        def note_on(self, note: int = 60, velocity: int = 64, channel: int = 0) -> None:
            self.times.append(time.monotonic())

    device = RecordingDevice()
    timeline = isobar.Timeline(BPM, output_device=device)
    timeline.schedule({"note": isobar.PSequence(list(range(40, 40 + NOTES_PER_BEAT))), "duration": 1 / NOTES_PER_BEAT})
    threading.Thread(target=timeline.run, daemon=True).start()
    time.sleep(seconds)
    timeline.stop()
    return list(device.times)


def main() -> int:
    """Print the times of isobar's notes. Runs in the measured process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seconds", type=float)
    parser.add_argument("--net", action="store_true", help="while the emotion net runs in this process")
    options = parser.parse_args()
    try:
        with stress_nets() if options.net else nullcontext():
            times = record_isobar(options.seconds)
    except KellyError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(json.dumps(times))
    return 0


if __name__ == "__main__":
    sys.exit(main())
