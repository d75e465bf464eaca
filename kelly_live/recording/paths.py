"""The files of a recording: a MIDI file and a log that overwrite no earlier ones."""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass
from pathlib import Path

from kelly_live.core.errors import ConfigError, OutputError


@dataclass(frozen=True, slots=True)
class Paths:
    """Where a take goes. `midi` is None if only the log is kept."""

    midi: Path | None
    log: Path


def choose_paths(midi: Path | None, log: Path | None) -> Paths:
    """Return the paths of a new take: the log beside the MIDI file unless it is named.

    What is there already is kept: the new take gets a number. Raises OutputError, and ConfigError without any path.
    """
    if midi is None and log is None:
        raise ConfigError("a recording needs a file to go to; name one")
    log = log or (midi and midi.with_suffix(".jsonl"))
    if midi is not None and log is not None and midi.resolve() == log.resolve():
        raise OutputError("the recording and its log have the same name; choose different ones")
    for number in itertools.count(1):
        paths = [_number_path(path, number) for path in (midi, log)]
        if not any(path is not None and os.path.lexists(path) for path in paths):
            assert paths[1] is not None
            return Paths(paths[0], paths[1])
    raise AssertionError


def _number_path(path: Path | None, number: int) -> Path | None:
    return path if path is None or number == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")
