"""How loud, fast and excited a session may get: in the config file also as the table [limits], without `limit-`."""

from __future__ import annotations

from dataclasses import dataclass

from kelly_live.core.commands import MAX_NOTES_AT_ONCE, MAX_RISE
from kelly_live.core.limits import QUIET_VELOCITY, RANGES, Limits, QuietHours, parse_quiet_hours
from kelly_live.engine.options.metadata import check_options, option


@dataclass(frozen=True, slots=True)
class LimitsOptions:
    """What no player, plug-in or control can pass; fields as in `Limits`. Raises ConfigError."""

    velocity: int | None = option(
        "--limit-velocity", kind=int, minimum=1, maximum=127, help="The loudest a note may be, as a MIDI velocity."
    )
    loudness_rise: float | None = option(
        "--limit-loudness-rise",
        kind=float,
        minimum=RANGES["loudness_rise"][0],
        maximum=MAX_RISE,
        help="How much louder the music may get in a second, in velocity.",
    )
    accent: int | None = option(
        "--limit-accent",
        kind=int,
        minimum=1,
        maximum=127,
        help="No sudden accents: how much louder a note may be than the last two seconds were, in velocity.",
    )
    notes: int | None = option(
        "--limit-notes",
        kind=int,
        minimum=1,
        maximum=MAX_NOTES_AT_ONCE,
        help="How many notes may sound at once on a MIDI port.",
    )
    tempo_rise: float | None = option(
        "--limit-tempo-rise",
        kind=float,
        minimum=RANGES["tempo_rise"][0],
        maximum=RANGES["tempo_rise"][1],
        help="How much faster the music may get in a minute, in BPM.",
    )
    arousal_rise: float | None = option(
        "--limit-arousal-rise",
        kind=float,
        minimum=RANGES["arousal_rise"][0],
        maximum=RANGES["arousal_rise"][1],
        help="How much the arousal, -1 to 1, may rise in a minute.",
    )
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

    def build_limits(self) -> Limits:
        """Return the limits that these settings mean."""
        hours = self.quiet_hours
        quiet = () if hours is None else (QuietHours(hours.start, hours.end, self.quiet_velocity),)
        return Limits(
            self.velocity, self.loudness_rise, self.accent, self.notes, self.tempo_rise, self.arousal_rise, quiet
        )
