"""The capture process: opens a live input and writes what it hears to its parent, until one of them ends.

Run by RestartingSource as `python -m kelly_live.audio.capture SAMPLE_RATE [DEVICE]`. PortAudio can't be used again in a
process whose sound server has died (it hangs in its own close), so it gets one that may be thrown away.
"""

from __future__ import annotations

import contextlib
import os
import signal
import struct
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from kelly_live.audio import devices
from kelly_live.core.errors import AudioError, KellyError
from kelly_live.core.protocols import AudioHealth, AudioSource
from kelly_live.core.timebase import MonotonicClock

_HEADER = struct.Struct("<2sBI")  # magic, kind, bytes that follow
_SOUND = struct.Struct("<dfId")  # end time, level dBFS, overflows, dropped seconds; then float32 samples
_MAGIC = b"KA"
_MAX_PAYLOAD = 1 << 20
_POLL_SECONDS = 0.1
_CLOSE_SECONDS = 1.5


class _Kind(IntEnum):
    READY = 1
    SOUND = 2
    FAILED = 3


@dataclass(frozen=True, slots=True)
class Opened:
    """The input is open, under this name."""

    name: str


@dataclass(frozen=True, slots=True)
class Heard:
    """New mono samples, float32 `[n]`, when the last of them arrived (s, monotonic), and the counters so far."""

    samples: np.ndarray
    end_time: float
    health: AudioHealth


@dataclass(frozen=True, slots=True)
class Broken:
    """The input can't be opened, or is gone; one line."""

    message: str


Message = Opened | Heard | Broken


def encode(message: Message) -> bytes:
    match message:
        case Opened(name):
            kind, payload = _Kind.READY, name.encode()
        case Heard(samples, end_time, health):
            head = _SOUND.pack(end_time, health.level_dbfs, health.overflows, health.dropped_seconds)
            kind, payload = _Kind.SOUND, head + np.asarray(samples, "<f4").tobytes()
        case Broken(text):
            kind, payload = _Kind.FAILED, text.encode()
    return _HEADER.pack(_MAGIC, kind, len(payload)) + payload


class Decoder:
    """Bytes in, whole messages out; keeps what is left over. Raises AudioError on garbage."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Message]:
        self._buffer += data
        while len(self._buffer) >= _HEADER.size:
            magic, kind, length = _HEADER.unpack_from(self._buffer)
            if magic != _MAGIC or length > _MAX_PAYLOAD or kind not in _Kind.__members__.values():
                raise AudioError("the capture process sent something else than sound; restart kelly-live")
            end = _HEADER.size + length
            if len(self._buffer) < end:
                return
            payload = bytes(self._buffer[_HEADER.size : end])
            del self._buffer[:end]
            yield _decode(_Kind(kind), payload)


def _decode(kind: _Kind, payload: bytes) -> Message:
    if kind is _Kind.READY:
        return Opened(payload.decode("utf-8", "replace"))
    if kind is _Kind.FAILED:
        return Broken(payload.decode("utf-8", "replace"))
    if len(payload) < _SOUND.size or (len(payload) - _SOUND.size) % 4:
        raise AudioError("the capture process sent half a sound; restart kelly-live")
    end_time, level, overflows, dropped = _SOUND.unpack_from(payload)
    samples = np.frombuffer(payload, "<f4", offset=_SOUND.size)
    return Heard(samples, end_time, AudioHealth(level, overflows, dropped))


def relay(source: AudioSource, pipe: int) -> None:
    """Send all that a source delivers. Returns when nobody reads; raises AudioError when the source is gone."""
    while True:
        block = source.read(timeout=_POLL_SECONDS)
        if block is not None:
            try:
                write(pipe, Heard(block.samples, block.end_time, source.health()))
            except OSError:
                return


def write(pipe: int, message: Message) -> None:
    """Whole, however the pipe takes it. Raises OSError."""
    rest = memoryview(encode(message))
    while rest:
        rest = rest[os.write(pipe, rest) :]


def _end_with_parent(source: AudioSource) -> None:
    """Thread: its own. stdin ends when the parent does."""
    while os.read(0, 4096):
        pass
    _leave(source)


_leaving = threading.Lock()


def _leave(source: AudioSource) -> None:
    """In order where that is possible, as a client that vanishes holds JACK up; but not for ever: PortAudio's own
    clean-up hangs when its server has died. Ends the process; whoever comes second waits for that.
    """
    with _leaving:
        closer = threading.Thread(target=_close, args=(source,), daemon=True)
        closer.start()
        closer.join(_CLOSE_SECONDS)
        os._exit(0)


def _close(source: AudioSource) -> None:
    source.close()
    with contextlib.suppress(Exception):  # it may never have been there, or be gone with its server
        devices.portaudio()._terminate()


def main(sample_rate: str, device: str | None = None) -> None:
    from kelly_live.audio.sources import PortAudioSource

    for number in (signal.SIGINT, getattr(signal, "SIGTSTP", signal.SIGINT)):
        signal.signal(number, signal.SIG_IGN)  # Ctrl-C and Ctrl-Z are the parent's
    pipe = os.dup(1)
    # What a driver prints must not get into the sound, nor on the terminal: where a server is stuck PortAudio aborts
    # with a word of its own, and another capture is tried.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    source = PortAudioSource(device, MonotonicClock(), sample_rate=int(sample_rate))
    threading.Thread(target=_end_with_parent, args=(source,), name="parent", daemon=True).start()
    try:
        source.start()
        write(pipe, Opened(source.name))
        relay(source, pipe)
    except KellyError as error:
        with contextlib.suppress(OSError):  # nobody reads any more
            write(pipe, Broken(str(error)))
    except Exception as error:  # nobody sees a traceback
        with contextlib.suppress(OSError):
            write(pipe, Broken(f"the capture failed ({type(error).__name__}: {' '.join(str(error).split())})"))
    finally:
        _leave(source)


if __name__ == "__main__":
    main(*sys.argv[1:3])
