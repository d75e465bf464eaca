"""The band's role while the player plays."""

from __future__ import annotations

from dataclasses import dataclass

from kelly_live.core.band_roles import ACCOMPANY, ROLES
from kelly_live.engine.options.metadata import check_options, option
from kelly_live.music.role_options import MAX_TRADE_BARS, RoleOptions


@dataclass(frozen=True, slots=True)
class BandRoleOptions:
    """The band's role, one of ROLES, and how many bars a turn has when it trades. Raises ConfigError."""

    role: str = option(
        "--role",
        choices=ROLES,
        default=ACCOMPANY,
        default_note=None,
        help="What the band does while you play: accompany leaves you space, answer repeats your phrases varied, trade "
        "takes turns with you, lead plays its own tune and chords over you, shadow doubles you softly.",
    )
    trade_bars: int = option(
        "--trade-bars",
        kind=int,
        default=RoleOptions().trade_bars,
        minimum=1,
        maximum=MAX_TRADE_BARS,
        default_note=None,
        help="How many bars a turn has when the band trades with you.",
    )

    def __post_init__(self) -> None:
        check_options(self)

    def build_role(self) -> RoleOptions:
        """Build what the conductor is told."""
        return RoleOptions(self.role, self.trade_bars)
