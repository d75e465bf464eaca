"""An independent monitor of clicks: `click_monitor.py SYNTH`, a JACK client beside a synth.

It hears the synth's sound and whoever plays into its MIDI input, and prints `listening`. At the end of stdin it prints,
for each note-on, the seconds to the next sound over the silence: both at their frames.
"""

from __future__ import annotations

import sys
import time

import jack
import numpy as np

_OVER_SILENCE = 0.003
_CONNECT_SECONDS = 20.0


def main(synth: str) -> None:
    client = jack.Client("kelly-click-monitor", no_start_server=True)
    midi = client.midi_inports.register("in")
    audio = client.inports.register("in_audio")
    rate = client.samplerate
    notes: list[int] = []
    loud: list[int] = []

    @client.set_process_callback
    def process(_: int) -> None:
        first = client.last_frame_time
        notes.extend(first + offset for offset, data in midi.incoming_midi_events() if bytes(data)[0] & 0xF0 == 0x90)
        over = np.flatnonzero(np.abs(audio.get_array()) > _OVER_SILENCE)
        if len(over):
            loud.append(first + int(over[0]))

    with client:
        client.connect(next(p for p in client.get_ports(is_output=True, is_audio=True) if synth in p.name), audio)
        keys = next(p for p in client.get_ports(is_input=True, is_midi=True) if synth in p.name)
        print("listening", flush=True)
        deadline = time.monotonic() + _CONNECT_SECONDS
        while not (senders := client.get_all_connections(keys)):
            if time.monotonic() > deadline:
                sys.exit(f"nobody plays into {keys.name!r}")
            time.sleep(0.01)
        client.connect(senders[0], midi)
        sys.stdin.read()
    for note in notes:
        later = [frame for frame in loud if frame >= note]
        print((later[0] - note) / rate if later else "nan", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
