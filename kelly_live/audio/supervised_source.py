"""A live input that comes back: its capture process is started anew whenever the input is lost.

While it is lost, silence is delivered in its place, so that the analysis relaxes as in any pause.

Threads: the consumer calls `open`, `start` and `read`; any may call `health` and `close`. The supervisor's thread
starts and ends the captures, the reader of each capture takes what it sends.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from kelly_live.audio.capture import ALL, AudioBlock, CaptureMessage, InputFailed, InputOpened
from kelly_live.audio.resample import ANALYSIS_RATE
from kelly_live.core.errors import AudioError, WorkerError
from kelly_live.core.input_mix import ALL_CHANNELS, InputMix, format_channels
from kelly_live.core.level import SILENCE_DBFS
from kelly_live.core.protocols import AudioHealth
from kelly_live.core.timebase import Clock
from kelly_live.core.values import AudioWindow
from kelly_live.workers.process import WorkerProcess, module_command
from kelly_live.workers.supervisor import Supervisor

OPEN_SECONDS = 10.0  # an input that takes longer to open is none
STALL_SECONDS = 3.0  # an input that delivers nothing for so long is started anew
RETRY_SECONDS = 1.0
KEPT_SECONDS = 4.0  # of sound that waits to be read; older sound is dropped and counted
LOG_SECONDS = 10.0
_SILENT_BLOCK_SECONDS = 0.05
_DELAY_SHARE = 0.05  # of a block's delay in its average: a driver's figure jitters from block to block
_LONGEST_DELAY_SECONDS = 0.5  # what a driver tells beyond it is wrong
_CLOSE_SECONDS = 2.0  # for a capture, to close its device in order
_NO_COUNTS = AudioHealth(SILENCE_DBFS, 0, 0.0)

_log = logging.getLogger(__name__)


class SupervisedSource:
    """An AudioSource that is restored when it is lost: only `start` raises, `health` reports a later loss.

    Args:
        device: A part of the input's name; None: the system's default.
        clock: Times the stamps and the tries.
        sample_rate: Of the delivered sound, in Hz.
        retry_seconds: From a loss to the first try, and between two tries.
        mix: Which channels are heard, and their gain.
        corrects_delay: Stamp sound with when it came to the input, which is its arrival here less the driver's delay.
        command: What captures, for a test [default: PortAudio's capture of `device`].
    """

    def __init__(
        self,
        device: str | None,
        clock: Clock,
        *,
        sample_rate: int = ANALYSIS_RATE,
        retry_seconds: float = RETRY_SECONDS,
        mix: InputMix = ALL_CHANNELS,
        corrects_delay: bool = False,
        command: Sequence[str] | None = None,
    ) -> None:
        self.sample_rate = sample_rate
        self.name = device or "default"
        self.inputs = ""  # which inputs are heard, in words, where that is not all of them
        self._clock = clock
        channels = ALL if mix.channels is None else format_channels(mix.channels)
        arguments = [str(sample_rate), channels, str(mix.gain_db), *([device] if device is not None else [])]
        self._command = command or module_command("kelly_live.audio.capture", *arguments)
        self._supervisor = Supervisor(
            f"the audio input {self.name!r}",
            check=self._find_loss,
            release=self._release,
            restore=self._restore,
            clock=clock,
            delay_seconds=retry_seconds,
            retry_seconds=retry_seconds,
        )
        self._condition = threading.Condition()
        self._capture: WorkerProcess[CaptureMessage] | None = None  # all from here on: under `_condition`
        self._number = 0  # of the capture
        self._is_open = False  # the capture has said so
        self._has_sound = False  # the capture has delivered some
        self._failure: str | None = None  # what the capture said is wrong with the input
        self._end: str | None = None  # how the capture ended
        self._blocks: deque[AudioBlock] = deque()
        self._kept_samples = 0  # in `_blocks`
        self._is_late = False  # the reader: sound is being dropped
        self._late_samples = 0  # dropped because they were not read in time
        self._health = self._health_before = _NO_COUNTS  # of this capture, and of those before
        self._problem: str | None = None
        self._newest = self._delivered = self._log_due = 0.0
        self._corrects_delay = corrects_delay
        self._delay: float | None = None  # of this input, on average; None: not known yet
        self._stamp = 0.0  # of the sound that was delivered last
        self._is_closed = False

    @property
    def is_finished(self) -> bool:
        """False: a live input never is."""
        return False

    @property
    def process_id(self) -> int | None:
        """Of the capture process of the moment; None between two."""
        with self._condition:
            return None if self._capture is None else self._capture.process_id

    def start(self) -> None:
        """Deliver from now on, what came before is dropped; open if `open` was not called.

        Raises:
            AudioError: As of `open`.
        """
        with self._condition:
            is_open = self._number > 0
        if not is_open:
            self.open()
        with self._condition:
            if is_open:
                self._blocks.clear()
                self._kept_samples = self._late_samples = 0
            self._delivered = self._clock.now()

    def open(self) -> None:
        """Capture, but deliver nothing yet, so that a wrong name is found early.

        Raises:
            AudioError: The input is not there, busy, denied, has no usable format or does not answer.
        """
        try:
            self._spawn()
        except WorkerError as error:
            self.close()
            raise AudioError(str(error)) from error
        with self._condition:
            self._condition.wait_for(lambda: self._is_open or self._has_ended(), OPEN_SECONDS)
            # One that opened and was lost right after is restored, as any time later.
            cause = self._failure or f"{self._end or f'the audio input {self.name!r} gave no answer'}; try again"
            problem = None if self._is_open else cause
            self._delivered = self._newest = self._clock.now()
        if problem is not None:
            self.close()
            raise AudioError(problem)
        self._supervisor.start()

    def read(self, timeout: float) -> AudioWindow | None:
        """Return the next block, or None after `timeout` s; silence while the input is lost."""
        with self._condition:
            self._condition.wait_for(lambda: bool(self._blocks) or self._is_closed, timeout)
            now = self._clock.now()
            self._is_late = False
            if self._blocks:
                block = self._blocks.popleft()
                self._kept_samples -= len(block.samples)
                self._delivered = max(self._delivered, block.end_time)
                self._average_delay(block.health.delay_seconds)
                return AudioWindow(block.samples, self.sample_rate, self._stamp_sound())
            is_lost = self._problem is not None and not self._is_closed
            silence = int((now - self._delivered) * self.sample_rate) if is_lost else 0
            if silence < _SILENT_BLOCK_SECONDS * self.sample_rate:
                return None
            self._delivered = now
            return AudioWindow(np.zeros(silence, np.float32), self.sample_rate, self._stamp_sound())

    def health(self) -> AudioHealth:
        """Return the counters of all captures; `problem` says why the input is lost, until it is back."""
        with self._condition:
            now, before = self._health, self._health_before
            late_seconds = self._late_samples / self.sample_rate
            dropped_seconds = before.dropped_seconds + now.dropped_seconds + late_seconds
            level = SILENCE_DBFS if self._problem else now.level_dbfs
            return replace(
                now,
                level_dbfs=level,
                overflows=before.overflows + now.overflows,
                dropped_seconds=dropped_seconds,
                problem=self._problem,
            )

    def close(self) -> None:
        """End the capture and what watches it, within some seconds. Safe to call twice."""
        with self._condition:
            self._is_closed = True
            capture, self._capture = self._capture, None
            self._condition.notify_all()
        if capture is not None:
            capture.close(_CLOSE_SECONDS)
        self._supervisor.stop()

    def _spawn(self) -> None:
        """Start another capture, unless the source is closed. Raises WorkerError."""
        with self._condition:
            if self._is_closed:
                return
            self._number += 1
            capture: WorkerProcess[CaptureMessage] = WorkerProcess(
                self._command,
                name=f"the capture of the audio input {self.name!r}",
                receives=CaptureMessage,
                on_message=partial(self._take, self._number),
                on_end=partial(self._note_end, self._number),
            )
            self._capture = capture
            self._is_open = self._has_sound = False
            self._failure = self._end = None
            self._newest = self._clock.now()
        # `close` closes what is in `_capture`, and one that is closed already does not start: nothing is left behind.
        capture.start()

    def _take(self, number: int, message: CaptureMessage) -> None:
        """Thread: the reader of capture `number`."""
        with self._condition:
            if number != self._number:
                return
            self._newest = self._clock.now()
            match message:
                case InputOpened(name, inputs):
                    self._is_open, self.name, self.inputs = True, name, inputs
                case InputFailed(problem):
                    self._failure = problem
                case AudioBlock():
                    self._has_sound = True
                    self._problem = None
                    self._log_losses(self._health, message.health)
                    self._health = message.health
                    self._keep(message)
            self._condition.notify_all()

    def _average_delay(self, delay_seconds: float | None) -> None:
        """Take what the driver says of a block. Under `_condition`."""
        if not self._corrects_delay or delay_seconds is None or not 0.0 <= delay_seconds <= _LONGEST_DELAY_SECONDS:
            return
        before = delay_seconds if self._delay is None else self._delay
        self._delay = before + _DELAY_SHARE * (delay_seconds - before)

    def _stamp_sound(self) -> float:
        """Return when the newest sound came to the input: never before the last of it. Under `_condition`."""
        self._stamp = max(self._stamp, self._delivered - (self._delay or 0.0))
        return self._stamp

    def _log_losses(self, before: AudioHealth, now: AudioHealth) -> None:
        """Log what the capture has lost since the last line, at most once in LOG_SECONDS. Under `_condition`."""
        is_more = now.overflows > before.overflows or now.dropped_seconds > before.dropped_seconds
        if is_more and self._newest >= self._log_due:
            self._log_due = self._newest + LOG_SECONDS
            _log.warning(
                "the audio input %r: overflows so far: %d, dropped: %.2f s",
                self.name, now.overflows, now.dropped_seconds,
            )  # fmt: skip

    def _keep(self, block: AudioBlock) -> None:
        """Queue a block; drop and count the oldest ones that are too many. Under `_condition`."""
        if len(block.samples) == 0:
            return
        self._blocks.append(block)
        self._kept_samples += len(block.samples)
        while self._kept_samples > KEPT_SECONDS * self.sample_rate and len(self._blocks) > 1:
            dropped_samples = len(self._blocks.popleft().samples)
            self._kept_samples -= dropped_samples
            self._late_samples += dropped_samples
            if not self._is_late:
                _log.warning("sound is dropped: the audio input was not read for %g s", KEPT_SECONDS)
                self._is_late = True

    def _note_end(self, number: int) -> None:
        """Thread: the one that noticed the end of capture `number`."""
        with self._condition:
            if number != self._number or self._capture is None:
                return
            self._end = self._capture.error
            self._condition.notify_all()
        self._supervisor.wake()

    def _has_ended(self) -> bool:
        """Whether nothing more can come of this capture. Under `_condition`."""
        return self._failure is not None or self._end is not None or self._is_closed

    def _find_loss(self) -> str | None:
        """Supervisor: say why the input is lost, or None."""
        with self._condition:
            if self._failure is not None:
                return self._failure
            limit = STALL_SECONDS if self._is_open else OPEN_SECONDS
            is_silent = self._clock.now() - self._newest > limit
            cause = self._end or (f"the audio input {self.name!r} delivers nothing" if is_silent else None)
            return None if cause is None else f"{cause}; kelly-live opens it again"

    def _release(self, problem: str) -> None:
        """Supervisor: note that the input is lost, and end its capture."""
        with self._condition:
            self._problem = problem
        self._end_capture()

    def _end_capture(self) -> None:
        """Supervisor: end the capture, and keep its counts."""
        with self._condition:
            capture, self._capture = self._capture, None
            before, now = self._health_before, self._health
            self._health_before = AudioHealth(
                SILENCE_DBFS, before.overflows + now.overflows, before.dropped_seconds + now.dropped_seconds
            )
            self._health = _NO_COUNTS
            self._condition.notify_all()
        if capture is not None:
            capture.close(_CLOSE_SECONDS)

    def _restore(self) -> bool:
        """Supervisor: try another capture, and return whether it delivers sound."""
        self._spawn()
        with self._condition:
            self._condition.wait_for(lambda: self._has_sound or self._has_ended(), OPEN_SECONDS)
            has_sound = self._has_sound
        if not has_sound:
            self._end_capture()
        return has_sound
