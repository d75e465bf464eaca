"""The terminal's keyboard as a control surface: single keys, read without waiting, become actions.

`KeyParser` and `find_action` are pure. `Keyboard` owns the terminal while it is open: keys come at once and unechoed
(POSIX: cbreak, so Ctrl-C and Ctrl-Z still work; Windows: msvcrt), and the terminal is given back as it was, however
the program ends, and while it is stopped. Thread: the main one, for all calls; none blocks.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Mapping
from types import FrameType, TracebackType
from typing import Any, TextIO

from kelly_live.core.actions import MORPH_BARS, Action
from kelly_live.core.control_surface import ControlView
from kelly_live.core.values import EMOTIONS

NUDGE = 0.1
UP, DOWN, RIGHT, LEFT = "up", "down", "right", "left"

KEYS: dict[str, Action] = {
    "f": Action("freeze"),
    RIGHT: Action("nudge-valence", NUDGE),
    LEFT: Action("nudge-valence", -NUDGE),
    UP: Action("nudge-arousal", NUDGE),
    DOWN: Action("nudge-arousal", -NUDGE),
    ">": Action("nudge-dominance", NUDGE),
    "<": Action("nudge-dominance", -NUDGE),
    **{str(number): Action("morph", name) for number, name in enumerate(EMOTIONS, start=1)},
    "0": Action("let-go"),
    "p": Action("panic"),
    "]": Action("next-preset"),
    "[": Action("previous-preset"),
    "n": Action("next-profile"),
    "r": Action("role"),
    "g": Action("go"),
    "k": Action("back"),
    "+": Action("like"),
    "-": Action("dislike"),
    "m": Action("more-like-this"),
    "t": Action("too-fast"),
    "w": Action("too-slow"),
    "d": Action("too-dark"),
    "b": Action("too-bright"),
    "y": Action("too-busy"),
    "e": Action("too-sparse"),
    "l": Action("too-loud"),
    "s": Action("too-soft"),
    "u": Action("undo-reaction"),
    "c": Action("record"),
    "v": Action("keep"),
    "?": Action("help"),
    "h": Action("help"),
    "q": Action("quit"),
}
_UNSHIFTED = {"=": "+", "_": "-", ".": ">", ",": "<"}  # the same keys with or without the shift key

SHORT_HELP = "keys: f freezes, arrows steer, 0 releases, + - like or not, ? lists all, q ends"
# What keys do, a row for those that belong together; `describe_keys` lists it.
KEY_HELP = (
    ("f", "freezes or follows"),
    ("left right", "valence"),
    ("up down", "arousal"),
    ("< >", "dominance"),
    ("1 2 3 4", f"in {MORPH_BARS:.0f} bars to {', '.join(EMOTIONS[:4])}"),
    ("5 6 7 8", f"in {MORPH_BARS:.0f} bars to {', '.join(EMOTIONS[4:])}"),
    ("0", "releases everything"),
    ("p", "panic: every note ends"),
    ("[ ]", "preset before, next preset"),
    ("n r", "next profile, next role"),
    ("g k", "next cue, cue before"),
    ("c v", "records or stops, keeps what was played so far"),
    ("+ - m", "like, dislike, more like this"),
    ("t w", "too fast, too slow"),
    ("d b", "too dark, too bright"),
    ("y e", "too busy, too sparse"),
    ("l s", "too loud, too soft"),
    ("u", "undoes the last of these"),
    ("? h", "lists the keys"),
    ("q", "ends"),
)

_ARROWS = {ord("A"): UP, ord("B"): DOWN, ord("C"): RIGHT, ord("D"): LEFT}
_WINDOWS_ARROWS = {"H": UP, "P": DOWN, "M": RIGHT, "K": LEFT}
_ESCAPE = 0x1B
_LONGEST_SEQUENCE = 32  # bytes; what goes on longer is no key


def find_action(key: str, own_keys: Mapping[str, Action | None] | None = None) -> Action | None:
    """Return the action of a key, or None. `own_keys`: actions of single keys that replace the usual ones."""
    if own_keys and key in own_keys:
        return own_keys[key]
    return KEYS.get(_UNSHIFTED.get(key, key))


def describe_keys() -> str:
    """List the keys and what they do, one row a line."""
    width = max(len(keys) for keys, _ in KEY_HELP)
    return "\n".join(["keys", *(f"  {keys:<{width}}  {what}" for keys, what in KEY_HELP)])


def describe_own_keys(own_keys: Mapping[str, Action | None]) -> str:
    """Describe a performer's own keys in one line, to be shown below the others."""
    return "your keys: " + ", ".join(
        f"{key} {'nothing' if action is None else action}" for key, action in own_keys.items()
    )


class KeyParser:
    """Turns a terminal's bytes into keys: characters, and "up", "down", "right", "left".

    Escape sequences are read whole, so that no part of one (F5 is ESC [ 1 5 ~) is taken for a key; one may arrive in
    pieces.
    """

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[str]:
        """Return the keys that are complete with these bytes.

        An unfinished sequence waits for its rest; if nothing comes, it was the Escape key.
        """
        data = self._rest + data if data else b""
        keys: list[str] = []
        at = 0
        while at < len(data):
            if data[at] != _ESCAPE:
                if 0x20 < data[at] < 0x7F:
                    keys.append(chr(data[at]).lower())
                at += 1
                continue
            length = _sequence_length(data[at:])
            if length is None:
                break
            sequence = data[at : at + length]
            if length >= 3 and sequence[-1] in _ARROWS and sequence[1:2] in (b"[", b"O"):
                keys.append(_ARROWS[sequence[-1]])
            at += length
        self._rest = data[at:]
        return keys


def _sequence_length(data: bytes) -> int | None:
    """Bytes of the escape sequence that `data` begins with; None if it is not whole yet."""
    if len(data) < 2:
        return None
    if data[1] == _ESCAPE:  # the Escape key, then another sequence
        return 1
    if data[1:2] == b"O":
        return 3 if len(data) >= 3 else None
    if data[1:2] != b"[":
        return 2  # Alt and a key
    for index, byte in enumerate(data[2:_LONGEST_SEQUENCE], start=2):
        if 0x40 <= byte <= 0x7E:
            return index + 1
        if not 0x20 <= byte <= 0x3F:
            return index  # broken off; what follows is read afresh
    return None if len(data) < _LONGEST_SEQUENCE else _LONGEST_SEQUENCE


class Keyboard:
    """Polls the keys of a terminal.

    If `stream` (by default stdin) is no terminal, it is off: `is_open` is False, and `poll` returns nothing.
    `before_stop` is called when Ctrl-Z comes, while the terminal is still ours.
    """

    def __init__(self, stream: TextIO | None = None, before_stop: Callable[[], None] | None = None) -> None:
        stream = sys.stdin if stream is None else stream
        self._before_stop = before_stop
        self._parser = KeyParser()
        self._close: Callable[[], None] | None = None
        self._read: Callable[[], list[str]] = list
        # No terminal: a pipe, a service, a stream that was closed or never there.
        with contextlib.suppress(ValueError, OSError, AttributeError):
            if stream.isatty():
                self._open(stream)

    @property
    def is_open(self) -> bool:
        """Whether keys are read."""
        return self._close is not None

    def poll(self) -> list[str]:
        """Return the keys that were pressed since the last poll, at once.

        A terminal that is gone turns it off.
        """
        try:
            return self._read()
        except OSError:
            self.close()
            return []

    def close(self) -> None:
        """Give the terminal back as it was. Safe to call twice."""
        close, self._close, self._read = self._close, None, list
        if close is not None:
            close()

    def __enter__(self) -> Keyboard:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self, stream: TextIO) -> None:
        if sys.platform == "win32":
            self._read, self._close = _windows_keys, lambda: None
            return
        terminal = _PosixTerminal(stream.fileno(), self._before_stop)

        def read() -> list[str]:
            return self._parser.feed(terminal.read())

        self._read, self._close = read, terminal.close


class KeyboardSurface:
    """A ControlSurface that polls a Keyboard. Thread: the main one.

    `own_keys` returns the actions that a profile gives to single keys.
    """

    name = "key"

    def __init__(self, keyboard: Keyboard, own_keys: Callable[[], Mapping[str, Action | None]]) -> None:
        self._keyboard, self._own_keys = keyboard, own_keys

    def publish(self, view: ControlView) -> None:
        """Show nothing: a keyboard has no display."""

    def poll(self) -> list[Action]:
        """Return the actions of the keys that were pressed since the last call."""
        own_keys = self._own_keys()
        return [action for key in self._keyboard.poll() if (action := find_action(key, own_keys)) is not None]


if sys.platform == "win32":

    def _windows_keys() -> list[str]:
        import msvcrt

        keys: list[str] = []
        while msvcrt.kbhit():
            key = msvcrt.getwch()
            if key in ("\x00", "\xe0"):  # a key without a character; its code follows
                keys += [_WINDOWS_ARROWS[code] for code in [msvcrt.getwch()] if code in _WINDOWS_ARROWS]
            else:
                keys.append(key.lower())
        return keys

else:
    import select
    import termios
    import tty

    class _PosixTerminal:
        """A terminal in cbreak mode.

        Ctrl-Z gives it back before the program stops; afterwards the first read in the foreground takes it again (in
        the background, taking or reading it would stop the program once more).
        """

        def __init__(self, descriptor: int, before_stop: Callable[[], None] | None) -> None:
            self._descriptor = descriptor
            self._before_stop = before_stop
            self._before: list[Any] | None = None  # how the terminal was, while it is ours
            self._is_closed = False
            self._handlers: dict[int, Any] = {}
            self._take()
            atexit.register(self.close)
            # Signals belong to the main thread; elsewhere the shell's own care for its terminal must do.
            with contextlib.suppress(ValueError):
                self._handlers[signal.SIGTSTP] = signal.signal(signal.SIGTSTP, self._stop)

        def read(self) -> bytes:
            """Return what was typed, b"" if nothing. Raises OSError if the terminal is gone."""
            if self._is_closed or not self._in_foreground():
                return b""
            if self._before is None:
                self._take()
            if not select.select([self._descriptor], [], [], 0)[0]:
                return b""
            data = os.read(self._descriptor, 1024)
            if not data:
                raise OSError("the terminal hung up")
            return data

        def close(self) -> None:
            if self._is_closed:
                return
            self._is_closed = True
            self._give_back()
            atexit.unregister(self.close)
            for number, handler in self._handlers.items():
                signal.signal(number, handler)

        def _in_foreground(self) -> bool:
            return os.tcgetpgrp(self._descriptor) == os.getpgrp()

        def _take(self) -> None:
            if not self._in_foreground():
                return
            try:
                self._before = termios.tcgetattr(self._descriptor)
                tty.setcbreak(self._descriptor, termios.TCSANOW)
            except termios.error as error:
                raise OSError(f"the terminal is gone: {error}") from error

        def _give_back(self) -> None:
            before, self._before = self._before, None
            # A terminal that is gone needs nothing back; one that is another program's now is left to it.
            with contextlib.suppress(termios.error, OSError):
                if before is not None and self._in_foreground():
                    termios.tcsetattr(self._descriptor, termios.TCSANOW, before)

        def _stop(self, number: int, frame: FrameType | None) -> None:
            """Ctrl-Z: give the terminal back, then stop as the signal says; goes on here when it is continued."""
            if self._before_stop is not None:
                with contextlib.suppress(RuntimeError):  # it came in the middle of a write
                    self._before_stop()
            self._give_back()
            signal.signal(signal.SIGTSTP, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTSTP)
            signal.signal(signal.SIGTSTP, self._stop)
