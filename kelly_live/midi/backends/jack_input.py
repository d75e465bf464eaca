"""A MIDI input through JACK: the parent's end of `jack_input_process.py`."""

from __future__ import annotations

import threading

from kelly_live.core.errors import MidiError, WorkerError
from kelly_live.core.midi_messages import ReceivedMessage
from kelly_live.midi.backends.jack_input_process import NAMED, VIRTUAL, MessagesReceived, PortMessage, PortOpened
from kelly_live.midi.input_queue import InputQueue
from kelly_live.workers.process import WorkerProcess, module_command

OPEN_SECONDS = 15.0  # a Python process starts in .1 s, on a busy machine in several
_CLOSE_SECONDS = 2.0


class JackIn:
    """An open JACK input. Raises MidiError if it cannot be opened.

    Threads: the worker's reader fills the queue; one polls.
    """

    def __init__(self, name: str, *, is_virtual: bool) -> None:
        self.name = name
        self.grain_seconds = 0.0
        self._queue = InputQueue()
        self._lost_messages = 0  # by JACK, or by its client
        self._problem: str | None = None
        self._is_open = False
        self._has_answered = threading.Event()
        self._worker: WorkerProcess[PortMessage] = WorkerProcess(
            module_command("kelly_live.midi.backends.jack_input_process", VIRTUAL if is_virtual else NAMED, name),
            name=f"the process of the MIDI input {name!r}",
            receives=PortMessage,
            on_message=self._take,
            on_end=self._has_answered.set,
        )
        try:
            self._worker.start()
        except WorkerError as error:
            raise MidiError(str(error)) from error
        self._has_answered.wait(OPEN_SECONDS)
        if not self._is_open:
            problem = self._problem or self._worker.error or f"the MIDI input {name!r} gave no answer; try again"
            self.close()
            raise MidiError(problem)

    def poll(self) -> list[ReceivedMessage]:
        """Return what arrived since the last poll, in order, without waiting."""
        return self._queue.take()

    @property
    def overflows(self) -> int:
        """Messages that were discarded."""
        return self._queue.overflows + self._lost_messages

    def is_alive(self) -> bool:
        """Return whether the port still exists."""
        return self._problem is None and not self._worker.is_lost

    def close(self) -> None:
        """Close the port; safe to call twice."""
        self._worker.close(_CLOSE_SECONDS)

    def _take(self, message: PortMessage) -> None:
        """Thread: the worker's reader."""
        if isinstance(message, MessagesReceived):
            self._lost_messages = message.lost_messages
            for seconds, data in message.messages:
                self._queue.put(seconds, data)
        elif isinstance(message, PortOpened):
            self.grain_seconds = message.period_seconds
            self._is_open = True
            self._has_answered.set()
        else:
            self._problem = message.message
            self._has_answered.set()
