"""Create the report of a session from its log, and write it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kelly_live.engine.build import Notify
    from kelly_live.recording.recorder import Recorder
    from kelly_live.recording.report import SessionReport


def load_report(log: Path, notify: Notify) -> SessionReport:
    """Play a log again, and return its report. Raises ConfigError."""
    from kelly_live.engine.replay import replay_log
    from kelly_live.recording.log import LogReader
    from kelly_live.recording.report import create_report

    again = replay_log(log, notify)
    problem = None
    if again.differs_at is not None:
        problem = f"from line {again.differs_at} on at the latest the notes are not the recorded ones"
        notify(f"{log}: {problem}; make the report with the version and plug-ins that played it")
    return create_report(LogReader(log), again.tape, problem)


def write_report(report: SessionReport, json: Path | None, picture: Path | None) -> list[str]:
    """Write the files of a report, each whole or not at all; return a line for each. Raises OutputError."""
    import msgspec

    from kelly_live.core.atomic_write import write_atomically

    lines = []
    if json is not None:
        data = msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n"
        write_atomically(json, data, private=True)
        lines.append(f"wrote {json}")
    if picture is not None:
        from kelly_live.engine.report_picture import render_report

        write_atomically(picture, render_report(report), private=True)
        lines.append(f"wrote {picture}")
    return lines


def close_recorder(recorder: Recorder) -> list[str]:
    """Close a recorder, and write the report where one was asked for; return what was written, one line each."""
    lines, take = recorder.close(), recorder.take
    if take is None or take.paths.report is None or not take.paths.log.exists():
        return lines
    from kelly_live.core.errors import KellyError
    from kelly_live.recording.log import LogReader
    from kelly_live.recording.report import create_report

    paths = take.paths
    try:
        report = create_report(LogReader(paths.log), recorder.tape)
        written = write_report(report, paths.report, paths.picture)
    except KellyError as error:
        return [*lines, f"no report: {error}; `kelly-live report {paths.log}` tries again"]
    if paths.keeps_log:
        return [*lines, *written]
    paths.log.unlink(missing_ok=True)
    return written
