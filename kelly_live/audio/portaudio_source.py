"""A device as an audio source, behind the AudioSource protocol, through PortAudio.

Thread contract: the consumer (analysis) thread calls everything but `health` and `close`, which any thread may. The
callback, on PortAudio's own thread, copies into a ring and counts; what can be slow (downmix, resampling) is done in
`read`.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any

import numpy as np

from kelly_live.audio import devices
from kelly_live.audio.resample import ANALYSIS_RATE, MonoResampler
from kelly_live.audio.ring import SpscRing
from kelly_live.core.errors import AudioError
from kelly_live.core.input_mix import ALL_CHANNELS, InputMix
from kelly_live.core.level import SILENCE_DBFS, rms_dbfs
from kelly_live.core.protocols import AudioHealth
from kelly_live.core.stderr_guard import guard_stderr
from kelly_live.core.timebase import Clock
from kelly_live.core.values import AudioWindow

SILENT_DEVICE_SECONDS = 2.0  # a device that delivers nothing for so long is gone
# A Python callback must first get the interpreter: with blocks of 128 frames it missed ten turns a second on a busy
# machine, with 1024 one in two seconds. 21 ms at 48 kHz is little beside a hop of 250 ms.
BLOCK_FRAMES = 1024
_POLL_SECONDS = 0.005  # how often `read` looks into the ring; waking a waiter from the callback would need a lock
_CLOSE_SECONDS = 2.0


class PortAudioSource:
    """A live input, opened at its own rate and channel count; mono at `sample_rate` Hz comes out.

    The `end_time` of a window is when its newest sample arrived.

    Args:
        device: A part of the name; None: the system's default.
        clock: Stamps the sound.
        sample_rate: Of the delivered sound, in Hz.
        mix: Which channels are heard, and their gain.
        buffer_seconds: What the ring holds. When the reader falls further behind, the oldest sound is dropped and
            counted.
    """

    def __init__(
        self,
        device: str | None,
        clock: Clock,
        *,
        sample_rate: int = ANALYSIS_RATE,
        mix: InputMix = ALL_CHANNELS,
        buffer_seconds: float = 4.0,
    ) -> None:
        self.sample_rate = sample_rate
        self.name = device or "default"
        self.inputs = ""  # which inputs are heard, in words, where that is not all of them
        self._query = device
        self._mix = mix
        self._heard_channels: tuple[int, ...] = ()  # channels, from 1 up
        self._is_choice = False  # health names the inputs that carry sound
        self._columns = np.zeros(0, np.intp)  # of a block, those that are heard
        self._picked = np.empty((0, 0), np.float32)  # callback only: the heard channels of a block
        self._clock = clock
        self._buffer_seconds = buffer_seconds
        self._stream: Any = None
        self._ring: SpscRing | None = None
        self._resampler: MonoResampler | None = None
        self._native_rate = 0
        self._replaced_samples = 0
        self._started = self._last_end = 0.0
        self._level = SILENCE_DBFS
        self._flagged_overflows = 0  # callback only
        self._delay: float | None = None  # callback only: how old the newest sample was as it came, by the driver
        self._laps = 0  # consumer only

    @property
    def is_finished(self) -> bool:
        """False: a live input never is."""
        return False

    @property
    def replaced_samples(self) -> int:
        """NaN and infinite samples that the device delivered, now 0."""
        return self._replaced_samples

    def start(self) -> None:
        """Open the device and capture.

        Raises:
            AudioError: It is not there, busy, denied, or has no usable format.
        """
        device = devices.resolve_input(self._query)
        self.name = device.name
        module = devices.portaudio()
        chosen_channels = self._mix.choose(device.channels, f"the audio input {device.name!r}")
        is_named = self._mix.channels is not None
        channels, rate = _find_format(module, device, max(chosen_channels), is_named=is_named)
        self._heard_channels = tuple(channel for channel in chosen_channels if channel <= channels)
        self._is_choice = is_named or device.channels > 2
        self.inputs = self._mix.describe(device.channels)
        self._columns = np.array(self._heard_channels) - 1
        self._picked = np.empty((BLOCK_FRAMES, len(self._heard_channels)), np.float32)
        self._resampler = MonoResampler(rate, self.sample_rate, gain_db=self._mix.gain_db)
        self._native_rate = rate
        self._ring = SpscRing(max(1, round(self._buffer_seconds * rate)), len(self._heard_channels))
        self._started = self._last_end = self._clock.now()
        try:
            with guard_stderr():
                self._stream = module.InputStream(
                    device=device.index,
                    channels=channels,
                    samplerate=rate,
                    dtype="float32",
                    blocksize=BLOCK_FRAMES,
                    latency="high",
                    callback=self._capture,
                )
                self._stream.start()
        except module.PortAudioError as error:
            self.close()
            raise devices.device_error(device.name, error) from error

    def _capture(self, block: np.ndarray, frames: int, time: Any, status: Any) -> None:
        """PortAudio's thread: stamp, copy, count; nothing else."""
        if status.input_overflow:
            self._flagged_overflows += 1
        if self._ring is None:
            return
        now = self._clock.now()
        if time.inputBufferAdcTime > 0.0:  # some drivers do not tell
            self._delay = time.currentTime - time.inputBufferAdcTime - frames / self._native_rate
        if len(self._columns) == block.shape[1]:
            self._ring.write(block, now)
            return
        for start in range(0, len(block), BLOCK_FRAMES):  # once: a block has that many
            piece = block[start : start + BLOCK_FRAMES]
            picked = self._picked[: len(piece)]
            piece.take(self._columns, axis=1, out=picked, mode="clip")  # "raise" would copy once more
            self._ring.write(picked, now)

    def read(self, timeout: float) -> AudioWindow | None:
        """Return the samples that arrived since the last read, or None after `timeout` s.

        Raises:
            AudioError: The device is gone: its stream has stopped, or it has delivered nothing for 2 s.
        """
        deadline = self._clock.now() + timeout
        while True:
            window = self._take()
            if window is not None:
                return window
            self._check_alive()
            now = self._clock.now()
            if now >= deadline:
                return None
            self._clock.sleep_until(min(deadline, now + _POLL_SECONDS))

    def _take(self) -> AudioWindow | None:
        resampler = self._resampler
        if self._stream is None or self._ring is None or resampler is None:
            raise AudioError(f"the audio input {self.name!r} is not open; start it before reading")
        dropped_before = self._ring.dropped_frames
        block = self._ring.read()
        if self._ring.dropped_frames > dropped_before:
            self._laps += 1
        if block is None:
            return None
        samples = resampler.push(block.frames)
        self._replaced_samples = resampler.replaced_samples
        if len(samples) == 0:
            return None
        self._level = rms_dbfs(samples)
        # Callbacks come in bursts while the filter's lag moves by up to a block: a window never ends before the last.
        self._last_end = max(self._last_end, block.time - resampler.lag_seconds)
        return AudioWindow(samples, self.sample_rate, self._last_end)

    def _check_alive(self) -> None:
        assert self._ring is not None
        newest = max(self._started, self._ring.stamp)
        quiet_seconds = self._clock.now() - newest
        stopped = not _is_active(self._stream)
        if not stopped and quiet_seconds <= SILENT_DEVICE_SECONDS:
            return
        cause = "its stream has stopped" if stopped else f"nothing came for {quiet_seconds:.1f} s"
        devices.forget_portaudio()
        self.close()
        raise AudioError(
            f"the audio input {self.name!r} stopped delivering ({cause}); a live input must keep running: "
            "plug it in again or restart the sound server"
        )

    def health(self) -> AudioHealth:
        """Return the counters. Any thread."""
        dropped_frames = self._ring.dropped_frames if self._ring else 0
        rate = self._native_rate or self.sample_rate
        active = self._resampler.active if self._is_choice and self._resampler is not None else ()
        inputs = tuple(self._heard_channels[column] for column in active)
        delay = None if self._delay is None else max(0.0, self._delay)
        overflows = self._flagged_overflows + self._laps
        return AudioHealth(self._level, overflows, dropped_frames / rate, inputs=inputs, delay_seconds=delay)

    def close(self) -> None:
        """Stop and release, within 2 s. Safe to call twice.

        PortAudio hangs for ever in the close of a stream whose server has died, so that runs on a thread that may be
        left behind.
        """
        stream, self._stream = self._stream, None
        # A stream that hangs keeps its callback, and so this object, to the end of the process; not the resampler.
        self._resampler = None
        if stream is not None:
            closer = threading.Thread(target=_abort_and_close, args=(stream,), name="audio-close", daemon=True)
            closer.start()
            closer.join(_CLOSE_SECONDS)
            if closer.is_alive():
                devices.forget_portaudio()


def _is_active(stream: Any) -> bool:
    try:
        return stream is not None and bool(stream.active)
    except devices.portaudio().PortAudioError:
        return False


def _abort_and_close(stream: Any) -> None:
    with suppress(devices.portaudio().PortAudioError):  # a stream that is gone needs no more than to be forgotten
        stream.abort()
        stream.close()


def _find_format(module: Any, device: devices.AudioDevice, channels: int, *, is_named: bool) -> tuple[int, int]:
    """Find the (channels, rate) that the device takes, its own or a usual one. Raises AudioError.

    Never fewer than `channels` where they were named. Some devices open with all of theirs only.
    """
    fewer = () if is_named else (min(2, channels), 1)
    channel_counts = dict.fromkeys((channels, device.channels, *fewer))
    rates = dict.fromkeys((device.default_rate, 48_000, 44_100, 16_000))
    refusals: list[Exception] = []
    for channels in channel_counts:
        for rate in rates:
            try:
                with guard_stderr():
                    module.check_input_settings(
                        device=device.index, channels=channels, samplerate=rate, dtype="float32"
                    )
                return channels, rate
            except module.PortAudioError as error:
                refusals.append(error)
    raise devices.device_error(device.name, refusals[0]) from refusals[0]
