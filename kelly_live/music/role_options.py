"""What the band does while the player plays, and how long turns are when they trade."""

from __future__ import annotations

from dataclasses import dataclass

from kelly_live.core.band_roles import ACCOMPANY, ROLES
from kelly_live.core.errors import ConfigError

MAX_TRADE_BARS = 16  # a turn is planned at once, within the time of a step


@dataclass(frozen=True, slots=True)
class RoleOptions:
    """The band's role, one of ROLES, and how many bars a turn has in "trade". Raises ConfigError."""

    role: str = ACCOMPANY
    trade_bars: int = 4

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise ConfigError(f"role is {self.role[:40]!r}; it must be one of {', '.join(ROLES)}")
        if not 1 <= self.trade_bars <= MAX_TRADE_BARS:
            raise ConfigError(f"a turn has {self.trade_bars} bars; it must have 1 to {MAX_TRADE_BARS}")
