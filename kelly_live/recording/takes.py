"""What of a session is kept: a take from its start, and takes that begin and end while it plays.

Music can only be made again from its start. So the log of a session is kept from its start in a temporary file, and a
take that begins later gets a copy of it, which says from when on it counts. Thread: the `record` thread; `take`,
`problem`, `is_idle` and `take_lines` may be read from any.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from kelly_live.core.atomic_write import write_atomically
from kelly_live.core.errors import KellyError, OutputError
from kelly_live.core.numbers import format_time
from kelly_live.core.queues import drain
from kelly_live.core.timebase import read_clock
from kelly_live.core.wording import plural
from kelly_live.recording.log import encode_record
from kelly_live.recording.log_file import LogFile
from kelly_live.recording.packed_tape import RecordedMusic
from kelly_live.recording.paths import Paths
from kelly_live.recording.records import TakeRecord
from kelly_live.recording.spool import Spool
from kelly_live.recording.take_service import write_take_beside


@dataclass(frozen=True, slots=True)
class Take:
    """A take that is being written; `start_seconds` (monotonic) None: from the start of the session."""

    paths: Paths
    file: LogFile
    start_seconds: float | None = None


class Takes:
    """The present take, if there is one, and the means to begin another.

    Args:
        first: Where the take goes that begins with the session; None: none does.
        choose_next: Returns where a later one goes; raises KellyError. None: there are no later ones.
    """

    def __init__(self, first: Paths | None, choose_next: Callable[[], Paths] | None) -> None:
        self._choose_next = choose_next
        self._spool = None if choose_next is None else Spool()
        self._take = None if first is None else Take(first, LogFile(first.log))
        self._lines: deque[str] = deque(maxlen=64)
        self._writers: list[threading.Thread] = []

    @property
    def take(self) -> Take | None:
        """The present take."""
        return self._take

    @property
    def problem(self) -> str | None:
        """What is wrong with the present take, in a few words."""
        take = self._take
        return None if take is None else take.file.problem

    @property
    def is_idle(self) -> bool:
        """Whether nothing is kept any more, and nothing can be."""
        return (self._take is None or self._take.file.is_ended) and (
            self._spool is None or self._spool.problem is not None
        )

    def take_lines(self) -> list[str]:
        """Remove and return what there is to say. Thread: any."""
        return drain(self._lines)

    def say(self, line: str) -> None:
        """Say a line."""
        self._lines.append(line)

    def append(self, data: bytes, *, sync: bool) -> None:
        """Keep whole lines of the log; `sync`: wait for the disk."""
        if self._spool is not None:
            self._spool.append(data)
        if self._take is not None:
            self._take.file.append(data)
            self._take.file.flush(sync=sync)

    def begin(self, time: float, start_seconds: float | None, where: str) -> None:
        """Begin a take, which counts from `start_seconds` (monotonic) on: `where` in words. Raises KellyError."""
        take = self._open(start_seconds)
        if start_seconds is not None:
            take.file.append(encode_record(TakeRecord(time=time, start_seconds=start_seconds)))
        take.file.flush(sync=True)
        self._take = take
        self.say(f"recording {where}: {take.paths.midi}")

    def end(self, music: RecordedMusic | None, end_seconds: float) -> None:
        """End the present take with the music up to `end_seconds`; its MIDI file is written beside."""
        take, self._take = self._take, None
        if take is not None:
            self._finish(take, music, end_seconds)

    def keep(self, music: RecordedMusic | None, end_seconds: float) -> None:
        """Keep the music since the start of the session, beside a take that goes on. Raises KellyError."""
        self._finish(self._open(None), music, end_seconds)

    def _open(self, start_seconds: float | None) -> Take:
        assert self._choose_next is not None
        assert self._spool is not None
        paths = self._choose_next()
        take = Take(paths, LogFile(paths.log), start_seconds)
        try:
            self._spool.copy_to(take.file)
        except KellyError:
            take.file.close()
            paths.log.unlink(missing_ok=True)
            raise
        return take

    def _finish(self, take: Take, music: RecordedMusic | None, end_seconds: float) -> None:
        record = TakeRecord(time=end_seconds, start_seconds=take.start_seconds, end_seconds=end_seconds)
        take.file.append(encode_record(record))
        take.file.flush(sync=True)
        take.file.close()
        if take.file.problem is not None:
            self.say(describe_torn_log(take.paths, take.file.problem))
        if music is None:
            self.say(f"recorded no note; log: {take.paths.log}")
            return
        arguments = (take, music, end_seconds)
        writer = threading.Thread(target=self._write, args=arguments, name="write-take", daemon=True)
        self._writers = [one for one in self._writers if one.is_alive()] + [writer]
        writer.start()

    def _write(self, take: Take, music: RecordedMusic, end_seconds: float) -> None:
        """Thread: write-take."""
        paths, start = take.paths, take.start_seconds
        try:
            count = write_take_beside(paths.midi, music, start, end_seconds)
        except KellyError as error:
            self.say(f"{error}; {_suggest_replay(paths)}")
            return
        length = format_time(round(end_seconds - (music.tape.origin_seconds if start is None else start)))
        file = "" if paths.midi is None else f"{paths.midi}: "
        self.say(f"recorded {file}{plural(count, 'note')}, {length}; log: {paths.log}")

    def close(self, patience_seconds: float) -> None:
        """Wait for the files that are being written, and forget the session.

        Thread: the main one, after the `record` thread has ended.
        """
        until = read_clock() + patience_seconds
        for writer in self._writers:
            writer.join(max(0.0, until - read_clock()))
        if self._spool is not None:
            self._spool.close()

    def close_last(
        self, music: RecordedMusic | None, *, made_notes: int, has_content: bool, problem: str | None
    ) -> list[str]:
        """End the take that lasted to the end of the session; return lines that tell of it.

        `made_notes`: how many notes were made for the tape. A take without content is removed. `problem`: why it is
        not whole, beside its file's own. Thread: the main one.
        """
        take = self._take
        if take is None:
            return []
        take.file.close()
        paths, problem = take.paths, take.file.problem or problem
        if not has_content and problem is None:
            return _remove_log(paths)
        cut = None if music is None else music.cut(take.start_seconds)
        notes = 0 if cut is None else cut.tape.count_notes()
        unsent = made_notes - notes if take.start_seconds is None else 0
        rest = f" ({unsent} more had been made, and came too late, over a limit or after the end)" * (unsent > 0)
        lines = [f"recorded {plural(notes, 'note')}{rest}; log: {paths.log}"]
        if problem is not None:
            lines = [describe_torn_log(paths, problem)]
        if paths.midi is None or cut is None or made_notes == 0:
            return lines
        from kelly_live.recording.take import encode_take

        try:
            write_atomically(paths.midi, encode_take(cut), private=True)
        except OutputError as error:
            return [*lines, f"{error}; {_suggest_replay(paths)}"]
        return [f"recorded {paths.midi}", *lines]


def _remove_log(paths: Paths) -> list[str]:
    try:
        paths.log.unlink(missing_ok=True)
    except OSError as error:
        return [f"nothing was played; the empty log {str(paths.log)!r} cannot be removed: {error.strerror}"]
    return ["nothing was played, so nothing was recorded"]


def describe_torn_log(paths: Paths, problem: str) -> str:
    """Say that a log is not whole, and why."""
    return f"the log {str(paths.log)!r} is not whole: {problem}"


def _suggest_replay(paths: Paths) -> str:
    """Say how the MIDI file is made of the log."""
    return f"`kelly-live replay {paths.log} --midi {paths.midi}` creates it later"
