"""What the band does once the player has rested for long."""

from __future__ import annotations

from dataclasses import dataclass

from kelly_live.core.errors import ConfigError
from kelly_live.music.forms import BARS_PER_PHRASE

REST, PLAY, SOLO = "rest", "play", "solo"
WHEN_SILENT = (REST, PLAY, SOLO)


@dataclass(frozen=True, slots=True)
class RestOptions:
    """What the band does (one of WHEN_SILENT) once the player has rested for `bars` bars. Raises ConfigError."""

    when_silent: str = REST
    bars: int = BARS_PER_PHRASE

    def __post_init__(self) -> None:
        if self.when_silent not in WHEN_SILENT:
            raise ConfigError(f"when silent is {self.when_silent[:40]!r}; it must be one of {', '.join(WHEN_SILENT)}")
        if self.bars < 1:
            raise ConfigError(f"the band waits for {self.bars} bars; it must be 1 or more")
