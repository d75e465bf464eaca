"""How loud, fast and excited a session may get: in the config file also as the table [limits], without `limit-`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from kelly_live.core.limits import QUIET_VELOCITY, RANGES, WHOLE, Limits, QuietHours, parse_quiet_hours
from kelly_live.engine.options.metadata import check_options, option


def _limit_option(name: str, help: str) -> Any:
    """Make the setting of a limit, with its range and kind of number in `kelly_live.core.limits`."""
    low, high = RANGES[name]
    kind = int if name in WHOLE else float
    return option(f"--limit-{name.replace('_', '-')}", kind=kind, minimum=low, maximum=high, help=help)


@dataclass(frozen=True, slots=True)
class LimitsOptions:
    """What no player, plug-in or control can pass; fields as in `Limits`. Raises ConfigError."""

    velocity: int | None = _limit_option("velocity", "The loudest a note may be, as a MIDI velocity.")
    loudness_rise: float | None = _limit_option(
        "loudness_rise", "How much louder the music may get in a second, in velocity."
    )
    accent: int | None = _limit_option(
        "accent",
        "No sudden accents: how much louder a note may be than the last two seconds were, in velocity.",
    )
    notes: int | None = _limit_option("notes", "How many notes may sound at once on a MIDI port.")
    tempo_rise: float | None = _limit_option("tempo_rise", "How much faster the music may get in a minute, in BPM.")
    arousal_rise: float | None = _limit_option("arousal_rise", "How much the arousal, -1 to 1, may rise in a minute.")
    quiet_hours: QuietHours | None = option(
        "--limit-quiet-hours",
        metavar="HH:MM-HH:MM",
        parse=parse_quiet_hours,
        format=str,
        help="From when to when the music is soft, by this machine's clock.",
    )
    quiet_velocity: int = option(
        "--limit-quiet-velocity",
        kind=int,
        default=QUIET_VELOCITY,
        minimum=1,
        maximum=127,
        default_note=None,
        help="The loudest a note may be in the quiet hours.",
    )

    def __post_init__(self) -> None:
        check_options(self)

    def combine(self, other: LimitsOptions) -> LimitsOptions:
        """Return the stricter of both; the quiet hours stay this one's."""
        both = self.build_limits().combine(other.build_limits())
        return replace(self, **{name: getattr(both, name) for name in RANGES})

    def build_limits(self) -> Limits:
        """Return the limits that these settings mean."""
        hours = self.quiet_hours
        quiet = () if hours is None else (QuietHours(hours.start, hours.end, self.quiet_velocity),)
        return Limits(
            self.velocity, self.loudness_rise, self.accent, self.notes, self.tempo_rise, self.arousal_rise, quiet
        )
