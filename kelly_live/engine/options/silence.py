"""What the band does while the player rests."""

from __future__ import annotations

from dataclasses import dataclass

from kelly_live.engine.options.metadata import check_options, option
from kelly_live.music.rest_options import REST, WHEN_SILENT, RestOptions

MAX_REST_BARS = 1000


@dataclass(frozen=True, slots=True)
class SilenceOptions:
    """What the band does once the player has rested for `bars` bars: one of WHEN_SILENT. Raises ConfigError."""

    when_silent: str = option(
        "--when-silent",
        choices=WHEN_SILENT,
        default=REST,
        default_note=None,
        help="When you stop for long: rest closes and waits for you, play goes on, solo lets the melody take over.",
    )
    bars: int = option(
        "--silent-bars",
        kind=int,
        default=RestOptions().bars,
        minimum=1,
        maximum=MAX_REST_BARS,
        default_note=None,
        help="How many bars of your silence are long.",
    )

    def __post_init__(self) -> None:
        check_options(self)

    def build_rest(self) -> RestOptions:
        """Build what the conductor is told."""
        return RestOptions(self.when_silent, self.bars)
