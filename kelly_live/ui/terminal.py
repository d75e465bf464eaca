"""What a terminal shows: the status of the live session, and the progress of long work.

Thread: one thread draws. A reader that goes away (`kelly-live | head`) stops the drawing, never the music.
"""

from __future__ import annotations

import contextlib
import math
import os
import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Self, TextIO

from kelly_live.core.timebase import Clock
from kelly_live.core.wording import escape
from kelly_live.ui.status import (
    ASCII,
    SILENT_DBFS,
    UNICODE,
    LiveStatus,
    Piece,
    Style,
    describe_changes,
    format_level,
    format_row,
    format_rows,
)

_REDRAW_SECONDS = 0.1
_PLAIN_SECONDS = 1.0  # between two lines of what changes by itself
_HEARD_DBFS = -50.0
_SILENT_SECONDS = 4.0  # a rest of the player is no news
_FALLBACK_WIDTH = 80
# Rows that are drawn must not wrap, or the redraw would crawl downwards. The terminal is told so for that moment: a row
# is too long where it has just become narrower, or shows a character wider than we think.
_NO_WRAP, _WRAP = "\x1b[?7l", "\x1b[?7h"
_ERASE_BELOW = "\x1b[J"  # from the cursor on
_STYLES = {Style.PLAIN: "", Style.HELD: "\x1b[1;7m", Style.TROUBLE: "\x1b[1;31m"}
_NO_STYLE = "\x1b[0m"


class LiveView:
    """Shows LiveStatus and lines on a stream: what StatusView and PlainView have in common.

    A closed pipe or stream ends it quietly: `alive` is False from then on, and nothing is ever raised.
    """

    def __init__(self, stream: TextIO, clock: Clock) -> None:
        self.alive = True
        self._stream = stream
        self._clock = clock

    def show(self, status: LiveStatus) -> None:
        """Show the present status. Call it as often as you like."""
        raise NotImplementedError

    def say(self, text: str) -> None:
        """Print text that stays; each line escaped."""
        self._write("".join(f"{escape(line)}\n" for line in text.split("\n")))

    def close(self) -> None:
        """Leave what is shown as it is, and the cursor below it. Safe to call twice."""

    def _write(self, text: str) -> None:
        if not self.alive:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):  # ValueError: the stream was closed
            self.alive = False
            discard_rest(self._stream)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class StatusView(LiveView):
    """Redraws three rows in place at the foot of a terminal, at most 10 times a second; what is held, at once.

    No colour where NO_COLOR is set. Between two drawings the cursor stands where the first row begins. A terminal that
    is resized, and wraps its rows anew, keeps the cursor there, so that the next drawing erases all of the last one.
    """

    def __init__(self, stream: TextIO, clock: Clock, environment: Mapping[str, str] | None = None) -> None:
        super().__init__(stream, clock)
        self._has_colour = not (os.environ if environment is None else environment).get("NO_COLOR")
        self._symbols = UNICODE if _can_encode(stream, UNICODE.all) else ASCII
        self._next_draw = -math.inf
        self._hand: tuple[str, ...] = ()
        self._drawn = (0, "")  # the width, and what stands on the screen
        self._row_count = 0

    def show(self, status: LiveStatus) -> None:
        """Draw, unless it is too soon."""
        now = self._clock.now()
        if now < self._next_draw and status.hand == self._hand:
            return
        self._next_draw, self._hand = now + _REDRAW_SECONDS, status.hand
        width = _width(self._stream)
        rows = format_rows(status, max(1, width - 1), self._symbols)  # the first column stays free for the cursor
        drawing = "\r\n".join(f" {self._paint(row)}" for row in rows)
        if (width, drawing) == self._drawn:
            return
        self._drawn, self._row_count = (width, drawing), len(rows)
        self._write(f"\r{_ERASE_BELOW}{_NO_WRAP}{drawing}{_WRAP}\x1b[{len(rows) - 1}A\r")

    def say(self, text: str) -> None:
        """Print text that stays, above the rows, with line breaks between words; each line escaped."""
        width = max(20, _width(self._stream) - 1)
        lines = [part for line in text.split("\n") for part in _wrap(escape(line), width)]
        self._write("\r" + _ERASE_BELOW + "".join(f"{line}\r\n" for line in lines))
        self._forget()

    def close(self) -> None:
        """Leave the rows standing, and the cursor below them. Safe to call twice."""
        if self._row_count:
            self._write("\r\n" * self._row_count)
        self._forget()

    def _forget(self) -> None:
        """Draw all of the rows again, and soon: something else stands there now."""
        self._drawn, self._row_count, self._next_draw = (0, ""), 0, -math.inf

    def _paint(self, row: Sequence[Piece]) -> str:
        if not self._has_colour:
            return format_row(row, self._symbols)
        painted = (
            f"{_STYLES[piece.style]}{piece.text}{_NO_STYLE}" if _STYLES[piece.style] else piece.text for piece in row
        )
        return self._symbols.separator.join(painted)


class PlainView(LiveView):
    """Prints a line for each change: no redraw, no escape codes. For screen readers, logs and pipes.

    What the performer does is said at once; what changes by itself once a second at most.
    """

    def __init__(self, stream: TextIO, clock: Clock) -> None:
        super().__init__(stream, clock)
        self._next_line = -math.inf
        self._said: LiveStatus | None = None
        self._is_heard: bool | None = None
        self._loud_at = clock.now()

    def show(self, status: LiveStatus) -> None:
        """Print what has changed since the last line, if anything."""
        now = self._clock.now()
        self._loud_at = now if status.level_dbfs > SILENT_DBFS else self._loud_at
        if now < self._next_line and self._said is not None and status.hand == self._said.hand:
            return
        changes = describe_changes(self._said, status)
        is_heard = self._hears(status.level_dbfs, now)
        if is_heard != self._is_heard:
            self._is_heard = is_heard
            changes.append(format_level(status.level_dbfs))
        if changes:
            self._said, self._next_line = status, now + _PLAIN_SECONDS
            bar = "" if status.bar is None else f"bar {status.bar}: "
            self._write(f"{bar}{', '.join(changes)}\n")
        elif self._said is not None:  # words that went are said when they come again
            self._said = replace(self._said, playing=status.playing, remarks=status.remarks)

    def _hears(self, level_dbfs: float, now: float) -> bool:
        if self._is_heard is None or level_dbfs > _HEARD_DBFS:
            return level_dbfs > _HEARD_DBFS
        return self._is_heard and now - self._loud_at < _SILENT_SECONDS


def create_view(
    stream: TextIO, clock: Clock, *, plain: bool = False, environment: Mapping[str, str] | None = None
) -> LiveView:
    """Return a view on a stream: rows that are redrawn on a terminal, lines elsewhere or with `plain`."""
    environment = os.environ if environment is None else environment
    if plain or not _is_terminal(stream, environment):
        return PlainView(stream, clock)
    if sys.platform == "win32":
        with contextlib.suppress(ImportError):  # it comes with click
            import colorama  # type: ignore[import-untyped,unused-ignore]

            colorama.just_fix_windows_console()  # an old console takes escape codes once it is told to
    return StatusView(stream, clock, environment)


class Progress:
    """The progress of long work; a context manager.

    On a terminal it is a bar (rich) on stderr, since stdout may be a result. Elsewhere it is quiet: nobody watches.
    """

    def __init__(self, total: float, label: str, stream: TextIO, environment: Mapping[str, str]) -> None:
        self._total = max(total, 1e-12)
        self._label = label
        self._bar: Any = _rich_bar(stream) if _is_terminal(stream, environment) else None
        self._task: Any = None
        self._amount = 0.0

    def update(self, amount: float) -> None:
        """Show that `amount` of `total` is done."""
        self._amount = amount
        if self._bar is not None:
            self._bar.update(self._task, completed=min(amount, self._total))

    def advance(self, step: float = 1.0) -> None:
        """Add `step` to what is done."""
        self.update(self._amount + step)

    def __enter__(self) -> Progress:
        if self._bar is not None:
            self._bar.start()
            self._task = self._bar.add_task(self._label, total=self._total)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()


def progress(
    total: float = 1.0,
    label: str = "",
    stream: TextIO | None = None,
    environment: Mapping[str, str] | None = None,
) -> Progress:
    """Return a Progress on stderr; with the default `total`, `update` takes the fraction that is done."""
    return Progress(
        total,
        label,
        sys.stderr if stream is None else stream,
        os.environ if environment is None else environment,
    )


def _rich_bar(stream: TextIO) -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    return RichProgress(
        TextColumn("{task.description}", markup=False),  # a file name may hold brackets
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeRemainingColumn(),
        console=Console(file=stream),
        transient=True,
    )


def _is_terminal(stream: TextIO, environment: Mapping[str, str]) -> bool:
    try:
        return stream.isatty() and environment.get("TERM", "") != "dumb"
    except ValueError:  # closed
        return False


def _width(stream: TextIO) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns or _FALLBACK_WIDTH
    except (OSError, ValueError):
        return _FALLBACK_WIDTH


def _wrap(line: str, width: int) -> list[str]:
    """Break a line between words; what follows is indented two columns more."""
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    if len(line) <= width:
        return [line]
    return textwrap.wrap(line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _can_encode(stream: TextIO, text: str) -> bool:
    try:
        text.encode(getattr(stream, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def discard_rest(stream: TextIO) -> None:
    """Redirect a stream to nowhere: Python flushes stdout once more at exit, and would complain there."""
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
    except (OSError, ValueError):
        return  # not a real file: nothing is flushed at exit
