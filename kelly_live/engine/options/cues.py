"""The cue sheet of a show, and where a rehearsal begins."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kelly_live.engine.options.metadata import check_options, option


@dataclass(frozen=True, slots=True)
class CueOptions:
    """A cue sheet (docs/cues.md), and the name of the cue to begin with (None: GO begins the first). ConfigError."""

    sheet: Path | None = option(
        "--cues",
        kind=Path,
        metavar="FILE.yaml",
        help="Play the cues of a show: g is GO, as are pads, OSC, the page, timecode or a song's bars at --midi-in.",
    )
    first: str | None = option(
        "--from", metavar="CUE", help="Rehearse from this cue on: it begins at once, with what those before it set."
    )

    def __post_init__(self) -> None:
        check_options(self)
