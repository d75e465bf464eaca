"""The files of a recording: a MIDI file and a log that overwrite no earlier ones."""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from kelly_live.core.atomic_write import create_folder
from kelly_live.core.errors import ConfigError, OutputError


@dataclass(frozen=True, slots=True)
class Paths:
    """Where a take goes. `midi` is None if only the log is kept.

    `report`: the JSON of the session's report, None: none was asked for; its picture lies beside it. `keeps_log`: the
    log was asked for; else it is deleted once the report is written.
    """

    midi: Path | None
    log: Path
    report: Path | None = None
    keeps_log: bool = True

    @property
    def picture(self) -> Path | None:
        """The picture of the report."""
        return None if self.report is None else self.report.with_suffix(".png")


def choose_paths(midi: Path | None, log: Path | None, report: Path | None = None) -> Paths:
    """Return the paths of a new take: the log beside the MIDI file, or the report, unless it is named.

    What is there already is kept: the new take gets a number. Raises OutputError, and ConfigError without any path.
    """
    keeps_log = midi is not None or log is not None
    beside = midi or report
    log = log or (beside and beside.with_suffix(".jsonl"))
    if log is None:
        raise ConfigError("a recording needs a file to go to; name one")
    for number in itertools.count(1):
        paths = Paths(
            midi and _number_path(midi, number),
            _number_path(log, number),
            report and _number_path(report, number),
            keeps_log,
        )
        files = [path for path in (paths.midi, paths.log, paths.report, paths.picture) if path is not None]
        if len({path.resolve() for path in files}) < len(files):
            raise OutputError("the recording, its log and its report have the same name; choose different ones")
        if not any(os.path.lexists(path) for path in files):
            return paths
    raise AssertionError


def choose_folder() -> Path:
    """Return where takes go that nobody named a folder for: `Kelly Live` in the user's folder for music."""
    import platformdirs

    return platformdirs.user_music_path() / "Kelly Live"


def choose_dated_paths(folder: Path, now: datetime) -> Paths:
    """Return the paths of a new take, whose name is the time `now`.

    Creates the folder. Raises OutputError.
    """
    create_folder(folder, "name another with --record-folder")
    return choose_paths(folder / f"kelly-live-{now:%Y-%m-%d-%H%M%S}.mid", None)


def _number_path(path: Path, number: int) -> Path:
    return path if number == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")
