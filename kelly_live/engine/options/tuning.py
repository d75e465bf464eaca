"""How notes outside 12-tone equal temperament are sent."""

from __future__ import annotations

from dataclasses import dataclass

from kelly_live.core.commands import BEND_SEMITONES, DEFAULT_TUNING, TUNINGS, Tuning
from kelly_live.core.errors import ConfigError
from kelly_live.engine.options.metadata import check_options, option


@dataclass(frozen=True, slots=True)
class TuningOptions:
    """The tuning method and the pitch-bend range.

    `bend_range`: semitones (None: 48 for mpe, else 2). Raises ConfigError.
    """

    method: str = option(
        "--tuning",
        choices=TUNINGS,
        default=DEFAULT_TUNING.mode,
        default_note=None,
        help="How notes outside 12-TET are sent: pitch bends, MPE, MIDI Tuning Standard, or off (nearest key).",
    )
    bend_range: int | None = option(
        "--bend-range",
        kind=int,
        choices=BEND_SEMITONES,
        default_note="48 for mpe, else 2",
        help="Semitones of a full pitch bend.",
    )

    def __post_init__(self) -> None:
        check_options(self)
        if self.bend_range is not None and self.method not in ("bend", "mpe"):
            raise ConfigError(f"--bend-range has no meaning with --tuning {self.method}; leave it out")

    def build_tuning(self) -> Tuning:
        """Return the tuning; it does not know the programs yet."""
        return Tuning(self.method, self.bend_range)
