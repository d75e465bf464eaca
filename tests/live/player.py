"""An independent JACK client that plays a sound file over and over: `player.py NAME FILE`.

Lines in: `sound` (from its start), `nan`, `inf`, `0`: from then on that is what it plays. `ok SECONDS` for each, with
when it began on JACK's clock, and one at the start.
PortAudio lists every JACK client with outputs as an input.
"""

from __future__ import annotations

import sys
from queue import SimpleQueue

import jack
import numpy as np
import soundfile
import soxr


def main(name: str, path: str) -> None:
    client = jack.Client(name, no_start_server=True)
    port = client.outports.register("out")
    samples, rate = soundfile.read(path, dtype="float32")
    sound = soxr.resample(samples, rate, client.samplerate).astype(np.float32)
    plays, requests, answers = "sound", SimpleQueue[str](), SimpleQueue[str]()
    position = 0

    @client.set_process_callback
    def process(frames: int) -> None:
        nonlocal plays, position
        if not requests.empty():
            plays, position = requests.get_nowait(), 0
            answers.put(f"ok {client.last_frame_time / client.samplerate}")
        indices = (position + np.arange(frames)) % len(sound)
        port.get_array()[:] = sound[indices] if plays == "sound" else np.float32(plays)
        position += frames

    client.activate()
    requests.put("sound")
    print(answers.get(), flush=True)
    for line in sys.stdin:
        requests.put(line.strip())
        print(answers.get(), flush=True)
    client.deactivate()
    client.close()


if __name__ == "__main__":
    main(*sys.argv[1:3])
