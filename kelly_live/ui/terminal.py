"""What a terminal shows: one status line of the live session, and the progress of long work.

Thread: one thread draws. A reader that goes away (`kelly-live | head`) stops the drawing, never the music.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TextIO

from kelly_live.core.timebase import Clock
from kelly_live.core.values import EmotionState
from kelly_live.core.wording import escape

_REDRAW_SECONDS = 0.1
_PLAIN_SECONDS = 5.0  # a line every so often where lines pile up: logs, pipes, dumb terminals
_FALLBACK_WIDTH = 80


@dataclass(frozen=True, slots=True)
class LiveStatus:
    """One moment of a live session.

    `tempo_bpm` in BPM; `level_dbfs`: the input's RMS; `inputs`: which of several carry sound; the counters are since
    the start; `bar` counts from 1; `remark` is free text ("frozen", "muted: melody"). `is_by_hand`: the emotion was
    set, so its confidence means nothing.
    """

    state: EmotionState
    tempo_bpm: float
    mode: str
    level_dbfs: float
    late_notes: int = 0
    dropped_windows: int = 0
    overflows: int = 0
    inputs: str = ""
    tonic: str | None = None
    chord: str | None = None
    bar: int | None = None
    remark: str | None = None
    is_by_hand: bool = False


def format_status(status: LiveStatus, width: int, separator: str = " | ") -> str:
    """Return the status in at most `width` characters: the least important is left out first."""
    state = status.state
    key = " ".join(filter(None, (status.tonic, status.mode)))
    place = [f"bar {status.bar}"] if status.bar is not None else []
    # (rank, text): the highest rank goes first when the line is too long. Counters that are not 0 matter most.
    pieces: list[tuple[int, str]] = [
        (0, state.emotion if status.is_by_hand else f"{state.emotion} {state.confidence:.0%}"),
        (3, f"V{state.valence:+.2f} A{state.arousal:+.2f} D{state.dominance:+.2f}"),
        (1, f"{status.tempo_bpm:.0f} BPM"),
        (2, key),
        *((6, text) for text in [status.chord, *place] if text),
        (4, f"in {status.level_dbfs:.0f} dB{status.inputs and f' ({status.inputs})'}"),
        *(
            (1 if count else rank, f"{name} {count}")
            for rank, name, count in (
                (5, "late", status.late_notes),
                (7, "dropped", status.dropped_windows),
                (7, "overflows", status.overflows),
            )
        ),
        *([(1, escape(status.remark))] if status.remark else []),
    ]
    while len(line := separator.join(text for _, text in pieces)) > width and len(pieces) > 1:
        least = max(range(len(pieces)), key=lambda i: (pieces[i][0], i))
        del pieces[least]
    return line[:width]


class StatusView:
    """Shows LiveStatus on a stream.

    On a terminal one line is redrawn in place, at most 10 times a second; elsewhere it prints a line every 5 s and when
    the emotion changes. No escape codes where NO_COLOR is set or TERM is "dumb". A closed pipe or stream ends the
    drawing quietly: `alive` is False from then on, and nothing is ever raised.
    """

    def __init__(self, stream: TextIO, clock: Clock, environment: Mapping[str, str] | None = None) -> None:
        environment = os.environ if environment is None else environment
        self.alive = True
        self._stream = stream
        self._clock = clock
        self._in_place = _is_terminal(stream, environment)
        self._erase = "\r" if environment.get("NO_COLOR") else "\r\x1b[2K"
        self._separator = " · " if _can_encode(stream, "·") else " | "
        self._next_draw = float("-inf")
        self._emotion: str | None = None
        self._line_length = 0

    def show(self, status: LiveStatus) -> None:
        """Draw, unless it is too soon. Call it as often as you like."""
        now = self._clock.now()
        has_changed = status.state.emotion != self._emotion
        if now < self._next_draw and (self._in_place or not has_changed):
            return
        self._next_draw = now + (_REDRAW_SECONDS if self._in_place else _PLAIN_SECONDS)
        self._emotion = status.state.emotion
        if not self._in_place:
            self._write(format_status(status, 200, self._separator) + "\n")
            return
        # One column stays free: a full line makes some terminals wrap, and the redraw would then crawl downwards.
        line = format_status(status, max(1, _width(self._stream) - 1), self._separator)
        padding = " " * (self._line_length - len(line)) if self._erase == "\r" else ""
        self._write(self._erase + line + padding)
        self._line_length = len(line)

    def say(self, text: str) -> None:
        """Print text that stays, above the status; each line escaped."""
        text = "\n".join(map(escape, text.split("\n")))
        if self._in_place:
            blank = " " * self._line_length + "\r" if self._erase == "\r" and self._line_length else ""
            text = self._erase + blank + text
            self._line_length, self._next_draw = 0, float("-inf")
        self._write(text + "\n")

    def close(self) -> None:
        """Leave the last line standing, and the cursor below it."""
        if self._in_place and self._line_length:
            self._write("\n")
            self._line_length = 0

    def _write(self, text: str) -> None:
        if not self.alive:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):  # ValueError: the stream was closed
            self.alive = False
            discard_rest(self._stream)

    def __enter__(self) -> StatusView:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


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
