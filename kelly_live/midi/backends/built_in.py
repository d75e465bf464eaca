"""The built-in synthesiser as a MIDI output: it sounds on this machine's audio output, without a DAW.

It renders in a process of its own (`kelly_live.audio.playback`), so nothing heavy is imported here.
"""

from __future__ import annotations

import threading

from kelly_live.core.errors import MidiError, WorkerError
from kelly_live.core.playback_messages import OutputFailed, OutputOpened, PlaybackMessage, TimedMessage
from kelly_live.core.timebase import read_clock
from kelly_live.workers.process import WorkerProcess, module_command

OPEN_SECONDS = 10.0  # numpy and PortAudio are loaded, on a busy machine
_CLOSE_SECONDS = 2.5  # the last notes die away
_OUTBOX_MESSAGES = 4096


class BuiltInSynthOut:
    """A MidiOut that is heard. Raises MidiError if there is no audio output.

    `delay_seconds` go by from a message to its sound, by the audio driver.
    """

    name = "built-in synth"

    def __init__(self) -> None:
        self.delay_seconds = 0.0
        self._opened: OutputOpened | None = None
        self._problem: str | None = None
        self._has_reported = threading.Event()
        self._process: WorkerProcess[PlaybackMessage] = WorkerProcess(
            module_command("kelly_live.audio.playback"),
            name="the built-in synth",
            receives=PlaybackMessage,
            on_message=self._take,
            on_end=self._has_reported.set,
            outbox_messages=_OUTBOX_MESSAGES,
        )
        try:
            self._process.start()
        except WorkerError as error:
            raise MidiError(str(error)) from error
        self._has_reported.wait(OPEN_SECONDS)
        if self._opened is None:
            self._process.close(_CLOSE_SECONDS)
            raise MidiError(self._problem or self._process.error or "the built-in synth did not start; try again")
        self.delay_seconds = self._opened.delay_seconds

    def send(self, message: bytes) -> None:
        """Send one complete raw message. Raises MidiError if the synth is gone."""
        if not self._process.send(TimedMessage(read_clock(), message)) and self._process.is_lost:
            raise MidiError(self._problem or self._process.error or "the built-in synth has ended; restart kelly-live")

    def is_alive(self) -> bool:
        """Return whether the synth still plays."""
        return not self._process.is_lost

    def close(self) -> None:
        """Let the last notes die away, and end the synth. Safe to call twice."""
        self._process.close(_CLOSE_SECONDS)

    def _take(self, message: PlaybackMessage) -> None:
        """Thread: worker-read."""
        match message:
            case OutputOpened():
                self._opened = message
            case OutputFailed(text):
                self._problem = text
        self._has_reported.set()
