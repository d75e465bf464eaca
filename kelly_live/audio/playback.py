"""The playback process: the built-in synthesiser through the system's audio output, until it or its parent ends.

Run by the built-in synth's port (midi/backends/built_in.py) as `python -m kelly_live.audio.playback`. PortAudio can't
be used again in a process whose sound server has died, so it gets one that may be thrown away.

Threads: the main one renders and writes to the device; `parent` takes the messages; `watch` ends the process when a
write to the device hangs, as it does for ever when JACK's server has died.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np
import soxr

from kelly_live.audio import devices
from kelly_live.audio.note_synth import NoteSynth
from kelly_live.audio.synth import SAMPLE_RATE, Audio
from kelly_live.core.errors import AudioError
from kelly_live.core.playback_messages import OutputFailed, OutputOpened, TimedMessage
from kelly_live.core.stderr_guard import guard_stderr
from kelly_live.core.timebase import read_clock
from kelly_live.workers.child import TERMINAL_SIGNALS, ParentConnection, ignore_signals

BLOCK_FRAMES = 512  # 11.6 ms
_BLOCK_SECONDS = BLOCK_FRAMES / SAMPLE_RATE
_LOST_BLOCKS = 4  # a device that is so far behind or ahead of the clock is placed anew
_FAREWELL_BLOCKS = 40  # half a second in which the last notes die away
_CLOSE_SECONDS = 1.5
_CHECK_SECONDS = 0.25
STALLED_CHECKS = 6  # so many in a row without a block: the device takes no more


class BlockRenderer:
    """Renders timed messages block by block: each falls one block after it was sent, so that none comes too late."""

    def __init__(self, now: float) -> None:
        self._synth = NoteSynth()
        self._start = now  # when the next block's messages were sent, from here on

    def render(self, now: float, messages: list[TimedMessage]) -> Audio:
        """Return the next block, stereo `[2, BLOCK_FRAMES]`; `messages` came since the last call."""
        if abs(now - _BLOCK_SECONDS - self._start) > _LOST_BLOCKS * _BLOCK_SECONDS:
            self._start = now - _BLOCK_SECONDS
        for message in messages:
            offset = round((message.seconds - self._start) * SAMPLE_RATE)
            self._synth.play(message.data, min(max(0, offset), BLOCK_FRAMES - 1))
        self._start += _BLOCK_SECONDS
        return self._synth.render_stereo(BLOCK_FRAMES)

    def release_all(self) -> None:
        """Let go of all keys."""
        self._synth.release_all()


class StallWatch:
    """Tells when no block was played any more. It counts checks, not seconds: a process that was stopped has not hung.

    Threads: `count_block` the main one, `has_stalled` the watch.
    """

    def __init__(self) -> None:
        self._blocks, self._checked_blocks, self._idle_checks = 0, -1, 0

    def count_block(self) -> None:
        """Note that the device took a block."""
        self._blocks += 1

    def has_stalled(self) -> bool:
        """Return whether the last STALLED_CHECKS calls saw no new block."""
        blocks = self._blocks
        self._idle_checks = self._idle_checks + 1 if blocks == self._checked_blocks else 0
        self._checked_blocks = blocks
        return self._idle_checks >= STALLED_CHECKS


class _Output:
    """The system's audio output, at its own rate."""

    def __init__(self) -> None:
        """Open it. Raises AudioError."""
        module = devices.portaudio()
        device = devices.choose_output()
        self.name = device.name
        channels = min(2, device.channels)
        try:
            with guard_stderr():
                self._stream: Any = module.OutputStream(
                    device=device.index, channels=channels, samplerate=device.default_rate, dtype="float32"
                )
                self._stream.start()
        except module.PortAudioError as error:
            raise devices.device_error(self.name, error, kind="output") from error
        self._error = module.PortAudioError
        self._is_mono = channels == 1
        rate = device.default_rate
        self._resampler = None if rate == SAMPLE_RATE else soxr.ResampleStream(SAMPLE_RATE, rate, 2, dtype="float32")
        self.delay_seconds = _BLOCK_SECONDS + float(self._stream.latency)

    def write(self, block: Audio) -> None:
        """Hand over a stereo block `[2, n]`; waits until there is room. Raises AudioError."""
        frames = np.ascontiguousarray(block.T)
        if self._resampler is not None:
            frames = self._resampler.resample_chunk(frames)
        if self._is_mono:
            frames = frames.mean(axis=1, keepdims=True)
        try:
            self._stream.write(np.ascontiguousarray(frames, np.float32))
        except self._error as error:
            raise devices.device_error(self.name, error, kind="output") from error

    def close(self) -> None:
        """Close the device, and PortAudio with it."""
        self._stream.close()
        with contextlib.suppress(Exception):  # it may be gone with its server
            devices.portaudio()._terminate()


def _take_messages(parent: ParentConnection[TimedMessage], inbox: SimpleQueue[TimedMessage | None]) -> None:
    """Thread: parent. Ends with the parent."""
    for message in parent.receive():
        inbox.put(message)
    inbox.put(None)


def _watch(watch: StallWatch, parent: ParentConnection[TimedMessage], name: str) -> None:
    """Thread: watch. Ends the process when the device takes no more."""
    while not watch.has_stalled():
        time.sleep(_CHECK_SECONDS)
    parent.send(
        OutputFailed(f"the audio output {name!r} takes no more sound; plug it in again, or restart the sound server")
    )
    os._exit(parent.exit_code)


def play(output: _Output, inbox: SimpleQueue[TimedMessage | None], watch: StallWatch) -> None:
    """Play what comes until None does, and then until the last notes have died away. Raises AudioError."""
    renderer = BlockRenderer(read_clock())
    blocks_left: int | None = None
    while blocks_left is None or blocks_left > 0:
        messages: list[TimedMessage] = []
        with contextlib.suppress(Empty):
            while (message := inbox.get_nowait()) is not None:
                messages.append(message)
            renderer.release_all()
            blocks_left = _FAREWELL_BLOCKS
        output.write(renderer.render(read_clock(), messages))
        watch.count_block()
        blocks_left = None if blocks_left is None else blocks_left - 1


def main() -> None:
    """Play until the parent ends or the device is gone."""
    ignore_signals(*TERMINAL_SIGNALS)
    parent: ParentConnection[TimedMessage] = ParentConnection(TimedMessage, silent=True)
    output: _Output | None = None
    try:
        output = _Output()
        inbox: SimpleQueue[TimedMessage | None] = SimpleQueue()
        threading.Thread(target=_take_messages, args=(parent, inbox), name="parent", daemon=True).start()
        parent.send(OutputOpened(output.name, output.delay_seconds))
        watch = StallWatch()
        threading.Thread(target=_watch, args=(watch, parent, output.name), name="watch", daemon=True).start()
        play(output, inbox, watch)
    except AudioError as error:
        parent.send(OutputFailed(str(error)))
    except Exception as error:  # a traceback would be invisible
        parent.send(OutputFailed(f"the built-in synth failed ({type(error).__name__}: {' '.join(str(error).split())})"))
    finally:
        if output is not None:  # a close may hang where the sound server has died
            closer = threading.Thread(target=output.close, daemon=True)
            closer.start()
            closer.join(_CLOSE_SECONDS)
        os._exit(parent.exit_code)


if __name__ == "__main__":
    main()
