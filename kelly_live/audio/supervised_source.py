"""A live input that comes back: captured by a process of its own, which is started anew whenever the input is lost.

While it is lost, silence is delivered in its place, so that what listens relaxes as in any pause.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

import numpy as np

from kelly_live.audio.capture import Broken, Decoder, Heard, Opened
from kelly_live.audio.resample import ANALYSIS_RATE
from kelly_live.core.errors import AudioError
from kelly_live.core.level import SILENCE_DBFS
from kelly_live.core.protocols import AudioHealth
from kelly_live.core.timebase import Clock
from kelly_live.core.values import AudioWindow

OPEN_SECONDS = 10.0  # an input that takes longer to open is none
STALL_SECONDS = 3.0  # an input that delivers nothing for so long is started anew
RETRY_SECONDS = 1.0
KEPT_SECONDS = 4.0  # of sound that nobody has read; older sound is dropped and counted
_SILENT_BLOCK_SECONDS = 0.05
_PATIENCE_SECONDS = 2.0  # to close its device in order


class SupervisedSource:
    """An AudioSource; `start` raises AudioError if the input can't be opened, later losses are told by `health` alone.

    `command`: what captures, for a test [default: PortAudio's capture of `device`].
    """

    def __init__(
        self,
        device: str | None,
        clock: Clock,
        *,
        sample_rate: int = ANALYSIS_RATE,
        command: Sequence[str] | None = None,
    ) -> None:
        self.sample_rate = sample_rate
        self.name = device or "default"
        self._clock = clock
        self._command = command or [
            *(sys.executable, "-P", "-m", "kelly_live.audio.capture", str(sample_rate)),
            *([device] if device is not None else []),
        ]
        self._opened = False
        self._changed = threading.Condition()
        self._process: subprocess.Popen[bytes] | None = None  # all from here on: under `_changed`
        self._open = False
        self._blocks: deque[Heard] = deque()
        self._health = AudioHealth(SILENCE_DBFS, 0, 0.0)
        self._before = AudioHealth(SILENCE_DBFS, 0, 0.0)  # what earlier captures counted
        self._late_seconds = 0.0  # of sound dropped because nobody read it
        self._problem: str | None = None
        self._newest = self._retry_at = self._delivered = 0.0
        self._closed = False

    @property
    def finished(self) -> bool:
        return False

    def start(self) -> None:
        """Deliver from now on; opens if `open` did not. Raises AudioError."""
        if not self._opened:
            self.open()
            return
        with self._changed:
            self._blocks.clear()
            self._late_seconds = 0.0
            self._delivered = self._clock.now()

    def open(self) -> None:
        """Capture, but keep it to yourself: a wrong name is told early. Raises AudioError: not there, busy, denied, no
        usable format, no answer.
        """
        self._opened = True
        self._spawn()
        with self._changed:
            self._changed.wait_for(lambda: self._open or self._problem is not None, OPEN_SECONDS)
            # One that opened and was lost right after is opened again, as any time later.
            silent = f"the audio input {self.name!r} gave no answer; try again"
            problem = None if self._open else self._problem or silent
            self._delivered = self._newest = self._clock.now()
        if problem is not None:
            self.close()
            raise AudioError(problem)

    def read(self, timeout: float) -> AudioWindow | None:
        """The next block, or None after `timeout` s; silence while the input is lost. Thread: the one that listens."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._blocks) or self._closed, timeout)
            now = self._clock.now()
            if self._blocks:
                block = self._blocks.popleft()
                self._delivered = max(self._delivered, block.end_time)
                return AudioWindow(block.samples, self.sample_rate, self._delivered)
            if self._closed:
                return None
            if self._process is not None and now - self._newest > (STALL_SECONDS if self._open else OPEN_SECONDS):
                self._lose(f"the audio input {self.name!r} delivers nothing; kelly-live opens it again")
            lost = self._problem is not None
            retry = lost and self._process is None and now >= self._retry_at
            silence = int((now - self._delivered) * self.sample_rate) if lost else 0
            if silence >= _SILENT_BLOCK_SECONDS * self.sample_rate:
                self._delivered = now
        if retry:
            self._spawn()
        if silence < _SILENT_BLOCK_SECONDS * self.sample_rate:
            return None
        return AudioWindow(np.zeros(silence, np.float32), self.sample_rate, now)

    def health(self) -> AudioHealth:
        """Any thread. `problem` says that the input is lost, until it is back."""
        with self._changed:
            now, before = self._health, self._before
            dropped = before.dropped_seconds + now.dropped_seconds + self._late_seconds
            level = SILENCE_DBFS if self._problem else now.level_dbfs
            return AudioHealth(level, before.overflows + now.overflows, dropped, self._problem)

    def close(self) -> None:
        with self._changed:
            self._closed = True
            process, self._process = self._process, None
            self._changed.notify_all()
        if process is not None:
            _end(process)

    def _spawn(self) -> None:
        try:
            process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        except OSError as error:
            with self._changed:
                self._lose(f"the audio capture cannot be started ({error}); check the Python installation")
            return
        with self._changed:
            self._process, self._open = process, False
            self._newest = self._clock.now()
        threading.Thread(target=self._listen, args=(process,), name="audio-reader", daemon=True).start()

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        """Thread: one a process. Ends with it."""
        assert process.stdout is not None
        decoder = Decoder()
        problem = f"the audio input {self.name!r} ended by itself; kelly-live opens it again"
        try:
            while data := process.stdout.read(1 << 16):
                for message in decoder.feed(data):
                    if isinstance(message, Broken):
                        problem = message.message
                    else:
                        self._take(process, message)
        except (AudioError, OSError, ValueError) as error:  # ValueError: closed under us
            problem = str(error)
        with self._changed:
            if process is self._process:
                self._lose(problem)

    def _take(self, process: subprocess.Popen[bytes], message: Opened | Heard) -> None:
        with self._changed:
            if process is not self._process:
                return
            self._newest = self._clock.now()
            if isinstance(message, Opened):
                self._open, self.name = True, message.name
            else:
                self._problem = None
                self._health = message.health
                self._blocks.append(message)
                while self._blocks[-1].end_time - self._blocks[0].end_time > KEPT_SECONDS:
                    self._late_seconds += len(self._blocks.popleft().samples) / self.sample_rate
            self._changed.notify_all()

    def _lose(self, problem: str) -> None:
        """Under `_changed`. The process is ended on a thread of its own: it may not want to."""
        process, self._process = self._process, None
        self._problem = self._problem or problem
        self._retry_at = self._clock.now() + RETRY_SECONDS
        before, now = self._before, self._health
        dropped = before.dropped_seconds + now.dropped_seconds
        self._before = AudioHealth(SILENCE_DBFS, before.overflows + now.overflows, dropped)
        self._health = AudioHealth(SILENCE_DBFS, 0, 0.0)
        if process is not None:
            threading.Thread(target=_end, args=(process,), name="audio-end", daemon=True).start()
        self._changed.notify_all()


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a capture: its stdin, then its life."""
    assert process.stdin is not None
    assert process.stdout is not None
    with suppress(OSError):
        process.stdin.close()
    with suppress(subprocess.TimeoutExpired):
        process.wait(_PATIENCE_SECONDS)
    if process.returncode is None:
        process.kill()
        process.wait()
    with suppress(OSError):
        process.stdout.close()
