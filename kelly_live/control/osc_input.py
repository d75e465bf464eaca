"""Receive actions as OSC: `/kelly/do/ACTION [VALUE]`, over UDP, by default from this machine only.

Any program may send here. What is no action, and what comes too fast, is thrown away, counted, and said with its sender
and the reason. Panic has an allowance of its own, so that a flood of other messages cannot stop it.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import math
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial

from kelly_live.control.osc_address import OscAddress
from kelly_live.control.osc_packet import MAX_PACKET_BYTES, Message, Value, match_address, read_packet
from kelly_live.core.actions import ACTIONS, Takes, format_setting, takes_position
from kelly_live.core.errors import ConfigError
from kelly_live.core.timebase import Clock
from kelly_live.core.token_bucket import TokenBucket

PREFIX = "/kelly/do/"
MESSAGES_PER_SECOND = 100
PANICS_PER_SECOND = 20
CAPACITY = 256
MAX_AHEAD_SECONDS = 600.0
MAX_PANIC_AHEAD_SECONDS = 10.0  # a panic for later than this comes from a clock that is wrong, and is meant now
REFUSAL_SECONDS = 10.0  # between two lines about what was refused
_MAX_REASON = 100
_ROUNDING = 1e-6  # a fader whose range a tablet computes with 32 bits ends at 1.0000001
_BUFFER_BYTES = 1 << 20  # what comes while the interpreter is busy elsewhere
# A pattern never ends the session: that takes the action's own name.
_ADDRESSES = [PREFIX + name for name in ACTIONS if name != "quit"]
_WITH_PLACE = ("set", "mute", "solo", "level", "lock")  # their addresses go on: /kelly/do/mute/bass
_OFF_TEXTS = frozenset(("", "0", "0.0", "off", "false"))
_PATTERN = frozenset("*?[{")
_log = logging.getLogger(__name__)


class OscInput:
    """Receives at `address` (port 0: a free one). Raises ConfigError if the port is taken.

    A message with a later time tag waits until it is due by `clock`; `wall_clock` says what the tag is later than.
    Threads: its own receives; `poll` is for one other, `refuse` for both.
    """

    def __init__(self, address: OscAddress, clock: Clock, wall_clock: Callable[[], float] = time.time) -> None:
        self.refused_messages = 0
        self.refusal: str | None = None  # what was refused last, and why
        self._clock, self._wall_clock = clock, wall_clock
        self._changing = threading.Lock()  # locked for a few steps, which never wait
        self._pending: deque[tuple[str, Value]] = deque()
        self._later: list[tuple[float, int, str, Value]] = []  # a heap, by when it is due
        self._number = itertools.count()
        self._messages = TokenBucket(MESSAGES_PER_SECOND)
        self._panics = TokenBucket(PANICS_PER_SECOND)
        self._said_at = -math.inf
        self._socket = socket.socket(address.family, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)  # or what the system allows
        try:
            self._socket.bind((address.host, address.port))
        except OSError as error:
            self._socket.close()
            raise ConfigError(f"cannot receive OSC at {address} ({error.strerror}); take another port") from error
        self.address = address._replace(port=self._socket.getsockname()[1])
        self._socket.settimeout(0.2)
        self._is_closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="osc-in", daemon=True)
        self._thread.start()

    def poll(self) -> list[tuple[str, Value]]:
        """Return what came in or fell due since the last call: (action, value), the value unchecked."""
        now = self._clock.now()
        with self._changing:
            actions = list(self._pending)
            self._pending.clear()
            while self._later and self._later[0][0] <= now:
                _, _, name, value = heapq.heappop(self._later)
                actions.append((name, value))
        return actions

    def refuse(self, description: str, reason: str) -> None:
        """Count a message as refused; log it unless another was logged within REFUSAL_SECONDS."""
        line = f"{ascii(description)[:_MAX_REASON]}: {reason[:_MAX_REASON]}"
        now = self._clock.now()
        with self._changing:
            self.refused_messages += 1
            self.refusal = line
            says = now - self._said_at >= REFUSAL_SECONDS
            if says:
                self._said_at = now
        if says:
            _log.warning("OSC refused %s", line)

    def close(self) -> None:
        """Stop receiving. Safe to call twice."""
        self._is_closing.set()
        self._thread.join(1.0)
        self._socket.close()

    def _run(self) -> None:
        while not self._is_closing.is_set():
            try:
                packet, sender = self._socket.recvfrom(MAX_PACKET_BYTES + 1)
            except TimeoutError:
                continue
            except OSError:  # Windows reports here that an earlier packet did not arrive
                self._is_closing.wait(0.01)
                continue
            try:
                messages = read_packet(packet, partial(self.refuse, f"a bundle from {sender[0]}"))
            except ValueError as error:
                self.refuse(f"a packet from {sender[0]}", str(error))
                continue
            for message in messages:
                self._take(message, str(sender[0]))

    def _take(self, message: Message, sender: str) -> None:
        description = f"{message.address} from {sender}"
        try:
            message = read_setting(message)
            names = _find_actions(message.address)
        except ValueError as error:
            self.refuse(description, str(error))
            return
        if not names:
            self.refuse(description, f"no action has this address; it is {PREFIX}ACTION")
        for name in names:
            if not is_at_rest(name, message.arguments):
                self._queue(name, message, description)

    def _queue(self, name: str, message: Message, description: str) -> None:
        now = self._clock.now()
        ahead = 0.0 if message.unix_seconds is None else message.unix_seconds - self._wall_clock()
        value = message.arguments[0] if message.arguments else None
        is_panic = name == "panic"
        if is_panic and ahead > MAX_PANIC_AHEAD_SECONDS:
            ahead = 0.0
        if ahead > MAX_AHEAD_SECONDS:
            self.refuse(description, f"its time is {ahead:.0f} s ahead; it may be {MAX_AHEAD_SECONDS:.0f} s")
        elif not (self._panics if is_panic else self._messages).take(now):
            self.refuse(description, f"over {PANICS_PER_SECOND if is_panic else MESSAGES_PER_SECOND} messages a second")
        elif len(self._later if ahead > 0.0 else self._pending) >= CAPACITY + PANICS_PER_SECOND * is_panic:
            self.refuse(description, f"{CAPACITY} messages wait already")
        else:
            with self._changing:
                if ahead > 0.0:
                    heapq.heappush(self._later, (now + ahead, next(self._number), name, value))
                else:
                    self._pending.append((name, value))


def read_setting(message: Message) -> Message:
    """Return an address that ends in what is set (/kelly/do/set/melody/octave) as /kelly/do/set with one text.

    For `set` and `level` a number is a position in the range, 0 to 1; text is what --set takes. For `mute`, `solo` and
    `lock` 0 is off, another number on, and nothing turns it over. Others stay as they are. Raises ValueError.
    """
    name, slash, rest = message.address.removeprefix(PREFIX).partition("/")
    if not message.address.startswith(PREFIX) or name not in _WITH_PLACE:
        return message
    arguments = message.arguments
    if slash:
        place = rest.replace("/", ".")
    elif len(arguments) > 1 and isinstance(arguments[0], str):
        place, arguments = arguments[0], arguments[1:]
    else:
        return message
    value = arguments[0] if arguments else None
    address = PREFIX + name
    if not takes_position(name):
        switch = "" if value is None else f"={'off' if _is_off(value) else 'on'}"
        return message._replace(address=address, arguments=(place + switch,))
    if value is None:
        raise ValueError("it lacks a value: a number from 0 to 1, or text as --set takes it")
    if isinstance(value, bool):
        value = "on" if value else "off"
    elif not isinstance(value, str):
        if not -_ROUNDING <= value <= 1.0 + _ROUNDING:
            raise ValueError(
                f"comes with {value:g}; a position must be a number from 0 to 1 (text is the value itself)"
            )
        return message._replace(address=address, arguments=(format_setting(place, min(1.0, max(0.0, value))),))
    return message._replace(address=address, arguments=(f"{place}={value}",))


def is_at_rest(name: str, arguments: tuple[Value, ...]) -> bool:
    """Whether a message releases a button: the action takes no value, and comes with 0, False or "off".

    After an emotion's name the last argument says so.
    """
    takes = ACTIONS[name].takes
    if takes is Takes.NOTHING and arguments:
        return _is_off(arguments[0])
    return takes is Takes.EMOTION and len(arguments) > 1 and _is_off(arguments[-1])


def _is_off(value: Value) -> bool:
    if isinstance(value, str):
        return value.strip().lower() in _OFF_TEXTS
    return value is False or value == 0.0


def _find_actions(address: str) -> list[str]:
    """The actions of an address or a pattern of addresses; empty if there are none."""
    if not _PATTERN & set(address):
        name = address.removeprefix(PREFIX)
        return [name] if address.startswith(PREFIX) and name in ACTIONS else []
    return [one.removeprefix(PREFIX) for one in match_address(address, _ADDRESSES)]
