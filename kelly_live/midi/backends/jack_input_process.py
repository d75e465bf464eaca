"""The process of a JACK input: JACK's thread takes what comes, the main one sends it to the parent.

Run by JackIn as `python -m kelly_live.midi.backends.jack_input_process KIND NAME`. JACK waits for its clients, and a
callback in Python for its interpreter, so this interpreter does nothing else. Its end is the end of the client, too, in
whatever state a dead server has left the library.

Threads: JACK's takes the messages each period; the main one sends; `parent` waits for the parent's end.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections import deque
from ctypes import byref, string_at
from typing import TypeAlias

import msgspec

from kelly_live.core.errors import MidiError
from kelly_live.core.timebase import read_clock
from kelly_live.midi.backend import CLIENT_NAME, LISTING_COMMAND
from kelly_live.midi.backends.libjack import (
    IS_INPUT,
    JackClient,
    JackMidiEvent,
    get_period_seconds,
)
from kelly_live.midi.backends.native import prepare_jack
from kelly_live.midi.input_queue import CAPACITY_MESSAGES, POLL_SECONDS
from kelly_live.workers.child import TERMINAL_SIGNALS, ParentConnection, ignore_signals

NAMED, VIRTUAL = "named", "virtual"  # kinds: connected to the port of this name, or called so itself
_ACTIVE_SENSING = 0xFE
_WATCH_SECONDS = 0.1
_LAG_PERIODS = 1.5
_CLOSE_SECONDS = 1.0
_SWITCH_SECONDS = 1e-4  # how long JACK's thread waits for the interpreter at most


class PortOpened(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """The port is open, or its period has changed; JACK delivers once a period."""

    period_seconds: float


class MessagesReceived(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Messages, each with its time (s, monotonic), and how many were lost since the port was opened."""

    messages: tuple[tuple[float, bytes], ...]
    lost_messages: int


class PortFailed(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """The port cannot be opened, or is gone; one line."""

    message: str


PortMessage: TypeAlias = PortOpened | MessagesReceived | PortFailed


class InputClient(JackClient):
    """An open JACK client with one input port. Raises MidiError."""

    def __init__(self, kind: str, name: str) -> None:
        self.lost_messages = 0
        self._source = name if kind == NAMED else None
        self._messages: deque[tuple[float, bytes]] = deque()
        self._event = JackMidiEvent()
        super().__init__(f"{CLIENT_NAME}-in", "in" if kind == NAMED else name, IS_INPUT)
        self.period_seconds = get_period_seconds(self._library, self._client)
        self._rate = self._library.jack_get_sample_rate(self._client)
        self._activate()
        own_name = self._library.jack_port_name(self._port)
        if self._source is not None and self._library.jack_connect(self._client, self._source.encode(), own_name) != 0:
            raise _create_gone_error(self._source)

    def take(self) -> tuple[tuple[float, bytes], ...]:
        """Remove and return the messages that came, in order, each with its time (s, monotonic)."""
        messages = []
        while self._messages:
            messages.append(self._messages.popleft())
        return tuple(messages)

    def check(self) -> None:
        """Raise MidiError if the port is gone."""
        if self._failure is not None:
            raise MidiError(f"the MIDI input failed ({type(self._failure).__name__}: {self._failure})")
        if self._server_gone:
            raise MidiError("the JACK server is gone; start it again")
        if self._source is not None and not self._library.jack_port_by_name(self._client, self._source.encode()):
            raise _create_gone_error(self._source)

    def close(self) -> None:
        """Leave the graph in order, which a client that vanishes would hold up."""
        self._close_client()

    def _handle_period(self, frames: int) -> None:
        library, event = self._callback_library, self._event
        buffer = library.jack_port_get_buffer(self._port, frames)
        self.lost_messages += library.jack_midi_get_lost_event_count(buffer)
        count = library.jack_midi_get_event_count(buffer)
        self.period_seconds = frames / self._rate  # a server's period may change at any time
        if count == 0:
            return
        now = read_clock()
        has_times = library.jack_get_cycle_times(self._client, *self._cycle_pointers) == 0
        start = self._cycle[1].value * 1e-6 - self._offset if has_times else now
        # A server's own clock may lag for a second after a stall; a period has begun by now, and not long ago. What a
        # device sent came in the period before, so that no time lies ahead.
        start = min(now, max(now - _LAG_PERIODS * self.period_seconds, start)) - self.period_seconds
        for index in range(count):
            if (
                library.jack_midi_event_get(byref(event), buffer, index) != 0
                or len(self._messages) >= CAPACITY_MESSAGES
            ):
                self.lost_messages += 1
                continue
            data = string_at(event.buffer, event.size)
            if data and data[0] != _ACTIVE_SENSING:
                self._messages.append((start + event.time / frames * self.period_seconds, data))


def _create_gone_error(name: str) -> MidiError:
    return MidiError(f"the MIDI input {name!r} is gone; plug it in again, or see `{LISTING_COMMAND}`")


def relay(client: InputClient, parent: ParentConnection[None], is_over: threading.Event) -> None:
    """Send all that comes until the parent is gone, or given up. Raises MidiError if the port is gone."""
    period_seconds = client.period_seconds
    parent.send(PortOpened(period_seconds))
    lost_messages, watch_due = 0, read_clock()
    while not is_over.wait(POLL_SECONDS):
        messages, lost_now = client.take(), client.lost_messages
        if messages or lost_now > lost_messages:
            lost_messages = lost_now
            if not parent.send(MessagesReceived(messages, lost_messages)):
                return
        if read_clock() >= watch_due:
            client.check()
            if client.period_seconds != period_seconds:
                period_seconds = client.period_seconds
                parent.send(PortOpened(period_seconds))
            watch_due = read_clock() + _WATCH_SECONDS


def _wait_for_end(parent: ParentConnection[None], is_over: threading.Event) -> None:
    """Thread: parent. The parent sends nothing; what ends is its end of the pipe."""
    for _ in parent.receive():
        pass
    is_over.set()


def main(kind: str, name: str) -> None:
    """Listen to JACK, and send what comes to the parent until one of them ends. `kind`: NAMED or VIRTUAL."""
    ignore_signals(*TERMINAL_SIGNALS)
    prepare_jack()
    sys.setswitchinterval(_SWITCH_SECONDS)
    gc.disable()
    parent: ParentConnection[None] = ParentConnection(None, silent=True)
    is_over = threading.Event()
    threading.Thread(target=_wait_for_end, args=(parent, is_over), name="parent", daemon=True).start()
    client: InputClient | None = None
    try:
        client = InputClient(kind, name)
        relay(client, parent, is_over)
    except MidiError as error:
        parent.send(PortFailed(str(error)))
    if client is not None:
        closer = threading.Thread(target=client.close, daemon=True)
        closer.start()
        closer.join(_CLOSE_SECONDS)  # libjack hangs in its own close when its server has died
    os._exit(parent.exit_code)


if __name__ == "__main__":
    main(*sys.argv[1:3])
