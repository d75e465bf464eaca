"""Whether a session is recorded, and in which files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kelly_live.engine.options.metadata import check_options, option


@dataclass(frozen=True, slots=True)
class RecordingOptions:
    """Where a session is recorded: a MIDI file, a log, both or neither (both None)."""

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

    def __post_init__(self) -> None:
        check_options(self)

    @property
    def is_recording(self) -> bool:
        """Whether anything is recorded."""
        return self.midi is not None or self.log is not None
