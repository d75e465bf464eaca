"""The capture process: opens a live input and sends its sound to the parent, until one of them ends.

Run by SupervisedSource as `python -m kelly_live.audio.capture RATE CHANNELS GAIN [DEVICE]`. PortAudio can't be used
again in a process whose sound server has died (it hangs in its own close), so it gets one that may be thrown away.

Threads: the main one reads the device and sends; `parent` waits for the parent's end.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from typing import TypeAlias

import msgspec
import numpy as np

from kelly_live.audio import devices
from kelly_live.core.errors import KellyError
from kelly_live.core.input_mix import InputMix, parse_channels
from kelly_live.core.protocols import AudioHealth, AudioSource
from kelly_live.core.timebase import MonotonicClock
from kelly_live.workers.child import TERMINAL_SIGNALS, ParentConnection, ignore_signals

ALL = "all"  # the channels, where none are named
_POLL_SECONDS = 0.1
_CLOSE_SECONDS = 1.5


class InputOpened(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """The input is open, under this name; `inputs` says in words which channels are heard, if not all."""

    name: str
    inputs: str = ""


class AudioBlock(msgspec.Struct, frozen=True, tag=True, array_like=True, eq=False):
    """New mono samples, float32 `[n]`, the arrival (s, monotonic) of the last, and the counters."""

    samples: np.ndarray
    end_time: float
    health: AudioHealth


class InputFailed(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """The input can't be opened, or is gone; one line."""

    message: str


CaptureMessage: TypeAlias = InputOpened | AudioBlock | InputFailed


def relay(source: AudioSource, parent: ParentConnection[None]) -> None:
    """Send all that a source delivers; return when the parent is gone or given up.

    Raises:
        AudioError: The source is gone.
    """
    while True:
        block = source.read(timeout=_POLL_SECONDS)
        if block is not None and not parent.send(AudioBlock(block.samples, block.end_time, source.health())):
            return


def _end_with_parent(source: AudioSource, parent: ParentConnection[None]) -> None:
    """Thread: parent. The parent sends nothing; what ends is its end of the pipe."""
    for _ in parent.receive():
        pass
    _leave(source, parent)


_leaving = threading.Lock()


def _leave(source: AudioSource, parent: ParentConnection[None]) -> None:
    """Close the source and end the process; who comes second waits for that.

    In order where that is possible, as a client that vanishes holds JACK up; but not for ever: PortAudio's own
    clean-up hangs when its server has died.
    """
    with _leaving:
        closer = threading.Thread(target=_close, args=(source,), daemon=True)
        closer.start()
        closer.join(_CLOSE_SECONDS)
        os._exit(parent.exit_code)


def _close(source: AudioSource) -> None:
    source.close()
    with contextlib.suppress(Exception):  # it may never have been there, or be gone with its server
        devices.portaudio()._terminate()


def main(sample_rate: str, channels: str, gain_db: str, device: str | None = None) -> None:
    """Capture the device [default: the system's default input] at a sample rate in Hz.

    `channels`: as `parse_channels` reads them, or ALL. `gain_db`: in dB.
    """
    from kelly_live.audio.portaudio_source import PortAudioSource

    ignore_signals(*TERMINAL_SIGNALS)
    mix = InputMix(None if channels == ALL else parse_channels(channels), float(gain_db))
    # Silent: where a server is stuck PortAudio aborts with a word of its own, and another capture is tried.
    parent: ParentConnection[None] = ParentConnection(None, silent=True)
    source = PortAudioSource(device, MonotonicClock(), sample_rate=int(sample_rate), mix=mix)
    threading.Thread(target=_end_with_parent, args=(source, parent), name="parent", daemon=True).start()
    try:
        source.start()
        parent.send(InputOpened(source.name, source.inputs))
        relay(source, parent)
    except KellyError as error:
        parent.send(InputFailed(str(error)))
    except Exception as error:  # a traceback would be invisible
        text = " ".join(str(error).split())
        parent.send(InputFailed(f"the capture failed ({type(error).__name__}: {text})"))
    finally:
        _leave(source, parent)


if __name__ == "__main__":
    main(*sys.argv[1:5])
