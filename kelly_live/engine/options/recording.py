"""Whether a session is recorded, and in which files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kelly_live.core.errors import ConfigError
from kelly_live.core.numbers import quote_value
from kelly_live.engine.options.metadata import check_options, option


@dataclass(frozen=True, slots=True)
class RecordingOptions:
    """Where a session is recorded: a MIDI file, a log, both or neither (both None).

    `folder`: where what is recorded goes that is begun while it plays.
    `report`: what the session was goes there at its end, as JSON, and a picture beside it.
    """

    midi: Path | None = option(
        "--record",
        kind=Path,
        metavar="FILE.mid",
        help="Record what is played: a MIDI file, and beside it a log (FILE.jsonl). Earlier files are never "
        "overwritten.",
    )
    log: Path | None = option(
        "--log", kind=Path, metavar="FILE.jsonl", help="Write a log of the session; `kelly-live replay` plays it again."
    )
    report: Path | None = option(
        "--report",
        kind=Path,
        metavar="FILE.json",
        help="At the end, write what the session was: feeling, music, who steered; and a picture beside it (FILE.png). "
        "Earlier files are never overwritten.",
    )

    folder: Path | None = option(
        "--record-folder",
        kind=Path,
        is_folder=True,
        metavar="DIR",
        help="Where a recording goes that is begun while it plays (key c), or kept (key v).",
        default_note="beside --record, else `Kelly Live` in your folder for music",
    )

    def __post_init__(self) -> None:
        check_options(self)
        if self.report is not None and self.report.suffix.lower() != ".json":
            raise ConfigError(f"--report is {quote_value(str(self.report))}; it holds JSON, so end its name in .json")

    @property
    def is_recording(self) -> bool:
        """Whether anything is recorded."""
        return any(path is not None for path in (self.midi, self.log, self.report))
