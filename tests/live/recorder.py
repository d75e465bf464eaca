"""A recorder on JACK's graph, in a process of its own.

A tape on JACK's graph, in a process of its own: `recorder.py PORT SECONDS OUT.npy` connects to the output port whose
name has PORT in it, prints `recording`, and saves float32 `[n]` at the server's rate.
"""

from __future__ import annotations

import sys
import threading

import jack
import numpy as np


def main(port: str, seconds: float, out: str) -> None:
    client = jack.Client("kelly-tape", no_start_server=True)
    audio = client.inports.register("audio")
    samples = np.zeros(round(seconds * client.samplerate), np.float32)
    count = 0
    full = threading.Event()

    @client.set_process_callback
    def process(frames: int) -> None:
        nonlocal count
        block = audio.get_array()[: len(samples) - count]
        samples[count : count + len(block)] = block
        count += len(block)
        if count == len(samples):
            full.set()

    with client:
        client.connect(next(p for p in client.get_ports(is_output=True, is_audio=True) if port in p.name), audio)
        print("recording", flush=True)
        if not full.wait(seconds + 20.0):
            sys.exit("the tape did not fill: does the server run?")
    np.save(out, samples)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), sys.argv[3])
