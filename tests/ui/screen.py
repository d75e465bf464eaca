"""What a terminal's screen shows of what a program writes: as much of a terminal as our programs use, and no more."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import termios
from typing import TextIO

_SEQUENCE = re.compile(r"\x1b\[(\??)(\d*)(?:;\d+)*([A-Za-z])")
_END = "\x1e"  # after what was drawn


class Screen:
    """A screen of so many columns and rows. Raises AssertionError for an escape sequence that it does not know."""

    def __init__(self, columns: int, rows: int = 24) -> None:
        self.columns, self._row_count = columns, rows
        self._rows = [""]
        self._row = self._column = 0
        self._wraps = True
        self.wrapped_lines = 0  # since the start

    @property
    def lines(self) -> list[str]:
        """The lines that are not empty."""
        return [line.rstrip() for line in self._rows if line.strip()]

    def feed(self, text: str) -> None:
        """Show what a program writes; its terminal makes a new line of "\\n" (ONLCR)."""
        while text:
            if sequence := _SEQUENCE.match(text):
                self._control(*sequence.groups())
                text = text[sequence.end() :]
                continue
            assert text[0] >= " " or text[0] in "\r\n", text[:10]
            if text[0] == "\r":
                self._column = 0
            elif text[0] == "\n":
                self._go_down()
            else:
                self._put(text[0])
            text = text[1:]

    def resize(self, columns: int) -> None:
        """Become narrower or wider: what does not fit is lost, as in xterm, and nothing is wrapped anew."""
        self.columns = columns
        self._rows = [line[:columns] for line in self._rows]
        self._column = min(self._column, columns - 1)

    def _put(self, character: str) -> None:
        if self._column >= self.columns:
            if self._wraps:
                self.wrapped_lines += 1
                self._column = 0
                self._go_down()
            else:
                self._column = self.columns - 1
        line = self._rows[self._row].ljust(self._column)
        self._rows[self._row] = line[: self._column] + character + line[self._column + 1 :]
        self._column += 1

    def _go_down(self) -> None:
        self._row += 1
        if self._row == len(self._rows):
            self._rows.append("")
        if len(self._rows) > self._row_count:
            del self._rows[0]
            self._row -= 1

    def _control(self, private: str, number: str, command: str) -> None:
        if command == "J" and not number:
            self._rows[self._row :] = [self._rows[self._row][: self._column]]
        elif command == "A":
            self._row = max(0, self._row - int(number or 1))
        elif private and number == "7":
            self._wraps = command == "h"
        else:
            assert command == "m", command  # colours


class PtyScreen:
    """A pseudo-terminal and its screen: a view draws on `stream`."""

    def __init__(self, columns: int) -> None:
        self._ours, theirs = pty.openpty()
        self.screen = Screen(columns)
        self.stream: TextIO = os.fdopen(theirs, "w", encoding="utf-8")
        self.resize(columns)

    def resize(self, columns: int) -> None:
        fcntl.ioctl(self.stream.fileno(), termios.TIOCSWINSZ, struct.pack("4H", 24, columns, 0, 0))
        self.screen.resize(columns)

    def read(self) -> list[str]:
        """Show what was drawn since the last call, and return the screen's lines."""
        self.stream.write(_END)  # a pseudo-terminal hands on what was written in its own time
        self.stream.flush()
        data = b""
        while not data.endswith(_END.encode()):
            data += os.read(self._ours, 100_000)
        self.screen.feed(data.decode().removesuffix(_END))
        return self.screen.lines

    def close(self) -> None:
        self.stream.close()
        os.close(self._ours)
