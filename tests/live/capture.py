"""Our capture in a process of its own, so that a hang in PortAudio can be seen and ended.

`capture.py DEVICE SECONDS OUT.npz`: prints `capturing` with the first sound; saves samples, the end time and length of
each window, and the health. An AudioError is printed on stderr as the CLI does, exit 1.
"""

from __future__ import annotations

import sys

import numpy as np

from kelly_live.audio.portaudio_source import PortAudioSource
from kelly_live.core.errors import KellyError
from kelly_live.core.timebase import MonotonicClock


def main(device: str, seconds: float, out: str) -> int:
    source = PortAudioSource(device, MonotonicClock())
    pieces: list[np.ndarray] = []
    ends: list[float] = []
    try:
        source.start()
        while sum(map(len, pieces)) < seconds * source.sample_rate:
            if (window := source.read(0.1)) is None:
                continue
            if not pieces:
                print("capturing", flush=True)
            pieces.append(window.samples)
            ends.append(window.end_time)
    except KellyError as error:
        print(f"kelly-live: {error}", file=sys.stderr, flush=True)
        return 1
    finally:
        source.close()
    health = source.health()
    np.savez(
        out,
        samples=np.concatenate(pieces),
        lengths=[len(piece) for piece in pieces],
        ends=ends,
        overflows=health.overflows,
        dropped_seconds=health.dropped_seconds,
        level_dbfs=health.level_dbfs,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], float(sys.argv[2]), sys.argv[3]))
