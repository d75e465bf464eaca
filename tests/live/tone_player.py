"""An independent JACK client that plays one endless sine: `tone_player.py NAME HZ AMPLITUDE`.

Prints `playing` when it does; ends when stdin closes. PortAudio lists every JACK client with outputs as an input.
"""

from __future__ import annotations

import sys

import jack
import numpy as np


def main(name: str, hz: float, amplitude: float) -> None:
    client = jack.Client(name, no_start_server=True)
    port = client.outports.register("out")
    position = 0

    @client.set_process_callback
    def process(frames: int) -> None:
        nonlocal position
        phase = 2.0 * np.pi * hz * (position + np.arange(frames)) / client.samplerate
        port.get_array()[:] = amplitude * np.sin(phase)
        position += frames

    client.activate()
    print("playing", flush=True)
    sys.stdin.read()
    client.deactivate()
    client.close()


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), float(sys.argv[3]))
